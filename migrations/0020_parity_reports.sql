-- migrate:up
CREATE TABLE tracker.parity_reports (
  report_id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
  first_at timestamptz NOT NULL,
  end_at timestamptz NOT NULL,
  started_at timestamptz NOT NULL,
  finished_at timestamptz,
  steps jsonb NOT NULL DEFAULT '{}',
  looks integer NOT NULL DEFAULT 0,
  signals integer NOT NULL DEFAULT 0,
  orders integer NOT NULL DEFAULT 0,
  fills integer NOT NULL DEFAULT 0,
  trades integer NOT NULL DEFAULT 0,
  not_compared integer NOT NULL DEFAULT 0,
  never_scanned text[] NOT NULL DEFAULT '{}',
  differences integer NOT NULL DEFAULT 0,
  first_differences jsonb NOT NULL DEFAULT '[]',
  error text,
  CHECK (end_at > first_at),
  CHECK (error IS NULL OR finished_at IS NOT NULL)
);
CREATE INDEX parity_reports_by_end ON tracker.parity_reports (finished_at DESC);
SELECT tracker.written_by('tracker.parity_reports', 'data_scheduler');
COMMENT ON COLUMN tracker.parity_reports.first_at IS 'decisions at closes after this and up to end_at were taken again';
COMMENT ON COLUMN tracker.parity_reports.finished_at IS 'null while it is worked on: whoever comes next goes on with it';
COMMENT ON COLUMN tracker.parity_reports.steps IS 'what each step that is done has counted, by its name';
COMMENT ON COLUMN tracker.parity_reports.not_compared IS
  'looks and orders of a configuration that is known nowhere any more, or of other rules of trading';
COMMENT ON COLUMN tracker.parity_reports.never_scanned IS 'strategies with a scanner that never looked at anything';
COMMENT ON COLUMN tracker.parity_reports.first_differences IS
  'the first of them: what, whose, when, as it was and as the rules say today, with the inputs that changed';

CREATE VIEW dashboards.parity WITH (security_invoker = true) AS
SELECT report_id, first_at, end_at, started_at, finished_at,
  CASE WHEN finished_at IS NULL THEN 'running' WHEN error IS NOT NULL THEN 'failed'
       WHEN differences > 0 OR never_scanned <> '{}' THEN 'differs' ELSE 'same' END AS outcome,
  extract(epoch FROM finished_at - started_at)::float8 AS seconds,
  looks, signals, orders, fills, trades, not_compared, never_scanned, differences,
  first_differences -> 0 ->> 'what' AS first_what, first_differences -> 0 ->> 'strategy' AS first_strategy,
  first_differences -> 0 ->> 'symbol' AS first_symbol, first_differences -> 0 ->> 'decided_at' AS first_decided_at,
  first_differences -> 0 ->> 'name' AS first_name, first_differences, error
FROM tracker.parity_reports;
COMMENT ON VIEW dashboards.parity IS
  'each night''s decisions and the ledger, held against what the rules make of the stored bars';
COMMENT ON COLUMN dashboards.parity.outcome IS 'same, differs, failed, or running';
COMMENT ON COLUMN dashboards.parity.seconds IS 'of the clock, from its begin to its end, pauses included';
GRANT SELECT ON dashboards.parity TO tracker_reader;

-- migrate:down
DROP VIEW dashboards.parity;
DROP TABLE tracker.parity_reports;
