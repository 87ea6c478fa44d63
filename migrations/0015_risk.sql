-- migrate:up
ALTER TABLE tracker.signals ADD COLUMN volatility text NOT NULL DEFAULT 'unknown'
  CHECK (volatility IN ('unknown', 'low', 'mid', 'high'));
COMMENT ON COLUMN tracker.signals.volatility IS
  'which third of its own last days the symbol''s volatility lies in at the decision';

CREATE TABLE tracker.protection_locks (
  account text NOT NULL REFERENCES tracker.accounts,
  protection text NOT NULL
    CHECK (protection IN ('halt', 'drawdown', 'daily_loss', 'stop_streak', 'cool_down', 'low_profit')),
  symbol_id smallint REFERENCES tracker.symbols,
  locked_at timestamptz NOT NULL,
  until timestamptz NOT NULL,
  observed float8 NOT NULL,
  note text NOT NULL,
  UNIQUE NULLS NOT DISTINCT (account, protection, symbol_id, locked_at),
  CHECK (until >= locked_at)
);
CREATE INDEX protection_locks_by_end ON tracker.protection_locks (account, until);
SELECT tracker.written_by('tracker.protection_locks', 'paper_trader');
COMMENT ON TABLE tracker.protection_locks IS
  'what held new trades back, and until when (event time); every refusal by one of them is an order row with its reason';
COMMENT ON COLUMN tracker.protection_locks.symbol_id IS 'null: the whole account';
COMMENT ON COLUMN tracker.protection_locks.observed IS
  'what set it off: a fall or a loss as a fraction, a number of trades, a return';

CREATE TABLE tracker.risk_marks (
  account text PRIMARY KEY REFERENCES tracker.accounts,
  marked_at timestamptz NOT NULL,
  equity float8 NOT NULL,
  peak float8 NOT NULL,
  day integer NOT NULL,
  day_equity float8 NOT NULL,
  armed boolean NOT NULL,
  halted boolean NOT NULL
) WITH (fillfactor = 50);
SELECT tracker.written_by('tracker.risk_marks', 'paper_trader');
COMMENT ON TABLE tracker.risk_marks IS 'what an account''s drawdown and daily loss are measured against';
COMMENT ON COLUMN tracker.risk_marks.peak IS 'highest equity since the ledger or the last halt ended';
COMMENT ON COLUMN tracker.risk_marks.day IS 'days since 1970 (UTC) of day_equity, the equity as that day began';
COMMENT ON COLUMN tracker.risk_marks.armed IS 'the fall was under the drawdown limit since that last locked';
COMMENT ON COLUMN tracker.risk_marks.halted IS 'a halt has begun whose end was not marked yet';

CREATE VIEW dashboards.trading_state WITH (security_invoker = true) AS
SELECT a.account,
  CASE
    WHEN l.protections @> ARRAY['halt'] THEN 'HALTED'
    WHEN l.protections && ARRAY['drawdown', 'daily_loss'] THEN 'REDUCING'
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
COMMENT ON VIEW dashboards.trading_state IS
  'Each account: ACTIVE, REDUCING (nothing is bought) or HALTED (all is sold), as of the last minute acted on; drawdown and day_loss are fractions of equity.';

CREATE VIEW dashboards.protection_locks WITH (security_invoker = true) AS
SELECT p.account, p.protection, s.symbol, p.locked_at, p.until, p.observed, p.note,
  p.until > c.processed_through AS active
FROM tracker.protection_locks p
JOIN tracker.paper_cursor c USING (account)
LEFT JOIN tracker.symbols s USING (symbol_id);
COMMENT ON VIEW dashboards.protection_locks IS
  'What held new trades back and until when, newest event time last; symbol null: the whole account.';
GRANT SELECT ON dashboards.trading_state, dashboards.protection_locks TO tracker_reader;

-- migrate:down
DROP VIEW dashboards.protection_locks;
DROP VIEW dashboards.trading_state;
DROP TABLE tracker.risk_marks;
DROP TABLE tracker.protection_locks;
ALTER TABLE tracker.signals DROP COLUMN volatility;
