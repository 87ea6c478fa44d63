-- migrate:up
CREATE TABLE tracker.scan_champions (
  strategy text NOT NULL,
  after timestamptz NOT NULL,
  model_id bigint,
  threshold real CHECK (threshold >= 0 AND threshold <= 1),
  PRIMARY KEY (strategy, after),
  CHECK ((model_id IS NULL) = (threshold IS NULL))
);
SELECT tracker.written_by('tracker.scan_champions', 'strategy_scanner');
COMMENT ON COLUMN tracker.scan_champions.after IS
  'event time: closes later than this, and up to the next row''s, were decided with the model';
COMMENT ON COLUMN tracker.scan_champions.model_id IS 'null where the rule decided alone';
COMMENT ON COLUMN tracker.scan_champions.threshold IS 'the probability from which on signals were traded';

ALTER TABLE tracker.shadow_testing_scans ADD COLUMN model_id bigint, ADD COLUMN held_back integer NOT NULL DEFAULT 0;
COMMENT ON COLUMN tracker.shadow_testing_scans.model_id IS
  'the model that was asked, as the scanner asked it; null where the rule decided alone';
COMMENT ON COLUMN tracker.shadow_testing_scans.held_back IS
  'how many signals of all variations the model held back; signals and bitmap are without them';

-- migrate:down
ALTER TABLE tracker.shadow_testing_scans DROP COLUMN held_back, DROP COLUMN model_id;
DROP TABLE tracker.scan_champions;
