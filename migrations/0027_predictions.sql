-- migrate:up
ALTER TABLE tracker.scan_history ADD COLUMN model_id bigint;
COMMENT ON COLUMN tracker.scan_history.model_id IS 'the model that was asked; null where the rule decided alone';
COMMENT ON COLUMN tracker.scan_history.confidence_score IS 'the probability that the model gave it';

CREATE TABLE tracker.predictions (
  decided_at timestamptz NOT NULL,
  predicted_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  model_id bigint NOT NULL,
  margin float8 NOT NULL,
  probability real NOT NULL CHECK (probability >= 0 AND probability <= 1),
  threshold real NOT NULL CHECK (threshold >= 0 AND threshold <= 1),
  symbol_id smallint NOT NULL REFERENCES tracker.symbols,
  is_champion boolean NOT NULL,
  is_signal boolean NOT NULL,
  taken boolean NOT NULL,
  strategy text NOT NULL,
  config_hash text NOT NULL,
  PRIMARY KEY (strategy, decided_at, symbol_id, model_id),
  CHECK (NOT taken OR (is_champion AND is_signal AND probability >= threshold))
);
SELECT tracker.written_by('tracker.predictions', 'strategy_scanner');
COMMENT ON COLUMN tracker.predictions.decided_at IS 'the bar close of the setup, as in scan_history and signals';
COMMENT ON COLUMN tracker.predictions.is_champion IS 'whether this model decided; candidates are scored beside it';
COMMENT ON COLUMN tracker.predictions.margin IS 'log-odds as the trees give them, before calibration';
COMMENT ON COLUMN tracker.predictions.probability IS 'of a profit after fees, calibrated: the confidence';
COMMENT ON COLUMN tracker.predictions.is_signal IS 'whether the rule alone would have proposed the trade';
COMMENT ON COLUMN tracker.predictions.taken IS 'whether it was proposed, so that there is a signal';
COMMENT ON COLUMN tracker.predictions.config_hash IS 'of the strategy, as in scan_history; label_configs.strategy_hash';

-- Deletes at most so many scores of looks before a moment, and returns how many it were.
CREATE FUNCTION tracker.forget_predictions(before timestamptz, at_most integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  forgotten integer;
BEGIN
  DELETE FROM tracker.predictions WHERE ctid = ANY (ARRAY(
    SELECT o.ctid FROM tracker.scan_watermarks w CROSS JOIN LATERAL (
      SELECT p.ctid FROM tracker.predictions p WHERE p.strategy = w.strategy AND p.decided_at < before LIMIT at_most
    ) o LIMIT at_most
  ));
  GET DIAGNOSTICS forgotten = ROW_COUNT;
  RETURN forgotten;
END
$$;
REVOKE ALL ON FUNCTION tracker.forget_predictions(timestamptz, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION tracker.forget_predictions(timestamptz, integer) TO tracker_data_scheduler;

-- What models said, beside what became of the setup's trade taken alone. Whoever reads it bounds decided_at.
CREATE VIEW tracker.scored_setups WITH (security_invoker = true) AS
SELECT p.strategy, p.symbol_id, p.decided_at, p.predicted_at, p.model_id, p.is_champion, p.margin, p.probability,
  p.threshold, p.is_signal, p.taken, p.config_hash, l.outcome, l.net_return, l.weight, l.exit_at
FROM tracker.predictions p
LEFT JOIN LATERAL (
  -- Of the labels by the same strategy's parameters, those made by the newest rules of trading that has one.
  SELECT x.outcome, x.net_return, x.weight, x.exit_at
  FROM tracker.label_configs c
  JOIN tracker.strategy_labels x ON x.strategy = c.strategy AND x.config_hash = c.config_hash
    AND x.decided_at = p.decided_at AND x.symbol_id = p.symbol_id
  WHERE c.strategy = p.strategy AND c.strategy_hash = p.config_hash
  ORDER BY c.created_at DESC LIMIT 1
) l ON true;
COMMENT ON VIEW tracker.scored_setups IS
  'each score with the outcome of the setup''s trade taken alone, as strategy_labels has it; to be read with a bound on'
  ' decided_at';
GRANT SELECT ON tracker.scored_setups TO tracker_reader;

CREATE VIEW dashboards.predictions WITH (security_invoker = true) AS
SELECT v.strategy, s.symbol, v.decided_at, v.model_id, v.is_champion, v.margin, v.probability, v.threshold, v.is_signal,
  v.taken, g.signal_id, v.outcome, v.net_return, v.exit_at
FROM tracker.scored_setups v
JOIN tracker.symbols s USING (symbol_id)
LEFT JOIN tracker.signals g ON v.taken AND g.strategy = v.strategy AND g.symbol_id = v.symbol_id
  AND g.decided_at = v.decided_at
WHERE v.decided_at > (SELECT max(closed_through) FROM tracker.scan_watermarks) - interval '30 days';
COMMENT ON VIEW dashboards.predictions IS
  'what models said of the setups of the last 30 days of event time, and what became of each taken alone';
COMMENT ON COLUMN dashboards.predictions.signal_id IS 'of the trade that was proposed; orders and trade_logs carry it';
COMMENT ON COLUMN dashboards.predictions.outcome IS
  'win or loss after fees, censored while it has not ended, unfilled; null until it is labelled';
GRANT SELECT ON dashboards.predictions TO tracker_reader;

-- migrate:down
DROP VIEW dashboards.predictions;
DROP VIEW tracker.scored_setups;
DROP FUNCTION tracker.forget_predictions(timestamptz, integer);
DROP TABLE tracker.predictions;
ALTER TABLE tracker.scan_history DROP COLUMN model_id;
