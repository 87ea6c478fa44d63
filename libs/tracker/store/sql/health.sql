-- name: facts
-- What the invariants look at, in one row.
SELECT
  now() AS now,
  newest.newest_close,
  (SELECT opened_at FROM tracker.bar_watermarks WHERE timeframe = '1m') AS opened_at,
  (SELECT closed_through FROM tracker.bar_watermarks WHERE timeframe = '1m') AS closed_through,
  (SELECT updated_at FROM tracker.bar_watermarks WHERE timeframe = '1m') AS closed_at,
  (SELECT count(*) FROM tracker.symbols WHERE status = 'active') AS active_symbols,
  (SELECT count(*) FROM tracker.symbols WHERE status = 'unsupported') AS unsupported_symbols,
  (SELECT count(*) FROM tracker.symbols s JOIN tracker.latest_bar l
     ON l.symbol_id = s.symbol_id AND l.timeframe = s.base_timeframe
   -- The next bar may take as long as the last one did.
   WHERE s.status = 'active'
     AND l.ts + 2 * tracker.duration(l.timeframe) >= newest.newest_close - interval '14 minutes') AS live_symbols,
  (SELECT min(processed_through) FROM tracker.paper_cursor) AS paper_through,
  (SELECT count(*) FROM tracker.rejected_bars WHERE received_at > now() - interval '1 hour') AS rejected_last_hour,
  (SELECT min(detected_at) FROM tracker.data_gaps WHERE state = 'open' AND cause <> 'history') AS gap_since,
  (SELECT count(DISTINCT symbol_id) FROM tracker.data_gaps
   WHERE state = 'open' AND cause <> 'history') AS gap_symbols
FROM (
  SELECT max(l.ts + tracker.duration(l.timeframe)) AS newest_close
  FROM tracker.symbols s JOIN tracker.latest_bar l ON l.symbol_id = s.symbol_id AND l.timeframe = s.base_timeframe
) newest;

-- name: stages
-- How far each stage is in each timeframe, beside how far the bars are.
SELECT 'features ' || b.timeframe AS stage, b.closed_through AS due, f.closed_through AS done,
       b.updated_at AS due_since, f.updated_at AS done_at, tracker.duration(b.timeframe) AS bucket
FROM tracker.bar_watermarks b LEFT JOIN tracker.feature_watermarks f USING (timeframe)
WHERE b.timeframe IN ('15m', '1h')
UNION ALL
SELECT 'scan ' || s.strategy, f.closed_through, s.closed_through, f.updated_at, s.updated_at,
       tracker.duration(f.timeframe)
FROM tracker.feature_watermarks f JOIN tracker.scan_watermarks s USING (timeframe)
ORDER BY stage;

-- name: latest_findings
-- The last kept finding of each of the named checks; the history may be long.
SELECT n.name, c.checked_at, c.ok, c.since
FROM unnest($1::text[]) AS n(name)
CROSS JOIN LATERAL (
  SELECT checked_at, ok, since FROM tracker.health_checks
  WHERE name = n.name ORDER BY checked_at DESC, check_id DESC LIMIT 1
) c;

-- name: keep
-- Keep one finding.
INSERT INTO tracker.health_checks
  (checked_at, name, check_group, severity, observed, threshold, ok, since, advice)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9);
