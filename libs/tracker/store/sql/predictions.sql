-- name: write
-- Keep what models said of one strategy's setups under one config; the same said twice is one row.
INSERT INTO tracker.predictions
  (strategy, config_hash, symbol_id, decided_at, model_id, is_champion, margin, probability, threshold, is_signal, taken)
SELECT $1, $2, t.*
FROM unnest($3::smallint[], $4::timestamptz[], $5::bigint[], $6::boolean[], $7::float8[], $8::real[], $9::real[],
            $10::boolean[], $11::boolean[])
  AS t(symbol_id, decided_at, model_id, is_champion, margin, probability, threshold, is_signal, taken)
ON CONFLICT (strategy, decided_at, symbol_id, model_id) DO NOTHING;

-- name: at
-- What models said of one strategy's look at one symbol at one close, the one that decided first.
SELECT model_id, is_champion, margin, probability, threshold, is_signal, taken, predicted_at
FROM tracker.predictions WHERE strategy = $1 AND symbol_id = $2 AND decided_at = $3
ORDER BY is_champion DESC, model_id DESC;

-- name: forget
-- Delete some of the scores of looks before a moment.
SELECT tracker.forget_predictions($1, $2);
