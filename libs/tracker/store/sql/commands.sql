-- name: insert
-- Note down what a person asks of an account; the paper trader answers it in account_events.
INSERT INTO tracker.commands (requested_by, account, kind, arguments, reason) VALUES ($1, $2, $3, $4::jsonb, $5)
RETURNING command_id;

-- name: waiting
-- Commands that no event answers yet, in the order in which they were given; $1 null: of every account.
SELECT c.command_id, c.account, c.kind::text AS kind, c.arguments, c.reason, c.requested_by
FROM tracker.commands c
WHERE ($1::text IS NULL OR c.account = $1)
  AND NOT EXISTS (SELECT FROM tracker.account_events e WHERE e.command_id = c.command_id)
ORDER BY c.command_id;

-- name: insert_event
-- Add what became of a command, or of what the configuration asks for.
INSERT INTO tracker.account_events (account, ts, command_id, kind, amount, arguments, outcome, note)
VALUES ($1, $2, $3, $4, $5, $6::jsonb, $7, $8);

-- name: events
-- Everything an account was told, in the order in which it took effect.
SELECT e.ts, e.account, e.command_id, e.kind::text AS kind, e.amount, e.arguments, e.outcome, e.note,
       coalesce(c.reason, '') AS reason, coalesce(c.requested_by, '') AS requested_by
FROM tracker.account_events e LEFT JOIN tracker.commands c USING (command_id)
WHERE e.account = $1 ORDER BY e.event_id;

-- name: answer
-- What became of a command; no row while the paper trader has not come to it.
SELECT e.ts, e.account, e.command_id, e.kind::text AS kind, e.amount, e.arguments, e.outcome, e.note,
       c.reason, c.requested_by
FROM tracker.account_events e JOIN tracker.commands c USING (command_id)
WHERE e.command_id = $1;
