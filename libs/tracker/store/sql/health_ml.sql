-- name: deciding
-- Of each strategy that scans: its champion, since when that, or none, decides, what was trained on and what is
-- computed now, and which model the scanner last asked.
SELECT w.strategy, w.closed_through, m.model_id, m.known_from, m.feature_hash, f.hash AS running_hash,
       coalesce(m.promoted_at, r.retired_at) AS since, p.model_id AS asked_id, p.predicted_at AS asked_at
FROM tracker.scan_watermarks w
LEFT JOIN tracker.models m ON m.strategy = w.strategy AND m.status = 'champion'
LEFT JOIN LATERAL (
  SELECT max(retired_at) AS retired_at FROM tracker.models o WHERE o.strategy = w.strategy AND o.promoted_at IS NOT NULL
) r ON true
LEFT JOIN LATERAL (
  SELECT s.hash FROM tracker.symbols y CROSS JOIN LATERAL (
    SELECT x.ts, x.computed_at, x.feature_set FROM tracker.ml_features x
    WHERE x.symbol_id = y.symbol_id AND x.timeframe = w.timeframe ORDER BY x.ts DESC LIMIT 1
  ) n JOIN tracker.feature_sets s USING (feature_set)
  WHERE y.status = 'active' ORDER BY n.ts DESC, n.computed_at DESC LIMIT 1
) f ON true
LEFT JOIN LATERAL (
  SELECT q.model_id, q.predicted_at FROM tracker.predictions q
  WHERE q.strategy = w.strategy AND q.is_champion AND q.decided_at > w.closed_through - interval '2 days'
  ORDER BY q.decided_at DESC, q.symbol_id LIMIT 1
) p ON true
ORDER BY w.strategy;

-- name: unscored
-- Of each strategy with a champion: its signals of the last $1 of event time since it decides ($2: it has time to be
-- loaded), and how many no score stands for.
SELECT m.strategy, count(*) AS signals, count(*) FILTER (WHERE p.model_id IS NULL) AS unscored
FROM tracker.models m
JOIN tracker.scan_watermarks w USING (strategy)
JOIN tracker.signals g ON g.strategy = m.strategy AND g.decided_at > w.closed_through - $1::interval
  AND g.decided_at >= m.known_from AND g.created_at > m.promoted_at + $2::interval
LEFT JOIN tracker.predictions p ON p.strategy = g.strategy AND p.decided_at = g.decided_at
  AND p.symbol_id = g.symbol_id AND p.model_id = g.model_id
WHERE m.status = 'champion' GROUP BY m.strategy;

-- name: confidence
-- How the champion's last 200 scores of a week are spread.
SELECT m.strategy, m.model_id, s.scores, s.spread, s.mean
FROM tracker.models m
JOIN tracker.scan_watermarks w USING (strategy)
CROSS JOIN LATERAL (
  SELECT count(*) AS scores, coalesce(stddev_pop(n.probability), 0)::float8 AS spread,
         avg(n.probability)::float8 AS mean
  FROM (
    SELECT p.probability FROM tracker.predictions p
    WHERE p.strategy = m.strategy AND p.model_id = m.model_id AND p.decided_at > w.closed_through - interval '7 days'
    ORDER BY p.decided_at DESC, p.symbol_id LIMIT 200
  ) n
) s
WHERE m.status = 'champion' ORDER BY m.strategy;

-- name: labels
-- Of each strategy that scans and has labels: the active symbol whose setups were labelled least far, by the newest
-- configuration.
SELECT w.strategy, w.closed_through, l.symbol, l.labelled_through
FROM tracker.scan_watermarks w
CROSS JOIN LATERAL (
  SELECT config_hash FROM tracker.label_configs c WHERE c.strategy = w.strategy ORDER BY created_at DESC LIMIT 1
) c
CROSS JOIN LATERAL (
  SELECT s.symbol, k.labelled_through FROM tracker.label_cursors k JOIN tracker.symbols s USING (symbol_id)
  WHERE k.config_hash = c.config_hash AND s.status = 'active' ORDER BY k.labelled_through, s.symbol LIMIT 1
) l
ORDER BY w.strategy;

-- name: artifacts
-- Whether the bytes of champions, those before them, and the newest candidates are those that were stored; null where
-- they are kept elsewhere.
SELECT m.model_id, m.strategy, m.status, encode(sha256(m.artifact), 'hex') = m.sha256 AS intact
FROM tracker.models m
WHERE m.status = 'champion'
   OR m.model_id IN (SELECT predecessor_id FROM tracker.models WHERE status = 'champion')
   OR m.model_id IN (
     SELECT n.model_id FROM (
       SELECT model_id, row_number() OVER (PARTITION BY strategy ORDER BY model_id DESC) AS place
       FROM tracker.models WHERE status = 'candidate'
     ) n WHERE n.place <= 3
   )
ORDER BY m.model_id;
