-- migrate:up
CREATE TABLE tracker.config_versions (
  strategy text NOT NULL,
  version integer NOT NULL CHECK (version > 0),
  timeframe tracker.timeframe NOT NULL,
  params jsonb NOT NULL CHECK (jsonb_typeof(params) = 'object'),
  config_hash text NOT NULL,
  file_hash text NOT NULL,
  source text NOT NULL CHECK (source IN ('file', 'promotion', 'rollback')),
  reason text NOT NULL,
  lineage jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(lineage) = 'object'),
  made_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  made_by text NOT NULL CHECK (made_by <> ''),
  PRIMARY KEY (strategy, version)
);
CREATE INDEX config_versions_by_hash ON tracker.config_versions (strategy, config_hash);
SELECT tracker.written_by('tracker.config_versions', 'control');
COMMENT ON COLUMN tracker.config_versions.params IS 'all parameters of the strategy, whatever its file says';
COMMENT ON COLUMN tracker.config_versions.config_hash IS 'what looks, signals and orders made with it carry';
COMMENT ON COLUMN tracker.config_versions.file_hash IS
  'of the toml file the scanner had when this was made: a version is in force only while it still has that file';
COMMENT ON COLUMN tracker.config_versions.source IS 'file: what stood in an edited file, noted so that it can be returned to';
COMMENT ON COLUMN tracker.config_versions.lineage IS
  'what it replaced and where it comes from: the variation with its outcome and verdict, or the version returned to';

CREATE TABLE tracker.promotion_verdicts (
  verdict_id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
  judged_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  judged_by text NOT NULL CHECK (judged_by <> ''),
  subject_kind text NOT NULL CHECK (subject_kind <> ''),
  subject_id text NOT NULL CHECK (subject_id <> ''),
  strategy text NOT NULL,
  criteria jsonb NOT NULL CHECK (jsonb_typeof(criteria) = 'array' AND jsonb_array_length(criteria) > 0),
  passed boolean NOT NULL,
  forced boolean NOT NULL,
  reason text NOT NULL,
  version integer,
  CHECK (NOT forced OR reason <> ''),
  CHECK (version IS NULL OR passed OR forced),
  FOREIGN KEY (strategy, version) REFERENCES tracker.config_versions
);
SELECT tracker.written_by('tracker.promotion_verdicts', 'control');
COMMENT ON COLUMN tracker.promotion_verdicts.subject_kind IS 'such as shadow_variation';
COMMENT ON COLUMN tracker.promotion_verdicts.criteria IS 'name, number, limit and whether it holds, of each';
COMMENT ON COLUMN tracker.promotion_verdicts.forced IS 'whether it was to be promoted whatever the gate says';
COMMENT ON COLUMN tracker.promotion_verdicts.version IS 'of the configuration it became; null where it did not';

CREATE VIEW dashboards.config_history WITH (security_invoker = true) AS
SELECT c.strategy, c.version, c.made_at, c.made_by, c.source, c.reason, c.config_hash, c.file_hash, c.timeframe, c.params,
  c.lineage, v.passed, v.forced, v.criteria
FROM tracker.config_versions c LEFT JOIN tracker.promotion_verdicts v USING (strategy, version);
COMMENT ON VIEW dashboards.config_history IS 'every configuration of each strategy, where it came from, and the gate''s verdict';
COMMENT ON COLUMN dashboards.config_history.passed IS 'null where it was no promotion, as forced and criteria';
GRANT SELECT ON dashboards.config_history TO tracker_reader;

-- migrate:down
DROP VIEW dashboards.config_history;
DROP TABLE tracker.promotion_verdicts;
DROP TABLE tracker.config_versions;
