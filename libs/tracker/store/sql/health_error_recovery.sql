-- name: leases
-- Every lease, and whether it has not ended.
SELECT lease, service, holder, acquired_at, expires_at, expires_at > clock_timestamp() AS valid
FROM tracker.service_leases ORDER BY lease;

-- name: tried_tasks
-- Every task that keeps the database in order which was ever tried, and since when.
SELECT task, min(started_at) AS since FROM tracker.maintenance_runs GROUP BY task ORDER BY task;

-- name: open_runs
-- Runs of such tasks that have not ended, the oldest first.
SELECT task, started_at FROM tracker.maintenance_runs WHERE finished_at IS NULL ORDER BY started_at, run_id;

-- name: oldest_command
-- The oldest command to a paper account that nothing answers.
SELECT c.command_id, c.kind::text AS what, c.account AS subject, c.requested_at
FROM tracker.commands c
WHERE NOT EXISTS (SELECT FROM tracker.account_events e WHERE e.command_id = c.command_id)
ORDER BY c.requested_at, c.command_id LIMIT 1;

-- name: oldest_request
-- The oldest request for work on models that nothing answers.
SELECT r.request_id AS command_id, r.kind AS what, coalesce(r.strategy, 'all') AS subject, r.requested_at
FROM tracker.job_requests r
WHERE NOT EXISTS (SELECT FROM tracker.job_answers a WHERE a.request_id = r.request_id)
ORDER BY r.requested_at, r.request_id LIMIT 1;

-- name: outbox
-- Since when the oldest message for Slack waits that may be sent, how many wait, and how many of the last day were given
-- up for good.
SELECT min(greatest(created_at, not_before)) FILTER (WHERE state IN ('pending', 'sending') AND not_before <= now())
         AS waits_since,
       count(*) FILTER (WHERE state IN ('pending', 'sending') AND not_before <= now()) AS waiting,
       count(*) FILTER (WHERE state = 'given_up' AND created_at > now() - interval '24 hours') AS given_up,
       (array_agg(last_error ORDER BY outbox_id DESC) FILTER (WHERE last_error IS NOT NULL AND state <> 'delivered'))[1]
         AS error
FROM tracker.slack_outbox
WHERE state IN ('pending', 'sending') OR created_at > now() - interval '24 hours';

-- name: reports
-- Up to when the reports of each day are made; null before the reporter's first run.
SELECT max(due_through) FROM tracker.report_cursor WHERE timetable = 'daily';

-- name: last_look
-- How long the monitor's last look took, and how long it rests between two.
SELECT seconds, every_seconds FROM tracker.monitor_looks;
