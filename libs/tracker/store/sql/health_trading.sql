-- name: accounts
-- Each account as the limits look at it: its rules, what it is worth at the last closes, and what it holds.
SELECT a.account, a.rules::text AS rules, a.cash, a.cash + h.value AS equity, c.started_at, c.processed_through,
       h.live, h.value AS held, h.waiting, h.largest_symbol, h.largest_value, s.state, s.state_until, s.drawdown,
       s.day_loss, e.ts AS equity_at, k.protections, k.note
FROM tracker.accounts a
JOIN tracker.paper_cursor c USING (account)
JOIN dashboards.trading_state s USING (account)
CROSS JOIN LATERAL (
  SELECT count(*) AS live, coalesce(sum(p.value), 0) AS value, coalesce(sum(p.waiting), 0) AS waiting,
         (array_agg(y.symbol ORDER BY p.exposure DESC))[1] AS largest_symbol,
         coalesce(max(p.exposure), 0) AS largest_value
  FROM (
    SELECT q.symbol_id, q.quantity * coalesce(q.last_price, 0) AS value, coalesce(w.waiting, 0) AS waiting,
           sum(q.quantity * coalesce(q.last_price, 0) + coalesce(w.waiting, 0)) OVER (PARTITION BY q.symbol_id)
             AS exposure
    FROM tracker.positions q
    LEFT JOIN LATERAL (
      SELECT sum((o.quantity - o.filled_quantity) * coalesce(o.limit_price, o.reference_price)) AS waiting
      FROM tracker.orders o
      WHERE o.account = q.account AND o.strategy = q.strategy AND o.symbol_id = q.symbol_id
        AND o.decided_at = q.decided_at AND o.side = 'buy' AND o.status IN ('pending', 'partial')
    ) w ON true
    WHERE q.account = a.account AND q.status IN ('pending', 'open')
  ) p JOIN tracker.symbols y USING (symbol_id)
) h
LEFT JOIN LATERAL (
  SELECT ts FROM tracker.equity_curve WHERE account = a.account ORDER BY ts DESC LIMIT 1
) e ON true
LEFT JOIN LATERAL (
  SELECT string_agg(l.protection, ', ' ORDER BY l.locked_at) AS protections, max(l.note) AS note
  FROM tracker.protection_locks l
  WHERE l.account = a.account AND l.symbol_id IS NULL AND l.until > c.processed_through
) k ON true
ORDER BY a.account;

-- name: positions
-- Each live trade as the limits look at it; the last closes are those of its symbol's last $1 bars that were acted on.
SELECT p.account, p.strategy, y.symbol, p.decided_at, p.status, y.status AS symbol_status, p.leaving, p.quantity,
       p.stop_price, p.initial_stop_price, p.highest_price, p.last_price,
       p.cost - p.quantity * p.stop_price AS at_risk,
       b.bars, b.highest_close
FROM tracker.positions p
JOIN tracker.symbols y USING (symbol_id)
JOIN tracker.paper_cursor c USING (account)
LEFT JOIN LATERAL (
  SELECT count(*) AS bars, max(n.close) AS highest_close FROM (
    SELECT o.close FROM tracker.ohlc_data o
    WHERE o.symbol_id = p.symbol_id AND o.timeframe = y.base_timeframe AND o.ts >= p.opened_at
      AND o.ts > c.processed_through - interval '1 day'
      AND o.ts <= c.processed_through - tracker.duration(y.base_timeframe)
    ORDER BY o.ts DESC LIMIT $1
  ) n
) b ON p.status = 'open'
WHERE p.status IN ('pending', 'open')
ORDER BY p.account, y.symbol, p.strategy;

-- name: resting
-- Orders that rest though their time is over or their trade has ended: how many of each account, and the first.
SELECT o.account, count(*) AS orders,
       min(y.symbol || ' ' || o.leg || to_char(o.decided_at AT TIME ZONE 'UTC', '" of "YYYY-MM-DD HH24:MI')) AS first
