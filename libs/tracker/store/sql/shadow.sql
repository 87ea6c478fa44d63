-- name: cursors
-- How far the shadow has come with each strategy.
SELECT strategy, timeframe, started_at, closed_through, config_hash FROM tracker.shadow_cursor;

-- name: lock_cursor
-- How far the shadow has come with one strategy, for as long as the transaction lasts.
SELECT timeframe, started_at, closed_through, config_hash FROM tracker.shadow_cursor WHERE strategy = $1 FOR UPDATE;

-- name: start_cursor
-- Begin with a strategy.
INSERT INTO tracker.shadow_cursor (strategy, timeframe, started_at, closed_through, config_hash)
VALUES ($1, $2, $3, $3, $4) ON CONFLICT DO NOTHING;

-- name: advance_cursor
-- Declare every close up to a moment tried with all variations.
UPDATE tracker.shadow_cursor SET closed_through = $2, config_hash = $3, updated_at = clock_timestamp()
WHERE strategy = $1;

-- name: behind
-- How many closes there are to try, by strategy: those that have features and that the scanner has decided on.
SELECT c.strategy, c.closed_through, least(f.closed_through, w.closed_through) AS ready_through,
       greatest(extract(epoch FROM least(f.closed_through, w.closed_through) - c.closed_through)
                / extract(epoch FROM tracker.duration(c.timeframe)), 0)::integer AS closes
FROM tracker.shadow_cursor c
JOIN tracker.feature_watermarks f USING (timeframe)
JOIN tracker.scan_watermarks w ON w.strategy = c.strategy;

-- name: scanned
-- The strategies of which closes have been decided on, so that a beginning can be made with them.
SELECT strategy FROM tracker.scan_watermarks;

-- name: variations
-- The variations of a strategy, those that were retired too.
SELECT id, number, added_at, retired_at FROM tracker.shadow_variations WHERE strategy = $1;

-- name: add_variation
-- Take in a variation; one that comes back gets a new account.
INSERT INTO tracker.shadow_variations
  (id, strategy, number, timeframe, params, rules, changes, config_hash, rules_hash, source, added_at)
VALUES ($1, $2, $3, $4, $5::jsonb, $6::jsonb, $7::jsonb, $8, $9, $10, $11)
ON CONFLICT (id) DO UPDATE SET added_at = excluded.added_at, retired_at = NULL, changes = excluded.changes,
  source = excluded.source;

-- name: describe
-- Say anew where variations come from and what differs from what is in force.
UPDATE tracker.shadow_variations v SET source = d.source, changes = d.changes::jsonb
FROM unnest($1::text[], $2::text[], $3::text[]) AS d(id, source, changes)
WHERE v.id = d.id AND (v.source, v.changes) IS DISTINCT FROM (d.source, d.changes::jsonb);

-- name: retire
-- Note that variations are no longer tried.
UPDATE tracker.shadow_variations SET retired_at = $2 WHERE id = ANY ($1::text[]);

-- name: forget_outcomes
-- Drop the outcomes of variations that are no longer tried.
DELETE FROM tracker.shadow_outcomes WHERE variation = ANY ($1::text[]);

-- name: state
-- The state of a strategy's accounts.
SELECT block, version, data FROM tracker.shadow_state WHERE strategy = $1 ORDER BY block;

-- name: keep_state
-- Keep the state of one block of accounts.
INSERT INTO tracker.shadow_state (strategy, block, version, data) VALUES ($1, $2, $3, $4)
ON CONFLICT (strategy, block) DO UPDATE SET version = excluded.version, data = excluded.data;

-- name: write_scan
-- Keep which variations had a signal at one close.
INSERT INTO tracker.shadow_testing_scans
  (strategy, decided_at, variations, signals, signalling, symbol_ids, bitmap, model_id, held_back)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9);

-- name: write_trades
-- Keep closed trades.
INSERT INTO tracker.shadow_testing_trades
  (variation, symbol_id, decided_at, entry_at, exit_at, entry_price, exit_price, quantity, pnl, fees, reason)
SELECT * FROM unnest($1::text[], $2::smallint[], $3::timestamptz[], $4::timestamptz[], $5::timestamptz[],
                     $6::float8[], $7::float8[], $8::float8[], $9::float8[], $10::float8[], $11::text[]);

-- name: write_returns
-- Keep what all accounts of a strategy returned in one period.
INSERT INTO tracker.shadow_returns (strategy, period, ends_at, variations, data) VALUES ($1, $2, $3, $4, $5);

-- name: returns
-- What all accounts returned in the periods that end in (first, end], strategy after strategy.
SELECT strategy, ends_at, variations, data FROM tracker.shadow_returns
WHERE period = $1 AND ends_at > $2 AND ends_at <= $3 ORDER BY strategy, ends_at;

