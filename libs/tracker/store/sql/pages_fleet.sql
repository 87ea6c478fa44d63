-- name: leases
-- Which instance acts where only one may.
SELECT lease, service, holder, acquired_at, expires_at, held FROM dashboards.leases ORDER BY lease;

-- name: jobs
-- The last tries of work on models.
SELECT run_id, kind, strategy, reason, attempt, started_at, seconds, outcome, error, peak_bytes FROM dashboards.jobs
ORDER BY run_id DESC LIMIT 20;

-- name: alerts
-- What somebody was told of and has not recovered.
SELECT fingerprint, name, severity, observed, threshold, first_at, repeats FROM dashboards.alerts
WHERE state IN ('open', 'recovering') ORDER BY first_at DESC LIMIT 50;

-- name: audit
-- The last sign-ins and commands.
SELECT audit_id, at, who, address, action, subject, reason, outcome, note FROM dashboards.audit_log
ORDER BY audit_id DESC LIMIT 30;
