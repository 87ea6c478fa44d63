-- name: stages
-- How far each stage is in each timeframe, beside how far the bars are.
SELECT 'features ' || b.timeframe AS stage, b.closed_through AS due, f.closed_through AS done,
       b.updated_at AS due_since, f.updated_at AS done_at, tracker.duration(b.timeframe) AS bucket
FROM tracker.bar_watermarks b LEFT JOIN tracker.feature_watermarks f USING (timeframe)
WHERE b.timeframe IN ('15m', '1h')
UNION ALL
SELECT 'scan ' || s.strategy, f.closed_through, s.closed_through, f.updated_at, s.updated_at,
       tracker.duration(f.timeframe)
FROM tracker.feature_watermarks f JOIN tracker.scan_watermarks s USING (timeframe)
ORDER BY stage;

-- name: features
-- Of each active symbol that has the last bar whose features are complete: whether they are there, and how many of them
-- are not known.
SELECT w.timeframe::text AS timeframe, s.symbol, f.width, f.unknown
FROM tracker.feature_watermarks w
CROSS JOIN tracker.symbols s
JOIN tracker.ohlc_data o ON o.symbol_id = s.symbol_id AND o.timeframe = w.timeframe
  AND o.ts = w.closed_through - tracker.duration(w.timeframe)
LEFT JOIN LATERAL (
  SELECT cardinality(m.values) AS width, (SELECT count(*) FROM unnest(m.values) AS v WHERE v = 'NaN') AS unknown
  FROM tracker.ml_features m
  WHERE m.symbol_id = s.symbol_id AND m.timeframe = w.timeframe AND m.ts = o.ts
  ORDER BY m.feature_set DESC LIMIT 1
) f ON true
WHERE s.status = 'active'
ORDER BY w.timeframe, s.symbol;

-- name: looks
-- Of each strategy over the 6 hours up to its last close: how many closes it looked at and how many lie between the first
-- and the last of them, at how many symbols at the last one, and how many there were to look at.
SELECT w.strategy, w.closed_through,
  (extract(epoch FROM w.closed_through - l.first) / extract(epoch FROM tracker.duration(w.timeframe)))::integer + 1 AS due,
  l.closes, l.symbols, l.looks, l.faults, l.config_hash,
  (SELECT count(*) FROM tracker.symbols s
   JOIN tracker.latest_bar b ON b.symbol_id = s.symbol_id AND b.timeframe = w.timeframe
   WHERE s.status = 'active' AND b.ts >= w.closed_through - interval '7 days') AS expected
FROM tracker.scan_watermarks w
CROSS JOIN LATERAL (
  SELECT min(h.decided_at) AS first, count(DISTINCT h.decided_at) AS closes, count(*) AS looks,
    count(*) FILTER (WHERE h.decided_at = w.closed_through) AS symbols,
    count(*) FILTER (WHERE h.reason IN ('warming_up', 'no_bar')) AS faults,
    (array_agg(h.config_hash ORDER BY h.decided_at DESC))[1] AS config_hash
  FROM tracker.symbols s
  JOIN tracker.scan_history h ON h.strategy = w.strategy AND h.symbol_id = s.symbol_id
    AND h.decided_at > w.closed_through - interval '6 hours' AND h.decided_at <= w.closed_through
) l
ORDER BY w.strategy;

-- name: skips
-- Why looks of the 6 hours up to the last close of any strategy led to no signal, the commonest reason first.
SELECT h.reason, count(*) AS looks
FROM tracker.scan_watermarks w
CROSS JOIN tracker.symbols s
JOIN tracker.scan_history h ON h.strategy = w.strategy AND h.symbol_id = s.symbol_id
  AND h.decided_at > w.closed_through - interval '6 hours' AND h.decided_at <= w.closed_through
WHERE h.decision = 'SKIP'
GROUP BY h.reason ORDER BY looks DESC, h.reason;

-- name: funnel
-- Up to where strategies have looked and since when, the last signal, and the last fill; event time.
SELECT (SELECT max(closed_through) FROM tracker.scan_watermarks) AS looked_through,
       (SELECT max(opened_at) FROM tracker.bar_watermarks WHERE timeframe IN ('15m', '1h')) AS opened_at,
       (SELECT max(decided_at) FROM tracker.signals) AS signal_at,
       (SELECT max(filled_at) FROM tracker.fills) AS fill_at;

-- name: refusals
-- Why signals after a moment were not ordered, the commonest reason first.
SELECT o.reason, count(*) AS orders
FROM tracker.signals g
JOIN tracker.orders o ON o.strategy = g.strategy AND o.symbol_id = g.symbol_id AND o.decided_at = g.decided_at
WHERE g.decided_at > $1 AND o.leg = 'entry' AND o.status = 'refused'
GROUP BY o.reason ORDER BY orders DESC, o.reason;

-- name: unanswered
-- Signals of the 24 hours up to where an account is that it is through with, and has neither ordered nor refused.
SELECT c.account, g.strategy, s.symbol, g.decided_at
FROM tracker.paper_cursor c
JOIN tracker.accounts a USING (account)
JOIN tracker.signals g ON g.decided_at > c.processed_through - interval '24 hours'
  AND g.decided_at >= c.started_at AND g.decided_at <= c.processed_through - interval '2 minutes'
JOIN tracker.symbols s USING (symbol_id)
LEFT JOIN tracker.orders o ON o.account = c.account AND o.strategy = g.strategy AND o.symbol_id = g.symbol_id
  AND o.decided_at = g.decided_at AND o.leg = 'entry'
WHERE o.order_id IS NULL AND (
  coalesce(a.rules #> '{paper,account,strategies}', 'null') = 'null'
  OR a.rules #> '{paper,account,strategies}' ? g.strategy)
ORDER BY g.decided_at, c.account, s.symbol;

-- name: known_configs
-- Every configuration of each strategy that the history has.
SELECT DISTINCT strategy, config_hash FROM tracker.config_versions;
