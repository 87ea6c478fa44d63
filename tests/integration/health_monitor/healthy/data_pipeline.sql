INSERT INTO tracker.symbols (symbol) SELECT 'S' || n || '-USD' FROM generate_series(1, 10) n;
SELECT tracker.ensure_bar_partitions(now() - interval '1 day', now() + interval '3 months');
INSERT INTO tracker.ohlc_data (ts, open, high, low, close, volume, received_at, timeframe, source, symbol_id)
  SELECT t, 100, 101, 99, 100 + symbol_id * 0.01, 5, t + interval '61 seconds', '1m', 'stream', symbol_id
  FROM tracker.symbols, generate_series(date_trunc('hour', now()) - interval '1 hour',
    date_trunc('minute', now()) - interval '1 minute', interval '1 minute') t;
INSERT INTO tracker.ohlc_data (ts, open, high, low, close, volume, timeframe, source, symbol_id)
  SELECT date_trunc('hour', now()) - interval '1 hour', 100, 101, 99, 100 + symbol_id * 0.01, 300, '1h', 'rollup',
    symbol_id FROM tracker.symbols;
INSERT INTO tracker.ohlc_data (ts, open, high, low, close, volume, timeframe, source, symbol_id)
  SELECT date_bin('15 minutes', now(), timestamptz '1970-01-01 00:00:00+00') - interval '15 minutes', 100, 101, 99,
    100 + symbol_id * 0.01, 75, '15m', 'rollup', symbol_id FROM tracker.symbols;
INSERT INTO tracker.latest_bar (ts, open, high, low, close, volume, received_at, timeframe, symbol_id)
  SELECT DISTINCT ON (symbol_id, timeframe) ts, open, high, low, close, volume, received_at, timeframe, symbol_id
  FROM tracker.ohlc_data WHERE ts > now() - interval '1 day' ORDER BY symbol_id, timeframe, ts DESC;
INSERT INTO tracker.bar_watermarks
  SELECT t, date_bin(tracker.duration(t), now() - interval '20 hours', timestamptz '1970-01-01 00:00:00+00'),
    date_bin(tracker.duration(t), now(), timestamptz '1970-01-01 00:00:00+00'), now()
  FROM unnest(ARRAY['1m', '5m', '15m', '1h', '1d']) t;
INSERT INTO tracker.maintenance_runs (task, started_at, by_hand, finished_at, seconds, ok, result)
  VALUES ('refresh_aggregates', now(), false, now(), 1, true, '{}');
