-- name: newest
-- A strategy's newest version, and the newest that was made on a file.
SELECT max(version) AS newest, max(version) FILTER (WHERE file_hash = $2) AS on_file
FROM tracker.config_versions WHERE strategy = $1;

-- name: on_file
-- A strategy's last versions that were made on a file, the newest first.
SELECT * FROM tracker.config_versions WHERE strategy = $1 AND file_hash = $2 ORDER BY version DESC LIMIT $3;

-- name: history
-- All versions, of one strategy or of all (null), the newest first.
SELECT * FROM tracker.config_versions WHERE $1::text IS NULL OR strategy = $1 ORDER BY strategy, version DESC;

-- name: by_hash
-- The versions of a strategy that have one of some hashes; of equal ones the newest.
SELECT DISTINCT ON (config_hash) * FROM tracker.config_versions
WHERE strategy = $1 AND config_hash = ANY ($2::text[]) ORDER BY config_hash, version DESC;

-- name: lock
-- Let nobody else add a version until the transaction ends.
SELECT pg_advisory_xact_lock(hashtextextended('tracker.config_versions', 0));

-- name: add
-- Add a version after all there are.
INSERT INTO tracker.config_versions
  (strategy, version, timeframe, params, config_hash, file_hash, source, reason, lineage, made_by)
SELECT $1, coalesce(max(version), 0) + 1, $2, $3::jsonb, $4, $5, $6, $7, $8::jsonb, $9
FROM tracker.config_versions WHERE strategy = $1
RETURNING version;

-- name: keep_verdict
-- Keep what a gate said of a candidate.
INSERT INTO tracker.promotion_verdicts
  (judged_by, subject_kind, subject_id, strategy, criteria, passed, forced, reason, version)
VALUES ($1, $2, $3, $4, $5::jsonb, $6, $7, $8, $9) RETURNING verdict_id;
