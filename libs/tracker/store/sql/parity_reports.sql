-- name: span
-- Up to where bars are complete, every strategy that is still scanning has come, and the last good report came.
SELECT (SELECT max(closed_through) FROM tracker.bar_watermarks) AS closed_through,
       (SELECT min(closed_through) FROM tracker.scan_watermarks
        WHERE closed_through > (SELECT max(closed_through) FROM tracker.scan_watermarks) - interval '1 day'
       ) AS scanned_through,
       (SELECT max(end_at) FROM tracker.parity_reports WHERE finished_at IS NOT NULL AND error IS NULL) AS reported;

-- name: first_look
-- The first close that any strategy ever decided at.
SELECT min(f.decided_at) FROM tracker.scan_watermarks w
CROSS JOIN LATERAL (SELECT min(decided_at) AS decided_at FROM tracker.scan_history WHERE strategy = w.strategy) f;

-- name: drop_unfinished
-- Forget the reports that were never finished and are of another span.
DELETE FROM tracker.parity_reports WHERE finished_at IS NULL AND (first_at, end_at) <> ($1, $2);

-- name: unfinished
-- The report that was begun and not finished, with the names of its steps that are done.
SELECT report_id, ARRAY(SELECT jsonb_object_keys(steps)) AS done FROM tracker.parity_reports
WHERE finished_at IS NULL ORDER BY report_id DESC LIMIT 1;

-- name: begin
-- Begin a report.
INSERT INTO tracker.parity_reports (first_at, end_at, started_at) VALUES ($1, $2, $3) RETURNING report_id;

-- name: keep_step
-- Note what a step counted and the first of its differences; the same step twice counts once.
UPDATE tracker.parity_reports
SET steps = steps || jsonb_build_object($2::text, $3::jsonb), first_differences = first_differences || $4::jsonb
WHERE report_id = $1 AND NOT steps ? $2;

-- name: finish
-- End a report with the sums of its steps, or with what made it fail.
UPDATE tracker.parity_reports r
SET finished_at = $2, error = $3, never_scanned = $4, looks = s.looks, signals = s.signals, orders = s.orders,
    fills = s.fills, trades = s.trades, not_compared = s.not_compared, differences = s.differences
FROM (
  SELECT coalesce(sum((value ->> 'looks')::int), 0) AS looks, coalesce(sum((value ->> 'signals')::int), 0) AS signals,
         coalesce(sum((value ->> 'orders')::int), 0) AS orders, coalesce(sum((value ->> 'fills')::int), 0) AS fills,
         coalesce(sum((value ->> 'trades')::int), 0) AS trades,
         coalesce(sum((value ->> 'not_compared')::int), 0) AS not_compared,
         coalesce(sum((value ->> 'differences')::int), 0) AS differences
  FROM tracker.parity_reports p CROSS JOIN LATERAL jsonb_each(p.steps) WHERE p.report_id = $1
) s
WHERE r.report_id = $1;

-- name: last
-- The last finished report, and since when the task has been run.
SELECT (SELECT min(started_at) FROM tracker.maintenance_runs WHERE task = 'nightly_parity') AS tried_since,
       EXISTS (SELECT FROM tracker.scan_watermarks) AS scanned,
       r.first_at, r.end_at, r.finished_at, r.differences, r.never_scanned, r.error,
       r.first_differences -> 0 AS first_difference
FROM (VALUES (1)) AS one(row)
LEFT JOIN LATERAL (
  SELECT * FROM tracker.parity_reports WHERE finished_at IS NOT NULL ORDER BY finished_at DESC, report_id DESC LIMIT 1
) r ON true;

-- name: forget
-- Delete some of the reports that ended before a moment.
DELETE FROM tracker.parity_reports WHERE report_id = ANY (ARRAY(
  SELECT report_id FROM tracker.parity_reports WHERE finished_at < $1 LIMIT $2
));

-- name: checkpoint
-- Of an account, the newest checkpoint up to a moment.
SELECT state FROM tracker.parity_checkpoints WHERE account = $1 AND at <= $2 ORDER BY at DESC LIMIT 1;

-- name: keep_checkpoint
-- Keep what a ledger stands at.
INSERT INTO tracker.parity_checkpoints (account, at, rules_hash, state) VALUES ($1, $2, $3, $4::jsonb)
ON CONFLICT (account, at) DO NOTHING;

-- name: forget_checkpoints
-- Drop an account's checkpoints that lie before the newest one up to a moment: none of later needs them.
DELETE FROM tracker.parity_checkpoints c WHERE account = $1 AND at < (
  SELECT max(at) FROM tracker.parity_checkpoints WHERE account = $1 AND at <= $2
);
