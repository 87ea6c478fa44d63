-- migrate:up
CREATE TABLE tracker.models (
  model_id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
  strategy text NOT NULL,
  status text NOT NULL DEFAULT 'candidate' CHECK (status IN ('candidate', 'champion', 'retired')),
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  promoted_at timestamptz,
  retired_at timestamptz,
  learnt_through timestamptz NOT NULL,
  window_from timestamptz NOT NULL,
  known_from timestamptz NOT NULL,
  predecessor_id bigint REFERENCES tracker.models,
  feature_hash text NOT NULL,
  label_config text NOT NULL,
  config_hash text NOT NULL,
  sha256 text NOT NULL CHECK (sha256 ~ '^[0-9a-f]{64}$'),
  artifact bytea,
  artifact_path text,
  calibration jsonb NOT NULL CHECK (jsonb_typeof(calibration) = 'object'),
  metrics jsonb NOT NULL CHECK (jsonb_typeof(metrics) = 'object'),
  lineage jsonb NOT NULL CHECK (jsonb_typeof(lineage) = 'object'),
  card text NOT NULL,
  UNIQUE (strategy, sha256),
  CHECK (num_nonnulls(artifact, artifact_path) = 1),
  CHECK (status <> 'champion' OR (promoted_at IS NOT NULL AND retired_at IS NULL)),
  CHECK (status <> 'retired' OR retired_at IS NOT NULL)
);
CREATE UNIQUE INDEX models_one_champion ON tracker.models (strategy) WHERE status = 'champion';
SELECT tracker.written_by('tracker.models', 'ml_retrainer');
COMMENT ON TABLE tracker.models IS 'written by ml_retrainer and, in its name, by tracker train and tracker models';
COMMENT ON COLUMN tracker.models.learnt_through IS 'the last outcome that anything of the model was fitted to';
COMMENT ON COLUMN tracker.models.window_from IS 'decisions from here on are untouched: the gate judges by them';
COMMENT ON COLUMN tracker.models.known_from IS
  'the end of what it was trained and first judged on: of a decision before that it knows the future';
COMMENT ON COLUMN tracker.models.predecessor_id IS 'whose place it took when it was promoted: a rollback returns to that one';
COMMENT ON COLUMN tracker.models.feature_hash IS 'of the feature set whose columns it reads, in their order';
COMMENT ON COLUMN tracker.models.config_hash IS 'of its parameters, seed, label configuration and features: a try in trials';
COMMENT ON COLUMN tracker.models.artifact IS 'boosted trees as UBJSON; nothing is ever unpickled';
COMMENT ON COLUMN tracker.models.artifact_path IS 'of the same bytes in object storage, where they are not kept here';
COMMENT ON COLUMN tracker.models.calibration IS 'slope and intercept: probability = 1 / (1 + exp(-(slope * margin + intercept)))';
COMMENT ON COLUMN tracker.models.card IS 'a page of HTML that stands alone';

CREATE TABLE tracker.feature_importance (
  model_id bigint NOT NULL REFERENCES tracker.models ON DELETE CASCADE,
  feature text NOT NULL,
  gain float8 NOT NULL,
  permutation float8,
  PRIMARY KEY (model_id, feature)
);
SELECT tracker.written_by('tracker.feature_importance', 'ml_retrainer');
COMMENT ON COLUMN tracker.feature_importance.gain IS 'log-loss that splits by it took off in training, summed';
COMMENT ON COLUMN tracker.feature_importance.permutation IS
  'nats a row that the untouched window costs more with its values dealt anew among the rows';

CREATE TABLE tracker.model_verdicts (
  verdict_id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
  model_id bigint NOT NULL REFERENCES tracker.models ON DELETE CASCADE,
  champion_id bigint REFERENCES tracker.models ON DELETE SET NULL,
  judged_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  judged_by text NOT NULL CHECK (judged_by <> ''),
  window_from timestamptz NOT NULL,
  window_to timestamptz NOT NULL,
  criteria jsonb NOT NULL CHECK (jsonb_typeof(criteria) = 'array' AND jsonb_array_length(criteria) > 0),
  passed boolean NOT NULL,
  forced boolean NOT NULL DEFAULT false,
  promoted boolean NOT NULL DEFAULT false,
  reason text NOT NULL DEFAULT '',
  CHECK (NOT forced OR reason <> ''),
  CHECK (NOT promoted OR passed OR forced)
);
CREATE INDEX model_verdicts_by_model ON tracker.model_verdicts (model_id, verdict_id);
SELECT tracker.written_by('tracker.model_verdicts', 'ml_retrainer');
COMMENT ON COLUMN tracker.model_verdicts.champion_id IS 'what was to be beaten; null where there was no champion';
COMMENT ON COLUMN tracker.model_verdicts.criteria IS 'name, number, limit and whether it holds, of each';
COMMENT ON COLUMN tracker.model_verdicts.promoted IS 'whether it took the champion''s place by this verdict, or against it';

CREATE TABLE tracker.model_events (
  event_id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
  at timestamptz NOT NULL DEFAULT clock_timestamp(),
  strategy text NOT NULL,
  action text NOT NULL CHECK (action IN ('promote', 'rollback', 'retire', 'demote')),
  model_id bigint NOT NULL REFERENCES tracker.models ON DELETE CASCADE,
  champion_id bigint REFERENCES tracker.models ON DELETE SET NULL,
  made_by text NOT NULL CHECK (made_by <> ''),
  reason text NOT NULL
);
CREATE INDEX model_events_by_strategy ON tracker.model_events (strategy, event_id);
SELECT tracker.written_by('tracker.model_events', 'ml_retrainer');
COMMENT ON COLUMN tracker.model_events.model_id IS 'whose status changed by the wish; champion_id is the champion after it, if any';

CREATE VIEW dashboards.models WITH (security_invoker = true) AS
SELECT m.model_id, m.strategy, m.status, m.created_at, m.promoted_at, m.retired_at, m.learnt_through, m.window_from,
  m.predecessor_id, m.feature_hash, m.label_config, m.config_hash, m.sha256, m.calibration, m.metrics, m.lineage,
  v.judged_at, v.passed, v.forced, v.criteria
FROM tracker.models m
LEFT JOIN LATERAL (
  SELECT * FROM tracker.model_verdicts w WHERE w.model_id = m.model_id ORDER BY w.verdict_id DESC LIMIT 1
) v ON true;
COMMENT ON VIEW dashboards.models IS 'every model with its last verdict, without its bytes';
GRANT SELECT ON dashboards.models TO tracker_reader;

-- migrate:down
DROP VIEW dashboards.models;
DROP TABLE tracker.model_events;
DROP TABLE tracker.model_verdicts;
DROP TABLE tracker.feature_importance;
DROP TABLE tracker.models;
