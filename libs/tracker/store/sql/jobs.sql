-- name: put_back
-- A job that did not come to its end waits again, as if it had not been tried.
WITH waiting AS (
  UPDATE tracker.pgqueuer
  SET status = 'queued', queue_manager_id = NULL, slot = NULL, execute_after = now(), updated = now()
  WHERE id = $1 AND status = 'picked'
  RETURNING id, priority, entrypoint
)
INSERT INTO tracker.pgqueuer_log (job_id, status, priority, entrypoint)
SELECT id, 'queued', priority, entrypoint FROM waiting;

-- name: forget_failed
-- A job that was given up is of no interest once the same work has succeeded.
DELETE FROM tracker.pgqueuer WHERE dedupe_key = $1 AND status = 'failed';

-- name: start_run
-- Note that a job is tried.
INSERT INTO tracker.job_runs (job_id, kind, strategy, reason, attempt, started_at)
VALUES ($1, $2, $3, $4, $5, $6) RETURNING run_id;

-- name: end_run
-- Note how a try ended.
UPDATE tracker.job_runs
SET ended_at = $2, outcome = $3, error = $4, result = $5::jsonb, peak_bytes = $6
WHERE run_id = $1 AND outcome IS NULL;

-- name: end_lost_runs
-- Tries that have no end and whose process is no more.
UPDATE tracker.job_runs SET ended_at = $1, outcome = 'lost', error = 'its process vanished'
WHERE outcome IS NULL RETURNING job_id;

-- name: lost_runs
-- How often the process of a job vanished.
SELECT count(*) FROM tracker.job_runs WHERE job_id = $1 AND outcome = 'lost';

-- name: last_starts
-- When each kind of work was last tried for each strategy.
SELECT k.kind, s.strategy, r.started_at
FROM unnest($1::text[]) AS k(kind) CROSS JOIN unnest($2::text[]) AS s(strategy)
CROSS JOIN LATERAL (
  SELECT started_at FROM tracker.job_runs
  WHERE kind = k.kind AND strategy = s.strategy ORDER BY started_at DESC LIMIT 1
) r;

-- name: last_runs
-- The last try of each kind of work for each strategy.
SELECT k.kind, s.strategy, r.reason, r.attempt, r.started_at, r.ended_at, r.outcome, r.error, r.result, r.peak_bytes
FROM unnest($1::text[]) AS k(kind) CROSS JOIN unnest($2::text[]) AS s(strategy)
CROSS JOIN LATERAL (
  SELECT * FROM tracker.job_runs
  WHERE kind = k.kind AND strategy = s.strategy ORDER BY started_at DESC, run_id DESC LIMIT 1
) r;

-- name: last_good_trainings
-- The last training of each strategy that came to its end, and what came of it.
SELECT DISTINCT ON (strategy) strategy, ended_at, result FROM tracker.job_runs
WHERE kind = 'train' AND outcome = 'done' ORDER BY strategy, started_at DESC, run_id DESC;

-- name: waiting
-- The jobs in the queue: those that wait, the one that is worked on, and those that were given up.
SELECT q.id AS job_id, q.entrypoint AS kind, split_part(q.dedupe_key, ':', 2) AS strategy, q.status::text AS status,
       q.attempts, q.created AS queued_at, q.execute_after AS due_at,
       (SELECT r.error FROM tracker.job_runs r WHERE r.job_id = q.id AND r.error IS NOT NULL
        ORDER BY r.run_id DESC LIMIT 1) AS error
FROM tracker.pgqueuer q ORDER BY q.priority DESC, q.id;

-- name: request
-- Note down that somebody wants work done; ml_retrainer answers it in job_answers.
INSERT INTO tracker.job_requests (requested_by, kind, strategy, reason) VALUES ($1, $2, $3, $4) RETURNING request_id;

-- name: open_requests
-- Requests that have no answer yet, in the order in which they came.
SELECT r.request_id, r.requested_by, r.kind, r.strategy, r.reason FROM tracker.job_requests r
WHERE NOT EXISTS (SELECT FROM tracker.job_answers a WHERE a.request_id = r.request_id) ORDER BY r.request_id;

-- name: answer
-- Say what became of a request.
INSERT INTO tracker.job_answers (request_id, outcome, note) VALUES ($1, $2, $3);

-- name: answer_of
-- What became of a request; no row while ml_retrainer has not come to it.
SELECT outcome, note FROM tracker.job_answers WHERE request_id = $1;

-- name: forget_runs
-- Delete old tries, but for the last of each kind of work that was good.
DELETE FROM tracker.job_runs r WHERE r.ended_at < $1 AND r.run_id NOT IN (
  SELECT DISTINCT ON (kind, strategy) run_id FROM tracker.job_runs
  WHERE outcome = 'done' ORDER BY kind, strategy, started_at DESC, run_id DESC
);

-- name: forget_log
-- Delete the old part of the queue's log.
DELETE FROM tracker.pgqueuer_log WHERE created < $1;

-- name: trained_since
-- Since when each strategy is trained: of what came to its end long ago only the last try is kept, which is enough.
SELECT strategy, min(started_at) AS since FROM tracker.job_runs
WHERE kind = 'train' AND strategy IS NOT NULL GROUP BY strategy;
