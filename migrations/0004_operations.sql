-- migrate:up
CREATE TABLE tracker.service_heartbeats (
  service text PRIMARY KEY,
  instance text NOT NULL,
  pid integer NOT NULL,
  started_at timestamptz NOT NULL,
  beat_at timestamptz NOT NULL,
  status text NOT NULL CHECK (status IN ('pass', 'warn', 'fail', 'stopped')),
  rss_bytes bigint NOT NULL,
  restarts integer NOT NULL DEFAULT 0,
  detail jsonb NOT NULL DEFAULT '{}'
) WITH (fillfactor = 50);
ALTER TABLE tracker.service_heartbeats ENABLE ROW LEVEL SECURITY;
CREATE POLICY readers ON tracker.service_heartbeats FOR SELECT TO tracker_reader USING (true);
-- A service may write the rows that carry its own name, such as strategy_scanner_dca for strategy_scanner.
CREATE POLICY own_row ON tracker.service_heartbeats FOR ALL TO tracker_reader
  USING (starts_with('tracker_' || service, current_user))
  WITH CHECK (starts_with('tracker_' || service, current_user));
GRANT SELECT, INSERT, UPDATE ON tracker.service_heartbeats TO tracker_reader;
COMMENT ON TABLE tracker.service_heartbeats IS 'written by each service, its own row';

CREATE TABLE tracker.service_leases (
  lease text PRIMARY KEY,
  service text NOT NULL,
  holder text NOT NULL,
  acquired_at timestamptz NOT NULL,
  expires_at timestamptz NOT NULL
);
ALTER TABLE tracker.service_leases ENABLE ROW LEVEL SECURITY;
CREATE POLICY readers ON tracker.service_leases FOR SELECT TO tracker_reader USING (true);
CREATE POLICY own_row ON tracker.service_leases FOR ALL TO tracker_reader
  USING (starts_with('tracker_' || service, current_user))
  WITH CHECK (starts_with('tracker_' || service, current_user));
GRANT SELECT, INSERT, UPDATE, DELETE ON tracker.service_leases TO tracker_reader;
COMMENT ON TABLE tracker.service_leases IS 'written by each service, its own row';

CREATE TABLE tracker.health_checks (
  check_id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
  checked_at timestamptz NOT NULL DEFAULT now(),
  name text NOT NULL,
  check_group text NOT NULL,
  severity text NOT NULL CHECK (severity IN ('info', 'warning', 'critical')),
  observed text NOT NULL,
  threshold text NOT NULL,
  ok boolean NOT NULL,
  since timestamptz NOT NULL,
  advice text NOT NULL
);
CREATE INDEX health_checks_by_name ON tracker.health_checks (name, checked_at DESC);
SELECT tracker.written_by('tracker.health_checks', 'health_monitor');

-- migrate:down
DROP TABLE tracker.health_checks;
DROP TABLE tracker.service_leases;
DROP TABLE tracker.service_heartbeats;
