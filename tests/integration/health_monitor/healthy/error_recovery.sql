INSERT INTO tracker.service_heartbeats (service, instance, pid, started_at, beat_at, status, rss_bytes)
  SELECT s, 'i', 1, now(), now(), 'pass', 1 FROM unnest(ARRAY['data_collector', 'strategy_scanner_dca']) s;
