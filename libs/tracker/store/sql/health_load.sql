-- name: sessions
-- How many sessions the database serves, how many are ours, and the longest of what ours are at, in seconds.
SELECT count(*) FILTER (WHERE is_ours) AS ours,
       count(*) FILTER (WHERE is_ours AND state IS NULL) AS unseen,
       coalesce(max(transaction_seconds) FILTER (WHERE is_ours AND pid <> pg_backend_pid()), 0) AS transaction_seconds,
       (array_agg(application ORDER BY transaction_seconds DESC NULLS LAST)
         FILTER (WHERE is_ours AND pid <> pg_backend_pid()))[1] AS transaction_of,
       coalesce(max(state_seconds) FILTER (WHERE is_ours AND state LIKE 'idle in transaction%'), 0) AS idle_seconds,
       (array_agg(application ORDER BY state_seconds DESC NULLS LAST)
         FILTER (WHERE is_ours AND state LIKE 'idle in transaction%'))[1] AS idle_of
FROM tracker.sessions();

-- name: server
-- How many sessions the whole server serves and may serve, without those kept for its administrators.
SELECT (SELECT count(*) FROM pg_stat_activity WHERE datname IS NOT NULL AND usename IS NOT NULL) AS sessions,
       current_setting('max_connections')::integer - current_setting('superuser_reserved_connections')::integer
         - coalesce(current_setting('reserved_connections', true), '0')::integer AS most_sessions;

-- name: waits
-- How many sessions of this database wait for a lock, the longest wait in seconds, and who waits there for whom.
SELECT count(DISTINCT l.pid) AS waiting,
       coalesce(max(extract(epoch FROM clock_timestamp() - l.waitstart)), 0)::float8 AS seconds,
       (array_agg(a.application_name ORDER BY l.waitstart))[1] AS waiter,
       (SELECT string_agg(DISTINCT b.application_name, ', ') FROM pg_stat_activity b
        WHERE b.pid = ANY (pg_blocking_pids((array_agg(l.pid ORDER BY l.waitstart))[1]))) AS holder
FROM pg_locks l JOIN pg_stat_activity a USING (pid)
WHERE NOT l.granted AND a.datname = current_database();

-- name: notifications
-- How full the queue of notifications is, 0 to 1.
SELECT pg_notification_queue_usage()::float8;

-- name: delays
-- By strategy, seconds of the clock from when its last scanned close was complete to when it had been scanned; null
-- where another has been completed since.
SELECT s.strategy, extract(epoch FROM s.updated_at - b.updated_at)::float8 AS seconds
FROM tracker.scan_watermarks s
LEFT JOIN tracker.bar_watermarks b ON b.timeframe = s.timeframe AND b.closed_through = s.closed_through
ORDER BY s.strategy;

-- name: unanswered
-- How many signals of the last day no account has answered, and how long the oldest has waited, in seconds.
SELECT count(*) AS signals, coalesce(max(extract(epoch FROM now() - g.created_at)), 0)::float8 AS seconds
FROM tracker.signals g
WHERE g.decided_at > (SELECT max(closed_through) FROM tracker.scan_watermarks) - interval '1 day'
  AND EXISTS (
    SELECT FROM tracker.accounts a JOIN tracker.paper_cursor c USING (account)
    WHERE g.decided_at >= c.started_at
      AND (jsonb_typeof(a.rules #> '{account,strategies}') IS DISTINCT FROM 'array'
           OR a.rules #> '{account,strategies}' ? g.strategy)
  )
  AND NOT EXISTS (
    SELECT FROM tracker.accounts a JOIN tracker.orders o ON o.account = a.account
    WHERE o.strategy = g.strategy AND o.symbol_id = g.symbol_id AND o.decided_at = g.decided_at
  );

-- name: sizes
-- How large the database is, in bytes, and its largest table, partitions and indexes counted, that holds no bars.
SELECT pg_database_size(current_database()) AS database_bytes, t.name AS largest,
       coalesce(t.bytes, 0)::bigint AS largest_bytes
FROM (VALUES (1)) AS one(row) LEFT JOIN LATERAL (
  SELECT coalesce(pg_partition_root(c.oid), c.oid)::regclass::text AS name, sum(pg_total_relation_size(c.oid)) AS bytes
  FROM pg_class c
  WHERE c.relnamespace = 'tracker'::regnamespace AND c.relkind = 'r' AND c.relname !~ '^ohlc_'
  GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 1
) t ON true;

-- name: upkeep
-- The table of ours with the most dead rows for each live one among those with at least $1 dead ones, and how many
-- transactions old the oldest row of the database may be.
SELECT t.relname AS table_name, coalesce(t.n_dead_tup, 0) AS dead_rows, coalesce(t.n_live_tup, 0) AS live_rows,
       (SELECT age(datfrozenxid) FROM pg_database WHERE datname = current_database()) AS transaction_age
FROM (VALUES (1)) AS one(row) LEFT JOIN LATERAL (
  SELECT relname, n_dead_tup, n_live_tup FROM pg_stat_user_tables
  WHERE schemaname = 'tracker' AND n_dead_tup >= $1
  ORDER BY n_dead_tup::float8 / greatest(n_live_tup, 1) DESC, relname LIMIT 1
) t ON true;

-- name: slots
-- How many bytes of the write-ahead log are kept for the slot that lags most, and its name.
SELECT s.slot_name::text AS slot, coalesce(s.bytes, 0)::bigint AS bytes
FROM (VALUES (1)) AS one(row) LEFT JOIN LATERAL (
  SELECT slot_name, pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn) AS bytes
  FROM pg_replication_slots WHERE restart_lsn IS NOT NULL ORDER BY 2 DESC LIMIT 1
) s ON true;

-- name: latest_bars
-- The newest bar of each symbol: what the fleet reads most often.
SELECT symbol_id, ts, close FROM tracker.latest_bar WHERE timeframe = '1m' ORDER BY symbol_id;

-- name: day_of_bars
-- The last 24 hours of the finest bars of one symbol, of those with bars the first by name.
SELECT o.ts, o.open, o.high, o.low, o.close, o.volume
FROM (
  SELECT l.symbol_id, l.timeframe, l.ts AS last FROM tracker.latest_bar l JOIN tracker.symbols s USING (symbol_id)
  WHERE l.timeframe = s.base_timeframe ORDER BY s.symbol LIMIT 1
) n
CROSS JOIN LATERAL (
  SELECT * FROM tracker.ohlc_all a
  WHERE a.symbol_id = n.symbol_id AND a.timeframe = n.timeframe AND a.ts > n.last - interval '24 hours'
    AND a.ts <= n.last
) o ORDER BY o.ts;

-- name: first_size
-- The first note of the last week of how large the database was.
SELECT sampled_at, database_bytes FROM tracker.database_sizes WHERE sampled_at > now() - interval '7 days'
ORDER BY sampled_at LIMIT 1;

-- name: size_is_due
-- Whether to note how large the database is.
SELECT current_setting('transaction_read_only') = 'off' AND NOT EXISTS (
  SELECT FROM tracker.database_sizes WHERE sampled_at > now() - interval '1 hour'
);

-- name: note_size
-- Note how large the database is.
INSERT INTO tracker.database_sizes (sampled_at, database_bytes) VALUES (now(), $1) ON CONFLICT DO NOTHING;

-- name: forget_sizes
-- Forget how large the database was long ago.
DELETE FROM tracker.database_sizes WHERE sampled_at < now() - interval '90 days';
