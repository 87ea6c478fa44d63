-- name: write
-- Replace a service's row; a changed instance id counts as a restart.
INSERT INTO tracker.service_heartbeats AS h
  (service, instance, pid, started_at, beat_at, status, rss_bytes, detail, restarts)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8::jsonb, 0)
ON CONFLICT (service) DO UPDATE SET
  restarts = h.restarts + (h.instance <> excluded.instance)::int,
  instance = excluded.instance, pid = excluded.pid, started_at = excluded.started_at,
  beat_at = excluded.beat_at, status = excluded.status, rss_bytes = excluded.rss_bytes,
  detail = excluded.detail;

-- name: read_all
-- Every service's last heartbeat.
SELECT service, instance, pid, started_at, beat_at, status, rss_bytes, detail::text AS detail, restarts
FROM tracker.service_heartbeats ORDER BY service;

-- name: ping
-- The cheapest proof that the database answers.
SELECT 1;
