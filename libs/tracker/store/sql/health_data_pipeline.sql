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

-- name: frames
-- How far each timeframe is complete.
SELECT timeframe::text AS timeframe, opened_at, closed_through, updated_at FROM tracker.bar_watermarks;

-- name: silences
-- Active symbols by how long ago, against the newest bar of all, their own last one ended; null: there never was one.
WITH ends AS (
  SELECT s.symbol_id, s.symbol, tracker.duration(s.base_timeframe) AS step, l.ts + tracker.duration(l.timeframe) AS last
  FROM tracker.symbols s
  LEFT JOIN tracker.latest_bar l ON l.symbol_id = s.symbol_id AND l.timeframe = s.base_timeframe
  WHERE s.status = 'active'
)
SELECT symbol, extract(epoch FROM (SELECT max(last) FROM ends) - last)::float8 AS seconds,
       extract(epoch FROM step)::float8 AS step_seconds
FROM ends ORDER BY last NULLS FIRST, symbol;

-- name: rejections
-- How many of the last thousand rejected bars came within the last hour, and why most of them were rejected.
SELECT count(*) AS rejected, mode() WITHIN GROUP (ORDER BY reason) AS reason
FROM (SELECT received_at, reason FROM tracker.rejected_bars ORDER BY rejection_id DESC LIMIT 1000) r
WHERE received_at > now() - interval '1 hour';

-- name: failed_chunks
-- How many spans of history could not be had, and why the last of them.
SELECT count(*) AS failed, (array_agg(reason ORDER BY finished_at DESC NULLS LAST))[1] AS reason
FROM tracker.backfill_chunks WHERE status = 'failed';

-- name: overflowed
-- Of how many symbols bars were dropped within the last hour because the buffer was full.
SELECT count(DISTINCT symbol_id) FROM tracker.data_gaps
WHERE cause = 'overflow' AND detected_at > now() - interval '1 hour';

-- name: latest_differs
-- Where the newest bar of a symbol is not what latest_bar says.
SELECT s.symbol, l.timeframe::text AS timeframe
FROM tracker.latest_bar l
JOIN tracker.symbols s USING (symbol_id)
LEFT JOIN LATERAL (
  SELECT o.ts, o.open, o.high, o.low, o.close, o.volume FROM tracker.ohlc_data o
  WHERE o.symbol_id = l.symbol_id AND o.timeframe = l.timeframe AND o.ts >= l.ts AND o.ts < l.ts + interval '40 days'
  ORDER BY o.ts DESC LIMIT 1
) n ON true
WHERE (n.ts, n.open, n.high, n.low, n.close, n.volume)
  IS DISTINCT FROM (l.ts, l.open, l.high, l.low, l.close, l.volume)
ORDER BY s.symbol, l.timeframe;

-- name: rolled_differs
-- Symbols whose bar of the hour that opens at $1 is not there or, where it was made of minutes, is not what they say.
SELECT s.symbol
FROM (
  SELECT y.symbol_id, y.symbol, (array_agg(o.open ORDER BY o.ts))[1] AS open, max(o.high) AS high, min(o.low) AS low,
    (array_agg(o.close ORDER BY o.ts DESC))[1] AS close, sum(o.volume) AS volume
  FROM tracker.symbols y
  JOIN tracker.ohlc_data o ON o.symbol_id = y.symbol_id AND o.timeframe = '1m'
  WHERE y.base_timeframe = '1m' AND o.ts >= $1::timestamptz AND o.ts < $1::timestamptz + interval '1 hour'
  GROUP BY y.symbol_id
) s
LEFT JOIN tracker.ohlc_data h ON h.symbol_id = s.symbol_id AND h.timeframe = '1h' AND h.ts = $1
WHERE h.ts IS NULL OR (h.source = 'rollup' AND (
  (h.open, h.high, h.low, h.close) IS DISTINCT FROM (s.open, s.high, s.low, s.close)
  OR abs(h.volume - s.volume) > 1e-6 * greatest(h.volume, s.volume)))
ORDER BY s.symbol;

-- name: jumps
-- Symbols whose price moved by more than the share $3 within one minute of [$1, $2), and by how much at most.
SELECT s.symbol, max(j.move)::float8 AS move
FROM tracker.symbols s
CROSS JOIN LATERAL (
  SELECT greatest(o.high / o.low - 1, abs(o.close / lag(o.close) OVER (ORDER BY o.ts) - 1)) AS move
  FROM tracker.ohlc_data o
  WHERE o.symbol_id = s.symbol_id AND o.timeframe = '1m' AND o.ts >= $1 AND o.ts < $2
) j
WHERE j.move > $3::float8
GROUP BY s.symbol ORDER BY 2 DESC;

-- name: unfilled
-- Materialized views that were never filled.
SELECT matviewname::text AS name FROM pg_matviews WHERE schemaname = 'tracker' AND NOT ispopulated ORDER BY 1;

-- name: first_run
-- Since when the database is kept in order.
SELECT min(started_at) FROM tracker.maintenance_runs;
