-- name: create_staging
-- A table of this transaction's own, for bulk loads by COPY.
CREATE TEMPORARY TABLE bar_staging (
  symbol_id smallint, timeframe tracker.timeframe, ts timestamptz, open float8, high float8, low float8,
  close float8, volume float8, vwap float8, trades integer
) ON COMMIT DROP;

-- name: commit_lazily
-- Let this transaction's commit not wait for the disk: it may be lost in a crash, but only as a whole.
SELECT set_config('synchronous_commit', 'off', true);

-- name: any_there
-- Whether one symbol has any bar of a timeframe that opens in [$3, $4].
SELECT EXISTS (
  SELECT FROM tracker.ohlc_data WHERE symbol_id = $1 AND timeframe = $2 AND ts BETWEEN $3 AND $4
);

-- name: note_late
-- Note the staged bars of symbol $3 and timeframe $4 in [$1, $2] that are missing in what is declared complete:
-- decisions were taken without them.
INSERT INTO tracker.bar_revisions (symbol_id, timeframe, ts, revision)
SELECT s.symbol_id, s.timeframe, s.ts, 0
FROM bar_staging s
JOIN tracker.bar_watermarks w ON w.timeframe = s.timeframe
WHERE s.ts >= w.opened_at AND s.ts + tracker.duration(s.timeframe) <= w.closed_through
  AND s.ts NOT IN (
    SELECT ts FROM tracker.ohlc_data WHERE symbol_id = $3 AND timeframe = $4 AND ts BETWEEN $1 AND $2
  );

-- name: insert_all
-- Move the staged bars to where no bar stands at all; fails where one does after all.
INSERT INTO tracker.ohlc_data (symbol_id, timeframe, ts, open, high, low, close, volume, vwap, trades, source)
SELECT symbol_id, timeframe, ts, open, high, low, close, volume, nullif(vwap, 'NaN'), trades, $1::tracker.bar_source
FROM bar_staging;

-- name: insert_missing
-- Move the staged bars of symbol $4 and timeframe $5 that open in [$2, $3] to where no bar stands, and return their
-- opens in Unix seconds. Looking first and inserting plainly takes half as long as ON CONFLICT, which looks twice; NOT
-- IN is answered from a hash, where a join would compare each with each in a month of which nothing is known yet.
WITH stored AS (
  INSERT INTO tracker.ohlc_data (symbol_id, timeframe, ts, open, high, low, close, volume, vwap, trades, source)
  SELECT symbol_id, timeframe, ts, open, high, low, close, volume, nullif(vwap, 'NaN'), trades, $1::tracker.bar_source
  FROM bar_staging s
  WHERE s.ts NOT IN (
    SELECT ts FROM tracker.ohlc_data WHERE symbol_id = $4 AND timeframe = $5 AND ts BETWEEN $2 AND $3
  )
  RETURNING ts
)
SELECT (extract(epoch FROM ts))::bigint AS ts FROM stored;

-- name: join_by_hash
-- Whether this transaction joins by nested loops, which compare each with each where nothing is known of a month yet.
SELECT set_config('enable_nestloop', $1, true);

-- name: replace_differing
-- Correct the bars in [$2, $3] of symbol $4 and timeframe $5 that differ from the staged ones, keep what they replace,
-- and return their opens in Unix seconds. A bar rolled up from finer ones stays, unless those begin within it.
WITH corrected AS (
  UPDATE tracker.ohlc_data o SET
    open = s.open, high = s.high, low = s.low, close = s.close, volume = s.volume, vwap = nullif(s.vwap, 'NaN'),
    trades = s.trades, source = $1::tracker.bar_source, received_at = now(), revision = o.revision + 1
  FROM bar_staging s
  WHERE o.symbol_id = $4 AND o.timeframe = $5 AND o.ts = s.ts AND o.ts BETWEEN $2 AND $3
    AND ((o.open, o.high, o.low, o.close) IS DISTINCT FROM (s.open, s.high, s.low, s.close)
      OR abs(o.volume - s.volume) > 1e-9 * greatest(o.volume, s.volume))
    AND (o.source <> 'rollup' OR o.ts < (
      SELECT b.ts FROM tracker.symbols y
      JOIN tracker.ohlc_data b ON b.symbol_id = y.symbol_id AND b.timeframe = y.base_timeframe
      WHERE y.symbol_id = $4 ORDER BY b.ts LIMIT 1
    ))
  RETURNING o.symbol_id, o.timeframe, o.ts, o.revision
), kept AS (
  INSERT INTO tracker.bar_revisions (symbol_id, timeframe, ts, open, high, low, close, volume, vwap, revision)
  SELECT c.symbol_id, c.timeframe, c.ts, o.open, o.high, o.low, o.close, o.volume, o.vwap, c.revision
  FROM corrected c
  JOIN tracker.ohlc_data o ON o.ts = c.ts
  WHERE o.symbol_id = $4 AND o.timeframe = $5 AND o.ts BETWEEN $2 AND $3
)
SELECT (extract(epoch FROM ts))::bigint AS ts FROM corrected;

