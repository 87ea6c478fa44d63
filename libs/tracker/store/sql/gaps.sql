-- name: account
-- Note since when bars of these symbols are expected and of others no longer, and make open gaps of the buckets that
-- close in ($2, $3] and have no bar; returns how many are missing.
SELECT tracker.expect_symbols($1::smallint[], $2),
  tracker.open_gaps($1::smallint[], $2, $3, $4, $5::smallint[], $6::timestamptz[], $7::timestamptz[], $8::text[])
    AS missing;

-- name: open
-- Make open gaps of the buckets in [$2, $3) that these symbols have no bar for, with their causes.
SELECT tracker.open_gaps(
  $1::smallint[], $2, $3, $4, $5::smallint[], $6::timestamptz[], $7::timestamptz[], $8::text[]
) AS missing;

-- name: covers
-- Whether the history of all of these symbols that have bars finer than $4 reaches from $2 to $3.
SELECT NOT EXISTS (
  SELECT FROM tracker.symbols s
  WHERE s.symbol_id = ANY ($1::smallint[]) AND tracker.duration(s.base_timeframe) < $4::interval AND NOT EXISTS (
    SELECT FROM tracker.expected_ranges e
    WHERE e.symbol_id = s.symbol_id AND e.timeframe = s.base_timeframe
      AND e.spans @> tstzrange($2::timestamptz, $3::timestamptz)
  )
);

-- name: due
-- For each collected symbol its open gaps that may be asked for now and whose first bucket ended by $2, joined into one
-- span of at most $3; the symbol that was asked for the longest ago comes first.
SELECT g.symbol_id, g.timeframe::text AS timeframe, first.starts_at,
       max(least(g.ends_at, first.starts_at + $3::interval)) AS ends_at, max(g.attempts) AS attempts
FROM tracker.data_gaps g
JOIN (
  SELECT DISTINCT ON (symbol_id, timeframe) symbol_id, timeframe, starts_at, last_attempt_at
  FROM tracker.data_gaps
  WHERE state = 'open' AND retry_at <= now() AND symbol_id = ANY ($1::smallint[])
    AND starts_at + tracker.duration(timeframe) <= $2::timestamptz
  ORDER BY symbol_id, timeframe, last_attempt_at NULLS FIRST, starts_at
) first ON first.symbol_id = g.symbol_id AND first.timeframe = g.timeframe
WHERE g.state = 'open' AND g.retry_at <= now() AND g.starts_at >= first.starts_at
  AND g.starts_at < first.starts_at + $3::interval AND g.starts_at < $2::timestamptz
GROUP BY g.symbol_id, g.timeframe, first.starts_at, first.last_attempt_at
ORDER BY first.last_attempt_at NULLS FIRST, g.symbol_id;

-- name: settle
-- Close what is open of one symbol in [$3, $4): the vendor was asked for all of it.
SELECT healed, empty FROM tracker.settle_gaps($1::smallint, $2, $3, $4);

-- name: confirm_history
-- Note that the vendor was asked for one symbol's history in [$3, $4) and that what it has is stored.
SELECT tracker.confirm_history($1::smallint, $2, $3, $4);

-- name: note_attempt
-- Note a try of one symbol's open gaps in [$3, $4) that failed; the next comes later each time, within an hour.
UPDATE tracker.data_gaps SET
  attempts = attempts + 1, last_attempt_at = now(), last_error = $5,
  cause = coalesce($6, cause),
  retry_at = now() + least(interval '1 hour', $7::interval * power(2, least(attempts, 10)))
WHERE symbol_id = $1::smallint AND timeframe = $2 AND state = 'open' AND starts_at < $4 AND ends_at > $3;

-- name: count_unasked
-- How many open gaps the vendor was never asked for.
SELECT count(*) FROM tracker.data_gaps WHERE state = 'open' AND attempts = 0;

-- name: list
-- The gaps of some symbols (none named: of all) in some states that reach into [$3, $4), oldest first; in `buckets`
-- those without a bar.
SELECT s.symbol, g.timeframe::text AS timeframe, g.starts_at, g.ends_at, g.state, g.cause, g.attempts, g.healed_bars,
       g.last_error, g.detected_at, g.last_attempt_at, g.resolved_at,
       (extract(epoch FROM g.ends_at - g.starts_at) / extract(epoch FROM tracker.duration(g.timeframe)))::integer
         - tracker.stored_bars(g.symbol_id, g.timeframe, g.starts_at, g.ends_at) AS buckets
FROM tracker.data_gaps g JOIN tracker.symbols s USING (symbol_id)
WHERE (cardinality($1::text[]) = 0 OR s.symbol = ANY ($1)) AND g.state = ANY ($2::text[])
  AND g.starts_at < $4::timestamptz AND g.ends_at > $3::timestamptz
ORDER BY g.starts_at, s.symbol
LIMIT $5;

-- name: expected_until
-- Up to where any bars are expected: those that are collected and those that were fetched.
SELECT max(upper(spans)) FROM tracker.expected_ranges;

-- name: coverage
-- For each symbol (none named: for all) how many buckets of its finest timeframe are expected in [$2, $3), how many are
-- stored, and how the ledger explains the others.
WITH wanted AS (
  SELECT s.symbol_id, s.symbol, e.timeframe, tracker.duration(e.timeframe) AS step, lower(r) AS s, upper(r) AS e
  FROM tracker.expected_ranges e
  JOIN tracker.symbols s USING (symbol_id)
  CROSS JOIN LATERAL unnest(e.spans * tstzmultirange(tstzrange($2, $3))) AS r
  WHERE cardinality($1::text[]) = 0 OR s.symbol = ANY ($1)
), ledger AS (
  SELECT w.symbol_id, w.timeframe, g.state,
    sum(extract(epoch FROM least(g.ends_at, w.e) - greatest(g.starts_at, w.s)) / extract(epoch FROM w.step)
        - tracker.stored_bars(w.symbol_id, w.timeframe, greatest(g.starts_at, w.s), least(g.ends_at, w.e))) AS buckets
  FROM wanted w
  JOIN tracker.data_gaps g ON g.symbol_id = w.symbol_id AND g.timeframe = w.timeframe
    AND g.starts_at < w.e AND g.ends_at > w.s
  GROUP BY w.symbol_id, w.timeframe, g.state
), bars AS (
  SELECT symbol_id, symbol, timeframe, step,
    sum(extract(epoch FROM e - s) / extract(epoch FROM step)) AS expected,
    sum(tracker.stored_bars(symbol_id, timeframe, s, e)) AS stored
  FROM wanted GROUP BY symbol_id, symbol, timeframe, step
)
SELECT b.symbol, b.timeframe::text AS timeframe, b.expected::bigint AS expected, b.stored::bigint AS stored,
  coalesce(sum(l.buckets) FILTER (WHERE l.state <> 'open'), 0)::bigint AS empty,
  coalesce(sum(l.buckets) FILTER (WHERE l.state = 'open'), 0)::bigint AS open
FROM bars b LEFT JOIN ledger l ON l.symbol_id = b.symbol_id AND l.timeframe = b.timeframe
GROUP BY b.symbol, b.timeframe, b.expected, b.stored
ORDER BY b.symbol, b.timeframe;
