-- name: progress
-- How far each strategy's variations have been tried, and how many of their signals models held back.
SELECT strategy, variations, ever, started_at, closed_through, as_of, signals::bigint AS signals,
  held_back::bigint AS held_back, model_id
FROM dashboards.shadow_progress ORDER BY strategy;

-- name: points
-- All variations in a window, of one strategy or of all (empty).
SELECT strategy, variation, is_live, trades, total_return, dsr, first_half_return, second_half_return
FROM dashboards.shadow_leaderboard WHERE span = $1 AND ($2 = '' OR strategy = $2) ORDER BY strategy, number;

-- name: leaders
-- The best variations of a window, of one strategy or of all (empty), and what is live.
SELECT * FROM (
  SELECT strategy, variation, source, is_live, changes, trades, total_return, excess_return, sharpe, dsr, max_drawdown,
    mean_trade_return, lower_bound, first_half_return, second_half_return, hours,
    rank() OVER (ORDER BY dsr DESC NULLS LAST, sharpe DESC NULLS LAST, total_return DESC) AS place
  FROM dashboards.shadow_leaderboard WHERE span = $1 AND ($2 = '' OR strategy = $2)
) l WHERE place <= 200 OR is_live ORDER BY place, variation;

-- name: variation
-- One variation in each window, the shortest first.
SELECT strategy, variation, source, is_live, changes, span, hours, trades, total_return, excess_return, sharpe, dsr,
  max_drawdown, mean_trade_return, lower_bound, first_half_return, second_half_return, place
FROM dashboards.shadow_leaderboard WHERE variation = $1
ORDER BY array_position(ARRAY['1d', '7d', '30d', 'all'], span);
