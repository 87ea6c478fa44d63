-- name: no_time_limit
-- Let the statements of this transaction take as long as they need.
SELECT set_config('statement_timeout', '0', true);

-- name: limit_waits
-- Let no statement of this transaction wait longer than so many milliseconds for a lock, and others behind it.
SELECT set_config('lock_timeout', $1, true);

-- name: event_time
-- Up to where bars are complete in any timeframe: what the age of everything in event time is counted from.
SELECT max(closed_through) FROM tracker.bar_watermarks;

-- name: start_run
-- Note that a task begins.
INSERT INTO tracker.maintenance_runs (task, started_at, by_hand) VALUES ($1, $2, $3) RETURNING run_id;

-- name: finish_run
-- Note how a task ended.
UPDATE tracker.maintenance_runs
SET finished_at = $2, seconds = $3, ok = $4::text IS NULL, error = $4, result = $5::jsonb
WHERE run_id = $1;

-- name: end_interrupted
-- Note that scheduled runs which never ended were interrupted: whoever ran them is gone. Runs by hand know nothing of
-- the lease, so those of the last day may still go on.
UPDATE tracker.maintenance_runs
SET finished_at = $1, ok = false, error = 'interrupted'
WHERE finished_at IS NULL AND (NOT by_hand OR started_at < $1::timestamptz - interval '1 day');

-- name: histories
-- Of each task: its last good run, and the failures since.
SELECT t.task, good.started_at AS succeeded_at, good.seconds, good.result,
       coalesce((good.result ->> 'unfinished')::boolean, false) AS unfinished,
       bad.failures, bad.failed_at, bad.error
FROM unnest($1::text[]) AS t(task)
LEFT JOIN LATERAL (
  SELECT run_id, started_at, seconds, result FROM tracker.maintenance_runs
  WHERE task = t.task AND ok ORDER BY run_id DESC LIMIT 1
) good ON true
LEFT JOIN LATERAL (
  SELECT count(*) AS failures, max(finished_at) AS failed_at,
         (array_agg(error ORDER BY run_id DESC))[1] AS error
  FROM tracker.maintenance_runs
  WHERE task = t.task AND NOT ok AND run_id > coalesce(good.run_id, 0)
) bad ON true;

-- name: forget
-- Delete some of a table's rows that are older than a moment.
SELECT tracker.forget_rows($1, $2, $3);

-- name: forget_shadow
-- Delete some of the shadow's rows that are older than a moment.
SELECT tracker.forget_shadow_rows($1, $2, $3);

-- name: forget_runs
-- Delete some of the notes on ended runs that are older than a moment, but never a task's last good one.
DELETE FROM tracker.maintenance_runs WHERE run_id = ANY (ARRAY(
  SELECT r.run_id FROM tracker.maintenance_runs r
  WHERE r.started_at < $1 AND r.finished_at IS NOT NULL
    AND EXISTS (SELECT FROM tracker.maintenance_runs n WHERE n.task = r.task AND n.ok AND n.run_id > r.run_id)
  LIMIT $2
));

-- name: aggregates
-- The materialized views.
SELECT matviewname::text AS name FROM pg_matviews WHERE schemaname = 'tracker' ORDER BY 1;

-- name: refresh
-- Bring one materialized view up to date without keeping its readers out.
SELECT tracker.refresh_aggregate($1);

-- name: tables
-- The tables and materialized views the planner keeps statistics of; those of partitions come with their table, and
-- a month's copy has its own before it is one.
SELECT c.relname::text AS name FROM pg_class c
WHERE c.relnamespace = 'tracker'::regnamespace AND c.relkind IN ('r', 'p', 'm') AND NOT c.relispartition
  AND c.relname NOT LIKE 'ohlc\_rewrite\_%'
ORDER BY 1;

-- name: analyze
-- Refresh the planner's statistics of one table.
SELECT tracker.analyze_table($1);
