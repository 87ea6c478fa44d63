-- name: market
-- Each active symbol's last price in its finest timeframe and the change over 24 hours of bars.
SELECT s.symbol, l.close AS price, l.ts + tracker.duration(l.timeframe) AS at,
       100 * (l.close / nullif(d.close, 0) - 1) AS change_percent
FROM tracker.symbols s
JOIN tracker.latest_bar l ON l.symbol_id = s.symbol_id AND l.timeframe = s.base_timeframe
LEFT JOIN LATERAL (
  SELECT close FROM tracker.ohlc_data o
  WHERE o.symbol_id = s.symbol_id AND o.timeframe = '15m'
    AND o.ts <= l.ts - interval '24 hours' AND o.ts > l.ts - interval '26 hours'
  ORDER BY o.ts DESC LIMIT 1
) d ON true
WHERE s.status = 'active'
ORDER BY s.symbol_id;

-- name: positions
-- Open paper positions with their mark.
SELECT p.account, p.strategy, s.symbol, p.opened_at, p.quantity::float8 AS quantity,
       (p.cost / nullif(p.quantity, 0))::float8 AS average_price, p.last_price::float8 AS last_price,
       p.stop_price::float8 AS stop_price, p.target_price::float8 AS target_price,
       (p.quantity * p.last_price - p.cost)::float8 AS unrealised
FROM tracker.positions p JOIN tracker.symbols s USING (symbol_id)
WHERE p.status = 'open' ORDER BY p.opened_at DESC;

-- name: trades
-- The newest closed paper trades.
SELECT t.account, t.strategy, s.symbol, t.entry_time, t.exit_time, t.entry_price::float8 AS entry_price,
       t.exit_price::float8 AS exit_price, t.pnl::float8 AS pnl, t.exit_reason
FROM tracker.trade_logs t JOIN tracker.symbols s USING (symbol_id)
ORDER BY t.exit_time DESC LIMIT 20;

-- name: reasons
-- What the scans of the last hour of event time came to, by strategy and reason.
SELECT h.strategy, h.reason, count(*) AS looks
FROM tracker.scan_watermarks w
JOIN tracker.scan_history h ON h.strategy = w.strategy AND h.decided_at > w.closed_through - interval '1 hour'
GROUP BY h.strategy, h.reason ORDER BY h.strategy, looks DESC;

-- name: equity
-- The equity curve of the last seven days of event time, thinned to a point an hour.
SELECT DISTINCT ON (date_bin('1 hour', e.ts, timestamptz '1970-01-01 00:00:00+00')) e.ts, e.equity::float8 AS equity
FROM tracker.equity_curve e
WHERE e.account = $1 AND e.ts > (SELECT max(ts) FROM tracker.equity_curve WHERE account = $1) - interval '7 days'
ORDER BY date_bin('1 hour', e.ts, timestamptz '1970-01-01 00:00:00+00'), e.ts DESC;
