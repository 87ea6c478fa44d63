-- migrate:up
CREATE TABLE tracker.shadow_variations (
  id text PRIMARY KEY,
  strategy text NOT NULL,
  number integer NOT NULL CHECK (number >= 0),
  timeframe tracker.timeframe NOT NULL,
  params jsonb NOT NULL,
  rules jsonb NOT NULL,
  changes jsonb NOT NULL,
  config_hash text NOT NULL,
  rules_hash text NOT NULL,
  source text NOT NULL,
  added_at timestamptz NOT NULL,
  retired_at timestamptz,
  UNIQUE (strategy, number)
);
SELECT tracker.written_by('tracker.shadow_variations', 'shadow_tester');
COMMENT ON COLUMN tracker.shadow_variations.id IS
  'hash of strategy, timeframe, parameters and rules of trading: the same configuration always has the same';
COMMENT ON COLUMN tracker.shadow_variations.number IS 'its place in the arrays of the other shadow tables, for good';
COMMENT ON COLUMN tracker.shadow_variations.changes IS 'what differs from the live configuration, by name';
COMMENT ON COLUMN tracker.shadow_variations.source IS 'live, or the set of configs/shadow.toml it was declared by';
COMMENT ON COLUMN tracker.shadow_variations.added_at IS
  'event time at which its account was opened; anew where it came back after it was retired';

