-- name: bars
-- How the bars stand, in one row.
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
  (SELECT min(detected_at) FROM tracker.data_gaps WHERE state = 'open' AND cause <> 'history') AS gap_since,
  (SELECT count(DISTINCT symbol_id) FROM tracker.data_gaps
   WHERE state = 'open' AND cause <> 'history') AS gap_symbols
FROM (
  SELECT max(l.ts + tracker.duration(l.timeframe)) AS newest_close
  FROM tracker.symbols s JOIN tracker.latest_bar l ON l.symbol_id = s.symbol_id AND l.timeframe = s.base_timeframe
) newest;
