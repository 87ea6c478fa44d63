-- name: write_scans
-- Keep one strategy's looks in one statement; the same look twice is one row.
INSERT INTO tracker.scan_history
  (strategy, timeframe, config_hash, decided_at, symbol_id, decision, reason, market_regime, volatility, confidence_score,
   signal_strength, metadata, model_id)
SELECT $1, $2, $3, decided_at, symbol_id, decision, reason, regime, volatility, confidence, strength, metadata::jsonb,
       model_id
FROM unnest($4::timestamptz[], $5::smallint[], $6::text[], $7::text[], $8::text[], $9::text[], $10::real[], $11::real[],
            $12::text[], $13::bigint[])
  AS t(decided_at, symbol_id, decision, reason, regime, volatility, confidence, strength, metadata, model_id)
ON CONFLICT (strategy, symbol_id, decided_at) DO NOTHING;

-- name: write_signal
-- Propose a trade; the same proposal twice is one row.
INSERT INTO tracker.signals
  (decided_at, expires_at, entry, stop, target, target_fraction, trail_distance, break_even_distance, ladder, size_weights,
   strategy, timeframe, symbol_id, side, confirmations, strength, confidence, market_regime, volatility,
   config_hash, model_id)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21)
ON CONFLICT (strategy, symbol_id, decided_at) DO NOTHING;

-- name: watermark
-- How far a strategy has scanned.
SELECT closed_through FROM tracker.scan_watermarks WHERE strategy = $1;

-- name: advance_watermark
-- Declare every close up to a moment scanned by a strategy.
INSERT INTO tracker.scan_watermarks AS w (strategy, timeframe, closed_through) VALUES ($1, $2, $3)
ON CONFLICT (strategy) DO UPDATE
SET closed_through = excluded.closed_through, timeframe = excluded.timeframe, updated_at = now()
WHERE w.closed_through < excluded.closed_through;

-- name: counts
-- How many looks and proposals each strategy has made.
SELECT s.strategy, count(*) AS scans, count(*) FILTER (WHERE s.decision = 'SIGNAL') AS signals
FROM tracker.scan_history s GROUP BY s.strategy ORDER BY s.strategy;
