INSERT INTO tracker.feature_watermarks SELECT timeframe, closed_through, now() FROM tracker.bar_watermarks
  WHERE timeframe IN ('15m', '1h');
INSERT INTO tracker.feature_sets (version, names, hash) VALUES ('x', '{a,b}', 'x');
INSERT INTO tracker.ml_features (ts, timeframe, symbol_id, feature_set, values)
  SELECT closed_through - tracker.duration(timeframe), timeframe, symbol_id, 1, '{1,2}'
  FROM tracker.feature_watermarks, tracker.symbols;
INSERT INTO tracker.scan_watermarks SELECT 'dca', timeframe, closed_through, now() FROM tracker.feature_watermarks
  WHERE timeframe = '15m';
INSERT INTO tracker.config_versions (strategy, version, timeframe, params, config_hash, file_hash, source, reason, made_by)
  VALUES ('dca', 1, '15m', '{}', 'c1', 'f1', 'file', 'noted', 'test');
INSERT INTO tracker.scan_history
  (decided_at, strategy, timeframe, symbol_id, decision, reason, market_regime, signal_strength, config_hash)
  SELECT closed_through - n * interval '15 minutes', 'dca', '15m', symbol_id, 'SKIP', 'no_setup', 'range', 0, 'c1'
  FROM tracker.scan_watermarks, tracker.symbols, generate_series(0, 7) n;
INSERT INTO tracker.signals
  (decided_at, expires_at, entry, stop, target, strategy, timeframe, symbol_id, side, confirmations, strength,
   market_regime, config_hash)
  SELECT closed_through - interval '1 hour', closed_through, 100, 99, 102, 'dca', '15m', 1, 'long', 2, 0.7, 'range', 'c1'
  FROM tracker.scan_watermarks;
INSERT INTO tracker.shadow_cursor SELECT 'dca', timeframe, closed_through, closed_through, 'x', now()
  FROM tracker.feature_watermarks WHERE timeframe = '15m';
