INSERT INTO tracker.feature_watermarks SELECT timeframe, closed_through, now() FROM tracker.bar_watermarks
  WHERE timeframe IN ('15m', '1h');
INSERT INTO tracker.scan_watermarks SELECT 'dca', timeframe, closed_through, now() FROM tracker.feature_watermarks
  WHERE timeframe = '15m';
INSERT INTO tracker.shadow_cursor SELECT 'dca', timeframe, closed_through, closed_through, 'x', now()
  FROM tracker.feature_watermarks WHERE timeframe = '15m';
