-- name: forget
-- Drop what was said of closes that one strategy decides again.
DELETE FROM tracker.scan_champions WHERE strategy = $1 AND after >= $2;

-- name: note
-- Say by which model one strategy decides on closes later than a moment, unless it is the one before.
INSERT INTO tracker.scan_champions (strategy, after, model_id, threshold)
SELECT $1, $2, $3, $4 WHERE NOT EXISTS (
  SELECT FROM (
    SELECT c.model_id, c.threshold FROM tracker.scan_champions c WHERE c.strategy = $1 ORDER BY c.after DESC LIMIT 1
  ) l WHERE l.model_id IS NOT DISTINCT FROM $3::bigint AND l.threshold IS NOT DISTINCT FROM $4::real
);

-- name: within
-- By which models one strategy decided on the closes in a span, exclusive of its begin; the earliest first.
SELECT after, model_id, threshold FROM tracker.scan_champions
WHERE strategy = $1 AND after < $3 AND after >= coalesce(
  (SELECT max(c.after) FROM tracker.scan_champions c WHERE c.strategy = $1 AND c.after <= $2), $2
)
ORDER BY after;
