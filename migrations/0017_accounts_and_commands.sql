-- migrate:up
-- What people ask for is written by the command line and by pages, under a role of its own.
DO $$
BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'tracker_control') THEN
    CREATE ROLE tracker_control NOLOGIN;
  END IF;
  GRANT tracker_reader TO tracker_control;
  GRANT tracker_control TO CURRENT_USER;
END
$$;

CREATE DOMAIN tracker.command_kind AS text COLLATE "C" CHECK (VALUE IN (
  'open', 'deposit', 'withdraw', 'reset', 'cancel', 'replace', 'flatten', 'halt', 'resume'
));

CREATE TABLE tracker.commands (
  command_id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
  requested_at timestamptz NOT NULL DEFAULT now(),
  requested_by text NOT NULL CHECK (requested_by <> ''),
  account text NOT NULL CHECK (account <> ''),
  kind tracker.command_kind NOT NULL,
  arguments jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(arguments) = 'object'),
  reason text NOT NULL DEFAULT ''
);
SELECT tracker.written_by('tracker.commands', 'control');
COMMENT ON COLUMN tracker.commands.requested_at IS 'by the clock; account_events says when it took effect';

CREATE TABLE tracker.account_events (
  event_id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
  account text NOT NULL,
  ts timestamptz NOT NULL,
  command_id bigint UNIQUE REFERENCES tracker.commands,
  kind tracker.command_kind NOT NULL,
  amount numeric,
  arguments jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(arguments) = 'object'),
  outcome text NOT NULL CHECK (outcome IN ('done', 'refused')),
  note text NOT NULL,
  CHECK ((amount IS NOT NULL) = (outcome = 'done' AND kind IN ('open', 'deposit', 'withdraw', 'reset'))),
  CHECK (CASE kind WHEN 'open' THEN amount > 0 WHEN 'deposit' THEN amount > 0 WHEN 'withdraw' THEN amount < 0
    ELSE true END)
);
CREATE INDEX account_events_by_account ON tracker.account_events (account, event_id);
SELECT tracker.written_by('tracker.account_events', 'paper_trader');
COMMENT ON COLUMN tracker.account_events.ts IS
  'event time: every bar that closes at or before it came first, every later one comes after';
COMMENT ON COLUMN tracker.account_events.command_id IS 'null where the configuration asked, not a person';
COMMENT ON COLUMN tracker.account_events.amount IS 'cash that came in, below 0 what went out; null where none moved';

-- Books that were opened before there were events.
INSERT INTO tracker.account_events (account, ts, kind, amount, arguments, outcome, note)
SELECT a.account, coalesce(c.started_at, a.opened_at) - interval '1 minute', 'open', a.start_cash,
  jsonb_build_object('cash', a.start_cash::text), 'done', 'opened'
FROM tracker.accounts a LEFT JOIN tracker.paper_cursor c USING (account);

ALTER TABLE tracker.accounts
  ADD COLUMN source text NOT NULL DEFAULT 'file' CHECK (source IN ('file', 'command')),
  ADD COLUMN rules jsonb,
  ADD COLUMN rules_from jsonb,
  ADD COLUMN rules_hash text;
COMMENT ON COLUMN tracker.accounts.source IS
  'whether its rules are those of files beside the paper trader, or came with the command that opened it';
COMMENT ON COLUMN tracker.accounts.rules IS 'all of them; for an account from a file a copy, for others the truth';
COMMENT ON COLUMN tracker.accounts.rules_from IS 'by dotted name of a value, the file or command it comes from';

ALTER TABLE tracker.fills ADD COLUMN cost numeric, ADD COLUMN realised_pnl numeric;
COMMENT ON COLUMN tracker.fills.cost IS 'what it added to, or for a sell took from, the book value of the position';
COMMENT ON COLUMN tracker.fills.realised_pnl IS 'gross of fees; 0 for a buy';

-- Fills of before, by the same rule: a sell takes its share of the cost to eight digits, half to even, the last the rest.
DO $$
DECLARE
  fill record;
  trade text := '';
  held numeric;
  cost numeric;
  part numeric;
  rest numeric;
