-- name: plan
-- Plan one chunk of history; a chunk already known stays as it is.
INSERT INTO tracker.backfill_chunks (symbol_id, timeframe, starts_at, ends_at)
VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING;

-- name: planned
-- The chunks still to fetch, failed ones again, coarse timeframes first, newest history first.
SELECT c.symbol_id, s.symbol, c.timeframe::text AS timeframe, c.starts_at, c.ends_at
FROM tracker.backfill_chunks c JOIN tracker.symbols s USING (symbol_id)
WHERE c.status <> 'done' AND s.status = 'active'
ORDER BY tracker.duration(c.timeframe) DESC, c.starts_at DESC, c.symbol_id;

-- name: finish
-- Note the end of a chunk.
UPDATE tracker.backfill_chunks
SET status = $4, bars = $5, reason = $6, finished_at = now()
WHERE symbol_id = $1 AND timeframe = $2 AND starts_at = $3;

-- name: symbols_planned
-- The symbols whose start-up history was planned already.
SELECT DISTINCT symbol_id FROM tracker.backfill_chunks;
