-- migrate:up
-- (ts, rewrites) of a symbol's row moves with every write of its bars, in the order of the commits because writers
-- wait for each other's row: whoever kept bars in memory knows by it whether they still stand.
ALTER TABLE tracker.latest_bar
  ADD COLUMN written_from timestamptz,
  ADD COLUMN rewrites bigint NOT NULL DEFAULT 0;
COMMENT ON COLUMN tracker.latest_bar.written_from IS 'open of the oldest bar that the last write wrote';
COMMENT ON COLUMN tracker.latest_bar.rewrites IS
  'how many writes were more than new bars after ts: corrections, late bars, history';

-- migrate:down
ALTER TABLE tracker.latest_bar DROP COLUMN written_from, DROP COLUMN rewrites;
