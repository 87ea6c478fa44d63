-- migrate:up
-- The database's own clock beside the service's: what lies between them is the skew, whichever way it goes.
ALTER TABLE tracker.service_heartbeats ADD COLUMN written_at timestamptz;
COMMENT ON COLUMN tracker.service_heartbeats.written_at IS
  'beat_at by the clock of the database; null where it was not written by a service of this version';

-- The health monitor compares what was applied with what the code has.
GRANT SELECT ON tracker.schema_migrations TO tracker_reader;
CREATE POLICY readers ON tracker.schema_migrations FOR SELECT TO tracker_reader USING (true);

-- Under a service's role Postgres shows nothing of the sessions of the login that took it on: with the rights of the
-- owner, which is that login, it does. Of other logins' sessions only those columns are there that anybody may see.
CREATE FUNCTION tracker.sessions() RETURNS TABLE (
  pid integer, application text, is_ours boolean, state text, transaction_seconds float8, state_seconds float8
)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT a.pid, a.application_name, coalesce(a.usename = session_user, false), a.state,
    extract(epoch FROM clock_timestamp() - a.xact_start)::float8,
    extract(epoch FROM clock_timestamp() - a.state_change)::float8
  FROM pg_stat_activity a
  WHERE a.datname = current_database() AND a.usename IS NOT NULL AND a.leader_pid IS NULL
$$;
COMMENT ON FUNCTION tracker.sessions() IS
  'sessions of this database; state and the seconds are null where they may not be seen';
REVOKE ALL ON FUNCTION tracker.sessions() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION tracker.sessions() TO tracker_health_monitor;

-- From what it grew to, when it will be full.
CREATE TABLE tracker.database_sizes (
  sampled_at timestamptz PRIMARY KEY,
  database_bytes bigint NOT NULL CHECK (database_bytes > 0)
);
SELECT tracker.written_by('tracker.database_sizes', 'health_monitor');

-- migrate:down
DROP TABLE tracker.database_sizes;
DROP FUNCTION tracker.sessions();
DROP POLICY readers ON tracker.schema_migrations;
REVOKE SELECT ON tracker.schema_migrations FROM tracker_reader;
ALTER TABLE tracker.service_heartbeats DROP COLUMN written_at;
