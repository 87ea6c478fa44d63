-- name: add
-- Add a candidate; the same bytes of a strategy are the same model, and nothing is returned.
INSERT INTO tracker.models
  (strategy, learnt_through, window_from, known_from, feature_hash, label_config, config_hash, sha256, artifact, artifact_path,
   calibration, metrics, lineage, card, distribution)
VALUES ($1, $2, $3, $14, $4, $5, $6, $7, $8, $9, $10::jsonb, $11::jsonb, $12::jsonb, $13, $15::jsonb)
ON CONFLICT (strategy, sha256) DO NOTHING RETURNING model_id;

-- name: same
-- The model of a strategy that has these bytes.
SELECT model_id FROM tracker.models WHERE strategy = $1 AND sha256 = $2;

-- name: add_importance
-- Note what features are worth to a model.
INSERT INTO tracker.feature_importance (model_id, feature, gain, permutation)
SELECT $1, t.* FROM unnest($2::text[], $3::float8[], $4::float8[]) AS t(feature, gain, permutation);

-- name: list
-- Every model, of one strategy or of all (null), without bytes and card, the newest first.
SELECT model_id, strategy, status, created_at, promoted_at, retired_at, learnt_through, window_from, known_from, predecessor_id,
  feature_hash, label_config, config_hash, sha256, calibration, metrics, lineage
FROM tracker.models WHERE $1::text IS NULL OR strategy = $1 ORDER BY strategy, model_id DESC;

-- name: one
-- A model without bytes and card.
SELECT model_id, strategy, status, created_at, promoted_at, retired_at, learnt_through, window_from, known_from, predecessor_id,
  feature_hash, label_config, config_hash, sha256, calibration, metrics, lineage
FROM tracker.models WHERE model_id = $1;

-- name: champion
-- The number of a strategy's champion.
SELECT model_id FROM tracker.models WHERE strategy = $1 AND status = 'champion';

-- name: standing
-- A strategy's champion, and its newest candidates: what scanners compare with what they have.
(SELECT model_id, true AS is_champion, sha256 FROM tracker.models WHERE strategy = $1 AND status = 'champion')
UNION ALL
(SELECT model_id, false, sha256 FROM tracker.models WHERE strategy = $1 AND status = 'candidate'
 ORDER BY model_id DESC LIMIT $2);

-- name: artifact
-- What it takes to score with a model.
SELECT model_id, strategy, status, sha256, artifact, artifact_path, calibration, feature_hash AS feature_set_hash, known_from
FROM tracker.models WHERE model_id = $1;

-- name: card
-- A model's page.
SELECT card FROM tracker.models WHERE model_id = $1;

-- name: distribution
-- How the features were distributed that a model learnt from; null where that was not kept.
SELECT distribution FROM tracker.models WHERE model_id = $1;

-- name: importance
-- What features are worth to a model, the most telling first.
SELECT feature, gain, permutation FROM tracker.feature_importance WHERE model_id = $1 ORDER BY gain DESC, feature;

-- name: lock
-- Have everybody else wait who wants to change which model of a strategy is what.
SELECT pg_advisory_xact_lock(hashtext('tracker.models'), hashtext($1));

-- name: dethrone
-- Take a strategy's champion off.
UPDATE tracker.models SET status = 'retired', retired_at = clock_timestamp()
WHERE strategy = $1 AND status = 'champion';

-- name: crown
-- Make a model the champion; where it takes another's place, that one is its predecessor.
UPDATE tracker.models
SET status = 'champion', promoted_at = clock_timestamp(), retired_at = NULL,
    predecessor_id = CASE WHEN $2 THEN $3 ELSE predecessor_id END
WHERE model_id = $1;

-- name: retire
-- Take a model out of use.
UPDATE tracker.models SET status = 'retired', retired_at = clock_timestamp() WHERE model_id = $1;

-- name: keep_verdict
-- Keep what the gate said of a model.
INSERT INTO tracker.model_verdicts
  (model_id, champion_id, judged_by, window_from, window_to, criteria, passed, forced, promoted, reason)
VALUES ($1, $2, $3, $4, $5, $6::jsonb, $7, $8, $9, $10) RETURNING verdict_id;

-- name: verdicts
-- What the gate said of a model, the newest first.
SELECT verdict_id, champion_id, judged_at, judged_by, window_from, window_to, criteria, passed, forced, promoted, reason
FROM tracker.model_verdicts WHERE model_id = $1 ORDER BY verdict_id DESC;

-- name: note_event
-- Note who changed which model is what, and why.
INSERT INTO tracker.model_events (strategy, action, model_id, champion_id, made_by, reason)
VALUES ($1, $2, $3, $4, $5, $6);

-- name: events
-- Who changed which model is what, of a strategy or of all (null), the newest first.
SELECT event_id, at, strategy, action, model_id, champion_id, made_by, reason
FROM tracker.model_events WHERE $1::text IS NULL OR strategy = $1 ORDER BY event_id DESC LIMIT $2;

-- name: shadow
-- What a model said live, beside the champion, of trades that have ended since, from a moment on: the earliest first.
SELECT (extract(epoch FROM decided_at))::bigint AS decided_at, (extract(epoch FROM exit_at))::bigint AS exit_at,
  probability::float8 AS probability, (outcome = 'win')::int AS won, weight
FROM tracker.scored_setups
WHERE strategy = $1 AND model_id = $2 AND decided_at >= $3 AND outcome IN ('win', 'loss') AND weight > 0
ORDER BY decided_at, symbol_id;