-- name: raise_latest
-- Bring latest_bar up to the newest bar of one symbol and timeframe that opens in [$3, $4], all of which may be new or
-- changed.
INSERT INTO tracker.latest_bar AS l
  (symbol_id, timeframe, ts, open, high, low, close, volume, vwap, received_at, written_from)
SELECT symbol_id, timeframe, ts, open, high, low, close, volume, vwap, received_at, $3
FROM tracker.ohlc_data
WHERE symbol_id = $1 AND timeframe = $2 AND ts BETWEEN $3 AND $4
ORDER BY ts DESC LIMIT 1
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
  rewrites = l.rewrites + (excluded.written_from <= l.ts)::integer;

-- name: coarse_there
-- The bars of one symbol in [$3, $4) that can be rolled up from its bars of timeframe $5, by timeframe and open in Unix
-- seconds; none where $5 is not the finest it has. Those of a vendor count where nothing finer can be missing: in what
-- was fetched, in what was collected live, and in [$6, $7).
WITH whole AS (
  SELECT range_agg(span) AS spans FROM (
    SELECT tstzrange(starts_at, ends_at) FROM tracker.backfill_chunks
    WHERE symbol_id = $1 AND timeframe = $5 AND status = 'done' AND starts_at < $4 AND ends_at > $3
    UNION ALL
    SELECT tstzrange(opened_at, closed_through) FROM tracker.bar_watermarks
    WHERE timeframe = '1m' AND opened_at < closed_through
    UNION ALL
    SELECT tstzrange($6, $7)
  ) AS each(span)
)
SELECT o.timeframe::text AS timeframe, (extract(epoch FROM o.ts))::bigint AS ts, o.source = 'rollup' AS rolled
FROM tracker.ohlc_data o, whole w
WHERE o.symbol_id = $1 AND o.timeframe = ANY ($2::text[]) AND o.ts >= $3 AND o.ts < $4
  AND (o.source = 'rollup' OR ($8 AND o.source <> 'stream'
    AND w.spans @> tstzrange(o.ts, o.ts + tracker.duration(o.timeframe))))
  AND EXISTS (SELECT FROM tracker.symbols WHERE symbol_id = $1 AND base_timeframe = $5)
ORDER BY 1, 2;

-- name: roll_missing
-- Roll one symbol's bars of timeframe $2 up to the buckets of $3 that open in [$4, $5) and have no bar yet.
WITH rolled AS (
  SELECT date_bin($6::interval, ts, timestamptz '1970-01-01 00:00:00+00') AS bucket,
    (array_agg(open ORDER BY ts))[1] AS open, max(high) AS high, min(low) AS low,
    (array_agg(close ORDER BY ts))[count(*)] AS close, sum(volume ORDER BY ts) AS volume,
    sum(vwap * volume ORDER BY ts) / nullif(sum(volume) FILTER (WHERE vwap IS NOT NULL), 0) AS vwap,
    sum(trades)::integer AS trades
  FROM tracker.ohlc_data
  WHERE symbol_id = $1 AND timeframe = $2 AND ts >= $4 AND ts < $5
  GROUP BY bucket
), stored AS (
  INSERT INTO tracker.ohlc_data (symbol_id, timeframe, ts, open, high, low, close, volume, vwap, trades, source)
  SELECT $1, $3::text, bucket, open, high, low, close, volume, vwap, trades, 'rollup'
  FROM rolled r
  WHERE r.bucket NOT IN (
    SELECT ts FROM tracker.ohlc_data WHERE symbol_id = $1 AND timeframe = $3::text AND ts >= $4 AND ts < $5
  )
  RETURNING ts
), late AS (
  INSERT INTO tracker.bar_revisions (symbol_id, timeframe, ts, revision)
  SELECT $1, $3::text, s.ts, 0 FROM stored s
  JOIN tracker.bar_watermarks w ON w.timeframe = $3::text
  WHERE s.ts >= w.opened_at AND s.ts + $6::interval <= w.closed_through
)
SELECT count(*) FROM stored;

-- name: there
-- Which of the given moments have a bar of one symbol and timeframe.
SELECT ts FROM tracker.ohlc_data
WHERE symbol_id = $1 AND timeframe = $2 AND ts = ANY ($3::timestamptz[]) AND ts BETWEEN $4 AND $5;

-- name: reject
-- Keep many rejections at once; one that is known word for word is not noted again.
INSERT INTO tracker.rejected_bars (source, symbol, timeframe, ts, reason, frame)
SELECT DISTINCT i.source, i.symbol, i.timeframe, i.ts, i.reason, i.frame
FROM unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[], $5::text[], $6::text[])
  AS i(source, symbol, timeframe, ts, reason, frame)
WHERE NOT EXISTS (
  SELECT FROM tracker.rejected_bars r
  WHERE r.symbol = i.symbol AND r.timeframe = i.timeframe AND r.reason = i.reason AND r.frame = i.frame
    AND r.ts IS NOT DISTINCT FROM i.ts
);

-- name: months_missing
-- Which of these months (their first moments) have no partition yet; asked first, because making one locks others out.
SELECT month FROM unnest($1::timestamptz[]) AS month
WHERE to_regclass('tracker.ohlc_data_' || to_char(month AT TIME ZONE 'UTC', 'YYYY_MM')) IS NULL;
