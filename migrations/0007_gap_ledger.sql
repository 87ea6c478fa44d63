-- migrate:up
CREATE TABLE tracker.expected_spans (
  starts_at timestamptz NOT NULL,
  ends_at timestamptz CHECK (ends_at >= starts_at),
  symbol_id smallint NOT NULL REFERENCES tracker.symbols,
  timeframe tracker.timeframe NOT NULL,
  PRIMARY KEY (symbol_id, timeframe, starts_at)
);
SELECT tracker.written_by('tracker.expected_spans', 'data_collector');
COMMENT ON COLUMN tracker.expected_spans.ends_at IS
  'until when bars of the symbol were collected, exclusive; null where they still are';

CREATE TABLE tracker.data_gaps (
  gap_id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
  starts_at timestamptz NOT NULL,
  ends_at timestamptz NOT NULL,
  detected_at timestamptz NOT NULL DEFAULT now(),
  last_attempt_at timestamptz,
  retry_at timestamptz NOT NULL DEFAULT now(),
  resolved_at timestamptz,
  attempts integer NOT NULL DEFAULT 0,
  healed_bars integer NOT NULL DEFAULT 0,
  symbol_id smallint NOT NULL REFERENCES tracker.symbols,
  timeframe tracker.timeframe NOT NULL,
  state text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'confirmed_empty', 'healed')),
  cause text NOT NULL CHECK (cause IN
    ('disconnected', 'outage', 'overflow', 'not_sent', 'rejected', 'late', 'vendor_failed', 'history')),
  last_error text,
  CHECK (ends_at > starts_at),
  CHECK ((state = 'open') = (resolved_at IS NULL)),
  UNIQUE (symbol_id, timeframe, starts_at)
);
CREATE INDEX data_gaps_open ON tracker.data_gaps (retry_at) WHERE state = 'open';
SELECT tracker.written_by('tracker.data_gaps', 'data_collector');
COMMENT ON COLUMN tracker.data_gaps.state IS
  'open: the bars of the range may exist; otherwise the vendor was asked for all of it: what has no bar had no trades';
COMMENT ON COLUMN tracker.data_gaps.ends_at IS 'exclusive';
COMMENT ON COLUMN tracker.data_gaps.retry_at IS 'the vendor is not asked again before';

-- Ranges of one symbol never overlap, so that the nearest one before a moment says all about it. Nothing but the
-- functions below writes here, one at a time; this holds them to it.
CREATE FUNCTION tracker.keep_gaps_apart() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
DECLARE
  other tracker.data_gaps;
BEGIN
  SELECT * INTO other FROM tracker.data_gaps
  WHERE symbol_id = NEW.symbol_id AND timeframe = NEW.timeframe AND starts_at < NEW.ends_at AND gap_id <> NEW.gap_id
  ORDER BY starts_at DESC LIMIT 1;
  IF other.ends_at > NEW.starts_at THEN
    RAISE EXCEPTION 'the gap of symbol % from % to % overlaps that from % to %',
      NEW.symbol_id, NEW.starts_at, NEW.ends_at, other.starts_at, other.ends_at
      USING ERRCODE = 'exclusion_violation';
  END IF;
  RETURN NEW;
END
$$;
CREATE TRIGGER keep_gaps_apart BEFORE INSERT OR UPDATE OF starts_at, ends_at, symbol_id, timeframe
  ON tracker.data_gaps FOR EACH ROW EXECUTE FUNCTION tracker.keep_gaps_apart();

CREATE FUNCTION tracker.lock_gaps() RETURNS void
LANGUAGE sql SET search_path = pg_catalog AS $$
  SELECT pg_advisory_xact_lock(hashtext('tracker.data_gaps'))
$$;

