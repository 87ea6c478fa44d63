-- name: put_config
-- Note what a label's config_hash stands for.
INSERT INTO tracker.label_configs (config_hash, strategy, timeframe, strategy_hash, params, rules)
VALUES ($1, $2, $3, $4, $5::jsonb, $6::jsonb) ON CONFLICT (config_hash) DO NOTHING;

-- name: configs
-- What labels were made with, the oldest first.
SELECT config_hash, strategy, timeframe::text AS timeframe, strategy_hash, params::text AS params, rules::text AS rules,
  created_at
FROM tracker.label_configs WHERE $1::text IS NULL OR strategy = $1 ORDER BY strategy, created_at;

-- name: cursors
-- How far each symbol was looked at for setups.
SELECT symbol_id, labelled_through FROM tracker.label_cursors WHERE config_hash = $1;

-- name: advance_cursor
-- Declare a symbol looked at in ($4, $3]; a hole before that stays to be looked at.
INSERT INTO tracker.label_cursors AS c (config_hash, symbol_id, labelled_through) VALUES ($1, $2, $3)
ON CONFLICT (config_hash, symbol_id) DO UPDATE
SET labelled_through = excluded.labelled_through, updated_at = clock_timestamp()
WHERE c.labelled_through < excluded.labelled_through AND c.labelled_through >= $4;

-- name: drop_others
-- Remove a symbol's labels in a span of which the setup is gone; the setups that are left are given.
DELETE FROM tracker.strategy_labels
WHERE strategy = $1 AND config_hash = $2 AND symbol_id = $3 AND decided_at > $4 AND decided_at <= $5
  AND NOT decided_at = ANY ($6::timestamptz[]);

-- name: write
-- Store labels of one symbol, their features laid end to end; one that is there already is written only where it changed.
INSERT INTO tracker.strategy_labels AS l
  (strategy, config_hash, symbol_id, feature_set, side, decided_at, exit_at, outcome, exit_reason, market_regime,
   volatility, is_signal, confirmations, strength, bars_to_exit, entry, entry_price, exit_price, gross_return,
   net_return, mae, mfe, weight, features)
SELECT $1, $2, $3, $4, $5, t.decided_at, t.exit_at, t.outcome, t.exit_reason, t.market_regime, t.volatility,
  t.is_signal, t.confirmations, t.strength, t.bars_to_exit, t.entry, t.entry_price, t.exit_price, t.gross_return,
  t.net_return, t.mae, t.mfe, t.weight, ($23::real[])[(t.n - 1) * $24::int + 1 : t.n * $24::int]
FROM unnest($6::timestamptz[], $7::timestamptz[], $8::text[], $9::text[], $10::text[], $11::text[], $12::boolean[],
            $13::smallint[], $14::real[], $15::integer[], $16::float8[], $17::float8[], $18::float8[], $19::float8[],
            $20::float8[], $21::float8[], $22::float8[], $25::float8[])
  WITH ORDINALITY AS t(decided_at, exit_at, outcome, exit_reason, market_regime, volatility, is_signal, confirmations,
                       strength, bars_to_exit, entry, entry_price, exit_price, gross_return, net_return, mae, mfe,
                       weight, n)
ON CONFLICT (strategy, config_hash, decided_at, symbol_id) DO UPDATE SET
  feature_set = excluded.feature_set, side = excluded.side, exit_at = excluded.exit_at, outcome = excluded.outcome,
  exit_reason = excluded.exit_reason, market_regime = excluded.market_regime, volatility = excluded.volatility,
  is_signal = excluded.is_signal, confirmations = excluded.confirmations, strength = excluded.strength,
  bars_to_exit = excluded.bars_to_exit, entry = excluded.entry, entry_price = excluded.entry_price,
  exit_price = excluded.exit_price, gross_return = excluded.gross_return, net_return = excluded.net_return,
  mae = excluded.mae, mfe = excluded.mfe, weight = excluded.weight, features = excluded.features,
  made_at = clock_timestamp()