BEGIN
  FOR fill IN
    SELECT i.fill_id, i.side, i.quantity, i.price, (o.account, o.strategy, o.symbol_id, o.decided_at)::text AS trade
    FROM tracker.fills i JOIN tracker.orders o USING (order_id)
    ORDER BY o.account, o.strategy, o.symbol_id, o.decided_at, i.bar_ts, i.fill_id
  LOOP
    IF fill.trade <> trade THEN
      trade := fill.trade; held := 0; cost := 0;
    END IF;
    IF fill.side = 'buy' THEN
      part := fill.price * fill.quantity;
      held := held + fill.quantity;
      cost := cost + part;
      UPDATE tracker.fills i SET cost = part, realised_pnl = 0 WHERE i.fill_id = fill.fill_id;
    ELSE
      IF fill.quantity = held THEN
        part := cost;
      ELSE
        rest := round(cost * fill.quantity, 40) / held;
        part := trunc(rest, 8);
        rest := rest - part;
        IF rest > 0.000000005 OR (rest = 0.000000005 AND (part * 100000000) % 2 = 1) THEN
          part := part + 0.00000001;
        END IF;
      END IF;
      held := held - fill.quantity;
      cost := cost - part;
      UPDATE tracker.fills i SET cost = part, realised_pnl = fill.price * fill.quantity - part
      WHERE i.fill_id = fill.fill_id;
    END IF;
  END LOOP;
END
$$;
ALTER TABLE tracker.fills ALTER COLUMN cost SET NOT NULL, ALTER COLUMN realised_pnl SET NOT NULL;

CREATE VIEW tracker.journal WITH (security_invoker = true) AS
SELECT e.account, e.ts, p.ledger_account, p.debit, p.credit, 'account_event' AS source, e.event_id AS source_id
FROM tracker.account_events e
CROSS JOIN LATERAL (VALUES
  ('cash', greatest(e.amount, 0), greatest(-e.amount, 0)),
  ('capital', greatest(-e.amount, 0), greatest(e.amount, 0))
) p (ledger_account, debit, credit)
WHERE e.outcome = 'done' AND e.amount <> 0
UNION ALL
SELECT o.account, i.filled_at, p.ledger_account, p.debit, p.credit, 'fill', i.fill_id
FROM tracker.fills i
JOIN tracker.orders o USING (order_id)
CROSS JOIN LATERAL (VALUES
  ('cash', CASE i.side WHEN 'sell' THEN i.quantity * i.price ELSE 0 END,
    CASE i.side WHEN 'sell' THEN i.fee ELSE i.quantity * i.price + i.fee END),
  ('inventory', CASE i.side WHEN 'sell' THEN 0 ELSE i.cost END, CASE i.side WHEN 'sell' THEN i.cost ELSE 0 END),
  ('realised_pnl', greatest(-i.realised_pnl, 0), greatest(i.realised_pnl, 0)),
  ('fees', i.fee, 0)
) p (ledger_account, debit, credit)
WHERE p.debit <> 0 OR p.credit <> 0;
COMMENT ON VIEW tracker.journal IS
  'double entry: each event that moved cash and each fill as postings whose debits and credits are equal';
COMMENT ON COLUMN tracker.journal.ledger_account IS 'cash, inventory (at cost), fees, realised_pnl (gross), capital';

CREATE VIEW dashboards.account_balance WITH (security_invoker = true) AS
SELECT b.account, b.ledger_account, b.debit, b.credit, b.debit - b.credit AS balance,
  k.booked, b.debit - b.credit - k.booked AS difference
FROM (
  SELECT account, ledger_account, sum(debit) AS debit, sum(credit) AS credit
  FROM tracker.journal GROUP BY account, ledger_account
) b
LEFT JOIN (
  SELECT a.account, p.ledger_account, p.booked
  FROM tracker.accounts a
  CROSS JOIN LATERAL (VALUES
    ('cash', a.cash), ('fees', a.fees), ('realised_pnl', -a.realised_pnl),
    ('inventory', (SELECT coalesce(sum(q.cost), 0) FROM tracker.positions q WHERE q.account = a.account)),
    ('capital', -(SELECT coalesce(sum(e.amount), 0) FROM tracker.account_events e WHERE e.account = a.account))
  ) p (ledger_account, booked)
) k USING (account, ledger_account);
COMMENT ON VIEW dashboards.account_balance IS
  'what the journal says each part of an account''s books holds, beside what the books themselves say';
COMMENT ON COLUMN dashboards.account_balance.balance IS 'debit - credit: positive for cash, inventory and fees';
COMMENT ON COLUMN dashboards.account_balance.booked IS 'the running figure that trading goes by';
COMMENT ON COLUMN dashboards.account_balance.difference IS '0 where all is well';
GRANT SELECT ON tracker.journal, dashboards.account_balance TO tracker_reader;

-- migrate:down
DROP VIEW dashboards.account_balance;
DROP VIEW tracker.journal;
ALTER TABLE tracker.fills DROP COLUMN cost, DROP COLUMN realised_pnl;
ALTER TABLE tracker.accounts DROP COLUMN source, DROP COLUMN rules, DROP COLUMN rules_from, DROP COLUMN rules_hash;
DROP TABLE tracker.account_events;
DROP TABLE tracker.commands;
DROP DOMAIN tracker.command_kind;