-- Notes since when bars of each of these symbols are expected, and until when those of the others were.
CREATE FUNCTION tracker.expect_symbols(symbol_ids smallint[], since timestamptz) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
  INSERT INTO tracker.expected_spans AS e (symbol_id, timeframe, starts_at)
  SELECT s.symbol_id, s.base_timeframe,
    date_bin(tracker.duration(s.base_timeframe), since, '1970-01-01 00:00:00+00')
  FROM tracker.symbols s
  WHERE s.symbol_id = ANY (symbol_ids) AND NOT EXISTS (
    SELECT FROM tracker.expected_spans o
    WHERE o.symbol_id = s.symbol_id AND o.timeframe = s.base_timeframe AND o.ends_at IS NULL
  )
  ON CONFLICT (symbol_id, timeframe, starts_at) DO UPDATE SET ends_at = NULL;
  UPDATE tracker.expected_spans e SET ends_at = greatest(since, e.starts_at)
  FROM tracker.symbols s
  WHERE e.ends_at IS NULL AND s.symbol_id = e.symbol_id
    AND (s.base_timeframe <> e.timeframe OR s.symbol_id <> ALL (symbol_ids));
END
$$;

-- Makes open gaps of the buckets in [first, last) that neither have a bar nor stand in the ledger, and returns how
-- many there are. Why a bucket is missing is said by the first fitting range of the four arrays, in which a null symbol
-- stands for all.
CREATE FUNCTION tracker.open_gaps(
  symbol_ids smallint[], first timestamptz, last timestamptz, usual_cause text,
  cause_symbols smallint[], cause_starts timestamptz[], cause_ends timestamptz[], causes text[]
) RETURNS integer
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
DECLARE
  epoch CONSTANT timestamptz := '1970-01-01 00:00:00+00';
  run record;
  found_buckets integer := 0;
BEGIN
  PERFORM tracker.lock_gaps();
  FOR run IN
    WITH missing AS MATERIALIZED (
      SELECT s.symbol_id, s.base_timeframe AS timeframe, tracker.duration(s.base_timeframe) AS step, t.ts
      FROM tracker.symbols s
      CROSS JOIN LATERAL generate_series(
        date_bin(tracker.duration(s.base_timeframe), first, epoch),
        date_bin(tracker.duration(s.base_timeframe), last, epoch) - tracker.duration(s.base_timeframe),
        tracker.duration(s.base_timeframe)
      ) AS t(ts)
      WHERE s.symbol_id = ANY (symbol_ids)
        AND NOT EXISTS (
          SELECT FROM tracker.ohlc_data o
          WHERE o.symbol_id = s.symbol_id AND o.timeframe = s.base_timeframe AND o.ts = t.ts
            AND o.ts >= first - interval '1 day' AND o.ts < last
          -- Keeps the planner from joining what it knows nothing about.
          OFFSET 0
        )
    ), caused AS (
      SELECT m.*, coalesce((
          SELECT c.cause FROM unnest(cause_symbols, cause_starts, cause_ends, causes)
            WITH ORDINALITY AS c(symbol_id, s, e, cause, place)
          WHERE (c.symbol_id IS NULL OR c.symbol_id = m.symbol_id) AND c.s <= m.ts AND c.e > m.ts
          ORDER BY c.place LIMIT 1
        ), usual_cause) AS cause
      FROM missing m
      WHERE coalesce((
          SELECT g.ends_at <= m.ts FROM tracker.data_gaps g
          WHERE g.symbol_id = m.symbol_id AND g.timeframe = m.timeframe AND g.starts_at <= m.ts
          ORDER BY g.starts_at DESC LIMIT 1
        ), true)
    ), numbered AS (
      SELECT c.*, c.ts - row_number() OVER (PARTITION BY c.symbol_id, c.cause ORDER BY c.ts) * c.step AS island
      FROM caused c
    )
    SELECT n.symbol_id, n.timeframe, n.cause, min(n.ts) AS starts_at, max(n.ts) + n.step AS ends_at,
      count(*)::integer AS buckets
    FROM numbered n GROUP BY n.symbol_id, n.timeframe, n.cause, n.step, n.island
    ORDER BY n.symbol_id, starts_at
  LOOP
    found_buckets := found_buckets + run.buckets;
    UPDATE tracker.data_gaps g SET ends_at = run.ends_at
    WHERE g.symbol_id = run.symbol_id AND g.timeframe = run.timeframe AND g.ends_at = run.starts_at
      AND g.state = 'open' AND g.cause = run.cause
      AND g.starts_at = (
        SELECT l.starts_at FROM tracker.data_gaps l
        WHERE l.symbol_id = run.symbol_id AND l.timeframe = run.timeframe AND l.starts_at < run.starts_at
        ORDER BY l.starts_at DESC LIMIT 1
      );
    IF NOT FOUND THEN
      INSERT INTO tracker.data_gaps (symbol_id, timeframe, starts_at, ends_at, cause)
      VALUES (run.symbol_id, run.timeframe, run.starts_at, run.ends_at, run.cause);
    END IF;
  END LOOP;
  RETURN found_buckets;
