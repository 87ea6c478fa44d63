-- name: plan
-- Plan one chunk of history; a chunk already known stays as it is.
INSERT INTO tracker.backfill_chunks (symbol_id, timeframe, starts_at, ends_at)
VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING;

-- name: known
-- The chunks of some timeframes, whatever became of them, coarse timeframes first, newest history first.
SELECT c.symbol_id, s.symbol, c.timeframe::text AS timeframe, c.starts_at, c.ends_at, c.status, c.reason
FROM tracker.backfill_chunks c JOIN tracker.symbols s USING (symbol_id)
WHERE c.timeframe = ANY ($1::text[])
ORDER BY tracker.duration(c.timeframe) DESC, c.starts_at DESC, c.symbol_id;

-- name: finish
-- Note the end of a chunk.
UPDATE tracker.backfill_chunks
SET status = $4, bars = $5, reason = $6, finished_at = now()
WHERE symbol_id = $1 AND timeframe = $2 AND starts_at = $3;

-- name: plan_again
-- Take a chunk back into the plan, to compare with the vendor what it brought.
UPDATE tracker.backfill_chunks SET status = 'planned', reason = NULL
WHERE symbol_id = $1 AND timeframe = $2 AND starts_at = $3 AND status = 'done';
