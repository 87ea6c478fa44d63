-- name: services
-- Each instance's last sign of life, with its age in seconds.
SELECT service, instance, detail ->> 'role' AS role, pid, status, rss_bytes, restarts,
       extract(epoch FROM now() - beat_at)::float8 AS age_seconds,
       coalesce(detail ->> 'problem', detail ->> 'trouble') AS problem
FROM tracker.service_heartbeats ORDER BY service, started_at, instance;

-- name: freshness
-- Each timeframe's newest bar, the seconds since it closed, and how far the timeframe is complete.
SELECT t.timeframe, l.newest, w.closed_through,
       CASE WHEN l.newest IS NOT NULL THEN
         greatest(extract(epoch FROM now() - l.newest - tracker.duration(t.timeframe)), 0)::float8
       END AS age_seconds
FROM (VALUES ('1m'), ('5m'), ('15m'), ('1h'), ('1d')) AS t(timeframe)
LEFT JOIN (SELECT timeframe, max(ts) AS newest FROM tracker.latest_bar GROUP BY timeframe) l USING (timeframe)
LEFT JOIN tracker.bar_watermarks w USING (timeframe)
ORDER BY tracker.duration(t.timeframe);

-- name: symbols
-- All symbols; one is live when its last bar is within five minutes, or one bar, of the newest of its kind.
SELECT s.symbol, s.status, s.status_reason,
       coalesce(l.ts >= max(l.ts) OVER (PARTITION BY s.base_timeframe)
         - greatest(interval '5 minutes', tracker.duration(s.base_timeframe)), false)
       AND s.status = 'active' AS live
FROM tracker.symbols s
LEFT JOIN tracker.latest_bar l ON l.symbol_id = s.symbol_id AND l.timeframe = s.base_timeframe
ORDER BY s.symbol;

-- name: scans
-- Looks and proposals of each strategy in the last hour: of event time, which ends at the newest scanned
-- close, and of the wall clock.
SELECT w.strategy, w.closed_through, sum(h.event_hour)::bigint AS event_hour,
       sum(h.event_signals)::bigint AS event_signals, sum(h.wall_hour)::bigint AS wall_hour
FROM tracker.scan_watermarks w
CROSS JOIN tracker.symbols s
CROSS JOIN LATERAL (
  SELECT
    count(*) FILTER (WHERE decided_at > w.closed_through - interval '1 hour') AS event_hour,
    count(*) FILTER (
      WHERE decided_at > w.closed_through - interval '1 hour' AND decision = 'SIGNAL') AS event_signals,
    count(*) FILTER (WHERE decided_at > now() - interval '1 hour') AS wall_hour
  FROM tracker.scan_history
  WHERE strategy = w.strategy AND symbol_id = s.symbol_id
    AND decided_at > least(w.closed_through, now()) - interval '1 hour'
) h
GROUP BY w.strategy, w.closed_through ORDER BY w.strategy;

-- name: accounts
-- Each account with its open positions and the last point of its equity curve.
SELECT a.account, a.currency, e.ts, e.equity, e.realised_pnl, e.unrealised_pnl,
       (SELECT count(*) FROM tracker.positions p
        WHERE p.account = a.account AND p.status = 'open') AS open_positions
FROM tracker.accounts a
LEFT JOIN LATERAL (
  SELECT ts, equity, realised_pnl, unrealised_pnl FROM tracker.equity_curve
  WHERE account = a.account ORDER BY ts DESC LIMIT 1
) e ON true
ORDER BY a.account;

-- name: maintenance
-- The last ended run of each maintenance task.
SELECT DISTINCT ON (task) task, finished_at, coalesce(seconds, 0) AS seconds, ok,
       coalesce((result ->> 'unfinished')::boolean, false) AS unfinished, error
FROM tracker.maintenance_runs WHERE finished_at IS NOT NULL
ORDER BY task, run_id DESC;
