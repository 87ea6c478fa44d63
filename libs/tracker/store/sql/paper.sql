-- name: start_cursor
-- Begin a ledger's event time; one that has begun is left alone.
INSERT INTO tracker.paper_cursor (account, started_at, processed_through) VALUES ($1, $2, $3)
ON CONFLICT (account) DO NOTHING;

-- name: lock_cursor
-- How far a ledger has come; locked, so that a second trader waits and then sees the newer state.
SELECT started_at, processed_through FROM tracker.paper_cursor WHERE account = $1 FOR UPDATE;

-- name: advance_cursor
-- Declare every minute up to a moment processed.
UPDATE tracker.paper_cursor SET processed_through = $2, updated_at = now() WHERE account = $1;

-- name: scan_watermarks
-- How far each strategy has scanned, and at which bar length.
SELECT strategy, timeframe::text AS timeframe, closed_through FROM tracker.scan_watermarks;

-- name: signals
-- Signals decided in a range of event time, exclusive of its begin, in the order in which they are acted on, and when
-- the symbol's last bar had closed by then.
SELECT g.signal_id, g.decided_at, g.expires_at, g.entry, g.stop, g.target, g.target_fraction, g.trail_distance,
       g.break_even_distance, g.ladder, g.size_weights, g.strategy, g.symbol_id, g.side, g.confirmations, g.strength,
       g.confidence, g.model_id, g.market_regime, g.volatility, g.config_hash, b.ts + tracker.duration(s.base_timeframe) AS priced_at
FROM tracker.signals g JOIN tracker.symbols s USING (symbol_id)
LEFT JOIN LATERAL (
  SELECT o.ts FROM tracker.ohlc_all o
  WHERE o.symbol_id = g.symbol_id AND o.timeframe = s.base_timeframe
    AND o.ts > g.decided_at - interval '1 day' AND o.ts <= g.decided_at - tracker.duration(s.base_timeframe)
  ORDER BY o.ts DESC LIMIT 1
) b ON true
WHERE g.decided_at > $1 AND g.decided_at <= $2
ORDER BY g.decided_at, s.symbol COLLATE "C", g.strategy COLLATE "C";

-- name: late_signals
-- Signals of minutes that were already processed, for which no order stands.
SELECT g.signal_id, g.decided_at, g.expires_at, g.entry, g.stop, g.target, g.target_fraction, g.trail_distance,
       g.break_even_distance, g.ladder, g.size_weights, g.strategy, g.symbol_id, g.side, g.confirmations, g.strength,
       g.confidence, g.model_id, g.market_regime, g.volatility, g.config_hash, NULL::timestamptz AS priced_at
FROM tracker.signals g JOIN tracker.symbols s USING (symbol_id)
WHERE g.decided_at >= $2 AND g.decided_at <= $3 AND ($4::text[] IS NULL OR g.strategy = ANY ($4))
  AND NOT EXISTS (
    SELECT FROM tracker.orders o
    WHERE o.account = $1 AND o.strategy = g.strategy AND o.symbol_id = g.symbol_id AND o.decided_at = g.decided_at
  )
ORDER BY g.decided_at, s.symbol COLLATE "C", g.strategy COLLATE "C";

-- name: bars
-- Bars of some symbols in one timeframe that open in [$3, $4), oldest first.
SELECT symbol_id, extract(epoch FROM ts)::bigint AS ts, open, high, low, close, volume
FROM tracker.ohlc_data
WHERE symbol_id = ANY ($1::smallint[]) AND timeframe = $2 AND ts >= $3 AND ts < $4
ORDER BY ts, symbol_id;

-- name: check_account
-- The account as it stands beside what its fills say.
SELECT a.cash, a.realised_pnl, a.fees, f.flow AS filled_flow, f.fees AS filled_fees,
       (SELECT coalesce(sum(e.amount), 0) FROM tracker.account_events e WHERE e.account = a.account) AS capital
FROM tracker.accounts a
CROSS JOIN LATERAL (
  SELECT coalesce(sum(CASE i.side WHEN 'sell' THEN i.quantity * i.price ELSE -i.quantity * i.price END), 0) AS flow,
         coalesce(sum(i.fee), 0) AS fees
  FROM tracker.fills i JOIN tracker.orders o USING (order_id) WHERE o.account = a.account
) f
WHERE a.account = $1;

-- name: check_positions
-- How far an account's trades lie from what their fills say, kind by kind, and what they are worth by their fills.
SELECT coalesce(sum(abs(p.quantity - f.bought + f.sold)), 0) AS quantity,
       coalesce(sum(abs(p.cost - p.realised_pnl - f.paid + f.received)), 0) AS cost,
       coalesce(sum(abs(p.fees - f.fees)), 0) AS fees,
       count(*) FILTER (WHERE (p.status = 'closed') <> (t.pnl IS NOT NULL)) AS unmatched,
       coalesce(sum(abs(p.realised_pnl - f.received + f.paid)) FILTER (WHERE p.status = 'closed'), 0) AS realised,
       coalesce(sum(abs(t.gross_pnl - f.received + f.paid)), 0) AS gross,
       coalesce(sum(abs(t.pnl - f.received + f.paid + f.fees)), 0) AS pnl,
       coalesce(sum((f.bought - f.sold) * coalesce(p.last_price, 0)), 0) AS value,
       coalesce(sum(p.cost), 0) AS held_cost
