INSERT INTO tracker.service_heartbeats (service, instance, pid, started_at, beat_at, status, rss_bytes, detail)
  SELECT s, 'i', 1, now() - interval '2 hours', now(), 'pass', 1, CASE s WHEN 'data_collector' THEN
    '{"role": "holder", "connections": 1, "stream_failures": 0, "waiting": 0}' ELSE '{}' END::jsonb
  FROM unnest(ARRAY['data_collector', 'strategy_scanner_dca']) s;
