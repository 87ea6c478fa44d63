-- migrate:up
CREATE VIEW dashboards.model_cards WITH (security_invoker = true) AS
SELECT m.model_id, m.strategy, m.card FROM tracker.models m;
COMMENT ON VIEW dashboards.model_cards IS 'Each model on a page of its own: what it was made of, what it can do, and where.';
COMMENT ON COLUMN dashboards.model_cards.card IS 'HTML that stands alone';

CREATE VIEW dashboards.shadow_progress WITH (security_invoker = true) AS
SELECT c.strategy, c.timeframe, c.started_at, c.closed_through, c.updated_at, n.variations, n.ever,
  (SELECT max(o.as_of) FROM tracker.shadow_outcomes o) AS as_of, d.signals, d.held_back, d.model_id
FROM tracker.shadow_cursor c
CROSS JOIN LATERAL (
  SELECT count(*) FILTER (WHERE v.retired_at IS NULL) AS variations, count(*) AS ever
  FROM tracker.shadow_variations v WHERE v.strategy = c.strategy
) n
CROSS JOIN LATERAL (
  SELECT coalesce(sum(s.signals), 0) AS signals, coalesce(sum(s.held_back), 0) AS held_back,
    (array_agg(s.model_id ORDER BY s.decided_at DESC))[1] AS model_id
  FROM tracker.shadow_testing_scans s
  WHERE s.strategy = c.strategy AND s.decided_at > c.closed_through - interval '1 day'
) d;
COMMENT ON VIEW dashboards.shadow_progress IS
  'How far each strategy''s variations have been tried, and what they did in the last day of event time.';
COMMENT ON COLUMN dashboards.shadow_progress.variations IS 'that are tried; ever counts those that were retired, too';
COMMENT ON COLUMN dashboards.shadow_progress.as_of IS 'of the outcomes of all strategies; null before the first';
COMMENT ON COLUMN dashboards.shadow_progress.signals IS 'of all variations in the last day, without those a model held back';
COMMENT ON COLUMN dashboards.shadow_progress.held_back IS 'by the model that decided at their close';
COMMENT ON COLUMN dashboards.shadow_progress.model_id IS 'of the newest close; null where the rule decided alone';

GRANT SELECT ON dashboards.model_cards, dashboards.shadow_progress TO tracker_reader;

-- migrate:down
DROP VIEW dashboards.shadow_progress;
DROP VIEW dashboards.model_cards;
