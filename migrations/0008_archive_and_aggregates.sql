-- migrate:up
CREATE TABLE tracker.ohlc_archive (
  LIKE tracker.ohlc_data INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING COMMENTS,
  PRIMARY KEY (symbol_id, timeframe, ts),
  FOREIGN KEY (symbol_id) REFERENCES tracker.symbols
) PARTITION BY RANGE (ts);
SELECT tracker.written_by('tracker.ohlc_archive', 'data_scheduler');

CREATE TABLE tracker.bar_months (
  month timestamptz NOT NULL,
  purpose text NOT NULL CHECK (purpose IN ('cluster', 'archive')),
  status text NOT NULL CHECK (status IN ('copying', 'sealed', 'done', 'changed', 'reopened')),
  rows bigint NOT NULL DEFAULT 0,
  checksum numeric,
  copied_symbol smallint,
  started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  finished_at timestamptz,
  PRIMARY KEY (month, purpose)
);
-- A month has one copy in the making.
CREATE UNIQUE INDEX bar_months_in_work ON tracker.bar_months (month) WHERE status IN ('copying', 'sealed');
SELECT tracker.written_by('tracker.bar_months', 'data_scheduler');
COMMENT ON TABLE tracker.bar_months IS
  'written by data_scheduler; how far a month is rewritten in the order of its key, in place or into the archive';
COMMENT ON COLUMN tracker.bar_months.status IS
  'copying and sealed: the month still stands where it was; changed: bars came meanwhile, the copy was dropped;'
  ' reopened: taken back from the archive, because bars of the month were to be written';
COMMENT ON COLUMN tracker.bar_months.checksum IS 'sum of the hashes of all rows, of the copy';

CREATE TABLE tracker.maintenance_runs (
  run_id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
  task text NOT NULL,
  started_at timestamptz NOT NULL,
  finished_at timestamptz,
  seconds float8,
  ok boolean,
  result jsonb NOT NULL DEFAULT '{}',
  error text,
  by_hand boolean NOT NULL,
  CHECK ((finished_at IS NULL) = (ok IS NULL)),
  CHECK (coalesce(ok, true) = (error IS NULL))
);
CREATE INDEX maintenance_runs_by_task ON tracker.maintenance_runs (task, run_id DESC);
SELECT tracker.written_by('tracker.maintenance_runs', 'data_scheduler');
COMMENT ON COLUMN tracker.maintenance_runs.finished_at IS 'null while it runs';

CREATE VIEW tracker.ohlc_all WITH (security_invoker = true) AS
SELECT ts, open, high, low, close, volume, vwap, received_at, trades, timeframe, source, symbol_id, revision
FROM tracker.ohlc_data
UNION ALL
SELECT ts, open, high, low, close, volume, vwap, received_at, trades, timeframe, source, symbol_id, revision
FROM tracker.ohlc_archive;
COMMENT ON VIEW tracker.ohlc_all IS 'every bar once, wherever its month lies';

CREATE VIEW tracker.ohlc_today WITH (security_invoker = true) AS
SELECT ts, open, high, low, close, volume, vwap, received_at, trades, timeframe, source, symbol_id, revision
FROM tracker.ohlc_data WHERE ts >= now() - interval '24 hours';
COMMENT ON VIEW tracker.ohlc_today IS
  'bars that opened in the last 24 hours of the wall clock, so that a feed that stands still shows as missing bars and'
  ' old ones never pass for today''s; empty in a replay of the past, where symbol_hours counts back from event time';

CREATE VIEW tracker.ohlc_recent WITH (security_invoker = true) AS
SELECT ts, open, high, low, close, volume, vwap, received_at, trades, timeframe, source, symbol_id, revision
FROM tracker.ohlc_data WHERE ts >= now() - interval '7 days';
COMMENT ON VIEW tracker.ohlc_recent IS
  'bars that opened in the last 7 days of the wall clock; empty in a replay of the past, as ohlc_today is';

GRANT SELECT ON tracker.ohlc_all, tracker.ohlc_today, tracker.ohlc_recent TO tracker_reader;

