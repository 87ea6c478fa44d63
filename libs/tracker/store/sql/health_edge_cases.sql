-- name: clocks
-- By how many seconds the clock of each service that beats now is ahead of that of the database.
SELECT service, extract(epoch FROM beat_at - written_at)::float8 AS ahead_seconds
FROM tracker.service_heartbeats
WHERE written_at > now() - interval '10 minutes' AND status <> 'stopped' ORDER BY service, instance;

-- name: newest_bars
-- How many of the newest bars close later than $1 after now, do not open where a bucket begins, or hold a price that is
-- none; the worst of each by name, and by how many seconds the furthest lies ahead.
SELECT coalesce(max(extract(epoch FROM l.ts + tracker.duration(l.timeframe) - now())), 0)::float8 AS ahead_seconds,
       count(*) FILTER (WHERE f.in_future) AS in_future,
       min(s.symbol || ' ' || l.timeframe) FILTER (WHERE f.in_future) AS first_in_future,
       count(*) FILTER (WHERE f.askew) AS askew,
       min(s.symbol || ' ' || l.timeframe || to_char(l.ts, ' YYYY-MM-DD HH24:MI:SS')) FILTER (WHERE f.askew)
         AS first_askew,
       count(*) FILTER (WHERE f.insane) AS insane,
       min(s.symbol || ' ' || l.timeframe) FILTER (WHERE f.insane) AS first_insane
FROM tracker.latest_bar l JOIN tracker.symbols s USING (symbol_id)
CROSS JOIN LATERAL (
  SELECT l.ts + tracker.duration(l.timeframe) > now() + $1::interval AS in_future,
         extract(epoch FROM l.ts)::numeric % extract(epoch FROM tracker.duration(l.timeframe))::numeric <> 0 AS askew,
         NOT (l.low > 0 AND l.high >= l.low AND l.open BETWEEN l.low AND l.high AND l.close BETWEEN l.low AND l.high
              AND l.high < 'infinity' AND l.volume >= 0 AND l.volume < 'infinity') AS insane
) f;

-- name: prices
-- How many prices outside the bars are none: of signals of the last day of event time, open trades, and the books.
SELECT (
  SELECT count(*) FROM tracker.signals g
  WHERE g.decided_at > (SELECT max(closed_through) FROM tracker.scan_watermarks) - interval '1 day'
    AND NOT (g.entry > 0 AND g.entry < 'infinity' AND g.stop > 0 AND g.stop < 'infinity'
             AND g.target > 0 AND g.target < 'infinity')
) AS signals, (
  SELECT count(*) FROM tracker.positions p
  WHERE p.status IN ('pending', 'open')
    AND NOT (coalesce(p.last_price, 1) > 0 AND coalesce(p.last_price, 1) < 'infinity' AND p.cost >= 0
             AND p.cost < 'infinity' AND p.stop_price < 'infinity' AND p.quantity < 'infinity')
) AS positions, (
  SELECT count(*) FROM tracker.accounts a
  WHERE NOT (a.cash > '-infinity' AND a.cash < 'infinity' AND a.realised_pnl < 'infinity' AND a.fees < 'infinity')
) AS accounts, (
  SELECT count(*) FROM (
    SELECT e.equity FROM tracker.accounts a CROSS JOIN LATERAL (
      SELECT equity FROM tracker.equity_curve WHERE account = a.account ORDER BY ts DESC LIMIT 20
    ) e
  ) c WHERE NOT (c.equity > '-infinity' AND c.equity < 'infinity')
) AS equity;

-- name: database_zone
-- The time zone in which the database reads and writes what carries none.
SELECT current_setting('TimeZone');

-- name: stored_bars
-- How many stored bars of the last hour do not open where a bucket begins, and the first of them.
SELECT count(*) AS askew, min(s.symbol || ' ' || o.timeframe || to_char(o.ts, ' YYYY-MM-DD HH24:MI:SS')) AS first_askew
FROM tracker.symbols s
JOIN tracker.bar_watermarks w ON true
CROSS JOIN LATERAL (
  SELECT b.ts, b.timeframe FROM tracker.ohlc_data b
  WHERE b.symbol_id = s.symbol_id AND b.timeframe = w.timeframe AND b.ts > w.closed_through - interval '1 hour'
    AND b.ts <= w.closed_through + interval '1 hour'
) o
WHERE extract(epoch FROM o.ts)::numeric % extract(epoch FROM tracker.duration(o.timeframe))::numeric <> 0;

-- name: frozen
-- How many active symbols have bars, and of how many the last $1 bars all stand on one price or trade nothing.
SELECT count(*) AS watched, count(*) FILTER (WHERE b.bars >= $1 AND (b.low = b.high OR b.volume = 0)) AS frozen,
       min(b.symbol) FILTER (WHERE b.bars >= $1 AND (b.low = b.high OR b.volume = 0)) AS first_frozen
