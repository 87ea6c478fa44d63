-- name: expire
-- Remove another's lease that has ended, by the database's clock; waits for a commit that still needs it.
DELETE FROM tracker.service_leases WHERE lease = $1 AND holder <> $2 AND expires_at <= clock_timestamp();

-- name: acquire
-- Take a lease that is free or one's own already; returns no row where another has it.
INSERT INTO tracker.service_leases AS l (lease, service, holder, acquired_at, expires_at)
VALUES ($1, $2, $3, clock_timestamp(), clock_timestamp() + $4::interval)
ON CONFLICT (lease) DO UPDATE SET expires_at = excluded.expires_at
WHERE l.holder = excluded.holder
RETURNING expires_at;

-- name: renew
-- Prolong a lease that nobody else has taken meanwhile; returns no row where it is lost.
UPDATE tracker.service_leases SET expires_at = clock_timestamp() + $3::interval
WHERE lease = $1 AND holder = $2
RETURNING expires_at;

-- name: release
-- Give a lease back at once, so that a standby need not wait for its end.
DELETE FROM tracker.service_leases WHERE lease = $1 AND holder = $2;

-- name: confirm
-- Prove within a transaction that the lease is still one's own; nobody takes it over before the commit.
SELECT holder FROM tracker.service_leases
WHERE lease = $1 AND holder = $2 AND expires_at > clock_timestamp() FOR KEY SHARE;

-- name: read
-- Who holds a lease, and until when.
SELECT holder, service, acquired_at, expires_at, expires_at > clock_timestamp() AS valid
FROM tracker.service_leases WHERE lease = $1;
