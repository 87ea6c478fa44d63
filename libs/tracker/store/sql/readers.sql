-- Columns come as arrays in their binary form, each a value of type bytea: NumPy takes them over as they are.

-- name: latest
-- The newest bar of each symbol in a timeframe, of some symbols ($2) or of all (null), and how often their bars
-- were rewritten.
SELECT array_send(array_agg(symbol_id)) AS symbol_id, array_send(array_agg(ts)) AS ts,
       array_send(array_agg(open)) AS open, array_send(array_agg(high)) AS high, array_send(array_agg(low)) AS low,
       array_send(array_agg(close)) AS close, array_send(array_agg(volume)) AS volume,
       array_send(array_agg(rewrites)) AS rewrites
FROM (
  SELECT * FROM tracker.latest_bar
  WHERE timeframe = $1 AND ($2::smallint[] IS NULL OR symbol_id = ANY ($2))
  ORDER BY symbol_id
) l;

-- name: range_of_one
-- One symbol's bars of a timeframe that open in [$3, $4), oldest first.
SELECT array_send(array_agg(ts)) AS ts, array_send(array_agg(open)) AS open, array_send(array_agg(high)) AS high,
       array_send(array_agg(low)) AS low, array_send(array_agg(close)) AS close,
       array_send(array_agg(volume)) AS volume
FROM (
  SELECT ts, open, high, low, close, volume FROM tracker.ohlc_all
  WHERE symbol_id = $1 AND timeframe = $2 AND ts >= $3 AND ts < $4
  ORDER BY ts
) o;

-- name: whole_range_of_one
-- The same with what only exports want: the average price, NaN where unknown, and the number of trades.
SELECT array_send(array_agg(ts)) AS ts, array_send(array_agg(open)) AS open, array_send(array_agg(high)) AS high,
       array_send(array_agg(low)) AS low, array_send(array_agg(close)) AS close,
       array_send(array_agg(volume)) AS volume, array_send(array_agg(coalesce(vwap, 'NaN'))) AS vwap,
       array_send(array_agg(coalesce(trades, 0))) AS trades
FROM (
  SELECT ts, open, high, low, close, volume, vwap, trades FROM tracker.ohlc_all
  WHERE symbol_id = $1 AND timeframe = $2 AND ts >= $3 AND ts < $4
  ORDER BY ts
) o;

-- name: range_of_many
-- The bars of some symbols ($1) or of all (null) that open in [$3, $4), in no order: so the planner may read each page
-- once where the bars of all symbols lie together, and go along the key where they lie symbol by symbol.
SELECT array_send(array_agg(symbol_id)) AS symbol_id, array_send(array_agg(ts)) AS ts,
       array_send(array_agg(open)) AS open, array_send(array_agg(high)) AS high, array_send(array_agg(low)) AS low,
       array_send(array_agg(close)) AS close, array_send(array_agg(volume)) AS volume
FROM tracker.ohlc_all
WHERE symbol_id = ANY (coalesce($1::smallint[], ARRAY(SELECT symbol_id FROM tracker.symbols)))
  AND timeframe = $2 AND ts >= $3 AND ts < $4;

-- name: newest_of_many
-- At most $5 bars of each of some symbols, the newest that open in [$3, $4).
SELECT array_send(array_agg(o.symbol_id)) AS symbol_id, array_send(array_agg(o.ts)) AS ts,
       array_send(array_agg(o.open)) AS open, array_send(array_agg(o.high)) AS high,
       array_send(array_agg(o.low)) AS low, array_send(array_agg(o.close)) AS close,
       array_send(array_agg(o.volume)) AS volume
FROM unnest($1::smallint[]) AS s(symbol_id)
CROSS JOIN LATERAL (
  SELECT a.symbol_id, a.ts, a.open, a.high, a.low, a.close, a.volume FROM tracker.ohlc_all a
  WHERE a.symbol_id = s.symbol_id AND a.timeframe = $2 AND a.ts >= $3 AND a.ts < $4
  ORDER BY a.ts DESC LIMIT $5
) o;

-- name: oldest_month
-- Where the oldest month begins for which there is a table, kept or archived: no bar is older.
SELECT min(make_timestamptz(left(right(c.relname, 7), 4)::integer, right(c.relname, 2)::integer, 1, 0, 0, 0, 'UTC'))
FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
WHERE i.inhparent IN ('tracker.ohlc_data'::regclass, 'tracker.ohlc_archive'::regclass);

-- name: span
-- The oldest and the newest bar of one symbol and timeframe that open in [$3, $4).
SELECT (SELECT ts FROM tracker.ohlc_all WHERE symbol_id = $1 AND timeframe = $2 AND ts >= $3 AND ts < $4
        ORDER BY ts LIMIT 1) AS first,
       (SELECT ts FROM tracker.ohlc_all WHERE symbol_id = $1 AND timeframe = $2 AND ts >= $3 AND ts < $4
        ORDER BY ts DESC LIMIT 1) AS last;

-- name: first_open
-- The oldest bar of any symbol in a timeframe that opens in [$2, $3).
SELECT min(o.ts) FROM tracker.symbols s
CROSS JOIN LATERAL (
  SELECT a.ts FROM tracker.ohlc_all a
  WHERE a.symbol_id = s.symbol_id AND a.timeframe = $1 AND a.ts >= $2 AND a.ts < $3
  ORDER BY a.ts LIMIT 1
) o;
