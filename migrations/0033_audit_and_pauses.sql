-- migrate:up
-- People may pause one strategy of an account.
ALTER DOMAIN tracker.command_kind DROP CONSTRAINT command_kind_check;
ALTER DOMAIN tracker.command_kind ADD CONSTRAINT command_kind_check CHECK (VALUE IN (
  'open', 'deposit', 'withdraw', 'reset', 'cancel', 'replace', 'flatten', 'halt', 'resume', 'pause', 'unpause'
));

ALTER TABLE tracker.protection_locks ADD COLUMN strategy text;
COMMENT ON COLUMN tracker.protection_locks.symbol_id IS 'null: the whole account, or one strategy of it';
COMMENT ON COLUMN tracker.protection_locks.strategy IS 'which strategy a person paused; null for every other lock';
ALTER TABLE tracker.protection_locks DROP CONSTRAINT protection_locks_protection_check;
ALTER TABLE tracker.protection_locks ADD CONSTRAINT protection_locks_protection_check CHECK (protection IN
  ('halt', 'drawdown', 'daily_loss', 'command', 'pause', 'stop_streak', 'cool_down', 'low_profit'));
ALTER TABLE tracker.protection_locks ADD CONSTRAINT protection_locks_of_a_strategy
  CHECK ((protection = 'pause') = (strategy IS NOT NULL) AND (strategy IS NULL OR symbol_id IS NULL));
ALTER TABLE tracker.protection_locks DROP CONSTRAINT protection_locks_account_protection_symbol_id_locked_at_key;
ALTER TABLE tracker.protection_locks ADD CONSTRAINT protection_locks_key
  UNIQUE NULLS NOT DISTINCT (account, protection, symbol_id, strategy, locked_at);

CREATE OR REPLACE VIEW dashboards.protection_locks WITH (security_invoker = true) AS
SELECT p.account, p.protection, s.symbol, p.locked_at, p.until, p.observed, p.note,
  p.until > c.processed_through AS active, p.strategy
FROM tracker.protection_locks p
JOIN tracker.paper_cursor c USING (account)
LEFT JOIN tracker.symbols s USING (symbol_id);
COMMENT ON VIEW dashboards.protection_locks IS
  'What held new trades back and until when, newest event time last; symbol and strategy null: the whole account.';

CREATE OR REPLACE VIEW dashboards.trading_state WITH (security_invoker = true) AS
SELECT a.account,
  CASE
    WHEN l.protections @> ARRAY['halt'] THEN 'HALTED'
    WHEN l.protections && ARRAY['drawdown', 'daily_loss', 'command'] THEN 'REDUCING'
    ELSE 'ACTIVE'
  END AS state,
  l.until AS state_until,
  c.processed_through AS as_of,
  m.equity AS marked_equity, m.peak AS peak_equity,
  greatest(1 - m.equity / nullif(m.peak, 0), 0) AS drawdown,
  greatest(1 - m.equity / nullif(m.day_equity, 0), 0) AS day_loss,
  coalesce(s.symbols, 0) AS locked_symbols
FROM tracker.accounts a
JOIN tracker.paper_cursor c USING (account)
LEFT JOIN tracker.risk_marks m USING (account)
CROSS JOIN LATERAL (
  SELECT coalesce(array_agg(DISTINCT p.protection), '{}') AS protections, max(p.until) AS until
  FROM tracker.protection_locks p
  WHERE p.account = a.account AND p.symbol_id IS NULL AND p.strategy IS NULL AND p.until > c.processed_through
) l
CROSS JOIN LATERAL (
  SELECT count(DISTINCT p.symbol_id) AS symbols
  FROM tracker.protection_locks p
  WHERE p.account = a.account AND p.symbol_id IS NOT NULL AND p.until > c.processed_through
) s;

CREATE TABLE tracker.audit_log (
  audit_id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
  at timestamptz NOT NULL DEFAULT now(),
  who text NOT NULL CHECK (who <> ''),
  address text NOT NULL,
  action text NOT NULL CHECK (action <> ''),
  subject text NOT NULL DEFAULT '',
  arguments jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(arguments) = 'object'),
  reason text NOT NULL DEFAULT '',
  outcome text NOT NULL CHECK (outcome IN ('asked', 'done', 'refused', 'failed')),
  note text NOT NULL DEFAULT '',
  command_id bigint UNIQUE REFERENCES tracker.commands,
  request_id bigint UNIQUE REFERENCES tracker.job_requests
);
CREATE INDEX audit_log_by_time ON tracker.audit_log (at);
SELECT tracker.written_by('tracker.audit_log', 'control');
COMMENT ON COLUMN tracker.audit_log.who IS 'as signed in; what was typed, or nobody, where a sign-in failed';
COMMENT ON COLUMN tracker.audit_log.address IS 'from where, as the page saw it';
COMMENT ON COLUMN tracker.audit_log.outcome IS 'asked: what came of it is told by the command or the request';

