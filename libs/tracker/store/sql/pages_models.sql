-- name: list
-- Every model with its last verdict and what it showed on the untouched window; champions first, then the hundred newest.
SELECT m.model_id, m.strategy, m.status, m.created_at, m.promoted_at, m.retired_at, m.learnt_through, m.predecessor_id,
  m.judged_at, m.passed, m.forced, (m.lineage ->> 'learnt')::bigint AS learnt, (w.figures ->> 'labels')::bigint AS judged,
  (w.figures ->> 'auc')::float8 AS auc, (w.figures ->> 'base_gain')::float8 AS base_gain,
  (w.figures ->> 'slope')::float8 AS slope, (w.figures ->> 'trades')::bigint AS trades,
  (w.figures ->> 'mean_return')::float8 AS mean_return, (w.figures ->> 'return_bound')::float8 AS return_bound,
  (w.figures ->> 'deflated_sharpe')::float8 AS deflated_sharpe
FROM (
  SELECT * FROM dashboards.models ORDER BY (status = 'champion') DESC, model_id DESC LIMIT 100
) m
-- Taken out once: the whole of it is large, and stands elsewhere.
CROSS JOIN LATERAL (SELECT m.metrics -> 'window' AS figures OFFSET 0) w
ORDER BY (m.status = 'champion') DESC, m.model_id DESC;

-- name: scanning
-- The strategies that scan.
SELECT name AS strategy FROM dashboards.watermarks WHERE stage = 'scans' ORDER BY name;

-- name: newest_looks
-- The last look at each champion: how it does live, beside what it was promoted for.
SELECT DISTINCT ON (model_id) model_id, watched_at, action, trades, mean_return, expected_return, brier, expected_brier,
  bias, drifted_share
FROM dashboards.model_performance WHERE status = 'champion' ORDER BY model_id, performance_id DESC;

-- name: history
-- The newest changes of which model is what.
SELECT event_id, at, strategy, action, model_id, champion_id, made_by, reason
FROM dashboards.model_history ORDER BY event_id DESC LIMIT 50;

-- name: verdict
-- The criteria of a model's last verdict, in their order.
SELECT champion_id, judged_at, judged_by, window_from, window_to, passed, forced, promoted, reason, criterion, number,
  comparison, limit_value, ok
FROM dashboards.model_verdicts WHERE model_id = $1 AND is_last ORDER BY place;

-- name: importance
-- The features that a model looks at most.
SELECT feature, gain_share, permutation FROM dashboards.feature_importance
WHERE model_id = $1 ORDER BY place, feature LIMIT 15;

-- name: drift
-- The features that have moved most since a model learnt, as of the last look at it.
SELECT feature, psi, ks, gain_share, watched_at FROM dashboards.feature_drift
WHERE model_id = $1 ORDER BY place LIMIT 15;

-- name: looks
-- The last looks at a model while it was champion, the oldest first.
SELECT * FROM (
  SELECT performance_id, watched_at, window_to, brier, expected_brier, mean_return, expected_return
  FROM dashboards.model_performance WHERE model_id = $1 ORDER BY performance_id DESC LIMIT 120
) newest ORDER BY performance_id;

-- name: calibration
-- Ten groups of a model's live scores of the last 30 days of event time, beside how many of each were won.
SELECT bucket, labels, predicted, observed, mean_return FROM dashboards.model_calibration
WHERE model_id = $1 ORDER BY bucket;

-- name: card
-- A model's page.
SELECT card FROM dashboards.model_cards WHERE model_id = $1;