-- name: active
-- The variations that are tried, strategy after strategy, and how many there ever were.
SELECT id, strategy, number, added_at, count(*) OVER () AS active,
       (SELECT count(*) FROM tracker.shadow_variations) AS ever
FROM tracker.shadow_variations WHERE retired_at IS NULL ORDER BY strategy, number;

-- name: outcomes_as_of
-- As of when the outcomes are.
SELECT max(as_of) FROM tracker.shadow_outcomes;

-- name: write_outcomes
-- Replace the outcomes of a window; those that have not changed stay but for their time.
INSERT INTO tracker.shadow_outcomes AS o
  (variation, span, as_of, hours, trades, total_return, sharpe, psr, dsr, max_drawdown, p_value, mean_trade_return,
   lower_bound, first_half_return, second_half_return)
SELECT t.variation, $2, $3, t.hours, t.trades, t.total_return, t.sharpe, t.psr, t.dsr, t.max_drawdown, t.p_value,
       t.mean_trade_return, t.lower_bound, t.first_half_return, t.second_half_return
FROM unnest($1::text[], $4::float8[], $5::integer[], $6::float8[], $7::float8[], $8::float8[], $9::float8[],
            $10::float8[], $11::float8[], $12::float8[], $13::float8[], $14::float8[], $15::float8[])
  AS t(variation, hours, trades, total_return, sharpe, psr, dsr, max_drawdown, p_value, mean_trade_return, lower_bound,
       first_half_return, second_half_return)
ON CONFLICT (variation, span) DO UPDATE SET
  as_of = excluded.as_of, hours = excluded.hours, trades = excluded.trades, total_return = excluded.total_return,
  sharpe = excluded.sharpe, psr = excluded.psr, dsr = excluded.dsr, max_drawdown = excluded.max_drawdown,
  p_value = excluded.p_value, mean_trade_return = excluded.mean_trade_return, lower_bound = excluded.lower_bound,
  first_half_return = excluded.first_half_return, second_half_return = excluded.second_half_return;

-- name: leaders
-- The best variations of a window, of all strategies or of one.
SELECT v.strategy, v.source, v.changes, v.rules, v.retired_at, o.*
FROM tracker.shadow_outcomes o JOIN tracker.shadow_variations v ON v.id = o.variation
WHERE o.span = $1 AND v.retired_at IS NULL AND ($2::text IS NULL OR v.strategy = $2)
ORDER BY o.dsr DESC NULLS LAST, o.sharpe DESC NULLS LAST, o.total_return DESC, o.variation LIMIT $3;

-- name: outcomes_in
-- The outcomes of some variations in one window.
SELECT * FROM tracker.shadow_outcomes WHERE span = $1 AND variation = ANY ($2::text[]);

-- name: counts
-- How many variations there are, by strategy, and how many of them have traded in a window.
SELECT v.strategy, count(*) AS variations, count(*) FILTER (WHERE o.trades > 0) AS traded, max(o.as_of) AS as_of
FROM tracker.shadow_variations v LEFT JOIN tracker.shadow_outcomes o ON o.variation = v.id AND o.span = $1
WHERE v.retired_at IS NULL GROUP BY 1 ORDER BY 1;

-- name: variation
-- One variation, by its id or the beginning of it.
SELECT id, strategy, number, timeframe, params, rules, changes, config_hash, rules_hash, source, added_at, retired_at
FROM tracker.shadow_variations WHERE left(id, length($1)) = $1 ORDER BY id LIMIT 2;

-- name: outcomes_of
-- The outcomes of one variation.
SELECT * FROM tracker.shadow_outcomes WHERE variation = $1
ORDER BY array_position(ARRAY['1d', '7d', '30d', 'all'], span);

-- name: trades_of
-- The newest closed trades of one variation, newest first.
SELECT s.symbol, t.decided_at, t.entry_at, t.exit_at, t.entry_price, t.exit_price, t.quantity, t.pnl, t.fees, t.reason
FROM tracker.shadow_testing_trades t JOIN tracker.symbols s USING (symbol_id)
WHERE t.variation = $1 ORDER BY t.exit_at DESC, s.symbol LIMIT $2;

-- name: stages
-- How far the shadow is behind the features, by strategy.
SELECT 'shadow ' || c.strategy AS stage, f.closed_through AS due, c.closed_through AS done,
       f.updated_at AS due_since, c.updated_at AS done_at, tracker.duration(c.timeframe) AS bucket
FROM tracker.shadow_cursor c JOIN tracker.feature_watermarks f USING (timeframe) ORDER BY 1;
