-- migrate:up
ALTER TABLE tracker.models ADD COLUMN distribution jsonb
  CHECK (distribution IS NULL OR jsonb_typeof(distribution) = 'array');
COMMENT ON COLUMN tracker.models.distribution IS
  'of each feature in the rows it learnt from: edges of tenths, rows of each bin and last those without a value, and how'
  ' many rows lie up to each of some values; what it meets live is held against it. Null: it was made before that was kept';

-- migrate:down
ALTER TABLE tracker.models DROP COLUMN distribution;
