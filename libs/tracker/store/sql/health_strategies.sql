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
