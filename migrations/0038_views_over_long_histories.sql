-- migrate:up
-- After a year of minutes the planner took the hours that the aggregate lacks for a third of them all, and read the whole
-- curve to find the last minute of each. A LIMIT keeps each of them a look-up of the key.
CREATE OR REPLACE VIEW tracker.equity_by_hour WITH (security_invoker = true) AS
SELECT h.account, h.hour, h.open, h.high, h.low, h.close, h.highest_gain, h.lowest_gain, h.gain, h.paid_in, h.fees,
  h.open_positions, h.last_at
FROM tracker.accounts a
CROSS JOIN LATERAL (SELECT max(n.hour) AS hour FROM tracker.equity_hours n WHERE n.account = a.account) r
JOIN tracker.equity_hours h ON h.account = a.account AND h.hour < r.hour
UNION ALL
SELECT t.account, t.hour, f.equity, t.high, t.low, l.equity, t.highest_gain, t.lowest_gain, l.gain, l.paid_in, l.fees,
  t.open_positions, t.last_at
FROM tracker.accounts a
CROSS JOIN LATERAL (SELECT max(n.hour) AS hour FROM tracker.equity_hours n WHERE n.account = a.account) r
CROSS JOIN LATERAL (
  SELECT p.account, date_bin('1 hour', p.ts, timestamptz '1970-01-01 00:00:00+00') AS hour, max(p.equity) AS high,
    min(p.equity) AS low, max(p.gain) AS highest_gain, min(p.gain) AS lowest_gain,
    max(p.open_positions) AS open_positions, min(p.ts) AS first_at, max(p.ts) AS last_at
  FROM tracker.equity_points p
  WHERE p.account = a.account AND p.ts >= coalesce(r.hour, timestamptz '-infinity')
  GROUP BY 1, 2
) t
CROSS JOIN LATERAL (
  SELECT e.equity FROM tracker.equity_curve e WHERE e.account = t.account AND e.ts = t.first_at LIMIT 1
) f
CROSS JOIN LATERAL (
  SELECT e.equity, e.equity - c.paid_in AS gain, c.paid_in, e.fees
  FROM tracker.equity_curve e JOIN tracker.capital c ON c.account = e.account AND e.ts > c.after AND e.ts <= c.through
  WHERE e.account = t.account AND e.ts = t.last_at LIMIT 1
) l;

-- Labels of the window are joined at once, where looking up one after the other took ten times as long.
CREATE OR REPLACE VIEW dashboards.model_calibration WITH (security_invoker = true) AS
SELECT g.strategy, g.model_id, g.bucket, count(*) AS labels, sum(g.weight) AS weight,
  sum(g.weight * g.probability) / nullif(sum(g.weight), 0) AS predicted,
  sum(g.weight) FILTER (WHERE g.outcome = 'win') / nullif(sum(g.weight), 0) AS observed,
  sum(g.weight * g.net_return) / nullif(sum(g.weight), 0) AS mean_return,
  min(g.probability) AS lowest, max(g.probability) AS highest
FROM (
  SELECT s.strategy, s.model_id, s.probability, s.outcome, s.weight, s.net_return,
    ntile(10) OVER (PARTITION BY s.strategy, s.model_id ORDER BY s.probability, s.decided_at, s.symbol_id) AS bucket
  FROM (
    SELECT p.strategy, p.model_id, p.decided_at, p.symbol_id, p.probability, l.outcome, l.weight, l.net_return,
      row_number() OVER (PARTITION BY p.strategy, p.model_id, p.decided_at, p.symbol_id
        ORDER BY c.created_at DESC) AS place
    FROM tracker.predictions p
    JOIN tracker.label_configs c ON c.strategy = p.strategy AND c.strategy_hash = p.config_hash
    JOIN tracker.strategy_labels l ON l.strategy = c.strategy AND l.config_hash = c.config_hash
      AND l.decided_at = p.decided_at AND l.symbol_id = p.symbol_id
    WHERE p.decided_at > (SELECT max(w.closed_through) FROM tracker.scan_watermarks w) - interval '30 days'
      AND l.decided_at > (SELECT max(w.closed_through) FROM tracker.scan_watermarks w) - interval '30 days'
  ) s
  WHERE s.place = 1 AND s.outcome IN ('win', 'loss')
) g
GROUP BY 1, 2, 3;

-- migrate:down
CREATE OR REPLACE VIEW dashboards.model_calibration WITH (security_invoker = true) AS
SELECT g.strategy, g.model_id, g.bucket, count(*) AS labels, sum(g.weight) AS weight,
  sum(g.weight * g.probability) / nullif(sum(g.weight), 0) AS predicted,
  sum(g.weight) FILTER (WHERE g.outcome = 'win') / nullif(sum(g.weight), 0) AS observed,
  sum(g.weight * g.net_return) / nullif(sum(g.weight), 0) AS mean_return,
  min(g.probability) AS lowest, max(g.probability) AS highest
FROM (
  SELECT v.strategy, v.model_id, v.probability, v.outcome, v.weight, v.net_return,
    ntile(10) OVER (PARTITION BY v.strategy, v.model_id ORDER BY v.probability, v.decided_at, v.symbol_id) AS bucket
  FROM tracker.scored_setups v
  WHERE v.outcome IN ('win', 'loss')
    AND v.decided_at > (SELECT max(closed_through) FROM tracker.scan_watermarks) - interval '30 days'
) g
GROUP BY 1, 2, 3;

CREATE OR REPLACE VIEW tracker.equity_by_hour WITH (security_invoker = true) AS
SELECT h.account, h.hour, h.open, h.high, h.low, h.close, h.highest_gain, h.lowest_gain, h.gain, h.paid_in, h.fees,
  h.open_positions, h.last_at
FROM tracker.accounts a
CROSS JOIN LATERAL (SELECT max(n.hour) AS hour FROM tracker.equity_hours n WHERE n.account = a.account) r
JOIN tracker.equity_hours h ON h.account = a.account AND h.hour < r.hour
UNION ALL
SELECT t.account, t.hour, f.equity, t.high, t.low, l.equity, t.highest_gain, t.lowest_gain, l.gain, l.paid_in, l.fees,
  t.open_positions, t.last_at
FROM tracker.accounts a
CROSS JOIN LATERAL (SELECT max(n.hour) AS hour FROM tracker.equity_hours n WHERE n.account = a.account) r
CROSS JOIN LATERAL (
  SELECT p.account, date_bin('1 hour', p.ts, timestamptz '1970-01-01 00:00:00+00') AS hour, max(p.equity) AS high,
    min(p.equity) AS low, max(p.gain) AS highest_gain, min(p.gain) AS lowest_gain,
    max(p.open_positions) AS open_positions, min(p.ts) AS first_at, max(p.ts) AS last_at
  FROM tracker.equity_points p
  WHERE p.account = a.account AND p.ts >= coalesce(r.hour, timestamptz '-infinity')
  GROUP BY 1, 2
) t
CROSS JOIN LATERAL (
  SELECT e.equity FROM tracker.equity_curve e WHERE e.account = t.account AND e.ts = t.first_at
) f
CROSS JOIN LATERAL (
  SELECT p.equity, p.gain, p.paid_in, p.fees FROM tracker.equity_points p
  WHERE p.account = t.account AND p.ts = t.last_at
) l;
