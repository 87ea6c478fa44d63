INSERT INTO tracker.job_runs (job_id, kind, strategy, reason, attempt, started_at, ended_at, outcome)
  SELECT 1, 'train', s, 'x', 1, now(), now(), 'done' FROM unnest(ARRAY['dca', 'swing']) s;
