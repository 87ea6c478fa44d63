-- name: write
-- Replace an instance's row. Rows of the service whose instance has stopped, or has not beaten for $9, go: each is
-- one more restart of the instance that lives. Instances that live side by side leave one another alone.
WITH gone AS (
  DELETE FROM tracker.service_heartbeats
  WHERE service = $1 AND instance <> $2 AND (status = 'stopped' OR beat_at < $5::timestamptz - $9::interval)
  RETURNING restarts
), inherited AS (
  SELECT coalesce(max(restarts) + count(*), 0)::integer AS restarts FROM gone
)
INSERT INTO tracker.service_heartbeats AS h
  (service, instance, pid, started_at, beat_at, status, rss_bytes, detail, restarts, written_at)
SELECT $1, $2, $3::integer, $4::timestamptz, $5, $6::text, $7::bigint, $8::jsonb, restarts, clock_timestamp()
FROM inherited
ON CONFLICT (service, instance) DO UPDATE SET
  restarts = h.restarts + excluded.restarts, pid = excluded.pid, started_at = excluded.started_at, beat_at = excluded.beat_at, status = excluded.status, rss_bytes = excluded.rss_bytes,
  detail = excluded.detail, written_at = excluded.written_at;

-- name: read_all
-- The last heartbeat of every instance of every service.
SELECT service, instance, pid, started_at, beat_at, status, rss_bytes, detail::text AS detail, restarts
FROM tracker.service_heartbeats ORDER BY service, started_at, instance;

-- name: ping
-- The cheapest proof that the database answers.
SELECT 1;
