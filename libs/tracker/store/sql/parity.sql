-- name: looks
-- What one strategy decided at the closes in a span, exclusive of its begin.
SELECT symbol_id, extract(epoch FROM decided_at)::bigint AS decided_at, decision, reason, market_regime AS regime,
       volatility, signal_strength AS strength, (metadata ->> 'confirmations')::integer AS confirmations, config_hash
FROM tracker.scan_history
WHERE strategy = $1 AND decided_at > $2 AND decided_at <= $3
ORDER BY decided_at, symbol_id;

-- name: first_look
-- The first close that a strategy ever decided at.
SELECT min(decided_at) FROM tracker.scan_history WHERE strategy = $1;

-- name: cursor
-- From when to when a ledger has been kept.
SELECT started_at, processed_through FROM tracker.paper_cursor WHERE account = $1;

-- name: orders
-- The orders of a ledger on what was decided from a moment on, in no particular order.
SELECT account, strategy, symbol_id, decided_at, leg, kind, side, status, reason, note, quantity, filled_quantity,
       limit_price, reference_price, placed_at, ended_at, signal_id, config_hash, rules_hash
FROM tracker.orders WHERE account = $1 AND decided_at >= $2;

-- name: fills
-- The fills of a ledger on what was decided from a moment on, with the orders they belong to.
SELECT o.account, o.strategy, o.symbol_id, o.decided_at, o.leg, f.side, f.bar_ts, f.filled_at, f.quantity, f.price,
       f.reference_price, f.fee, f.liquidity, f.cost, f.realised_pnl
FROM tracker.fills f JOIN tracker.orders o USING (order_id)
WHERE o.account = $1 AND o.decided_at >= $2 ORDER BY f.fill_id;

-- name: trades
-- The finished trades of a ledger on what was decided from a moment on.
SELECT account, strategy, symbol_id, decided_at, signal_id, config_hash, rules_hash, side, entry_time, exit_time,
       entry_price, exit_price, quantity, gross_pnl, fees, stop_loss_price, take_profit_price, exit_reason, mae, mfe
FROM tracker.trade_logs WHERE account = $1 AND decided_at >= $2 ORDER BY trade_id;
