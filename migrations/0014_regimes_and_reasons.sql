-- migrate:up
-- A word that the code does not know is refused here, so that counting by reason or regime counts everything.
ALTER TABLE tracker.scan_history ADD COLUMN volatility text NOT NULL DEFAULT 'unknown';
ALTER TABLE tracker.scan_history
  ADD CONSTRAINT scan_history_volatility CHECK (volatility IN ('unknown', 'low', 'mid', 'high')),
  ADD CONSTRAINT scan_history_market_regime CHECK (market_regime IN ('unknown', 'trend_up', 'trend_down', 'range')),
  ADD CONSTRAINT scan_history_reason CHECK (CASE decision WHEN 'SIGNAL' THEN reason = 'setup' ELSE reason IN (
    'warming_up', 'no_bar', 'no_setup', 'trend_against', 'volume_too_low', 'volatility_out_of_range',
    'too_few_confirmations', 'strength_too_low', 'confidence_too_low', 'volume_too_high', 'channel_broken') END);
COMMENT ON COLUMN tracker.scan_history.volatility IS
  'the third in which the hour''s ATR lies among those of the symbol''s 144 hours before';

CREATE VIEW dashboards.skip_reasons WITH (security_invoker = true) AS
SELECT w.strategy, h.hour, h.reason, sum(h.looks)::bigint AS looks, count(*) AS symbols
FROM tracker.scan_watermarks w
CROSS JOIN tracker.symbols s
CROSS JOIN LATERAL (
  SELECT date_bin('1 hour', decided_at, timestamptz '1970-01-01 00:00:00+00') AS hour, reason, count(*) AS looks
  FROM tracker.scan_history
  WHERE strategy = w.strategy AND symbol_id = s.symbol_id AND decision = 'SKIP'
    AND decided_at > w.closed_through - interval '7 days'
  GROUP BY 1, 2
) h
GROUP BY 1, 2, 3;
COMMENT ON VIEW dashboards.skip_reasons IS
  'why each strategy proposed nothing, by the hour of event time, over the last 7 days';
COMMENT ON COLUMN dashboards.skip_reasons.looks IS 'symbols times closes that were passed over for this reason';
COMMENT ON COLUMN dashboards.skip_reasons.symbols IS 'how many symbols that were';
GRANT SELECT ON dashboards.skip_reasons TO tracker_reader;

-- migrate:down
DROP VIEW dashboards.skip_reasons;
ALTER TABLE tracker.scan_history DROP CONSTRAINT scan_history_reason, DROP CONSTRAINT scan_history_market_regime,
  DROP COLUMN volatility;