END
$$;

CREATE FUNCTION tracker.stored_bars(symbol smallint, frame text, first timestamptz, last timestamptz) RETURNS integer
LANGUAGE plpgsql STABLE SET search_path = pg_catalog AS $$
BEGIN
  RETURN (
    SELECT count(*) FROM tracker.ohlc_all o
    WHERE o.symbol_id = symbol AND o.timeframe = frame AND o.ts >= first AND o.ts < last
  );
END
$$;

-- Joins the confirmed range that begins at `opens` to the one before it, where all that lies between is stored: always
-- when nothing does, otherwise within a day, so that a thin market has a row a day and not one for every quiet minute.
CREATE FUNCTION tracker.join_empty(symbol smallint, frame text, opens timestamptz) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
DECLARE
  here tracker.data_gaps;
  before tracker.data_gaps;
BEGIN
  SELECT * INTO here FROM tracker.data_gaps
  WHERE symbol_id = symbol AND timeframe = frame AND starts_at = opens AND state = 'confirmed_empty';
  SELECT * INTO before FROM tracker.data_gaps
  WHERE symbol_id = symbol AND timeframe = frame AND starts_at < opens ORDER BY starts_at DESC LIMIT 1;
  IF here.gap_id IS NULL OR before.state IS DISTINCT FROM 'confirmed_empty' THEN
    RETURN;
  END IF;
  IF before.ends_at < opens AND (
    date_trunc('day', before.starts_at, 'UTC') <> date_trunc('day', opens, 'UTC')
    OR tracker.stored_bars(symbol, frame, before.ends_at, opens) * tracker.duration(frame) < opens - before.ends_at
  ) THEN
    RETURN;
  END IF;
  DELETE FROM tracker.data_gaps WHERE gap_id = here.gap_id;
  UPDATE tracker.data_gaps SET
    ends_at = here.ends_at, attempts = greatest(attempts, here.attempts),
    last_attempt_at = greatest(last_attempt_at, here.last_attempt_at), resolved_at = here.resolved_at
  WHERE gap_id = before.gap_id;
END
$$;

-- Closes what is open of one symbol in [first, last): the vendor was asked for all of it and what it has is stored.
-- A gap that reaches beyond is cut; what is not asked for stays open.
CREATE FUNCTION tracker.settle_gaps(symbol smallint, frame text, first timestamptz, last timestamptz)
RETURNS TABLE (healed integer, empty integer)
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
DECLARE
  gap tracker.data_gaps;
  opens timestamptz;
  stop timestamptz;
  bars integer;
