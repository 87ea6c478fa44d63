-- migrate:up
CREATE TABLE tracker.label_configs (
  config_hash text PRIMARY KEY,
  strategy text NOT NULL,
  timeframe tracker.timeframe NOT NULL,
  strategy_hash text NOT NULL,
  params jsonb NOT NULL,
  rules jsonb NOT NULL,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
SELECT tracker.written_by('tracker.label_configs', 'ml_retrainer');
COMMENT ON COLUMN tracker.label_configs.config_hash IS 'of everything that decides an outcome: strategy_hash and rules';
COMMENT ON COLUMN tracker.label_configs.strategy_hash IS 'the config_hash of the strategy''s looks and signals';
COMMENT ON COLUMN tracker.label_configs.rules IS
  'fees, slippage and volume share, how much is bought, and which looks are setups';

CREATE TABLE tracker.label_cursors (
  config_hash text NOT NULL REFERENCES tracker.label_configs ON DELETE CASCADE,
  symbol_id smallint NOT NULL REFERENCES tracker.symbols,
  labelled_through timestamptz NOT NULL,
  updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (config_hash, symbol_id)
);
SELECT tracker.written_by('tracker.label_cursors', 'ml_retrainer');
COMMENT ON COLUMN tracker.label_cursors.labelled_through IS 'the last close of the symbol that was looked at for a setup';

-- In the order of time, which is the order in which it is read. Any strategy has its place: the three that are shipped
-- a table each, all others one together.
CREATE TABLE tracker.strategy_labels (
  decided_at timestamptz NOT NULL,
  exit_at timestamptz NOT NULL,
  made_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  entry float8 NOT NULL,
  entry_price float8,
  exit_price float8,
  gross_return float8,
  net_return float8,
  mae float8,
  mfe float8,
  weight float8 NOT NULL,
  strength real NOT NULL,
  bars_to_exit integer,
  symbol_id smallint NOT NULL REFERENCES tracker.symbols,
  feature_set smallint NOT NULL REFERENCES tracker.feature_sets,
  confirmations smallint NOT NULL,
  is_signal boolean NOT NULL,
  strategy text NOT NULL,
  config_hash text NOT NULL REFERENCES tracker.label_configs,
  side text NOT NULL CHECK (side IN ('long', 'short')),
  outcome text NOT NULL CHECK (outcome IN ('win', 'loss', 'censored', 'unfilled')),
  exit_reason text,
  market_regime text NOT NULL CHECK (market_regime IN ('unknown', 'trend_up', 'trend_down', 'range')),
  volatility text NOT NULL CHECK (volatility IN ('unknown', 'low', 'mid', 'high')),
  features real[] NOT NULL,
  PRIMARY KEY (strategy, config_hash, decided_at, symbol_id),
  CHECK (exit_at >= decided_at),
  CHECK ((outcome IN ('win', 'loss')) =
         (num_nulls(net_return, gross_return, exit_price, exit_reason, bars_to_exit) = 0)),
  CHECK (outcome IN ('win', 'loss') OR num_nonnulls(net_return, gross_return, exit_price, exit_reason, bars_to_exit) = 0)
) PARTITION BY LIST (strategy);
SELECT tracker.written_by('tracker.strategy_labels', 'ml_retrainer');
COMMENT ON COLUMN tracker.strategy_labels.decided_at IS 'the bar close at which the strategy would have entered';
COMMENT ON COLUMN tracker.strategy_labels.exit_at IS
  'when the trade ended; of a censored one, up to when it is known; the outcome depends on bars up to here and no later';
COMMENT ON COLUMN tracker.strategy_labels.outcome IS
  'win: something was left after fees; censored: not ended yet; unfilled: nothing could be bought';
COMMENT ON COLUMN tracker.strategy_labels.entry IS 'the close that the decision saw; entry_price and exit_price are averages of fills';
COMMENT ON COLUMN tracker.strategy_labels.net_return IS
  'of what was paid, the whole ladder, after slippage and fees; gross_return is before fees';
COMMENT ON COLUMN tracker.strategy_labels.mae IS
  'worst price seen while held, as a fraction of the average entry, 0 or less; mfe is the best, 0 or more';
COMMENT ON COLUMN tracker.strategy_labels.bars_to_exit IS 'of the strategy''s timeframe, begun ones counted';
COMMENT ON COLUMN tracker.strategy_labels.weight IS
  'uniqueness: the mean, over its life, of 1 / how many labels of the symbol are alive; 0 where nothing was bought';
COMMENT ON COLUMN tracker.strategy_labels.is_signal IS
  'whether the strategy''s own thresholds for confirmations and strength let it pass';
COMMENT ON COLUMN tracker.strategy_labels.features IS
  'in the order of feature_sets.names, as known at decided_at; NaN where not known';

DO $$
DECLARE
  name text;
BEGIN
  FOREACH name IN ARRAY ARRAY['dca', 'swing', 'channel', 'other'] LOOP
    EXECUTE format('CREATE TABLE tracker.%I PARTITION OF tracker.strategy_labels %s', 'strategy_' || name || '_labels',
                   CASE name WHEN 'other' THEN 'DEFAULT' ELSE format('FOR VALUES IN (%L)', name) END);
    -- Read by name as well; written through the whole alone, whose writer is the only one.
    EXECUTE format('ALTER TABLE tracker.%I ENABLE ROW LEVEL SECURITY', 'strategy_' || name || '_labels');
    EXECUTE format('GRANT SELECT ON tracker.%I TO tracker_reader', 'strategy_' || name || '_labels');
    EXECUTE format('CREATE POLICY readers ON tracker.%I FOR SELECT TO tracker_reader USING (true)',
                   'strategy_' || name || '_labels');
    EXECUTE format('COMMENT ON TABLE tracker.%I IS %L', 'strategy_' || name || '_labels',
                   'part of strategy_labels, written by ml_retrainer');
  END LOOP;
END
$$;

CREATE VIEW dashboards.labels WITH (security_invoker = true) AS
SELECT g.strategy, g.config_hash, s.symbol, g.month, g.market_regime, g.is_signal,
  g.wins + g.losses + g.censored + g.unfilled AS labels, g.wins, g.losses, g.censored, g.unfilled,
  g.wins::float8 / nullif(g.wins + g.losses, 0) AS base_rate, g.mean_net_return, g.mean_gross_return,
  g.mean_bars_to_exit, g.weight, g.made_at
FROM (
  SELECT l.strategy, l.config_hash, l.symbol_id, date_trunc('month', l.decided_at, 'UTC') AS month, l.market_regime,
    l.is_signal, count(*) FILTER (WHERE l.outcome = 'win') AS wins, count(*) FILTER (WHERE l.outcome = 'loss') AS losses,
    count(*) FILTER (WHERE l.outcome = 'censored') AS censored,
    count(*) FILTER (WHERE l.outcome = 'unfilled') AS unfilled, avg(l.net_return) AS mean_net_return,
    avg(l.gross_return) AS mean_gross_return, avg(l.bars_to_exit)::float8 AS mean_bars_to_exit,
    coalesce(sum(l.weight) FILTER (WHERE l.outcome IN ('win', 'loss')), 0) AS weight, max(l.made_at) AS made_at
  FROM tracker.strategy_labels l
  GROUP BY 1, 2, 3, 4, 5, 6
) g
JOIN tracker.symbols s USING (symbol_id);
COMMENT ON VIEW dashboards.labels IS
  'how trades of setups ended, each taken alone: by strategy, configuration, symbol, month, regime, signal or not';
COMMENT ON COLUMN dashboards.labels.base_rate IS 'wins among those that ended';
COMMENT ON COLUMN dashboards.labels.weight IS 'as many labels of different returns of the symbol; of those that ended';
GRANT SELECT ON dashboards.labels TO tracker_reader;

-- Deletes at most so many labels that were decided before a moment, and returns how many it were.
CREATE FUNCTION tracker.forget_labels(before timestamptz, at_most integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  forgotten integer;
BEGIN
  -- By their keys: a row's place is only unique within one part.
  DELETE FROM tracker.strategy_labels d USING (
    SELECT o.* FROM tracker.label_configs c CROSS JOIN LATERAL (
      SELECT l.strategy, l.config_hash, l.decided_at, l.symbol_id FROM tracker.strategy_labels l
      WHERE l.strategy = c.strategy AND l.config_hash = c.config_hash AND l.decided_at < before LIMIT at_most
    ) o LIMIT at_most
  ) o
  WHERE d.strategy = o.strategy AND d.config_hash = o.config_hash AND d.decided_at = o.decided_at
    AND d.symbol_id = o.symbol_id;
  GET DIAGNOSTICS forgotten = ROW_COUNT;
  RETURN forgotten;
END
$$;
REVOKE ALL ON FUNCTION tracker.forget_labels(timestamptz, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION tracker.forget_labels(timestamptz, integer) TO tracker_data_scheduler;

-- migrate:down
DROP FUNCTION tracker.forget_labels(timestamptz, integer);
DROP VIEW dashboards.labels;
DROP TABLE tracker.strategy_labels;
DROP TABLE tracker.label_cursors;
DROP TABLE tracker.label_configs;
