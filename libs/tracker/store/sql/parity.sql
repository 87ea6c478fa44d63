-- name: looks
-- What one strategy decided at the closes in a span, exclusive of its begin.
SELECT h.symbol_id, extract(epoch FROM h.decided_at)::bigint AS decided_at, h.decision, h.reason,
       h.market_regime AS regime, h.volatility, h.signal_strength AS strength,
       (h.metadata ->> 'confirmations')::integer AS confirmations, h.config_hash, h.confidence_score AS confidence,
       h.model_id, p.threshold
FROM tracker.scan_history h
LEFT JOIN tracker.predictions p ON p.strategy = h.strategy AND p.decided_at = h.decided_at
  AND p.symbol_id = h.symbol_id AND p.model_id = h.model_id AND p.decided_at > $2 AND p.decided_at <= $3
WHERE h.strategy = $1 AND h.decided_at > $2 AND h.decided_at <= $3
ORDER BY h.decided_at, h.symbol_id;

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
