-- name: trader
-- How far the paper trader is, beside the minutes that are closed.
SELECT now() AS now, m.opened_at, m.closed_through, m.updated_at AS closed_at,
       (SELECT min(processed_through) FROM tracker.paper_cursor) AS paper_through
FROM (VALUES (1)) AS one(row) LEFT JOIN tracker.bar_watermarks m ON m.timeframe = '1m';
