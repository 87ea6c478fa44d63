-- migrate:up
-- What holds and what does not, as of the last look; health_checks is the history.
CREATE TABLE tracker.health_findings (
  name text PRIMARY KEY,
  check_group text NOT NULL,
  severity text NOT NULL CHECK (severity IN ('info', 'warning', 'critical')),
  place integer NOT NULL,
  ok boolean NOT NULL,
  observed text NOT NULL,
  threshold text NOT NULL,
  value float8,
  since timestamptz NOT NULL,
  checked_at timestamptz NOT NULL,
  kept_at timestamptz NOT NULL,
  advice text NOT NULL
) WITH (fillfactor = 50);
SELECT tracker.written_by('tracker.health_findings', 'health_monitor');
COMMENT ON COLUMN tracker.health_findings.place IS 'in which order findings are shown';
COMMENT ON COLUMN tracker.health_findings.value IS 'what was observed as a number; null where it is none';
COMMENT ON COLUMN tracker.health_findings.kept_at IS 'when it was last added to health_checks';

INSERT INTO tracker.health_findings
  (name, check_group, severity, place, ok, observed, threshold, since, checked_at, kept_at, advice)
SELECT DISTINCT ON (name) name, check_group, severity, 0, ok, observed, threshold, since, checked_at, checked_at, advice
FROM tracker.health_checks ORDER BY name, checked_at DESC, check_id DESC;

CREATE INDEX health_checks_by_time ON tracker.health_checks (checked_at);

-- One row: the dead-man's sign of whoever watches all the others.
CREATE TABLE tracker.monitor_looks (
  one boolean PRIMARY KEY DEFAULT true CHECK (one),
  looked_at timestamptz NOT NULL,
  every_seconds float8 NOT NULL CHECK (every_seconds > 0),
  seconds float8 NOT NULL CHECK (seconds >= 0),
  findings integer NOT NULL,
  critical integer NOT NULL,
  warnings integer NOT NULL
) WITH (fillfactor = 50);
SELECT tracker.written_by('tracker.monitor_looks', 'health_monitor');
COMMENT ON COLUMN tracker.monitor_looks.looked_at IS 'when everything was last looked at';
COMMENT ON COLUMN tracker.monitor_looks.every_seconds IS 'how long the monitor rests between two looks';
COMMENT ON COLUMN tracker.monitor_looks.critical IS 'how many critical findings were failing, as warnings';

CREATE VIEW dashboards.health WITH (security_invoker = true) AS
SELECT name, check_group AS "group", severity, observed, threshold, ok, since, advice, checked_at, value, place
FROM tracker.health_findings;
COMMENT ON VIEW dashboards.health IS
  'every invariant as of the monitor''s last look; whether that was lately, dashboards.monitor_alive says';
COMMENT ON COLUMN dashboards.health.since IS 'since when it holds, or does not';
COMMENT ON COLUMN dashboards.health.threshold IS 'the limit, in words';
COMMENT ON COLUMN dashboards.health.value IS 'observed as a number, in the unit of the limit; null where it is none';

CREATE VIEW dashboards.health_history WITH (security_invoker = true) AS
SELECT checked_at, name, check_group AS "group", severity, observed, threshold, ok, since, advice
FROM tracker.health_checks WHERE checked_at > now() - interval '30 days';
COMMENT ON VIEW dashboards.health_history IS
  'invariants over the last 30 days: a row whenever one broke or held again, and one every few minutes';

CREATE VIEW dashboards.monitor_alive WITH (security_invoker = true) AS
SELECT l.looked_at, extract(epoch FROM now() - l.looked_at)::float8 AS age_seconds,
  greatest(60, 6 * l.every_seconds) AS limit_seconds,
  coalesce(extract(epoch FROM now() - l.looked_at) <= greatest(60, 6 * l.every_seconds), false) AS alive,
  l.seconds, l.findings, l.critical, l.warnings
FROM (VALUES (1)) AS always(row) LEFT JOIN tracker.monitor_looks l ON true;
COMMENT ON VIEW dashboards.monitor_alive IS
  'one row: whether the health monitor itself still looks; all but alive are null where it never did';
COMMENT ON COLUMN dashboards.monitor_alive.age_seconds IS 'since the end of its last whole look';
COMMENT ON COLUMN dashboards.monitor_alive.seconds IS 'how long the last look took';
COMMENT ON COLUMN dashboards.monitor_alive.critical IS 'how many critical findings were failing, as warnings';
GRANT SELECT ON dashboards.health, dashboards.health_history, dashboards.monitor_alive TO tracker_reader;

-- migrate:down
DROP VIEW dashboards.monitor_alive;
DROP VIEW dashboards.health_history;
DROP VIEW dashboards.health;
DROP TABLE tracker.monitor_looks;
DROP INDEX tracker.health_checks_by_time;
DROP TABLE tracker.health_findings;
