-- name: upsert
-- Store bars and the latest one of each symbol in one statement; what a correction replaces is kept.
WITH incoming AS (
  SELECT * FROM unnest($1::smallint[], $2::text[], $3::timestamptz[], $4::float8[], $5::float8[],
                       $6::float8[], $7::float8[], $8::float8[], $9::float8[], $10::integer[],
                       $11::tracker.bar_source[])
    AS t(symbol_id, timeframe, ts, open, high, low, close, volume, vwap, trades, source)
), replaced AS (
  SELECT o.* FROM tracker.ohlc_data o
  JOIN incoming i ON o.symbol_id = i.symbol_id AND o.timeframe = i.timeframe AND o.ts = i.ts
  WHERE o.ts BETWEEN $12 AND $13
), stored AS (
  INSERT INTO tracker.ohlc_data AS o
    (symbol_id, timeframe, ts, open, high, low, close, volume, vwap, trades, source)
  SELECT symbol_id, timeframe, ts, open, high, low, close, volume, nullif(vwap, 'NaN'), trades, source
  FROM incoming
  ON CONFLICT (symbol_id, timeframe, ts) DO UPDATE SET
    open = excluded.open, high = excluded.high, low = excluded.low, close = excluded.close,
    volume = excluded.volume, vwap = excluded.vwap, trades = excluded.trades, source = excluded.source,
    received_at = now(), revision = o.revision + 1
  WHERE (o.open, o.high, o.low, o.close, o.volume)
    IS DISTINCT FROM (excluded.open, excluded.high, excluded.low, excluded.close, excluded.volume)
  RETURNING o.*
), revised AS (
  INSERT INTO tracker.bar_revisions (symbol_id, timeframe, ts, open, high, low, close, volume, vwap, revision)
  SELECT s.symbol_id, s.timeframe, s.ts, r.open, r.high, r.low, r.close, r.volume, r.vwap, s.revision
  FROM stored s
  LEFT JOIN tracker.bar_watermarks w ON w.timeframe = s.timeframe
  LEFT JOIN replaced r ON r.symbol_id = s.symbol_id AND r.timeframe = s.timeframe AND r.ts = s.ts
  WHERE r.ts IS NOT NULL OR s.ts + tracker.duration(s.timeframe) <= w.closed_through
), latest AS (
  INSERT INTO tracker.latest_bar AS l
    (symbol_id, timeframe, ts, open, high, low, close, volume, vwap, received_at, written_from)
  SELECT DISTINCT ON (symbol_id, timeframe)
    symbol_id, timeframe, ts, open, high, low, close, volume, vwap, received_at,
    min(ts) OVER (PARTITION BY symbol_id, timeframe)
  FROM stored ORDER BY symbol_id, timeframe, ts DESC
  ON CONFLICT (symbol_id, timeframe) DO UPDATE SET
    ts = greatest(l.ts, excluded.ts),
    open = CASE WHEN l.ts > excluded.ts THEN l.open ELSE excluded.open END,
    high = CASE WHEN l.ts > excluded.ts THEN l.high ELSE excluded.high END,
    low = CASE WHEN l.ts > excluded.ts THEN l.low ELSE excluded.low END,
    close = CASE WHEN l.ts > excluded.ts THEN l.close ELSE excluded.close END,
    volume = CASE WHEN l.ts > excluded.ts THEN l.volume ELSE excluded.volume END,
    vwap = CASE WHEN l.ts > excluded.ts THEN l.vwap ELSE excluded.vwap END,
    received_at = CASE WHEN l.ts > excluded.ts THEN l.received_at ELSE excluded.received_at END,
    written_from = excluded.written_from,
    rewrites = l.rewrites + (excluded.written_from <= l.ts)::integer
)
SELECT count(*) AS stored, count(*) FILTER (WHERE revision > 0) AS corrected,
       min(ts) AS first, max(ts) AS last
FROM stored;

-- name: ensure_partitions
-- Make the monthly partitions that bars between two moments need.
SELECT tracker.ensure_bar_partitions($1, $2);