WHERE (l.feature_set, l.side, l.exit_at, l.outcome, l.exit_reason, l.market_regime, l.volatility, l.is_signal,
       l.confirmations, l.strength, l.bars_to_exit, l.entry, l.entry_price, l.exit_price, l.gross_return, l.net_return,
       l.mae, l.mfe, l.features)
  IS DISTINCT FROM
      (excluded.feature_set, excluded.side, excluded.exit_at, excluded.outcome, excluded.exit_reason,
       excluded.market_regime, excluded.volatility, excluded.is_signal, excluded.confirmations, excluded.strength,
       excluded.bars_to_exit, excluded.entry, excluded.entry_price, excluded.exit_price, excluded.gross_return,
       excluded.net_return, excluded.mae, excluded.mfe, excluded.features);

-- name: weigh
-- Give labels their uniqueness.
UPDATE tracker.strategy_labels l SET weight = t.weight
FROM unnest($3::smallint[], $4::timestamptz[], $5::float8[]) AS t(symbol_id, decided_at, weight)
WHERE l.strategy = $1 AND l.config_hash = $2 AND l.symbol_id = t.symbol_id AND l.decided_at = t.decided_at;

-- name: spans
-- From when to when each label lives, and what it weighs: outcome 1 win, 2 loss, 3 censored, 4 unfilled.
SELECT symbol_id, (extract(epoch FROM decided_at))::bigint AS decided_at, (extract(epoch FROM exit_at))::bigint AS exit_at,
  array_position(ARRAY['win', 'loss', 'censored', 'unfilled'], outcome)::smallint AS outcome, weight
FROM tracker.strategy_labels WHERE strategy = $1 AND config_hash = $2 ORDER BY decided_at, symbol_id;

-- name: count_rows
-- How many labels that ended were decided in ($3, $4], with features of one set.
SELECT count(*) FROM tracker.strategy_labels
WHERE strategy = $1 AND config_hash = $2 AND decided_at > $3 AND decided_at <= $4 AND feature_set = $5
  AND outcome IN ('win', 'loss') AND (is_signal OR NOT $6::boolean);

-- name: rows
-- The labels that ended and were decided in ($3, $4], oldest first, in columns that all have one size.
SELECT (extract(epoch FROM decided_at))::bigint, (extract(epoch FROM exit_at))::bigint, symbol_id,
  array_position(ARRAY['win', 'loss'], outcome)::smallint,
  array_position(ARRAY['unknown', 'trend_up', 'trend_down', 'range'], market_regime)::smallint,
  array_position(ARRAY['unknown', 'low', 'mid', 'high'], volatility)::smallint,
  array_position(ARRAY['stop', 'trailing', 'target', 'timeout', 'break_even', 'flatten'], exit_reason)::smallint,
  is_signal, confirmations, bars_to_exit, strength, weight, net_return, gross_return, mae, mfe, features
FROM tracker.strategy_labels
WHERE strategy = $1 AND config_hash = $2 AND decided_at > $3 AND decided_at <= $4 AND feature_set = $5
  AND outcome IN ('win', 'loss') AND (is_signal OR NOT $6::boolean)
ORDER BY decided_at, symbol_id;

-- name: stored_features
-- The features that the calculator stored of one symbol's bars of given opens.
SELECT (extract(epoch FROM f.ts))::bigint AS ts, f.values
FROM unnest($4::timestamptz[]) AS t(ts)
JOIN tracker.ml_features f ON f.symbol_id = $1 AND f.timeframe = $2 AND f.ts = t.ts AND f.feature_set = $3;

-- name: groups
-- How labels ended, by symbol, month, regime, and whether they were signals.
SELECT strategy, config_hash, symbol, month, market_regime, is_signal, wins, losses, censored, unfilled,
  mean_net_return, mean_gross_return, mean_bars_to_exit, weight, made_at
FROM dashboards.labels WHERE $1::text IS NULL OR strategy = $1;

-- name: forget
-- Delete some of the labels that were decided before a moment.
SELECT tracker.forget_labels($1, $2);

-- name: first
-- When the first label after a moment was decided.
SELECT min(decided_at) FROM tracker.strategy_labels WHERE strategy = $1 AND config_hash = $2 AND decided_at > $3;
