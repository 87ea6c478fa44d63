-- name: equity
-- The equity curve of the last seven days of event time, the last point of every quarter of an hour.
SELECT DISTINCT ON (date_bin('15 minutes', e.ts, timestamptz '1970-01-01 00:00:00+00'))
       e.ts, e.equity::float8 AS equity, e.drawdown
FROM dashboards.equity e
WHERE e.account = $1 AND e.ts > (SELECT a.as_of FROM dashboards.accounts a WHERE a.account = $1) - interval '7 days'
ORDER BY date_bin('15 minutes', e.ts, timestamptz '1970-01-01 00:00:00+00'), e.ts DESC;

-- name: positions
-- What an account holds now.
SELECT strategy, symbol, opened_at, average_price, last_price, value, unrealised_pnl, unrealised_return,
       stop_price::float8 AS stop_price, target_price::float8 AS target_price
FROM dashboards.positions WHERE account = $1 AND status = 'open' ORDER BY value DESC NULLS LAST, symbol;

-- name: trades
-- The newest finished trades of an account, of the last seven days of event time.
SELECT trade_id, strategy, symbol, exit_time, held_seconds, pnl::float8 AS pnl, net_return, exit_reason
FROM dashboards.trades
WHERE account = $1 AND exit_time > (SELECT a.as_of FROM dashboards.accounts a WHERE a.account = $1) - interval '7 days'
ORDER BY exit_time DESC, trade_id DESC LIMIT 10;

-- name: funnel
-- How far today's looks came, by strategy, in the steps from a scan to a finished trade.
SELECT strategy, place, step, count FROM dashboards.funnel_today
WHERE account = $1 OR account IS NULL ORDER BY strategy, place;

-- name: freshness
-- How far the bars of each timeframe are complete.
SELECT name AS timeframe, closed_through, updated_at FROM dashboards.watermarks WHERE stage = 'bars'
ORDER BY behind_seconds NULLS LAST, closed_through DESC;

-- name: health
-- Every invariant as the health monitor last found it, what does not hold first.
SELECT name, "group", severity, observed, threshold, ok, since, advice FROM dashboards.health
ORDER BY ok, severity = 'critical' DESC, severity = 'warning' DESC, place, name;

-- name: monitor
-- Whether the health monitor itself still looks.
SELECT alive, looked_at FROM dashboards.monitor_alive;