-- name: roll_up
-- Roll every symbol's finest bars up to one timeframe over the buckets that start in [$2, $3). A bucket that
-- the finest bars do not cover from its beginning never replaces the vendor's own bar, and none replaces a coarse
-- bar that was streamed (which only candle files do, and which may stand beside fewer minutes). Where a symbol's
-- bars begin is looked up once and not, as it would be within the join, for each of its bars.
WITH base AS MATERIALIZED (
  SELECT s.symbol_id, s.base_timeframe,
    (SELECT o.ts FROM tracker.ohlc_data o
     WHERE o.symbol_id = s.symbol_id AND o.timeframe = s.base_timeframe ORDER BY o.ts LIMIT 1) AS covered_from
  FROM tracker.symbols s
  WHERE tracker.duration(s.base_timeframe) < $5::interval AND ($4::smallint[] IS NULL OR s.symbol_id = ANY ($4))
), rolled AS (
  SELECT o.symbol_id, date_bin($5::interval, o.ts, timestamptz '1970-01-01 00:00:00+00') AS bucket,
    (array_agg(o.open ORDER BY o.ts))[1] AS open, max(o.high) AS high, min(o.low) AS low,
    (array_agg(o.close ORDER BY o.ts DESC))[1] AS close, sum(o.volume) AS volume,
    sum(o.vwap * o.volume) / nullif(sum(o.volume) FILTER (WHERE o.vwap IS NOT NULL), 0) AS vwap,
    sum(o.trades)::integer AS trades, min(b.covered_from) AS covered_from
  FROM base b
  JOIN tracker.ohlc_data o ON o.symbol_id = b.symbol_id AND o.timeframe = b.base_timeframe
  WHERE o.ts >= $2 AND o.ts < $3
  GROUP BY o.symbol_id, bucket
), replaced AS (
  SELECT o.* FROM tracker.ohlc_data o
  JOIN rolled r ON o.symbol_id = r.symbol_id AND o.timeframe = $1::text AND o.ts = r.bucket
  WHERE o.ts >= $2 AND o.ts < $3
), stored AS (
  INSERT INTO tracker.ohlc_data AS o
    (symbol_id, timeframe, ts, open, high, low, close, volume, vwap, trades, source)
  SELECT r.symbol_id, $1::text, r.bucket, r.open, r.high, r.low, r.close, r.volume, r.vwap, r.trades, 'rollup'
  FROM rolled r
  LEFT JOIN replaced p ON p.symbol_id = r.symbol_id AND p.ts = r.bucket
  WHERE p.ts IS NULL OR p.source = 'rollup' OR (p.source <> 'stream' AND r.covered_from <= r.bucket)
  ON CONFLICT (symbol_id, timeframe, ts) DO UPDATE SET
    open = excluded.open, high = excluded.high, low = excluded.low, close = excluded.close,
    volume = excluded.volume, vwap = excluded.vwap, trades = excluded.trades, source = excluded.source,
    received_at = now(), revision = o.revision + 1
  WHERE (o.open, o.high, o.low, o.close)
      IS DISTINCT FROM (excluded.open, excluded.high, excluded.low, excluded.close)
    OR abs(o.volume - excluded.volume) > 1e-9 * greatest(o.volume, excluded.volume)
  RETURNING o.*
), revised AS (
  INSERT INTO tracker.bar_revisions (symbol_id, timeframe, ts, open, high, low, close, volume, vwap, revision)
  SELECT s.symbol_id, s.timeframe, s.ts, p.open, p.high, p.low, p.close, p.volume, p.vwap, s.revision
  FROM stored s
  LEFT JOIN tracker.bar_watermarks w ON w.timeframe = s.timeframe
  LEFT JOIN replaced p ON p.symbol_id = s.symbol_id AND p.ts = s.ts
  WHERE p.ts IS NOT NULL OR s.ts + $5::interval <= w.closed_through
), latest AS (
  INSERT INTO tracker.latest_bar AS l
    (symbol_id, timeframe, ts, open, high, low, close, volume, vwap, received_at, written_from)
  SELECT DISTINCT ON (symbol_id, timeframe)
    symbol_id, timeframe, ts, open, high, low, close, volume, vwap, received_at,
    min(ts) OVER (PARTITION BY symbol_id, timeframe)
  FROM stored ORDER BY symbol_id, timeframe, ts DESC
  ON CONFLICT (symbol_id, timeframe) DO UPDATE SET
    ts = greatest(l.ts, excluded.ts),
    open = CASE WHEN l.ts > excluded.ts THEN l.open ELSE excluded.open END,
    high = CASE WHEN l.ts > excluded.ts THEN l.high ELSE excluded.high END,
    low = CASE WHEN l.ts > excluded.ts THEN l.low ELSE excluded.low END,
    close = CASE WHEN l.ts > excluded.ts THEN l.close ELSE excluded.close END,
    volume = CASE WHEN l.ts > excluded.ts THEN l.volume ELSE excluded.volume END,
    vwap = CASE WHEN l.ts > excluded.ts THEN l.vwap ELSE excluded.vwap END,
    received_at = CASE WHEN l.ts > excluded.ts THEN l.received_at ELSE excluded.received_at END,
    written_from = excluded.written_from,
    rewrites = l.rewrites + (excluded.written_from <= l.ts)::integer
)
SELECT count(*) FROM stored;