CREATE FUNCTION tracker.month_table(kind text, month timestamptz) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog AS $$
  SELECT kind || '_' || to_char(month AT TIME ZONE 'UTC', 'YYYY_MM')
$$;

CREATE FUNCTION tracker.next_month(month timestamptz) RETURNS timestamptz
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog AS $$
  SELECT (month AT TIME ZONE 'UTC' + interval '1 month') AT TIME ZONE 'UTC'
$$;

-- Puts a table of one month's bars into the place of that month, under that place's name. Its constraint in_month
-- spares the look at every row; it stays in the archive, where a month may have to come back in an instant.
CREATE FUNCTION tracker.attach_month(made text, kind text, month timestamptz) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  name text := tracker.month_table(kind, month);
BEGIN
  EXECUTE format('ALTER TABLE tracker.%I RENAME TO %I', made, name);
  EXECUTE format('ALTER TABLE tracker.%I RENAME CONSTRAINT %I TO %I', name, made || '_pkey', name || '_pkey');
  EXECUTE format('ALTER TABLE tracker.%I ATTACH PARTITION tracker.%I FOR VALUES FROM (%L) TO (%L)',
                 kind, name, month, tracker.next_month(month));
  IF kind = 'ohlc_data' THEN
    EXECUTE format('ALTER TABLE tracker.%I DROP CONSTRAINT in_month', name);
  END IF;
END
$$;
REVOKE ALL ON FUNCTION tracker.attach_month(text, text, timestamptz) FROM PUBLIC;

-- An archived month in which bars are to be written comes back as a whole, so that no bar stands in both tables.
CREATE OR REPLACE FUNCTION tracker.ensure_bar_partitions(first timestamptz, last timestamptz) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  wanted timestamptz := date_trunc('month', first, 'UTC');
  name text;
  archived text;
  made integer := 0;
BEGIN
  IF last - first > interval '40 years' THEN
    RAISE EXCEPTION 'partitions from % to % are refused: more than 40 years', first, last;
  END IF;
  PERFORM pg_advisory_xact_lock(hashtext('tracker.ensure_bar_partitions'));
  WHILE wanted <= last LOOP
    name := tracker.month_table('ohlc_data', wanted);
    archived := tracker.month_table('ohlc_archive', wanted);
    IF to_regclass('tracker.' || name) IS NULL THEN
      IF to_regclass('tracker.' || archived) IS NULL THEN
        EXECUTE format(
          'CREATE TABLE tracker.%I PARTITION OF tracker.ohlc_data FOR VALUES FROM (%L) TO (%L)',
          name, wanted, tracker.next_month(wanted));
        EXECUTE format('ALTER TABLE tracker.%I ENABLE ROW LEVEL SECURITY', name);
      ELSE
        EXECUTE format('ALTER TABLE tracker.ohlc_archive DETACH PARTITION tracker.%I', archived);
        PERFORM tracker.attach_month(archived, 'ohlc_data', wanted);
        UPDATE tracker.bar_months m SET status = 'reopened', finished_at = clock_timestamp()
        WHERE m.month = wanted AND m.purpose = 'archive';
      END IF;
      made := made + 1;
    END IF;
    wanted := tracker.next_month(wanted);
  END LOOP;
  RETURN made;
END
$$;