FROM tracker.orders o
JOIN tracker.symbols y USING (symbol_id)
JOIN tracker.paper_cursor c USING (account)
LEFT JOIN tracker.positions p USING (account, strategy, symbol_id, decided_at)
WHERE o.status IN ('pending', 'partial')
  AND (p.position_id IS NULL OR p.status IN ('closed', 'void')
       OR o.kind = 'entry' AND p.entry_until + $1::interval < c.processed_through
       OR o.kind = 'rung' AND p.expires_at + $1::interval < c.processed_through)
GROUP BY o.account;

-- name: fills
-- Of the fills of the last $1 of event time: how many there are, how many have no stored bar, lie outside it, or were
-- bought before the bar after the decision, and the first of each kind. A bar that was corrected since says nothing.
SELECT count(*) AS fills,
       count(*) FILTER (WHERE f.barless) AS barless, min(f.told) FILTER (WHERE f.barless) AS first_barless,
       count(*) FILTER (WHERE f.outside) AS outside, min(f.told) FILTER (WHERE f.outside) AS first_outside,
       count(*) FILTER (WHERE f.early) AS early, min(f.told) FILTER (WHERE f.early) AS first_early
FROM (
  SELECT b.ts IS NULL AS barless,
         b.revision = 0 AND NOT (i.price BETWEEN b.low::numeric * 0.999999 AND b.high::numeric * 1.000001) AS outside,
         i.bar_ts < o.decided_at AS early,
         y.symbol || ' ' || o.leg || ' at ' || trim_scale(i.price) || ' in the bar of '
           || to_char(i.bar_ts AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI') AS told
  FROM tracker.fills i
  JOIN tracker.orders o USING (order_id)
  JOIN tracker.symbols y USING (symbol_id)
  LEFT JOIN tracker.ohlc_all b ON b.symbol_id = o.symbol_id AND b.timeframe = y.base_timeframe AND b.ts = i.bar_ts
  WHERE i.filled_at > (SELECT max(processed_through) FROM tracker.paper_cursor) - $1::interval
    AND o.leg <> 'reset'
) f;

-- name: configs
-- How many of the newest 20,000 orders, of the last $1 of event time, carry another configuration than their signal
-- and their trade.
SELECT count(*) AS orders,
  min(o.strategy || ' ' || y.symbol || to_char(o.decided_at AT TIME ZONE 'UTC', '" of "YYYY-MM-DD HH24:MI')) AS first
FROM tracker.orders o
JOIN tracker.symbols y USING (symbol_id)
JOIN tracker.signals g ON g.signal_id = o.signal_id
LEFT JOIN tracker.positions p ON p.account = o.account AND p.strategy = o.strategy AND p.symbol_id = o.symbol_id
  AND p.decided_at = o.decided_at
WHERE o.order_id > (SELECT max(order_id) - 20000 FROM tracker.orders)
  AND o.decided_at > (SELECT max(processed_through) FROM tracker.paper_cursor) - $1::interval
  AND (o.config_hash <> g.config_hash OR p.config_hash <> g.config_hash);

-- name: refusals
-- Signals of the last $1 of event time that were refused for a protection that did not hold at the time, among the
-- newest 20,000 orders.
SELECT count(*) AS refusals,
  min(y.symbol || ' ' || o.reason || to_char(o.decided_at AT TIME ZONE 'UTC', '" of "YYYY-MM-DD HH24:MI')) AS first
FROM tracker.orders o
JOIN tracker.symbols y USING (symbol_id)
WHERE o.order_id > (SELECT max(order_id) - 20000 FROM tracker.orders)
  AND o.status = 'refused' AND o.decided_at > (SELECT max(processed_through) FROM tracker.paper_cursor) - $1::interval
  AND o.reason IN ('halted', 'drawdown', 'daily_loss', 'halted_by_command', 'stop_streak', 'cool_down', 'low_profit')
  AND NOT EXISTS (
    SELECT FROM tracker.protection_locks l
    WHERE l.account = o.account AND (l.symbol_id IS NULL OR l.symbol_id = o.symbol_id)
      AND l.protection =
        CASE o.reason WHEN 'halted' THEN 'halt' WHEN 'halted_by_command' THEN 'command' ELSE o.reason END
      AND l.locked_at <= o.decided_at AND l.until > o.decided_at
  );
