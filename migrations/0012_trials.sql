-- migrate:up
CREATE TABLE tracker.trials (
  trial_id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
  strategy text NOT NULL,
  config_hash text NOT NULL,
  params jsonb NOT NULL,
  data_hash text NOT NULL,
  data jsonb NOT NULL,
  starts_at timestamptz NOT NULL,
  ends_at timestamptz NOT NULL,
  sweep text,
  trades integer NOT NULL CHECK (trades >= 0),
  total_return float8,
  daily_sharpe float8,
  days integer NOT NULL CHECK (days >= 0),
  tried_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  times integer NOT NULL DEFAULT 1,
  UNIQUE (strategy, config_hash, data_hash),
  CHECK (ends_at > starts_at)
);
SELECT tracker.written_by('tracker.trials', 'ml_retrainer');
COMMENT ON TABLE tracker.trials IS
  'written by ml_retrainer and, in its name, by tracker backtest and tracker sweep; every configuration ever tried';
COMMENT ON COLUMN tracker.trials.config_hash IS 'of the strategy''s parameters and the rules of trading together';
COMMENT ON COLUMN tracker.trials.data_hash IS 'of where the bars came from, which symbols, and the span';
COMMENT ON COLUMN tracker.trials.daily_sharpe IS 'Sharpe ratio of daily returns, not annualised; null where undefined';
COMMENT ON COLUMN tracker.trials.days IS 'how many daily returns it is made of';
COMMENT ON COLUMN tracker.trials.times IS 'how often the same was run: it counts as one try';

-- migrate:down
DROP TABLE tracker.trials;
