-- name: facts
-- What the invariants look at, in one row.
SELECT
  now() AS now,
  (SELECT max(ts + interval '1 minute') FROM tracker.latest_bar WHERE timeframe = '1m') AS newest_close,
  (SELECT closed_through FROM tracker.bar_watermarks WHERE timeframe = '1m') AS closed_through,
  (SELECT updated_at FROM tracker.bar_watermarks WHERE timeframe = '1m') AS closed_at,
  (SELECT count(*) FROM tracker.symbols WHERE status = 'active') AS active_symbols,
  (SELECT count(*) FROM tracker.symbols WHERE status = 'unsupported') AS unsupported_symbols,
  (SELECT count(*) FROM tracker.symbols s JOIN tracker.latest_bar l
     ON l.symbol_id = s.symbol_id AND l.timeframe = s.base_timeframe
   WHERE s.status = 'active' AND l.ts >= (
     SELECT max(ts) FROM tracker.latest_bar WHERE timeframe = '1m') - interval '15 minutes') AS live_symbols,
  (SELECT processed_through FROM tracker.paper_cursor ORDER BY processed_through DESC LIMIT 1) AS paper_through,
  (SELECT count(*) FROM tracker.rejected_bars WHERE received_at > now() - interval '1 hour') AS rejected_last_hour;

-- name: stages
-- How far each stage is in each timeframe, beside how far the bars are.
SELECT 'features ' || b.timeframe AS stage, b.closed_through AS due, f.closed_through AS done,
       b.updated_at AS due_since
FROM tracker.bar_watermarks b LEFT JOIN tracker.feature_watermarks f USING (timeframe)
WHERE b.timeframe IN ('15m', '1h')
UNION ALL
SELECT 'scan ' || s.strategy, f.closed_through, s.closed_through, f.updated_at
FROM tracker.feature_watermarks f JOIN tracker.scan_watermarks s USING (timeframe)
ORDER BY stage;

-- name: latest_findings
-- The last kept finding of each check.
SELECT DISTINCT ON (name) name, checked_at, observed, ok, since
FROM tracker.health_checks ORDER BY name, checked_at DESC;

-- name: keep
-- Keep one finding.
INSERT INTO tracker.health_checks
  (checked_at, name, check_group, severity, observed, threshold, ok, since, advice)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9);
