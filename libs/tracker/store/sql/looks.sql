-- name: counts
-- How far the looks in ($1, $2] came and what stopped them, of some strategies and symbols (none named: of all).
SELECT strategy, account, last_step, stopped_by, count(*) AS looks
FROM tracker.looks
WHERE decided_at > $1::timestamptz AND decided_at <= $2::timestamptz
  AND (cardinality($3::text[]) = 0 OR strategy = ANY ($3)) AND (cardinality($4::text[]) = 0 OR symbol = ANY ($4))
GROUP BY strategy, account, last_step, stopped_by;

-- name: nearest
-- Of each of some strategies (none named: of all) the $5 looks in ($1, $2] that came nearest to a finished trade without
-- being one, of each account and of those that are no account's: by step, then by gate, strength and confirmations.
SELECT strategy, account, symbol, decided_at, last_step, stopped_by, signal_strength, confirmations
FROM (
  SELECT l.*, row_number() OVER (
    PARTITION BY l.strategy, l.account
    ORDER BY array_position(ARRAY['scans', 'setups', 'scored', 'approved', 'filled'], l.last_step) DESC,
      l.reason NOT IN ('no_setup', 'warming_up', 'no_bar') DESC,
      l.signal_strength DESC, l.confirmations DESC NULLS LAST, l.decided_at DESC, l.symbol
  ) AS place
  FROM tracker.looks l
  WHERE l.decided_at > $1::timestamptz AND l.decided_at <= $2::timestamptz AND l.stopped_by IS NOT NULL
    AND (cardinality($3::text[]) = 0 OR l.strategy = ANY ($3)) AND (cardinality($4::text[]) = 0 OR l.symbol = ANY ($4))
) ranked
WHERE place <= $5
ORDER BY strategy, account, place;

-- name: accounts
-- All accounts by name, and how far each has come.
SELECT a.account, c.started_at, c.processed_through
FROM tracker.accounts a LEFT JOIN tracker.paper_cursor c USING (account)
ORDER BY a.account;

-- name: look
-- One strategy's look at one symbol at one close.
SELECT h.scanned_at, h.decision, h.reason, h.market_regime, h.volatility, h.signal_strength, h.confidence_score,
  (h.metadata ->> 'confirmations')::integer AS confirmations, h.metadata ->> 'decided_by' AS decided_by, h.config_hash,
  h.model_id, h.metadata ->> 'no_model' AS no_model
FROM tracker.scan_history h
WHERE h.strategy = $1 AND h.symbol_id = $2 AND h.decided_at = $3;

-- name: span
-- The first and the last close at which a strategy looked at a symbol.
SELECT min(decided_at) AS first, max(decided_at) AS last
FROM tracker.scan_history WHERE strategy = $1 AND symbol_id = $2;

-- name: signal
-- What one strategy proposed for one symbol at one close.
SELECT signal_id, side, entry, stop, target, target_fraction, trail_distance, ladder, size_weights, strength,
  confirmations, confidence, expires_at, model_id, config_hash
FROM tracker.signals WHERE strategy = $1 AND symbol_id = $2 AND decided_at = $3;

-- name: answers
-- How far one look came, a row for each account where it is a signal.
SELECT account, last_step, stopped_by
FROM tracker.looks WHERE strategy = $1 AND symbol = $2 AND decided_at = $3 ORDER BY account;

-- name: orders
-- What was ordered on one signal, by whichever account, in the order of placing.
SELECT account, leg, side, status, reason, note, quantity, filled_quantity, limit_price, reference_price, placed_at,
  ended_at
FROM tracker.orders WHERE strategy = $1 AND symbol_id = $2 AND decided_at = $3 AND account = ANY ($4::text[])
ORDER BY account, order_id;

-- name: fills
-- What was filled on one signal, by whichever account, oldest first.
SELECT o.account, o.leg, f.side, f.filled_at, f.quantity, f.price, f.fee, f.liquidity
FROM tracker.orders o JOIN tracker.fills f USING (order_id)
WHERE o.strategy = $1 AND o.symbol_id = $2 AND o.decided_at = $3 AND o.account = ANY ($4::text[])
ORDER BY o.account, f.fill_id;

-- name: positions
-- What is held or was held on one signal, by whichever account, and the finished trade.
SELECT p.account, p.status, p.quantity, p.bought_quantity, p.stop_price, p.target_price, p.opened_at, p.closed_at,
  p.leaving, t.entry_price, t.exit_price, t.entry_time, t.exit_time, t.pnl, t.fees, t.exit_reason
FROM tracker.positions p
LEFT JOIN tracker.trade_logs t USING (account, strategy, symbol_id, decided_at)
WHERE p.strategy = $1 AND p.symbol_id = $2 AND p.decided_at = $3 AND p.account = ANY ($4::text[])
ORDER BY p.account;

-- name: locks
-- What kept some accounts from trading a symbol at a moment; $4 is the strategy, whose pause does as well.
SELECT account, protection, symbol_id IS NULL AND strategy IS NULL AS whole_account, strategy, locked_at, until, observed, note
FROM tracker.protection_locks
WHERE (symbol_id IS NULL OR symbol_id = $1) AND (strategy IS NULL OR strategy = $4) AND locked_at < $2 AND until > $2
  AND account = ANY ($3::text[])
ORDER BY account, locked_at, protection;

-- name: bar
-- One symbol's bar of one timeframe, wherever its month lies.
SELECT ts, open, high, low, close, volume, trades, source::text AS source, received_at, revision
FROM tracker.ohlc_all
WHERE symbol_id = $1 AND timeframe = $2 AND ts >= $3::timestamptz AND ts < $3::timestamptz + interval '1 second';

-- name: last_open
-- The open of one symbol's newest bar of one timeframe before a moment, looked for over the 31 days before it.
SELECT max(ts) FROM tracker.ohlc_all
WHERE symbol_id = $1 AND timeframe = $2 AND ts < $3::timestamptz AND ts >= $3::timestamptz - interval '31 days';

-- name: count_bars
-- How many bars of one timeframe of one symbol open in [$3, $4).
SELECT tracker.stored_bars($1::smallint, $2, $3, $4);

-- name: features_at
-- When the features of one symbol's bar were computed, in one set; none: they were not.
SELECT computed_at FROM tracker.ml_features
WHERE symbol_id = $1 AND timeframe = $2 AND ts = $3 AND feature_set = $4;

-- name: symbol_status
-- Whether a symbol is followed, why not, and since when.
SELECT status, status_reason, status_since FROM tracker.symbols WHERE symbol_id = $1;
