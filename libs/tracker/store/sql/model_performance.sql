-- name: live
-- What a model said of setups in (from, to] whose trades have ended by then, with how they ended, by time.
SELECT probability::float8 AS probability, (outcome = 'win')::int::float8 AS won, net_return, weight, taken,
       extract(epoch FROM decided_at)::bigint AS decided_at
FROM tracker.scored_setups
WHERE strategy = $1 AND model_id = $2 AND decided_at > $3 AND decided_at <= $4 AND outcome IN ('win', 'loss')
  AND weight > 0 AND exit_at <= $4
ORDER BY decided_at, symbol_id;

-- name: scored_features
-- The features of the setups in (from, to] that a model was asked about, whether they have ended or not, at most so many.
SELECT f.values
FROM tracker.predictions p
JOIN tracker.scan_watermarks w ON w.strategy = p.strategy
JOIN tracker.ml_features f ON f.symbol_id = p.symbol_id AND f.timeframe = w.timeframe
  AND f.ts = p.decided_at - tracker.duration(w.timeframe) AND f.feature_set = $5
WHERE p.strategy = $1 AND p.model_id = $2 AND p.decided_at > $3 AND p.decided_at <= $4
ORDER BY p.decided_at DESC, p.symbol_id LIMIT $6;

-- name: keep
-- Keep how a model did.
INSERT INTO tracker.model_performance (model_id, strategy, window_from, window_to, action, acted, figures, criteria, drift)
VALUES ($1, $2, $3, $4, $5, $6, $7::jsonb, $8::jsonb, $9::jsonb) RETURNING performance_id;

-- name: states
-- Of each strategy that scans: its champion, since when, how far it learnt, what the last look at it said, and the demotion
-- by which it came to decide, if it was one.
SELECT w.strategy, w.closed_through, m.model_id, m.promoted_at, m.known_from, p.watched_at, p.action, p.criteria,
  CASE WHEN e.action = 'demote' THEN e.at END AS demoted_at, CASE WHEN e.action = 'demote' THEN e.model_id END AS demoted_id,
  CASE WHEN e.action = 'demote' THEN e.reason END AS demoted_for
FROM tracker.scan_watermarks w
LEFT JOIN tracker.models m ON m.strategy = w.strategy AND m.status = 'champion'
LEFT JOIN LATERAL (
  SELECT o.watched_at, o.action, o.criteria FROM tracker.model_performance o
  WHERE o.model_id = m.model_id ORDER BY o.performance_id DESC LIMIT 1
) p ON true
LEFT JOIN LATERAL (
  SELECT v.at, v.action, v.model_id, v.reason FROM tracker.model_events v
  WHERE v.strategy = w.strategy AND v.action <> 'retire' ORDER BY v.event_id DESC LIMIT 1
) e ON true
ORDER BY w.strategy;
