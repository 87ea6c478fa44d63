-- name: log
-- Note a configuration that was tried; the same on the same data is one try, however often it is run.
INSERT INTO tracker.trials AS t
  (strategy, config_hash, params, data_hash, data, starts_at, ends_at, sweep, trades, total_return, daily_sharpe, days)
VALUES ($1, $2, $3::jsonb, $4, $5::jsonb, $6, $7, $8, $9, $10, $11, $12)
ON CONFLICT (strategy, config_hash, data_hash) DO UPDATE SET
  trades = excluded.trades, total_return = excluded.total_return, daily_sharpe = excluded.daily_sharpe,
  days = excluded.days, tried_at = clock_timestamp(), times = t.times + 1;

-- name: count
-- How many configurations of a strategy were tried, and how their Sharpe ratios on the same data spread: on other data
-- they would differ for other reasons than luck.
SELECT count(DISTINCT config_hash) AS count,
       var_samp(daily_sharpe) FILTER (WHERE data_hash = $2) AS variance
FROM tracker.trials WHERE strategy = $1;
