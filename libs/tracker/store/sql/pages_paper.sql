-- name: account
-- One account in figures.
SELECT account, currency, as_of, state, state_until, equity::float8 AS equity, cash::float8 AS cash,
       positions_value::float8 AS positions_value, paid_in::float8 AS paid_in, gain::float8 AS gain,
       net_return, realised_pnl::float8 AS realised_pnl, unrealised_pnl::float8 AS unrealised_pnl,
       fees::float8 AS fees, pnl_today::float8 AS pnl_today, return_today, drawdown, open_positions, trades_today,
       wins_today, trades, wins
FROM dashboards.accounts WHERE account = $1;

-- name: positions
-- What an account holds or waits for, the newest decision first.
SELECT strategy, symbol, side, status, decided_at, opened_at, expires_at, quantity::float8 AS quantity, average_price,
       last_price, value, unrealised_pnl, unrealised_return, stop_price::float8 AS stop_price,
       target_price::float8 AS target_price, to_stop, to_target, loss_at_stop::float8 AS loss_at_stop, stop_reason,
       rungs_filled, rungs, leaving, confidence
FROM dashboards.positions WHERE account = $1 ORDER BY decided_at DESC, symbol, strategy;

-- name: resting_orders
-- The orders of an account that may still be filled.
SELECT strategy, symbol, decided_at, leg, side, status, quantity::float8 AS quantity, filled_share,
       limit_price::float8 AS limit_price, reference_price::float8 AS reference_price, notional::float8 AS notional,
       placed_at, note
FROM dashboards.orders WHERE account = $1 AND status IN ('pending', 'partial')
ORDER BY placed_at DESC, symbol, strategy, leg LIMIT $2;

-- name: trades
-- A page of an account's finished trades, the newest first.
SELECT trade_id, strategy, symbol, side, entry_time, exit_time, held_seconds, quantity::float8 AS quantity,
       entry_price::float8 AS entry_price, exit_price::float8 AS exit_price, fees::float8 AS fees, pnl::float8 AS pnl,
       net_return, r_multiple, exit_reason, confidence
FROM dashboards.trades WHERE account = $1 AND ($2::text IS NULL OR symbol = $2)
  AND ($3::text IS NULL OR strategy = $3)
ORDER BY exit_time DESC, trade_id DESC LIMIT $4 OFFSET $5;

-- name: count_trades
-- How many finished trades an account has.
SELECT count(*) FROM dashboards.trades WHERE account = $1 AND ($2::text IS NULL OR symbol = $2)
  AND ($3::text IS NULL OR strategy = $3);

-- name: equity
-- The equity of an account since a moment, thinned to a point each $3: the last of it and the deepest drawdown in it.
SELECT max(ts) AS at, (array_agg(equity ORDER BY ts DESC))[1]::float8 AS equity, max(drawdown) AS drawdown
FROM dashboards.equity WHERE account = $1 AND ts > $2
GROUP BY date_bin($3, ts, timestamptz '1970-01-01 00:00:00+00') ORDER BY 1;

-- name: equity_days
-- The equity of an account at the end of each day, and the drawdown then.
SELECT last_at AS at, close::float8 AS equity, drawdown FROM dashboards.equity_daily WHERE account = $1 ORDER BY day;

-- name: strategies
-- How each strategy's finished trades did in an account.
SELECT strategy, trades, wins, win_rate, profit_factor, expectancy::float8 AS expectancy, mean_return, t_statistic,
       return_lower_bound, mean_r, fees::float8 AS fees, pnl::float8 AS pnl, best::float8 AS best,
       worst::float8 AS worst, mean_held_seconds
FROM dashboards.strategy_performance WHERE account = $1 ORDER BY pnl DESC, strategy;

-- name: symbols
-- How each symbol's finished trades did in an account, over all strategies.
SELECT symbol, sum(trades)::bigint AS trades, sum(wins)::bigint AS wins,
       sum(wins)::float8 / sum(trades)::float8 AS win_rate,
       (sum(pnl) / sum(trades))::float8 AS expectancy, sum(fees)::float8 AS fees, sum(pnl)::float8 AS pnl,
       max(best)::float8 AS best, min(worst)::float8 AS worst
FROM dashboards.symbol_performance WHERE account = $1 GROUP BY symbol ORDER BY pnl DESC, symbol;

-- name: locks
-- What holds new trades of an account back now: of all of it, of a symbol, or of a strategy.
SELECT protection, symbol, strategy, locked_at, until, note FROM dashboards.protection_locks
WHERE account = $1 AND active ORDER BY locked_at DESC, protection, symbol, strategy LIMIT $2;
