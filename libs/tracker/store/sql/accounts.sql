-- name: overview
-- Each account in numbers, of its running books: since it was opened, or last reset. $1 null: all of them.
SELECT a.account, a.source, r.state, a.currency, a.cash, c.started_at, c.processed_through, b.ts AS since, b.books,
       b.capital + m.moved AS capital, coalesce(p.value, 0) AS positions_value, coalesce(p.held, 0) AS open_positions,
       (SELECT count(*) FROM tracker.trade_logs t WHERE t.account = a.account AND t.exit_time > b.ts) AS trades,
       (SELECT count(*) FROM tracker.commands w WHERE w.account = a.account AND NOT EXISTS (
          SELECT FROM tracker.account_events e WHERE e.command_id = w.command_id)) AS waiting
FROM tracker.accounts a
JOIN tracker.paper_cursor c USING (account)
JOIN dashboards.trading_state r USING (account)
CROSS JOIN LATERAL (
  SELECT e.event_id, e.ts, count(*) OVER () AS books,
         CASE e.kind WHEN 'open' THEN e.amount
           ELSE coalesce((e.arguments ->> 'cash')::numeric, a.start_cash) END AS capital
  FROM tracker.account_events e
  WHERE e.account = a.account AND e.outcome = 'done' AND e.kind IN ('open', 'reset')
  ORDER BY e.event_id DESC LIMIT 1
) b
CROSS JOIN LATERAL (
  SELECT coalesce(sum(e.amount), 0) AS moved FROM tracker.account_events e
  WHERE e.account = a.account AND e.event_id > b.event_id
) m
LEFT JOIN LATERAL (
  SELECT sum(q.quantity * q.last_price) AS value, count(*) AS held FROM tracker.positions q
  WHERE q.account = a.account AND q.status = 'open'
) p ON true
WHERE $1::text IS NULL OR a.account = $1
ORDER BY a.account;

-- name: positions
-- The trades of an account that are held or wait for their entry.
SELECT p.strategy, s.symbol, p.status, p.decided_at, p.opened_at, p.quantity::float8 AS quantity,
       (p.cost / nullif(p.quantity, 0))::float8 AS average_price, p.last_price::float8 AS last_price, p.last_bar_at,
       p.stop_price::float8 AS stop_price, p.target_price::float8 AS target_price, p.expires_at, p.leaving,
       (p.quantity * p.last_price - p.cost)::float8 AS unrealised_pnl
FROM tracker.positions p JOIN tracker.symbols s USING (symbol_id)
WHERE p.account = $1 AND p.status IN ('pending', 'open') ORDER BY p.decided_at, s.symbol, p.strategy;

-- name: resting_orders
-- The orders of an account that may still be filled.
SELECT o.strategy, s.symbol, o.decided_at, o.leg, o.side, o.quantity::float8 AS quantity,
       o.filled_quantity::float8 AS filled_quantity, o.limit_price::float8 AS limit_price, o.placed_at, o.note
FROM tracker.orders o JOIN tracker.symbols s USING (symbol_id)
WHERE o.account = $1 AND o.status IN ('pending', 'partial') ORDER BY o.placed_at, s.symbol, o.strategy, o.leg;

-- name: last_trades
-- The newest closed trades of an account.
SELECT t.strategy, s.symbol, t.entry_time, t.exit_time, t.quantity::float8 AS quantity,
       t.entry_price::float8 AS entry_price, t.exit_price::float8 AS exit_price, t.fees::float8 AS fees,
       t.pnl::float8 AS pnl, t.exit_reason
FROM tracker.trade_logs t JOIN tracker.symbols s USING (symbol_id)
WHERE t.account = $1 ORDER BY t.trade_id DESC LIMIT $2;

-- name: locks
-- What holds new trades of an account back at its last minute.
SELECT protection, symbol, strategy, locked_at, until, note FROM dashboards.protection_locks
WHERE account = $1 AND active ORDER BY locked_at, protection, symbol;
