-- migrate:up
CREATE TABLE tracker.model_performance (
  performance_id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
  watched_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  window_from timestamptz NOT NULL,
  window_to timestamptz NOT NULL,
  model_id bigint NOT NULL REFERENCES tracker.models ON DELETE CASCADE,
  strategy text NOT NULL,
  action text NOT NULL CHECK (action IN ('keep', 'retrain', 'demote')),
  acted boolean NOT NULL,
  figures jsonb NOT NULL CHECK (jsonb_typeof(figures) = 'object'),
  criteria jsonb NOT NULL CHECK (jsonb_typeof(criteria) = 'array' AND jsonb_array_length(criteria) > 0),
  drift jsonb NOT NULL CHECK (jsonb_typeof(drift) = 'array'),
  CHECK (window_to > window_from),
  CHECK (NOT acted OR action = 'demote')
);
CREATE INDEX model_performance_by_model ON tracker.model_performance (model_id, performance_id);
SELECT tracker.written_by('tracker.model_performance', 'ml_retrainer');
COMMENT ON TABLE tracker.model_performance IS 'written by ml_retrainer and, in its name, by tracker models watch';
COMMENT ON COLUMN tracker.model_performance.window_from IS 'event time of the decisions, as window_to';
COMMENT ON COLUMN tracker.model_performance.action IS 'what follows from the criteria';
COMMENT ON COLUMN tracker.model_performance.acted IS 'whether the champion was demoted by it';
COMMENT ON COLUMN tracker.model_performance.criteria IS
  'name, number (null: too little is known yet, which holds), comparison, limit and whether it holds, of each';
COMMENT ON COLUMN tracker.model_performance.drift IS 'psi and ks of each feature, the most moved first';

CREATE VIEW dashboards.model_performance WITH (security_invoker = true) AS
SELECT p.performance_id, p.strategy, p.model_id, m.status, p.watched_at, p.window_from, p.window_to, p.action, p.acted,
  (p.figures ->> 'labels')::bigint AS labels, (p.figures ->> 'effective')::float8 AS effective,
  (p.figures ->> 'brier')::float8 AS brier, (p.figures ->> 'expected_brier')::float8 AS expected_brier,
  (p.figures ->> 'bias')::float8 AS bias, (p.figures ->> 'slope')::float8 AS slope,
  (p.figures ->> 'calibration_error')::float8 AS calibration_error, (p.figures ->> 'trades')::bigint AS trades,
  (p.figures ->> 'mean_return')::float8 AS mean_return, (p.figures ->> 'expected_return')::float8 AS expected_return,
  (p.figures ->> 'drifted_share')::float8 AS drifted_share, (p.figures ->> 'age_days')::float8 AS age_days,
  p.drift -> 0 ->> 'feature' AS most_moved, (p.drift -> 0 ->> 'psi')::float8 AS most_moved_psi, p.criteria
FROM tracker.model_performance p
JOIN tracker.models m USING (model_id);
COMMENT ON VIEW dashboards.model_performance IS
  'how each champion did live whenever it was looked at, beside what it was promoted for; shares and probabilities';
COMMENT ON COLUMN dashboards.model_performance.bias IS 'share won less the mean probability';
COMMENT ON COLUMN dashboards.model_performance.drifted_share IS 'of the model''s gain, from features that have moved';
GRANT SELECT ON dashboards.model_performance TO tracker_reader;

-- migrate:down
DROP VIEW dashboards.model_performance;
DROP TABLE tracker.model_performance;
