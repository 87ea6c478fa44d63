-- name: now
-- When the transaction began, by the clock of the database.
SELECT now();

-- name: limit_time
-- Let no statement of the transaction take longer.
SELECT set_config('statement_timeout', $1, true);

-- name: standings
-- What was known of every finding as of the last look.
SELECT name, ok, since, kept_at FROM tracker.health_findings;

-- name: all
-- Everything as of the last look.
SELECT name, "group", severity, observed, threshold AS limit, ok, since, advice, value
FROM dashboards.health ORDER BY place, name;

-- name: monitor_age
-- Whether the monitor still looks.
SELECT alive, looked_at, age_seconds, limit_seconds FROM dashboards.monitor_alive;

-- name: write
-- Put what was found in the place of what was found before.
INSERT INTO tracker.health_findings
  (name, check_group, severity, place, ok, observed, threshold, value, since, advice, checked_at, kept_at)
SELECT f.*, $1::timestamptz, $1
FROM unnest($2::text[], $3::text[], $4::text[], $5::integer[], $6::boolean[], $7::text[], $8::text[], $9::float8[],
            $10::timestamptz[], $11::text[]) AS f
ON CONFLICT (name) DO UPDATE SET
  check_group = EXCLUDED.check_group, severity = EXCLUDED.severity, place = EXCLUDED.place, ok = EXCLUDED.ok,
  observed = EXCLUDED.observed, threshold = EXCLUDED.threshold, value = EXCLUDED.value, since = EXCLUDED.since,
  advice = EXCLUDED.advice, checked_at = EXCLUDED.checked_at;

-- name: forget_others
-- Forget findings about what is not looked at any more.
DELETE FROM tracker.health_findings WHERE name <> ALL ($1::text[]);

-- name: keep
-- Add one finding to the history.
INSERT INTO tracker.health_checks
  (checked_at, name, check_group, severity, observed, threshold, ok, since, advice)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9);

-- name: note_kept
-- Note which findings were added to the history.
UPDATE tracker.health_findings SET kept_at = $1 WHERE name = ANY ($2::text[]);

-- name: write_look
-- Note that everything was looked at.
INSERT INTO tracker.monitor_looks (looked_at, every_seconds, seconds, findings, critical, warnings)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (one) DO UPDATE SET
  looked_at = EXCLUDED.looked_at, every_seconds = EXCLUDED.every_seconds, seconds = EXCLUDED.seconds,
  findings = EXCLUDED.findings, critical = EXCLUDED.critical, warnings = EXCLUDED.warnings;