CREATE TABLE tracker.shadow_cursor (
  strategy text PRIMARY KEY,
  timeframe tracker.timeframe NOT NULL,
  started_at timestamptz NOT NULL,
  closed_through timestamptz NOT NULL,
  config_hash text NOT NULL,
  updated_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
SELECT tracker.written_by('tracker.shadow_cursor', 'shadow_tester');
COMMENT ON COLUMN tracker.shadow_cursor.config_hash IS 'of all its variations together, as they were at the last close';

CREATE TABLE tracker.shadow_state (
  strategy text NOT NULL,
  block integer NOT NULL CHECK (block >= 0),
  version integer NOT NULL,
  data bytea NOT NULL,
  PRIMARY KEY (strategy, block)
);
SELECT tracker.written_by('tracker.shadow_state', 'shadow_tester');
COMMENT ON COLUMN tracker.shadow_state.version IS 'of the layout of data';
COMMENT ON COLUMN tracker.shadow_state.data IS 'the accounts and live trades of a block of variations, as of the cursor';

CREATE TABLE tracker.shadow_testing_scans (
  strategy text NOT NULL,
  decided_at timestamptz NOT NULL,
  variations integer NOT NULL,
  signals integer NOT NULL,
  signalling integer NOT NULL,
  symbol_ids smallint[] NOT NULL,
  bitmap bytea NOT NULL,
  PRIMARY KEY (strategy, decided_at)
);
CREATE INDEX shadow_testing_scans_by_time ON tracker.shadow_testing_scans (decided_at);
SELECT tracker.written_by('tracker.shadow_testing_scans', 'shadow_tester');
COMMENT ON COLUMN tracker.shadow_testing_scans.signalling IS 'how many of the variations had a signal in any symbol';
COMMENT ON COLUMN tracker.shadow_testing_scans.bitmap IS
  'zlib; a bit for each variation, by its number, and each of symbol_ids: whether it had a signal';

CREATE TABLE tracker.shadow_testing_trades (
  variation text NOT NULL REFERENCES tracker.shadow_variations,
  symbol_id smallint NOT NULL REFERENCES tracker.symbols,
  decided_at timestamptz NOT NULL,
  entry_at timestamptz NOT NULL,
  exit_at timestamptz NOT NULL,
  entry_price float8 NOT NULL,
  exit_price float8 NOT NULL,
  quantity float8 NOT NULL,
  pnl float8 NOT NULL,
  fees float8 NOT NULL,
  reason text NOT NULL,
  PRIMARY KEY (variation, exit_at, symbol_id, decided_at)
);
CREATE INDEX shadow_testing_trades_by_time ON tracker.shadow_testing_trades (exit_at);
SELECT tracker.written_by('tracker.shadow_testing_trades', 'shadow_tester');
COMMENT ON COLUMN tracker.shadow_testing_trades.entry_price IS 'average of all buys; exit_price of all sales';
COMMENT ON COLUMN tracker.shadow_testing_trades.pnl IS 'net of fees';

CREATE TABLE tracker.shadow_returns (
  strategy text NOT NULL,
  period text NOT NULL CHECK (period IN ('1h', '1d')),
  ends_at timestamptz NOT NULL,
  variations integer NOT NULL,
  data bytea NOT NULL,
  PRIMARY KEY (strategy, period, ends_at)
);
CREATE INDEX shadow_returns_by_time ON tracker.shadow_returns (period, ends_at);
SELECT tracker.written_by('tracker.shadow_returns', 'shadow_tester');
COMMENT ON COLUMN tracker.shadow_returns.data IS
  'zlib; by number of the variation: return float32, closed trades uint16, sum of their returns float32; little-endian';

CREATE TABLE tracker.shadow_outcomes (
  variation text NOT NULL REFERENCES tracker.shadow_variations,
  span text NOT NULL CHECK (span IN ('1d', '7d', '30d', 'all')),
  as_of timestamptz NOT NULL,
  hours float8 NOT NULL,
  trades integer NOT NULL,
  total_return float8 NOT NULL,
  sharpe float8,
  psr float8,
  dsr float8,
  max_drawdown float8 NOT NULL,
  p_value float8,
  mean_trade_return float8,
  lower_bound float8,
  first_half_return float8 NOT NULL,
  second_half_return float8 NOT NULL,
  PRIMARY KEY (variation, span)
);
SELECT tracker.written_by('tracker.shadow_outcomes', 'shadow_tester');
COMMENT ON COLUMN tracker.shadow_outcomes.span IS 'the window that ends at as_of; all: since the variation was added';
COMMENT ON COLUMN tracker.shadow_outcomes.hours IS 'how much of the window the variation has lived through';
COMMENT ON COLUMN tracker.shadow_outcomes.sharpe IS 'a year, of hourly returns (all, after 30 days: daily)';
COMMENT ON COLUMN tracker.shadow_outcomes.psr IS 'probability of a true Sharpe ratio above 0, as if nothing were chosen';
COMMENT ON COLUMN tracker.shadow_outcomes.dsr IS 'Deflated Sharpe Ratio: psr against the best of all variations by luck';
COMMENT ON COLUMN tracker.shadow_outcomes.p_value IS 'how often resampled blocks of time have a mean trade return of at most 0';
COMMENT ON COLUMN tracker.shadow_outcomes.lower_bound IS 'of the mean trade return after fees, one-sided, 95 percent';

CREATE VIEW dashboards.shadow_leaders WITH (security_invoker = true) AS
SELECT o.span, v.strategy, o.variation, v.source, v.changes, o.trades, o.total_return, o.sharpe, o.dsr,
       o.max_drawdown, o.p_value, o.lower_bound, o.first_half_return, o.second_half_return, o.hours, o.as_of
FROM tracker.shadow_outcomes o JOIN tracker.shadow_variations v ON v.id = o.variation
WHERE v.retired_at IS NULL
ORDER BY o.span, o.dsr DESC NULLS LAST, o.sharpe DESC NULLS LAST, o.variation;
COMMENT ON VIEW dashboards.shadow_leaders IS 'variations in the shadow, the best of each window first';
COMMENT ON COLUMN dashboards.shadow_leaders.dsr IS 'probability that the Sharpe ratio is more than the luck of the best of all';

CREATE VIEW dashboards.shadow_scatter WITH (security_invoker = true) AS
SELECT o.span, v.strategy, o.variation, v.source = 'live' AS is_live, o.first_half_return, o.second_half_return,
       o.total_return, o.max_drawdown, o.trades, o.sharpe
FROM tracker.shadow_outcomes o JOIN tracker.shadow_variations v ON v.id = o.variation
WHERE v.retired_at IS NULL AND o.trades > 0;
COMMENT ON VIEW dashboards.shadow_scatter IS 'one point a variation: the first half of a window against the second';

GRANT SELECT ON dashboards.shadow_leaders, dashboards.shadow_scatter TO tracker_reader;

-- The owner's rights, for the one who keeps the database in order writes no table of another.
CREATE FUNCTION tracker.forget_shadow_rows(name text, before timestamptz, at_most integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  source text := CASE WHEN name LIKE 'shadow\_returns\_%' THEN 'shadow_returns' ELSE name END;
  old_rows text := CASE name
    WHEN 'shadow_testing_scans' THEN 'SELECT ctid FROM tracker.shadow_testing_scans WHERE decided_at < $1'
    WHEN 'shadow_testing_trades' THEN 'SELECT ctid FROM tracker.shadow_testing_trades WHERE exit_at < $1'
    WHEN 'shadow_returns_1h' THEN 'SELECT ctid FROM tracker.shadow_returns WHERE period = ''1h'' AND ends_at < $1'
    WHEN 'shadow_returns_1d' THEN 'SELECT ctid FROM tracker.shadow_returns WHERE period = ''1d'' AND ends_at < $1'
  END;
  forgotten integer;
BEGIN
  IF old_rows IS NULL THEN
    RAISE EXCEPTION 'nothing is ever forgotten of %', name;
  END IF;
  EXECUTE format('DELETE FROM tracker.%I WHERE ctid = ANY (ARRAY(%s LIMIT $2))', source, old_rows)
  USING before, at_most;
  GET DIAGNOSTICS forgotten = ROW_COUNT;
  RETURN forgotten;
END
$$;
REVOKE ALL ON FUNCTION tracker.forget_shadow_rows(text, timestamptz, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION tracker.forget_shadow_rows(text, timestamptz, integer) TO tracker_data_scheduler;

-- migrate:down
DROP FUNCTION tracker.forget_shadow_rows(text, timestamptz, integer);
DROP VIEW dashboards.shadow_scatter;
DROP VIEW dashboards.shadow_leaders;
DROP TABLE tracker.shadow_outcomes;
DROP TABLE tracker.shadow_returns;
DROP TABLE tracker.shadow_testing_trades;
DROP TABLE tracker.shadow_testing_scans;
DROP TABLE tracker.shadow_state;
DROP TABLE tracker.shadow_cursor;
DROP TABLE tracker.shadow_variations;