-- name: advance_watermark
-- Declare every bucket of a timeframe that ends at or before a moment complete; never goes back.
INSERT INTO tracker.bar_watermarks AS w (timeframe, opened_at, closed_through)
VALUES ($1, $2, $3)
ON CONFLICT (timeframe) DO UPDATE SET closed_through = excluded.closed_through, updated_at = now()
WHERE w.closed_through < excluded.closed_through;

-- name: watermarks
-- Where each timeframe opened and how far it is closed.
SELECT timeframe::text AS timeframe, opened_at, closed_through FROM tracker.bar_watermarks;

-- name: latest
-- The newest bar of each symbol in one timeframe.
SELECT s.symbol, l.ts, l.open, l.high, l.low, l.close, l.volume
FROM tracker.latest_bar l JOIN tracker.symbols s USING (symbol_id) WHERE l.timeframe = $1;

-- name: resume_point
-- Up to where nothing can be missing: what is closed, or before the first close what the start-up history
-- covers, or without one where the bars begin.
SELECT coalesce(
  (SELECT closed_through FROM tracker.bar_watermarks WHERE timeframe = '1m'),
  (SELECT max(ends_at) FROM tracker.backfill_chunks WHERE timeframe = '1m'),
  (SELECT min(o.ts) FROM tracker.symbols s
   CROSS JOIN LATERAL (
     SELECT ts FROM tracker.ohlc_data o
     WHERE o.symbol_id = s.symbol_id AND o.timeframe = s.base_timeframe ORDER BY ts LIMIT 1
   ) o)
);

-- name: reject
-- Keep what was not believed, with the reason and the frame it came in; REST repeats what the stream said.
INSERT INTO tracker.rejected_bars (source, symbol, timeframe, ts, reason, frame)
SELECT $1, $2, $3, $4, $5, $6
WHERE NOT EXISTS (
  SELECT FROM tracker.rejected_bars r
  WHERE r.symbol = $2 AND r.timeframe = $3 AND r.ts = $4::timestamptz AND r.reason = $5
);

-- name: count_by_symbol
-- How many bars each symbol has in each timeframe.
SELECT s.symbol, o.timeframe::text AS timeframe, count(*) AS bars
FROM tracker.ohlc_data o JOIN tracker.symbols s USING (symbol_id)
GROUP BY 1, o.timeframe ORDER BY 1, tracker.duration(o.timeframe);

-- name: count_rejected
-- How many bars were rejected; one that came by the stream and again by REST counts once.
SELECT count(*) FROM (
  SELECT DISTINCT symbol, timeframe, ts, CASE WHEN ts IS NULL THEN frame END FROM tracker.rejected_bars
) d;
