-- name: marks
-- What an account's drawdown and daily loss are measured against.
SELECT account, marked_at, equity, peak, day, day_equity, armed, halted FROM tracker.risk_marks WHERE account = $1;

-- name: put_marks
-- Remember what an account's drawdown and daily loss are measured against.
INSERT INTO tracker.risk_marks (account, marked_at, equity, peak, day, day_equity, armed, halted)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
ON CONFLICT (account) DO UPDATE SET marked_at = excluded.marked_at, equity = excluded.equity, peak = excluded.peak,
  day = excluded.day, day_equity = excluded.day_equity, armed = excluded.armed, halted = excluded.halted;

-- name: locks
-- The locks of an account that were set or lasted after a moment, oldest first.
SELECT account, protection, symbol_id, strategy, locked_at, until, observed, note
FROM tracker.protection_locks WHERE account = $1 AND until > $2
UNION
SELECT account, protection, symbol_id, strategy, locked_at, until, observed, note
FROM tracker.protection_locks WHERE account = $1 AND locked_at > $2
ORDER BY locked_at, protection, symbol_id, strategy;

-- name: put_lock
-- Remember a lock; one that was known before gets the new end.
INSERT INTO tracker.protection_locks (account, protection, symbol_id, strategy, locked_at, until, observed, note)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
ON CONFLICT (account, protection, symbol_id, strategy, locked_at) DO UPDATE SET until = excluded.until, note = excluded.note;

-- name: closed_trades
-- Trades of an account's running books that ended after a moment, in the order in which they were booked.
SELECT account, strategy, symbol_id, decided_at, signal_id, config_hash, rules_hash, side, entry_time, exit_time,
       entry_price, exit_price, quantity, gross_pnl, fees, stop_loss_price, take_profit_price, exit_reason, mae, mfe
FROM tracker.trade_logs WHERE account = $1 AND exit_time > greatest($2, (
  SELECT max(ts) FROM tracker.account_events WHERE account = $1 AND kind = 'reset' AND outcome = 'done'
))
ORDER BY trade_id;

-- name: hourly_closes
-- The closes of 1h bars of some symbols that open in [$2, $3).
SELECT symbol_id, extract(epoch FROM ts)::bigint AS ts, close
FROM tracker.ohlc_data
WHERE symbol_id = ANY ($1::smallint[]) AND timeframe = '1h' AND ts >= $2 AND ts < $3;