BEGIN
  PERFORM tracker.lock_gaps();
  healed := 0;
  empty := 0;
  FOR gap IN
    SELECT * FROM tracker.data_gaps g
    WHERE g.symbol_id = symbol AND g.timeframe = frame AND g.state = 'open' AND g.starts_at < last AND g.ends_at > first
    ORDER BY g.starts_at
  LOOP
    opens := greatest(gap.starts_at, first);
    stop := least(gap.ends_at, last);
    bars := tracker.stored_bars(symbol, frame, opens, stop);
    healed := healed + bars;
    empty := empty + (extract(epoch FROM stop - opens) / extract(epoch FROM tracker.duration(frame)))::integer - bars;
    UPDATE tracker.data_gaps SET
      starts_at = opens, ends_at = stop, state = CASE WHEN bars > 0 THEN 'healed' ELSE 'confirmed_empty' END,
      healed_bars = bars, attempts = attempts + 1, last_attempt_at = now(), resolved_at = now(), last_error = NULL
    WHERE gap_id = gap.gap_id;
    INSERT INTO tracker.data_gaps (symbol_id, timeframe, starts_at, ends_at, cause, detected_at, attempts,
                                   last_attempt_at, retry_at, last_error)
    SELECT symbol, frame, rest.s, rest.e, gap.cause, gap.detected_at, gap.attempts,
           gap.last_attempt_at, gap.retry_at, gap.last_error
    FROM (VALUES (gap.starts_at, opens), (stop, gap.ends_at)) AS rest(s, e) WHERE rest.s < rest.e;
    PERFORM tracker.join_empty(symbol, frame, opens);
  END LOOP;
  RETURN NEXT;
END
$$;

-- Notes that the vendor was asked for all of one symbol's history in [first, last) and that what it has is stored.
CREATE FUNCTION tracker.confirm_history(symbol smallint, frame text, first timestamptz, last timestamptz)
RETURNS integer
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
DECLARE
  piece record;
  joined timestamptz;
  noted integer := 0;
BEGIN
  PERFORM tracker.settle_gaps(symbol, frame, first, last);
  FOR piece IN
    SELECT lower(r) AS s, upper(r) AS e
    FROM unnest(tstzmultirange(tstzrange(first, last)) - coalesce((
      SELECT range_agg(tstzrange(g.starts_at, g.ends_at)) FROM tracker.data_gaps g
      WHERE g.symbol_id = symbol AND g.timeframe = frame AND g.starts_at < last AND g.ends_at > first
    ), '{}'::tstzmultirange)) AS r
    ORDER BY 1
  LOOP
    CONTINUE WHEN
      tracker.stored_bars(symbol, frame, piece.s, piece.e) * tracker.duration(frame) >= piece.e - piece.s;
    INSERT INTO tracker.data_gaps (symbol_id, timeframe, starts_at, ends_at, cause, state, attempts, last_attempt_at,
                                   resolved_at)
    VALUES (symbol, frame, piece.s, piece.e, 'history', 'confirmed_empty', 1, now(), now());
    PERFORM tracker.join_empty(symbol, frame, piece.s);
    SELECT g.starts_at INTO joined FROM tracker.data_gaps g
    WHERE g.symbol_id = symbol AND g.timeframe = frame AND g.starts_at = piece.e;
    PERFORM tracker.join_empty(symbol, frame, joined);
    noted := noted + 1;
  END LOOP;
  RETURN noted;
END
$$;

-- The spans in which bars of a symbol are expected: what the vendor was asked for as history, and what was collected.
CREATE VIEW tracker.expected_ranges WITH (security_invoker = true) AS
SELECT e.symbol_id, e.timeframe, range_agg(tstzrange(e.starts_at, e.ends_at)) AS spans
FROM (
  SELECT s.symbol_id, s.timeframe, s.starts_at,
    date_bin(tracker.duration(s.timeframe), least(coalesce(s.ends_at, w.closed_through), w.closed_through),
             timestamptz '1970-01-01 00:00:00+00') AS ends_at
  FROM tracker.expected_spans s
  CROSS JOIN (SELECT closed_through FROM tracker.bar_watermarks WHERE timeframe = '1m') w
  UNION ALL
  SELECT c.symbol_id, c.timeframe, c.starts_at, c.ends_at
  FROM tracker.backfill_chunks c
  JOIN tracker.symbols y ON y.symbol_id = c.symbol_id AND y.base_timeframe = c.timeframe
  WHERE c.status = 'done'
) e
WHERE e.starts_at < e.ends_at
GROUP BY e.symbol_id, e.timeframe;
GRANT SELECT ON tracker.expected_ranges TO tracker_reader;