FROM (
  SELECT s.symbol, count(*) AS bars, min(o.low) AS low, max(o.high) AS high, sum(o.volume) AS volume
  FROM tracker.symbols s
  JOIN tracker.latest_bar l ON l.symbol_id = s.symbol_id AND l.timeframe = s.base_timeframe
  CROSS JOIN LATERAL (
    SELECT a.low, a.high, a.volume FROM tracker.ohlc_data a
    WHERE a.symbol_id = s.symbol_id AND a.timeframe = s.base_timeframe AND a.ts <= l.ts
      AND a.ts > l.ts - 4 * $1 * tracker.duration(s.base_timeframe)
    ORDER BY a.ts DESC LIMIT $1
  ) o
  WHERE s.status = 'active' GROUP BY s.symbol
) b;

-- name: corrections
-- How many of the last $1 corrections were made within the last hour, late bars not counted.
SELECT (
  SELECT count(*) FROM (
    SELECT replaced_at, open FROM tracker.bar_revisions ORDER BY revision_id DESC LIMIT $1
  ) r WHERE r.replaced_at > now() - interval '1 hour' AND r.open IS NOT NULL
) AS corrected, (SELECT count(*) FROM tracker.symbols WHERE status = 'active') AS active_symbols;

-- name: universe
-- How many symbols are known, collected, and not supported by the feed, and since when each has its status.
SELECT count(*) AS known, count(*) FILTER (WHERE status = 'active') AS active,
       count(*) FILTER (WHERE status = 'unsupported') AS unsupported,
       coalesce(array_agg(symbol ORDER BY symbol_id), '{}') AS symbols,
       coalesce(array_agg(status_since ORDER BY symbol_id), '{}') AS status_since
FROM tracker.symbols;

-- name: contradictions
-- Of the newest 20,000 orders, of the last day: how many signals were entered twice, how many orders that were never
-- placed have been filled, and how many are not as their signal.
SELECT (
  SELECT count(*) FROM (
    SELECT FROM tracker.orders o
    WHERE o.signal_id IS NOT NULL AND o.kind = 'entry' AND o.order_id > c.number AND o.decided_at > c.since
    GROUP BY o.account, o.signal_id HAVING count(*) > 1
  ) d
) AS doubled, (
  SELECT count(*) FROM tracker.orders o
  WHERE o.status = 'refused' AND o.order_id > c.number AND o.decided_at > c.since
    AND EXISTS (SELECT FROM tracker.fills f WHERE f.order_id = o.order_id)
) AS filled_though_refused, (
  SELECT count(*) FROM tracker.orders o JOIN tracker.signals g USING (signal_id)
  WHERE o.order_id > c.number AND o.decided_at > c.since
    AND (o.strategy, o.symbol_id, o.decided_at) IS DISTINCT FROM (g.strategy, g.symbol_id, g.decided_at)
) AS of_another_signal
FROM (
  SELECT coalesce(max(processed_through), now()) - interval '1 day' AS since,
         (SELECT max(order_id) - 20000 FROM tracker.orders) AS number
  FROM tracker.paper_cursor
) c;

-- name: applied_migrations
-- The versions that were applied.
SELECT version FROM tracker.schema_migrations ORDER BY version;

-- name: privileges
-- Of tables ($1) and the roles that write them ($2), what is not as the migrations made it.
SELECT w.table_name, w.role AS writer,
       c.oid IS NULL AS missing,
       c.oid IS NOT NULL AND NOT (
         has_table_privilege(w.role, c.oid, 'INSERT') AND has_table_privilege(w.role, c.oid, 'UPDATE')
         AND has_table_privilege(w.role, c.oid, 'DELETE')
         AND EXISTS (SELECT FROM pg_policy p JOIN pg_roles r ON r.oid = ANY (p.polroles)
                     WHERE p.polrelid = c.oid AND r.rolname = w.role AND p.polcmd = '*')
       ) AS may_not_write,
       c.oid IS NOT NULL AND NOT has_table_privilege('tracker_reader', c.oid, 'SELECT') AS may_not_be_read,
       (SELECT string_agg(r.rolname, ', ' ORDER BY r.rolname) FROM pg_roles r
        WHERE r.rolname LIKE 'tracker\_%' AND r.rolname <> w.role AND NOT r.rolsuper AND NOT r.rolcanlogin
          AND (has_table_privilege(r.oid, c.oid, 'INSERT') OR has_table_privilege(r.oid, c.oid, 'UPDATE')
               OR has_table_privilege(r.oid, c.oid, 'DELETE'))) AS others_may_write
FROM unnest($1::text[], $2::text[]) AS w(table_name, role)
LEFT JOIN pg_class c ON c.relnamespace = 'tracker'::regnamespace AND c.relname = w.table_name
ORDER BY w.table_name;

-- name: unsecured
-- Tables and partitions of ours without row level security, and indexes of ours that Postgres does not use.
SELECT (
  SELECT coalesce(array_agg(c.relname::text ORDER BY c.relname), '{}') FROM pg_class c
  WHERE c.relnamespace IN ('tracker'::regnamespace, 'dashboards'::regnamespace) AND c.relkind IN ('r', 'p')
    AND NOT c.relrowsecurity
) AS unsecured, (
  SELECT coalesce(array_agg(c.relname::text ORDER BY c.relname), '{}')
  FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
  WHERE c.relnamespace = 'tracker'::regnamespace AND NOT (i.indisvalid AND i.indisready)
) AS unusable_indexes;
