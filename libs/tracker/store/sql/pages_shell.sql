-- name: accounts
-- The accounts that may be chosen, how each stands and what it may do now.
SELECT account, currency, opened_at, as_of, state, state_until, equity::float8 AS equity, gain::float8 AS gain,
       net_return, realised_pnl::float8 AS realised_pnl, unrealised_pnl::float8 AS unrealised_pnl,
       fees::float8 AS fees, pnl_today::float8 AS pnl_today, return_today, drawdown, open_positions,
       trades_today, wins_today, trades, wins
FROM dashboards.accounts ORDER BY opened_at, account;

-- name: services
-- Each running instance's last sign of life.
SELECT service, instance, role, pid, state, started_at, beat_at, rss_bytes, restarts, problem
FROM dashboards.fleet ORDER BY service, started_at, instance;