-- Chunks that were fetched before there was a ledger: what they did not bring is not at the vendor.
INSERT INTO tracker.data_gaps (symbol_id, timeframe, starts_at, ends_at, cause, state, attempts, last_attempt_at,
                               resolved_at)
SELECT c.symbol_id, c.timeframe, lower(r), upper(r), 'history', 'confirmed_empty', 1, now(), now()
FROM (
  SELECT symbol_id, timeframe, range_agg(tstzrange(starts_at, ends_at)) AS ranges
  FROM tracker.backfill_chunks WHERE status = 'done' GROUP BY symbol_id, timeframe
) c
JOIN tracker.symbols y ON y.symbol_id = c.symbol_id AND y.base_timeframe = c.timeframe
CROSS JOIN LATERAL unnest(c.ranges) AS r;

CREATE VIEW dashboards.data_gaps WITH (security_invoker = true) AS
SELECT s.symbol, g.timeframe, g.starts_at, g.ends_at, g.state, g.cause,
  (extract(epoch FROM g.ends_at - g.starts_at) / 60)::integer AS minutes,
  g.healed_bars, g.attempts, g.detected_at, g.last_attempt_at, g.resolved_at, g.last_error
FROM tracker.data_gaps g JOIN tracker.symbols s USING (symbol_id);
GRANT SELECT ON dashboards.data_gaps TO tracker_reader;

REVOKE ALL ON FUNCTION
  tracker.keep_gaps_apart(), tracker.lock_gaps(), tracker.expect_symbols(smallint[], timestamptz),
  tracker.open_gaps(smallint[], timestamptz, timestamptz, text, smallint[], timestamptz[], timestamptz[], text[]),
  tracker.stored_bars(smallint, text, timestamptz, timestamptz),
  tracker.join_empty(smallint, text, timestamptz),
  tracker.settle_gaps(smallint, text, timestamptz, timestamptz),
  tracker.confirm_history(smallint, text, timestamptz, timestamptz)
FROM PUBLIC;
GRANT EXECUTE ON FUNCTION
  tracker.lock_gaps(), tracker.expect_symbols(smallint[], timestamptz),
  tracker.open_gaps(smallint[], timestamptz, timestamptz, text, smallint[], timestamptz[], timestamptz[], text[]),
  tracker.stored_bars(smallint, text, timestamptz, timestamptz),
  tracker.join_empty(smallint, text, timestamptz),
  tracker.settle_gaps(smallint, text, timestamptz, timestamptz),
  tracker.confirm_history(smallint, text, timestamptz, timestamptz)
TO tracker_data_collector;
GRANT EXECUTE ON FUNCTION tracker.stored_bars(smallint, text, timestamptz, timestamptz) TO tracker_reader;

-- migrate:down
DROP VIEW dashboards.data_gaps;
DROP VIEW tracker.expected_ranges;
DROP TABLE tracker.data_gaps;
DROP TABLE tracker.expected_spans;
DROP FUNCTION tracker.confirm_history(smallint, text, timestamptz, timestamptz);
DROP FUNCTION tracker.settle_gaps(smallint, text, timestamptz, timestamptz);
DROP FUNCTION tracker.join_empty(smallint, text, timestamptz);
DROP FUNCTION tracker.stored_bars(smallint, text, timestamptz, timestamptz);
DROP FUNCTION tracker.open_gaps(smallint[], timestamptz, timestamptz, text, smallint[], timestamptz[], timestamptz[],
  text[]);
DROP FUNCTION tracker.expect_symbols(smallint[], timestamptz);
DROP FUNCTION tracker.lock_gaps();
DROP FUNCTION tracker.keep_gaps_apart();
