-- name: watermarks
-- How far each stage has come.
SELECT stage || ' ' || name AS part, stage, name, closed_through, updated_at, behind_seconds, age_seconds
FROM dashboards.watermarks ORDER BY place, closed_through DESC, name;

-- name: gaps
-- Ranges without bars: open ones, then the newest of the others.
SELECT symbol, timeframe::text AS timeframe, starts_at, ends_at, state, cause, minutes, attempts, healed_bars, last_error
FROM dashboards.data_gaps
WHERE state = 'open' OR ends_at > now() - interval '7 days'
ORDER BY state <> 'open', starts_at DESC LIMIT 200;

-- name: gap_states
-- How many ranges without bars there are in each state, over all.
SELECT state, count(*) AS gaps, coalesce(sum(minutes), 0)::bigint AS minutes FROM dashboards.data_gaps GROUP BY state;

-- name: backfills
-- How much of each symbol's wanted history has been fetched, what failed first.
SELECT symbol, timeframe::text AS timeframe, chunks, done, planned, failed, done_share, bars, first_at, last_at,
       finished_at, last_failure
FROM dashboards.backfills ORDER BY failed DESC, done_share, symbol, timeframe;

-- name: partitions
-- Where the bars of each month lie.
SELECT month, name, place, rows_estimate, bytes, clustered, is_ahead FROM dashboards.partitions
ORDER BY month DESC, place LIMIT 60;

-- name: sizes
-- What takes the disk.
SELECT name, parts, rows_estimate, bytes, dead_rows FROM dashboards.table_sizes ORDER BY bytes DESC LIMIT 15;

-- name: tasks
-- The last run of each task that keeps the database in order.
SELECT DISTINCT ON (task) task, started_at, seconds, ok, error FROM dashboards.maintenance
WHERE started_at > now() - interval '14 days' ORDER BY task, started_at DESC;

-- name: rejected
-- What the vendor sent that could not be believed, the newest.
SELECT received_at, source, symbol, timeframe, reason FROM dashboards.rejected_bars
ORDER BY rejection_id DESC LIMIT 20;
