-- name: open_account
-- Begin a ledger; one that exists is left alone.
INSERT INTO tracker.accounts (account, currency, start_cash, opened_at, cash, source, rules, rules_from, rules_hash)
VALUES ($1, $2, $3, $4, $3, $5, $6::jsonb, $7::jsonb, $8)
ON CONFLICT (account) DO NOTHING;

-- name: account
-- An account with its running sums.
SELECT account, currency, start_cash, opened_at, cash, realised_pnl, fees
FROM tracker.accounts WHERE account = $1;

-- name: accounts
-- All accounts with their rules and how far each has come.
SELECT a.account, a.source = 'file' AS from_file, a.rules, a.rules_from, a.rules_hash, c.started_at, c.processed_through
FROM tracker.accounts a JOIN tracker.paper_cursor c USING (account) ORDER BY a.account;

-- name: lock_accounts
-- Let nobody else open an account until this transaction ends.
LOCK TABLE tracker.accounts IN SHARE ROW EXCLUSIVE MODE;

-- name: keep_rules
-- Keep a copy of the rules that an account goes by.
UPDATE tracker.accounts SET source = $2, rules = $3::jsonb, rules_from = $4::jsonb, rules_hash = $5
WHERE account = $1;

-- name: update_account
-- Write an account's cash and running sums.
UPDATE tracker.accounts SET cash = $2, realised_pnl = $3, fees = $4 WHERE account = $1;

-- name: live_positions
-- Trades that may still change.
SELECT account, strategy, symbol_id, decided_at, signal_id, config_hash, rules_hash, side, status, quantity_step,
       quantity, cost, bought_quantity, bought_cost, proceeds, realised_pnl, fees, stop_price, stop_reason,
       initial_stop_price, target_price, target_fraction, trail_distance, break_even_distance, break_even_cost,
       highest_price, lowest_price, last_price, last_bar_at, leaving, expires_at, entry_until, opened_at, closed_at
FROM tracker.positions WHERE account = $1 AND status IN ('pending', 'open');

-- name: live_orders
-- Orders that may still be filled.
SELECT account, strategy, symbol_id, decided_at, leg, kind, side, status, reason, note, quantity, filled_quantity,
       limit_price, reference_price, placed_at, ended_at, signal_id, config_hash, rules_hash
FROM tracker.orders WHERE account = $1 AND status IN ('pending', 'partial');

-- name: insert_order
-- Add an order; its natural key makes a second one impossible.
INSERT INTO tracker.orders (account, strategy, symbol_id, decided_at, leg, kind, side, status, reason, note, quantity,
  filled_quantity, limit_price, reference_price, placed_at, ended_at, signal_id, config_hash, rules_hash)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19);

-- name: update_order
-- Write how far an order is filled and whether it has ended.
UPDATE tracker.orders SET status = $6, filled_quantity = $7, ended_at = $8, note = $9
WHERE account = $1 AND strategy = $2 AND symbol_id = $3 AND decided_at = $4 AND leg = $5;

-- name: insert_fill
-- Add a fill to an order, at most one a bar.
INSERT INTO tracker.fills (order_id, bar_ts, filled_at, side, quantity, price, reference_price, fee, liquidity,
  cost, realised_pnl)
VALUES (
  (SELECT order_id FROM tracker.orders
   WHERE account = $1 AND strategy = $2 AND symbol_id = $3 AND decided_at = $4 AND leg = $5),
  $6, $7, $8, $9, $10, $11, $12, $13, $14, $15
);

-- name: insert_position
-- Add a trade; the partial unique index allows one live trade a strategy and symbol.
INSERT INTO tracker.positions (account, strategy, symbol_id, decided_at, signal_id, config_hash, rules_hash, side,
  quantity_step, initial_stop_price, trail_distance, break_even_distance, break_even_cost, expires_at,
  entry_until, status, quantity, cost, bought_quantity, bought_cost, proceeds, realised_pnl, fees, stop_price,
  stop_reason, target_price, target_fraction, highest_price, lowest_price, last_price, last_bar_at, leaving, opened_at, closed_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24,
  $25, $26, $27, $28, $29, $30, $31, $32, $33, $34);

-- name: update_position
-- Write what has changed about a trade.
UPDATE tracker.positions SET status = $5, quantity = $6, cost = $7, bought_quantity = $8, bought_cost = $9,
  proceeds = $10, realised_pnl = $11, fees = $12, stop_price = $13, stop_reason = $14, target_price = $15,
  target_fraction = $16, highest_price = $17, lowest_price = $18, last_price = $19, last_bar_at = $20, leaving = $21,
  opened_at = $22, closed_at = $23
WHERE account = $1 AND strategy = $2 AND symbol_id = $3 AND decided_at = $4;

-- name: insert_trade
-- Log a round trip.
INSERT INTO tracker.trade_logs (account, strategy, symbol_id, decided_at, signal_id, config_hash, rules_hash, side,
  entry_time, exit_time, entry_price, exit_price, quantity, gross_pnl, fees, pnl, stop_loss_price, take_profit_price,
  exit_reason, mae, mfe)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21);

-- name: insert_equity
-- Note what an account is worth at a moment.
INSERT INTO tracker.equity_curve (account, ts, cash, positions_value, equity, realised_pnl, unrealised_pnl, fees,
  open_positions)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9);
