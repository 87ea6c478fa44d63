INSERT INTO tracker.symbols (symbol) SELECT 'S' || n || '-USD' FROM generate_series(1, 10) n;
INSERT INTO tracker.latest_bar (ts, open, high, low, close, volume, received_at, timeframe, symbol_id)
  SELECT date_trunc('minute', now()) - interval '1 minute', 1, 1, 1, 1, 1, now(), '1m', symbol_id FROM tracker.symbols;
INSERT INTO tracker.bar_watermarks SELECT t, now() - interval '1 day', date_trunc('minute', now()), now()
  FROM unnest(ARRAY['1m', '15m', '1h']) t;
