-- name: months
-- The months of ohlc_data from the oldest on: how many rows the planner thinks they have and the last clustering
-- found (-1 and null: unknown), the copy in the making, and whether a backfill is still filling them.
WITH months AS (
  SELECT make_timestamptz(substr(c.relname, 11, 4)::integer, substr(c.relname, 16, 2)::integer, 1, 0, 0, 0, 'UTC')
    AS month, c.reltuples::bigint AS rows
  FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
  WHERE i.inhparent = 'tracker.ohlc_data'::regclass
)
SELECT m.month, tracker.next_month(m.month) AS ends_at, m.rows, c.rows AS clustered_rows,
       w.purpose AS in_work, w.status,
       EXISTS (
         SELECT FROM tracker.backfill_chunks b
         WHERE b.status = 'planned' AND b.starts_at < tracker.next_month(m.month) AND b.ends_at > m.month
       ) AS filling
FROM months m
LEFT JOIN tracker.bar_months c ON c.month = m.month AND c.purpose = 'cluster' AND c.status = 'done'
LEFT JOIN tracker.bar_months w ON w.month = m.month AND w.status IN ('copying', 'sealed')
ORDER BY m.month;

-- name: begin
-- Begin to rewrite a month for a purpose; what another beginning left is dropped.
SELECT tracker.begin_rewrite($1, $2);

-- name: progress
-- How far the copy of a month in the making is.
SELECT m.purpose, m.status, m.rows, m.checksum,
       (SELECT count(*) FROM tracker.symbols s WHERE s.symbol_id <= m.copied_symbol) AS copied_symbols,
       (SELECT count(*) FROM tracker.symbols) AS symbols
FROM tracker.bar_months m WHERE m.month = $1 AND m.status IN ('copying', 'sealed');

-- name: copy_next
-- Copy the next symbol of a month that is rewritten; null where none is left.
SELECT tracker.copy_next_symbol($1);

-- name: seal
-- Finish the copy of a month: constraints, statistics, row count and checksum.
SELECT tracker.seal_rewrite($1);

-- name: swap
-- Put the copy of a month into its place where the original still has the same rows.
SELECT tracker.swap_rewrite($1, $2);

-- name: drop_rewrite
-- Drop a month's copy that nobody works on any more.
SELECT tracker.drop_rewrite($1);

-- name: count_months
-- How many months lie in ohlc_data, and how many in the archive.
SELECT count(*) FILTER (WHERE i.inhparent = 'tracker.ohlc_data'::regclass) AS kept,
       count(*) FILTER (WHERE i.inhparent = 'tracker.ohlc_archive'::regclass) AS archived
FROM pg_inherits i
WHERE i.inhparent IN ('tracker.ohlc_data'::regclass, 'tracker.ohlc_archive'::regclass);
