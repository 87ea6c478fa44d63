-- name: insert_set
-- Register a feature set; a known one is left as it is.
INSERT INTO tracker.feature_sets (version, names, hash)
SELECT $1, $2, $3 WHERE NOT EXISTS (SELECT FROM tracker.feature_sets WHERE hash = $3);

-- name: set_id
-- The number of a feature set by its hash.
SELECT feature_set FROM tracker.feature_sets WHERE hash = $1;

-- name: name_set
-- Let the view of named columns show this set; does nothing where it does already.
SELECT tracker.name_features($1);

-- name: write
-- Store the features of many bars, their values laid end to end; computing them again changes nothing but the time.
INSERT INTO tracker.ml_features AS f (symbol_id, timeframe, ts, feature_set, values)
SELECT t.symbol_id, $1, t.ts, $2, ($5::real[])[(t.n - 1) * $6::int + 1 : t.n * $6::int]
FROM unnest($3::smallint[], $4::timestamptz[]) WITH ORDINALITY AS t(symbol_id, ts, n)
ON CONFLICT (symbol_id, timeframe, ts, feature_set) DO UPDATE
SET values = excluded.values, computed_at = now();

-- name: read
-- All symbols' features of one timeframe whose bars open in [$3, $4).
SELECT symbol_id, ts, values FROM tracker.ml_features
WHERE feature_set = $1 AND timeframe = $2 AND ts >= $3 AND ts < $4
ORDER BY symbol_id, ts;

-- name: watermarks
-- How far the features of each timeframe are complete.
SELECT timeframe::text AS timeframe, closed_through FROM tracker.feature_watermarks;

-- name: advance_watermark
-- Declare the features of every bar of a timeframe that closed at or before a moment complete.
INSERT INTO tracker.feature_watermarks AS w (timeframe, closed_through) VALUES ($1, $2)
ON CONFLICT (timeframe) DO UPDATE SET closed_through = excluded.closed_through, updated_at = now()
WHERE w.closed_through < excluded.closed_through;

-- name: count
-- How many feature rows are stored.
SELECT count(*) FROM tracker.ml_features;
