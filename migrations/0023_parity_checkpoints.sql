-- migrate:up
CREATE TABLE tracker.parity_checkpoints (
  account text NOT NULL,
  at timestamptz NOT NULL,
  rules_hash text NOT NULL,
  state jsonb NOT NULL,
  made_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (account, at)
);
SELECT tracker.written_by('tracker.parity_checkpoints', 'data_scheduler');
COMMENT ON COLUMN tracker.parity_checkpoints.at IS 'event time through which the ledger was kept then';
COMMENT ON COLUMN tracker.parity_checkpoints.state IS
  'what the paper trader would have gone on from: account, live trades, marks, locks; a later check begins there';

-- migrate:down
DROP TABLE tracker.parity_checkpoints;