CREATE VIEW dashboards.audit_log WITH (security_invoker = true) AS
SELECT a.audit_id, a.at, a.who, a.address, a.action, a.subject, a.arguments, a.reason,
  coalesce(e.outcome, j.outcome, CASE WHEN a.outcome = 'asked' THEN 'waiting' ELSE a.outcome END) AS outcome,
  coalesce(e.note, j.note, a.note) AS note, a.command_id, a.request_id
FROM tracker.audit_log a
LEFT JOIN tracker.account_events e ON e.command_id = a.command_id
LEFT JOIN tracker.job_answers j ON j.request_id = a.request_id;
COMMENT ON VIEW dashboards.audit_log IS
  'Who signed in on the page, or failed to, and what was asked for there: when, from where, and what came of it.';
COMMENT ON COLUMN dashboards.audit_log.outcome IS 'waiting, done, refused or failed; of requests to ml_retrainer queued or joined too';
GRANT SELECT ON dashboards.audit_log TO tracker_reader;

-- migrate:down
DROP VIEW dashboards.audit_log;
DROP TABLE tracker.audit_log;
DELETE FROM tracker.account_events WHERE kind IN ('pause', 'unpause');
DELETE FROM tracker.commands WHERE kind IN ('pause', 'unpause');
ALTER DOMAIN tracker.command_kind DROP CONSTRAINT command_kind_check;
ALTER DOMAIN tracker.command_kind ADD CONSTRAINT command_kind_check CHECK (VALUE IN (
  'open', 'deposit', 'withdraw', 'reset', 'cancel', 'replace', 'flatten', 'halt', 'resume'
));
CREATE OR REPLACE VIEW dashboards.trading_state WITH (security_invoker = true) AS
SELECT a.account,
  CASE
    WHEN l.protections @> ARRAY['halt'] THEN 'HALTED'
    WHEN l.protections && ARRAY['drawdown', 'daily_loss', 'command'] THEN 'REDUCING'
    ELSE 'ACTIVE'
  END AS state,
  l.until AS state_until,
  c.processed_through AS as_of,
  m.equity AS marked_equity, m.peak AS peak_equity,
  greatest(1 - m.equity / nullif(m.peak, 0), 0) AS drawdown,
  greatest(1 - m.equity / nullif(m.day_equity, 0), 0) AS day_loss,
  coalesce(s.symbols, 0) AS locked_symbols
FROM tracker.accounts a
JOIN tracker.paper_cursor c USING (account)
LEFT JOIN tracker.risk_marks m USING (account)
CROSS JOIN LATERAL (
  SELECT coalesce(array_agg(DISTINCT p.protection), '{}') AS protections, max(p.until) AS until
  FROM tracker.protection_locks p
  WHERE p.account = a.account AND p.symbol_id IS NULL AND p.until > c.processed_through
) l
CROSS JOIN LATERAL (
  SELECT count(DISTINCT p.symbol_id) AS symbols
  FROM tracker.protection_locks p
  WHERE p.account = a.account AND p.symbol_id IS NOT NULL AND p.until > c.processed_through
) s;
DROP VIEW dashboards.protection_locks;
CREATE VIEW dashboards.protection_locks WITH (security_invoker = true) AS
SELECT p.account, p.protection, s.symbol, p.locked_at, p.until, p.observed, p.note,
  p.until > c.processed_through AS active
FROM tracker.protection_locks p
JOIN tracker.paper_cursor c USING (account)
LEFT JOIN tracker.symbols s USING (symbol_id);
COMMENT ON VIEW dashboards.protection_locks IS
  'What held new trades back and until when, newest event time last; symbol null: the whole account.';
GRANT SELECT ON dashboards.protection_locks TO tracker_reader;
DELETE FROM tracker.protection_locks WHERE protection = 'pause';
ALTER TABLE tracker.protection_locks DROP CONSTRAINT protection_locks_key;
ALTER TABLE tracker.protection_locks DROP CONSTRAINT protection_locks_of_a_strategy;
ALTER TABLE tracker.protection_locks DROP COLUMN strategy;
ALTER TABLE tracker.protection_locks ADD UNIQUE NULLS NOT DISTINCT (account, protection, symbol_id, locked_at);
ALTER TABLE tracker.protection_locks DROP CONSTRAINT protection_locks_protection_check;
ALTER TABLE tracker.protection_locks ADD CONSTRAINT protection_locks_protection_check CHECK (protection IN
  ('halt', 'drawdown', 'daily_loss', 'command', 'stop_streak', 'cool_down', 'low_profit'));
COMMENT ON COLUMN tracker.protection_locks.symbol_id IS 'null: the whole account';
