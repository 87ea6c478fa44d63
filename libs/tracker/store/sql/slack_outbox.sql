-- name: write
-- Write a message down to be delivered; returns no row where one of its key is there already.
INSERT INTO tracker.slack_outbox
  (kind, action, dedupe_key, payload, parent_id, report_id, created_at, not_before)
VALUES ($1, $2, $3, $4::jsonb, $5, $6, $7, $7)
ON CONFLICT (dedupe_key) DO NOTHING RETURNING outbox_id;

-- name: next
-- The message whose turn it is: the first that is open, those that failed $1 times or more after all others.
SELECT o.outbox_id, o.kind, o.action, o.dedupe_key, o.payload::text AS payload, o.parent_id, o.report_id, o.created_at,
       o.not_before, o.attempts, o.state, o.sent_at, p.state AS parent_state, p.held AS parent_held,
       p.channel AS parent_channel, p.ts AS parent_ts
FROM tracker.slack_outbox o LEFT JOIN tracker.slack_outbox p ON p.outbox_id = o.parent_id
WHERE o.state IN ('pending', 'sending') AND (p.state IS NULL OR p.state IN ('delivered', 'given_up'))
ORDER BY o.attempts >= $1::integer, o.outbox_id LIMIT 1;

-- name: sending
-- Note that a message is handed over now.
UPDATE tracker.slack_outbox SET state = 'sending', attempts = attempts + 1, sent_at = $2
WHERE outbox_id = $1 AND state IN ('pending', 'sending');

-- name: delivered
-- Note that a message is shown, and where.
UPDATE tracker.slack_outbox SET
  state = 'delivered', delivered_at = $2, delivered_by = $3, channel = $4, ts = $5, last_error = NULL, held = false
WHERE outbox_id = $1;

-- name: thread
-- Tell the alerts of a message where their thread is.
UPDATE tracker.alerts SET thread_channel = $2, thread_ts = $3 WHERE root_id = $1;

-- name: failed
-- Note that a message was not delivered, or that this is not known: it is tried again.
UPDATE tracker.slack_outbox SET state = $2, not_before = $3, last_error = $4 WHERE outbox_id = $1;

-- name: simplify
-- Have a message tried again as plain text, since Slack does not take its blocks.
UPDATE tracker.slack_outbox SET
  state = 'pending', not_before = $2, last_error = $3, payload = jsonb_build_object('text', payload -> 'text')
WHERE outbox_id = $1;

-- name: stand_alone
-- Have a message shown on its own, since there is nothing that it could join or edit.
UPDATE tracker.slack_outbox SET
  action = 'post', parent_id = NULL, state = 'pending', payload = coalesce(payload -> 'plain', payload)
WHERE outbox_id = $1;

-- name: give_up
-- Note that a message is not delivered; a held one is tried again once the settings are right.
UPDATE tracker.slack_outbox SET state = 'given_up', last_error = $2, held = $3 WHERE outbox_id = $1;

-- name: release
-- Have held messages tried again that are not older than $1; returns how many there are.
WITH released AS (
  UPDATE tracker.slack_outbox SET state = 'pending', held = false, attempts = 0, not_before = $2
  WHERE held AND created_at >= $1 RETURNING outbox_id
)
SELECT count(*) FROM released;

-- name: drop_held
-- Give up for good what was held for too long.
UPDATE tracker.slack_outbox SET held = false WHERE held AND created_at < $1;

-- name: counts
-- How many messages wait, are held, and since when the oldest waits.
SELECT count(*) FILTER (WHERE state IN ('pending', 'sending')) AS waiting,
       min(created_at) FILTER (WHERE state IN ('pending', 'sending')) AS oldest,
       count(*) FILTER (WHERE held) AS held,
       (array_agg(last_error ORDER BY outbox_id) FILTER (WHERE held))[1] AS held_because,
       count(*) FILTER (WHERE state = 'given_up' AND NOT held AND created_at > $1) AS given_up
FROM tracker.slack_outbox WHERE state <> 'delivered';

-- name: was_written
-- Which of these keys have a message.
SELECT dedupe_key FROM tracker.slack_outbox WHERE dedupe_key = ANY ($1::text[]);

-- name: forget
-- Delete what was closed before a moment and is no alert's message any more.
DELETE FROM tracker.slack_outbox o
WHERE o.created_at < $1 AND o.state IN ('delivered', 'given_up')
  AND NOT EXISTS (SELECT FROM tracker.alerts a WHERE a.root_id = o.outbox_id AND a.state IN ('open', 'recovering'));
