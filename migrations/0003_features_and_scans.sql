-- migrate:up
CREATE TABLE tracker.feature_sets (
  feature_set smallint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
  version text NOT NULL,
  names text[] NOT NULL,
  hash text NOT NULL UNIQUE,
  created_at timestamptz NOT NULL DEFAULT now()
);
SELECT tracker.written_by('tracker.feature_sets', 'feature_calculator');

CREATE TABLE tracker.ml_features (
  ts timestamptz NOT NULL,
  computed_at timestamptz NOT NULL DEFAULT now(),
  timeframe tracker.timeframe NOT NULL,
  symbol_id smallint NOT NULL REFERENCES tracker.symbols,
  feature_set smallint NOT NULL REFERENCES tracker.feature_sets,
  values real[] NOT NULL,
  PRIMARY KEY (symbol_id, timeframe, ts, feature_set)
);
SELECT tracker.written_by('tracker.ml_features', 'feature_calculator');
COMMENT ON COLUMN tracker.ml_features.values IS
  'in the order of feature_sets.names; NaN until the feature''s own warm-up is complete';

CREATE TABLE tracker.feature_watermarks (
  timeframe tracker.timeframe PRIMARY KEY,
  closed_through timestamptz NOT NULL,
  updated_at timestamptz NOT NULL DEFAULT now()
);
SELECT tracker.written_by('tracker.feature_watermarks', 'feature_calculator');

CREATE TABLE tracker.scan_history (
  scan_id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
  decided_at timestamptz NOT NULL,
  scanned_at timestamptz NOT NULL DEFAULT now(),
  strategy text NOT NULL,
  timeframe tracker.timeframe NOT NULL,
  symbol_id smallint NOT NULL REFERENCES tracker.symbols,
  decision text NOT NULL CHECK (decision IN ('SIGNAL', 'SKIP')),
  reason text NOT NULL,
  market_regime text NOT NULL,
  confidence_score real,
  signal_strength real NOT NULL,
  config_hash text NOT NULL,
  metadata jsonb NOT NULL DEFAULT '{}',
  UNIQUE (strategy, symbol_id, decided_at)
);
SELECT tracker.written_by('tracker.scan_history', 'strategy_scanner');
COMMENT ON COLUMN tracker.scan_history.decided_at IS 'the bar close at which the decision was taken, in event time';

CREATE TABLE tracker.signals (
  signal_id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
  decided_at timestamptz NOT NULL,
  expires_at timestamptz NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  entry float8 NOT NULL,
  stop float8 NOT NULL,
  target float8 NOT NULL,
  target_fraction float8,
  trail_distance float8 NOT NULL DEFAULT 0,
  ladder float8[] NOT NULL DEFAULT '{}',
  size_weights float8[] NOT NULL DEFAULT '{1}',
  strategy text NOT NULL,
  timeframe tracker.timeframe NOT NULL,
  symbol_id smallint NOT NULL REFERENCES tracker.symbols,
  side text NOT NULL CHECK (side IN ('long', 'short')),
  confirmations smallint NOT NULL,
  strength real NOT NULL,
  confidence real,
  market_regime text NOT NULL,
  config_hash text NOT NULL,
  model_id bigint,
  UNIQUE (strategy, symbol_id, decided_at)
);
CREATE INDEX signals_by_time ON tracker.signals (decided_at);
SELECT tracker.written_by('tracker.signals', 'strategy_scanner');

CREATE TABLE tracker.scan_watermarks (
  strategy text PRIMARY KEY,
  timeframe tracker.timeframe NOT NULL,
  closed_through timestamptz NOT NULL,
  updated_at timestamptz NOT NULL DEFAULT now()
);
SELECT tracker.written_by('tracker.scan_watermarks', 'strategy_scanner');
COMMENT ON TABLE tracker.scan_watermarks IS
  'written by strategy_scanner; every close up to closed_through has been scanned by that strategy';

-- migrate:down
DROP TABLE tracker.scan_watermarks;
DROP TABLE tracker.signals;
DROP TABLE tracker.scan_history;
DROP TABLE tracker.feature_watermarks;
DROP TABLE tracker.ml_features;
DROP TABLE tracker.feature_sets;
