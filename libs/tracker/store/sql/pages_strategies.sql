-- name: champions
-- The model that decides for each strategy that has one.
SELECT strategy, model_id, promoted_at FROM dashboards.models WHERE status = 'champion' ORDER BY strategy;