-- A rewrite in four steps, each its own transaction: begin, copy symbol by symbol, seal, swap. CLUSTER would leave the
-- same table, but keeps readers out for as long as it takes, and cannot stop half-way.
CREATE FUNCTION tracker.begin_rewrite(wanted timestamptz, wanted_purpose text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  copy text := tracker.month_table('ohlc_rewrite', wanted);
BEGIN
  IF wanted <> date_trunc('month', wanted, 'UTC')
     OR to_regclass('tracker.' || tracker.month_table('ohlc_data', wanted)) IS NULL THEN
    RAISE EXCEPTION '% is no month of ohlc_data', wanted;
  END IF;
  IF NOT EXISTS (SELECT FROM tracker.bar_watermarks WHERE closed_through >= tracker.next_month(wanted)) THEN
    RAISE EXCEPTION 'the month of % is not closed', wanted;
  END IF;
  -- Another copy may be in the making for the other purpose.
  DELETE FROM tracker.bar_months WHERE month = wanted AND status IN ('copying', 'sealed');
  INSERT INTO tracker.bar_months AS m (month, purpose, status) VALUES (wanted, wanted_purpose, 'copying')
  ON CONFLICT (month, purpose) DO UPDATE SET status = 'copying', rows = 0, checksum = NULL, copied_symbol = NULL,
    started_at = clock_timestamp(), finished_at = NULL;
  EXECUTE format('DROP TABLE IF EXISTS tracker.%I', copy);
  -- With the constraint, putting it into place needs no look at its rows.
  EXECUTE format(
    'CREATE TABLE tracker.%I (LIKE tracker.ohlc_data INCLUDING DEFAULTS INCLUDING CONSTRAINTS,'
    ' CONSTRAINT %I PRIMARY KEY (symbol_id, timeframe, ts), CONSTRAINT in_month CHECK (ts >= %L AND ts < %L))',
    copy, copy || '_pkey', wanted, tracker.next_month(wanted));
  EXECUTE format('ALTER TABLE tracker.%I ENABLE ROW LEVEL SECURITY', copy);
END
$$;

-- Copies the next symbol and returns it; null where none is left.
CREATE FUNCTION tracker.copy_next_symbol(wanted timestamptz) RETURNS smallint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  progress tracker.bar_months;
  chosen smallint;
  copied bigint;
BEGIN
  SELECT * INTO progress FROM tracker.bar_months WHERE month = wanted AND status = 'copying' FOR UPDATE;
  IF NOT FOUND THEN
    RETURN NULL;
  END IF;
  SELECT min(symbol_id) INTO chosen FROM tracker.symbols
  WHERE progress.copied_symbol IS NULL OR symbol_id > progress.copied_symbol;
  IF chosen IS NOT NULL THEN
    EXECUTE format('INSERT INTO tracker.%I SELECT o.* FROM tracker.%I o WHERE symbol_id = $1 ORDER BY timeframe, ts',
                   tracker.month_table('ohlc_rewrite', wanted), tracker.month_table('ohlc_data', wanted)) USING chosen;
    GET DIAGNOSTICS copied = ROW_COUNT;
    UPDATE tracker.bar_months SET copied_symbol = chosen, rows = rows + copied
    WHERE month = wanted AND status = 'copying';
  END IF;
  RETURN chosen;
END
$$;

-- A sum does not depend on the order of the rows, and hashes every column.
CREATE FUNCTION tracker.month_checksum(name text, OUT counted bigint, OUT checksum numeric)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  EXECUTE format('SELECT count(*), coalesce(sum(hash_record_extended(o, 0)), 0) FROM tracker.%I o', name)
  INTO counted, checksum;
END
$$;
REVOKE ALL ON FUNCTION tracker.month_checksum(text) FROM PUBLIC;

CREATE FUNCTION tracker.seal_rewrite(wanted timestamptz) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  copy text := tracker.month_table('ohlc_rewrite', wanted);
  found_rows bigint;
  found_checksum numeric;
BEGIN
  PERFORM FROM tracker.bar_months WHERE month = wanted AND status = 'copying' FOR UPDATE;
  IF NOT FOUND THEN
    RETURN;
  END IF;
  -- Checked in one go, where it would otherwise be checked row by row.
  EXECUTE format('ALTER TABLE tracker.%I ADD CONSTRAINT ohlc_data_symbol_id_fkey FOREIGN KEY (symbol_id)'
                 ' REFERENCES tracker.symbols', copy);
  EXECUTE format('ANALYZE tracker.%I', copy);
  SELECT c.counted, c.checksum INTO found_rows, found_checksum FROM tracker.month_checksum(copy) c;
  UPDATE tracker.bar_months SET status = 'sealed', rows = found_rows, checksum = found_checksum
  WHERE month = wanted AND status = 'copying';
END
$$;

-- Puts the copy in the place of the original where both hold the same; false where bars were written meanwhile. The
-- locks that keep everybody out are waited for in moments, with pauses between them: all later readers wait behind
-- whoever waits for such a lock, and a writer who waits for this function would wait in a circle with it.
CREATE FUNCTION tracker.swap_rewrite(wanted timestamptz, patience interval) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  progress tracker.bar_months;
  original text := tracker.month_table('ohlc_data', wanted);
  copy text := tracker.month_table('ohlc_rewrite', wanted);
  found_rows bigint;
  found_checksum numeric;
  give_up_at timestamptz;
BEGIN
  SELECT * INTO progress FROM tracker.bar_months WHERE month = wanted AND status = 'sealed' FOR UPDATE;
  IF NOT FOUND THEN
    RETURN false;
  END IF;
  PERFORM set_config('lock_timeout', (extract(epoch FROM patience) * 1000)::integer::text, true);
  EXECUTE format('LOCK TABLE tracker.%I IN ACCESS EXCLUSIVE MODE', copy);
  -- From here on nobody writes into the month; everybody reads.
  EXECUTE format('LOCK TABLE tracker.%I IN SHARE MODE', original);
  SELECT c.counted, c.checksum INTO found_rows, found_checksum FROM tracker.month_checksum(original) c;
  IF (found_rows, found_checksum) IS DISTINCT FROM (progress.rows, progress.checksum) THEN
    UPDATE tracker.bar_months SET status = 'changed', finished_at = clock_timestamp()
    WHERE month = wanted AND status = 'sealed';
    RETURN false;
  END IF;
  give_up_at := clock_timestamp() + patience;
  PERFORM set_config('lock_timeout', '50ms', true);
  LOOP
    BEGIN
      IF NOT pg_try_advisory_xact_lock(hashtext('tracker.ensure_bar_partitions')) THEN
        RAISE lock_not_available USING MESSAGE = 'months are being made';
      END IF;
      LOCK TABLE ONLY tracker.ohlc_data IN ACCESS EXCLUSIVE MODE;
      LOCK TABLE ONLY tracker.ohlc_archive IN ACCESS EXCLUSIVE MODE;
      EXECUTE format('LOCK TABLE tracker.%I IN ACCESS EXCLUSIVE MODE', original);
      -- A table that refers to another one leaves it as well.
      LOCK TABLE tracker.symbols IN ACCESS EXCLUSIVE MODE;
      EXIT;
    EXCEPTION WHEN lock_not_available THEN
      IF clock_timestamp() >= give_up_at THEN
        RAISE;
      END IF;
      PERFORM pg_sleep(0.2);
    END;
  END LOOP;
  EXECUTE format('ALTER TABLE tracker.ohlc_data DETACH PARTITION tracker.%I', original);
  EXECUTE format('DROP TABLE tracker.%I', original);
  PERFORM tracker.attach_month(
    copy, CASE progress.purpose WHEN 'archive' THEN 'ohlc_archive' ELSE 'ohlc_data' END, wanted);
  UPDATE tracker.bar_months SET status = 'done', finished_at = clock_timestamp()
  WHERE month = wanted AND status = 'sealed';
  RETURN true;
END
$$;

-- Drops a copy that nobody works on any more.
CREATE FUNCTION tracker.drop_rewrite(wanted timestamptz) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF NOT EXISTS (SELECT FROM tracker.bar_months WHERE month = wanted AND status IN ('copying', 'sealed')) THEN
    EXECUTE format('DROP TABLE IF EXISTS tracker.%I', tracker.month_table('ohlc_rewrite', wanted));
  END IF;
END
$$;

-- Deletes at most so many of the rows of others that are older than a moment, and returns how many it were. Large
-- tables are looked through by their keys, so that what was deleted before is not walked over again.
CREATE FUNCTION tracker.forget_rows(name text, before timestamptz, at_most integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  old_rows text := CASE name
    WHEN 'scan_history' THEN
      'SELECT o.ctid FROM tracker.scan_watermarks w CROSS JOIN tracker.symbols s CROSS JOIN LATERAL ('
      ' SELECT h.ctid FROM tracker.scan_history h'
      ' WHERE h.strategy = w.strategy AND h.symbol_id = s.symbol_id AND h.decided_at < $1 LIMIT $2) o'
    WHEN 'ml_features' THEN
      'SELECT o.ctid FROM tracker.feature_watermarks w CROSS JOIN tracker.symbols s CROSS JOIN LATERAL ('
      ' SELECT f.ctid FROM tracker.ml_features f'
      ' WHERE f.symbol_id = s.symbol_id AND f.timeframe = w.timeframe AND f.ts < $1 LIMIT $2) o'
    WHEN 'rejected_bars' THEN 'SELECT o.ctid FROM tracker.rejected_bars o WHERE o.received_at < $1'
    WHEN 'health_checks' THEN 'SELECT o.ctid FROM tracker.health_checks o WHERE o.checked_at < $1'
  END;
  forgotten integer;
BEGIN
  IF old_rows IS NULL THEN
    RAISE EXCEPTION 'nothing is ever forgotten of %', name;
  END IF;
  EXECUTE format('DELETE FROM tracker.%I WHERE ctid = ANY (ARRAY(%s LIMIT $2))', name, old_rows)
  USING before, at_most;
  GET DIAGNOSTICS forgotten = ROW_COUNT;
  RETURN forgotten;
END
$$;

CREATE FUNCTION tracker.refresh_aggregate(name text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  populated boolean;
BEGIN
  SELECT ispopulated INTO populated FROM pg_matviews WHERE schemaname = 'tracker' AND matviewname = name;
  IF populated IS NULL THEN
    RAISE EXCEPTION 'there is no aggregate %', name;
  END IF;
  EXECUTE format('REFRESH MATERIALIZED VIEW %s tracker.%I', CASE WHEN populated THEN 'CONCURRENTLY' END, name);
END
$$;

CREATE FUNCTION tracker.analyze_table(name text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  EXECUTE format('ANALYZE tracker.%I', name);
END
$$;

DO $$
DECLARE
  signature text;
BEGIN
  FOREACH signature IN ARRAY ARRAY[
    'begin_rewrite(timestamptz, text)', 'copy_next_symbol(timestamptz)', 'seal_rewrite(timestamptz)',
    'swap_rewrite(timestamptz, interval)', 'drop_rewrite(timestamptz)', 'forget_rows(text, timestamptz, integer)', 'refresh_aggregate(text)',
    'analyze_table(text)'
  ] LOOP
    EXECUTE format('REVOKE ALL ON FUNCTION tracker.%s FROM PUBLIC', signature);
    EXECUTE format('GRANT EXECUTE ON FUNCTION tracker.%s TO tracker_data_scheduler', signature);
  END LOOP;
END
$$;

-- Times are event time, so that a replay of the past has its aggregates too.
-- Symbol by symbol, because sorting or hashing all of them at once takes twice as long.
CREATE MATERIALIZED VIEW tracker.symbol_hours AS
SELECT s.symbol_id, h.*
FROM tracker.symbols s
CROSS JOIN LATERAL (
  SELECT date_bin('1 hour', o.ts, timestamptz '1970-01-01 00:00:00+00') AS hour, count(*) AS bars,
    (array_agg(o.open ORDER BY o.ts))[1] AS open, max(o.high) AS high, min(o.low) AS low,
    (array_agg(o.close ORDER BY o.ts DESC))[1] AS close, sum(o.volume) AS volume,
    sum(o.volume * coalesce(o.vwap, o.close)) AS turnover, sum(o.trades) AS trades
  FROM tracker.ohlc_data o
  WHERE o.symbol_id = s.symbol_id AND o.timeframe = s.base_timeframe
    AND o.ts >= date_bin('1 hour', (SELECT max(closed_through) FROM tracker.bar_watermarks),
                         timestamptz '1970-01-01 00:00:00+00') - interval '30 days'
  GROUP BY 1
) h;
CREATE UNIQUE INDEX symbol_hours_key ON tracker.symbol_hours (symbol_id, hour);
COMMENT ON MATERIALIZED VIEW tracker.symbol_hours IS
  'each symbol''s finest bars by the hour, over the last 30 days; refreshed by data_scheduler';

CREATE MATERIALIZED VIEW tracker.symbol_days AS
WITH reach AS (
  SELECT max(closed_through) AS until, min(opened_at) AS opened_at,
    date_trunc('day', max(closed_through), 'UTC') - interval '92 days' AS since
  FROM tracker.bar_watermarks
), spans AS (
  -- A symbol that never had a bar is missed from the moment on from which bars are collected.
  SELECT s.symbol_id, s.base_timeframe, r.until, tracker.duration(s.base_timeframe) AS step,
    coalesce((SELECT o.ts FROM tracker.ohlc_data o
              WHERE o.symbol_id = s.symbol_id AND o.timeframe = s.base_timeframe AND o.ts >= r.since
              ORDER BY o.ts LIMIT 1), greatest(r.opened_at, r.since)) AS since
  FROM tracker.symbols s CROSS JOIN reach r WHERE s.status <> 'unsupported'
), counted AS (
  SELECT s.symbol_id, d.*
  FROM spans s
  CROSS JOIN LATERAL (
    SELECT date_bin('1 day', o.ts, timestamptz '1970-01-01 00:00:00+00') AS day, count(*) AS bars,
      min(o.ts) AS first, max(o.ts) AS last
    FROM tracker.ohlc_data o
    WHERE o.symbol_id = s.symbol_id AND o.timeframe = s.base_timeframe AND o.ts >= s.since AND o.ts < s.until
    GROUP BY 1
  ) d
)
SELECT s.symbol_id, d.day, coalesce(c.bars, 0) AS bars,
  floor(extract(epoch FROM least(d.day + interval '1 day', s.until) - greatest(d.day, s.since))
        / extract(epoch FROM s.step))::bigint AS expected,
  c.first, c.last
FROM spans s
CROSS JOIN LATERAL generate_series(date_trunc('day', s.since, 'UTC'), s.until, interval '1 day') AS d(day)
LEFT JOIN counted c ON c.symbol_id = s.symbol_id AND c.day = d.day
WHERE d.day < s.until;
CREATE UNIQUE INDEX symbol_days_key ON tracker.symbol_days (symbol_id, day);
COMMENT ON MATERIALIZED VIEW tracker.symbol_days IS
  'each symbol''s closed finest bars by the day, and how many there could be, over the last 92 days;'
  ' refreshed by data_scheduler';

-- Looked up by the key of each strategy and symbol: most of the table is older.
CREATE MATERIALIZED VIEW tracker.strategy_hours AS
SELECT h.strategy, date_bin('1 hour', h.decided_at, timestamptz '1970-01-01 00:00:00+00') AS hour, count(*) AS looks,
  count(*) FILTER (WHERE h.decision = 'SIGNAL') AS signals, count(DISTINCT h.symbol_id) AS symbols,
  avg(h.signal_strength) FILTER (WHERE h.decision = 'SIGNAL') AS signal_strength,
  mode() WITHIN GROUP (ORDER BY h.reason) FILTER (WHERE h.decision = 'SKIP') AS commonest_skip
FROM tracker.scan_watermarks w
CROSS JOIN tracker.symbols s
CROSS JOIN LATERAL (
  SELECT o.strategy, o.symbol_id, o.decided_at, o.decision, o.reason, o.signal_strength
  FROM tracker.scan_history o
  WHERE o.strategy = w.strategy AND o.symbol_id = s.symbol_id
    AND o.decided_at >= date_bin('1 hour', (SELECT max(closed_through) FROM tracker.bar_watermarks),
                                 timestamptz '1970-01-01 00:00:00+00') - interval '30 days'
) h
GROUP BY 1, 2;
CREATE UNIQUE INDEX strategy_hours_key ON tracker.strategy_hours (strategy, hour);
COMMENT ON MATERIALIZED VIEW tracker.strategy_hours IS
  'what each strategy looked at and proposed by the hour, over the last 30 days; refreshed by data_scheduler';

CREATE MATERIALIZED VIEW tracker.pnl_days AS
SELECT account, strategy, date_trunc('day', exit_time, 'UTC') AS day, count(*) AS trades,
  count(*) FILTER (WHERE pnl > 0) AS wins, sum(gross_pnl) AS gross_pnl, sum(fees) AS fees, sum(pnl) AS pnl
FROM tracker.trade_logs
GROUP BY 1, 2, 3;
CREATE UNIQUE INDEX pnl_days_key ON tracker.pnl_days (account, strategy, day);
COMMENT ON MATERIALIZED VIEW tracker.pnl_days IS
  'closed trades by the day of their exit, UTC; refreshed by data_scheduler';

GRANT SELECT ON tracker.symbol_hours, tracker.symbol_days, tracker.strategy_hours, tracker.pnl_days TO tracker_reader;

-- migrate:down
DROP MATERIALIZED VIEW tracker.pnl_days;
DROP MATERIALIZED VIEW tracker.strategy_hours;
DROP MATERIALIZED VIEW tracker.symbol_days;
DROP MATERIALIZED VIEW tracker.symbol_hours;
DROP FUNCTION tracker.analyze_table(text);
DROP FUNCTION tracker.refresh_aggregate(text);
DROP FUNCTION tracker.forget_rows(text, timestamptz, integer);
DROP FUNCTION tracker.drop_rewrite(timestamptz);
DROP FUNCTION tracker.swap_rewrite(timestamptz, interval);
DROP FUNCTION tracker.seal_rewrite(timestamptz);
DROP FUNCTION tracker.month_checksum(text);
DROP FUNCTION tracker.copy_next_symbol(timestamptz);
DROP FUNCTION tracker.begin_rewrite(timestamptz, text);

-- What was archived comes back first.
SELECT tracker.ensure_bar_partitions(m.month, m.month) FROM tracker.bar_months m
WHERE m.purpose = 'archive' AND m.status = 'done';
DO $$
DECLARE
  copy regclass;
BEGIN
  FOR copy IN
    SELECT c.oid::regclass FROM pg_class c
    WHERE c.relnamespace = 'tracker'::regnamespace AND c.relkind = 'r' AND c.relname LIKE 'ohlc\_rewrite\_%'
  LOOP
    EXECUTE format('DROP TABLE %s', copy);
  END LOOP;
END
$$;

CREATE OR REPLACE FUNCTION tracker.ensure_bar_partitions(first timestamptz, last timestamptz) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  month timestamptz := date_trunc('month', first, 'UTC');
  name text;
  made integer := 0;
BEGIN
  IF last - first > interval '40 years' THEN
    RAISE EXCEPTION 'partitions from % to % are refused: more than 40 years', first, last;
  END IF;
  PERFORM pg_advisory_xact_lock(hashtext('tracker.ensure_bar_partitions'));
  WHILE month <= last LOOP
    name := 'ohlc_data_' || to_char(month AT TIME ZONE 'UTC', 'YYYY_MM');
    IF to_regclass('tracker.' || name) IS NULL THEN
      EXECUTE format(
        'CREATE TABLE tracker.%I PARTITION OF tracker.ohlc_data FOR VALUES FROM (%L) TO (%L)',
        name, month, (month AT TIME ZONE 'UTC' + interval '1 month') AT TIME ZONE 'UTC');
      EXECUTE format('ALTER TABLE tracker.%I ENABLE ROW LEVEL SECURITY', name);
      made := made + 1;
    END IF;
    month := (month AT TIME ZONE 'UTC' + interval '1 month') AT TIME ZONE 'UTC';
  END LOOP;
  RETURN made;
END
$$;
DROP FUNCTION tracker.attach_month(text, text, timestamptz);
DROP FUNCTION tracker.next_month(timestamptz);
DROP FUNCTION tracker.month_table(text, timestamptz);
DROP VIEW tracker.ohlc_recent;
DROP VIEW tracker.ohlc_today;
DROP VIEW tracker.ohlc_all;
DROP TABLE tracker.maintenance_runs;
DROP TABLE tracker.bar_months;
DROP TABLE tracker.ohlc_archive;