FROM tracker.positions p
LEFT JOIN tracker.trade_logs t USING (account, strategy, symbol_id, decided_at)
LEFT JOIN (
  SELECT o.account, o.strategy, o.symbol_id, o.decided_at,
         sum(CASE i.side WHEN 'buy' THEN i.quantity ELSE 0 END) AS bought,
         sum(CASE i.side WHEN 'sell' THEN i.quantity ELSE 0 END) AS sold,
         sum(CASE i.side WHEN 'buy' THEN i.quantity * i.price ELSE 0 END) AS paid,
         sum(CASE i.side WHEN 'sell' THEN i.quantity * i.price ELSE 0 END) AS received,
         sum(i.fee) AS fees
  FROM tracker.fills i JOIN tracker.orders o USING (order_id)
  WHERE o.account = $1
  GROUP BY 1, 2, 3, 4
) m USING (account, strategy, symbol_id, decided_at)
CROSS JOIN LATERAL (
  SELECT coalesce(m.bought, 0) AS bought, coalesce(m.sold, 0) AS sold, coalesce(m.paid, 0) AS paid,
         coalesce(m.received, 0) AS received, coalesce(m.fees, 0) AS fees
) f
WHERE p.account = $1;

-- name: check_orders
-- How far the filled quantity of all orders lies from their fills, and how many orders were filled beyond their size.
SELECT coalesce(sum(abs(o.filled_quantity - coalesce(f.quantity, 0))), 0) AS difference,
       count(*) FILTER (WHERE coalesce(f.quantity, 0) > o.quantity) AS overfilled
FROM tracker.orders o
LEFT JOIN (
  SELECT order_id, sum(i.quantity) AS quantity
  FROM tracker.fills i JOIN tracker.orders p USING (order_id) WHERE p.account = $1 GROUP BY order_id
) f USING (order_id)
WHERE o.account = $1;

-- name: check_equity
-- How far the newest points of the equity curve lie from the cash their fills leave and from their own identity.
WITH points AS MATERIALIZED (
  SELECT * FROM tracker.equity_curve WHERE account = $1 ORDER BY ts DESC LIMIT 20
),
recent AS MATERIALIZED (
  -- What a bar filled was booked at its close, and no bar is longer than a day; the sales of a reset came after
  -- everything of their moment.
  SELECT CASE o.leg WHEN 'reset' THEN i.bar_ts + interval '1 microsecond'
           ELSE i.bar_ts + tracker.duration(s.base_timeframe) END AS booked_at,
         CASE i.side WHEN 'sell' THEN i.quantity * i.price ELSE -i.quantity * i.price END - i.fee AS flow
  FROM tracker.fills i JOIN tracker.orders o USING (order_id) JOIN tracker.symbols s USING (symbol_id)
  WHERE o.account = $1 AND i.filled_at >= (SELECT min(ts) FROM points) - interval '1 day'
),
total AS MATERIALIZED (
  SELECT coalesce(sum(CASE i.side WHEN 'sell' THEN i.quantity * i.price ELSE -i.quantity * i.price END - i.fee), 0)
    AS flow
  FROM tracker.fills i JOIN tracker.orders o USING (order_id) WHERE o.account = $1
)
SELECT coalesce(sum(
  abs(q.cash - e.capital - (f.flow - later.flow))
  + abs(q.equity - q.cash - q.positions_value)
  + abs(q.equity - e.capital - q.realised_pnl - q.unrealised_pnl + q.fees)
), 0)
FROM points q
CROSS JOIN total f
CROSS JOIN LATERAL (SELECT coalesce(sum(flow), 0) AS flow FROM recent WHERE booked_at > q.ts) later
CROSS JOIN LATERAL (
  -- A point is of the end of its minute, and what an account is told then comes after it.
  SELECT coalesce(sum(amount), 0) AS capital FROM tracker.account_events WHERE account = $1 AND ts < q.ts
) e;

-- name: check_journal
-- How far each part of an account's books lies from what the journal makes of it.
SELECT ledger_account, abs(difference) AS difference FROM dashboards.account_balance WHERE account = $1;

-- name: check_postings
-- How far the postings of an account's fills are from having equal debits and credits, fill by fill.
SELECT coalesce(sum(abs(
  CASE i.side WHEN 'sell' THEN i.quantity * i.price - i.cost ELSE i.cost - i.quantity * i.price END - i.realised_pnl
)), 0)
FROM tracker.fills i JOIN tracker.orders o USING (order_id) WHERE o.account = $1;

-- name: one_snapshot
-- Let all statements of this transaction see the same moment; it may not write.
SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY;

-- name: summary_counts
-- How many orders, refusals, fills, closed trades and open positions an account has.
SELECT
  (SELECT count(*) FROM tracker.orders WHERE account = $1) AS orders,
  (SELECT count(*) FROM tracker.orders WHERE account = $1 AND status = 'refused') AS refused,
  (SELECT count(*) FROM tracker.fills JOIN tracker.orders USING (order_id) WHERE account = $1) AS fills,
  (SELECT count(*) FROM tracker.trade_logs WHERE account = $1) AS closed_trades,
  (SELECT count(*) FROM tracker.positions WHERE account = $1 AND status = 'open') AS open_positions;

-- name: summary_money
-- An account's money, with what it holds at the last closes.
SELECT a.start_cash, a.cash, a.realised_pnl, a.fees,
       coalesce(sum(p.quantity * p.last_price), 0) AS positions_value,
       coalesce(sum(p.quantity * p.last_price - p.cost), 0) AS unrealised_pnl
FROM tracker.accounts a
LEFT JOIN tracker.positions p ON p.account = a.account AND p.status = 'open'
WHERE a.account = $1
GROUP BY a.account;
