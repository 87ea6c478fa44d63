-- name: trades
-- Every closed trade of an account in a fixed order and without numbers of identity, for comparing one run with another.
SELECT t.strategy, s.symbol, t.decided_at, t.entry_time, t.exit_time, t.entry_price::text, t.exit_price::text,
       t.quantity::text, t.gross_pnl::text, t.fees::text, t.pnl::text, t.stop_loss_price::text,
       t.take_profit_price::text, t.exit_reason, t.mae, t.mfe
FROM tracker.trade_logs t JOIN tracker.symbols s USING (symbol_id)
WHERE t.account = $1
ORDER BY t.exit_time, t.decided_at, s.symbol, t.strategy;
