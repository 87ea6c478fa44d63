-- name: equity_at
-- An account's equity at a moment of its running books, null before these, and the cash that came in since.
SELECT
  (SELECT e.equity::float8 FROM tracker.equity_curve e
   WHERE e.account = $1 AND e.ts <= $2 AND e.ts >= $3::timestamptz ORDER BY e.ts DESC LIMIT 1) AS equity,
  (SELECT coalesce(sum(v.amount), 0)::float8 FROM tracker.account_events v
   WHERE v.account = $1 AND v.outcome = 'done' AND v.kind IN ('deposit', 'withdraw')
     AND v.ts > greatest($2, $3::timestamptz)) AS moved;

-- name: curve
-- An account's equity in [$2, $3], the last point of each span of $4.
SELECT DISTINCT ON (date_bin($4::interval, e.ts, timestamptz '1970-01-01 00:00:00+00')) e.ts, e.equity::float8 AS equity
FROM tracker.equity_curve e WHERE e.account = $1 AND e.ts >= $2 AND e.ts <= $3
ORDER BY date_bin($4::interval, e.ts, timestamptz '1970-01-01 00:00:00+00'), e.ts DESC;

-- name: drawdown
-- How far an account's equity is below its highest in [$2, $3], and how far it ever was there.
SELECT max(1 - equity / nullif(peak, 0))::float8 AS worst,
       (array_agg(1 - equity / nullif(peak, 0) ORDER BY ts DESC))[1]::float8 AS now
FROM (
  SELECT ts, equity, max(equity) OVER (ORDER BY ts) AS peak
  FROM tracker.equity_curve WHERE account = $1 AND ts >= $2 AND ts <= $3
) c;

-- name: positions
-- What all accounts hold, the largest gain or loss first.
SELECT p.account, p.strategy, s.symbol, p.side, p.opened_at, p.quantity::float8 AS quantity,
       (p.cost / nullif(p.quantity, 0))::float8 AS average_price, p.last_price::float8 AS last_price,
       p.stop_price::float8 AS stop_price, p.target_price::float8 AS target_price,
       (p.quantity * p.last_price - p.cost)::float8 AS unrealised_pnl
FROM tracker.positions p JOIN tracker.symbols s USING (symbol_id)
WHERE p.status = 'open' ORDER BY abs(p.quantity * p.last_price - p.cost) DESC NULLS LAST, s.symbol, p.position_id;

-- name: trades
-- The trades of an account that were closed in ($2, $3], the newest first, with their number and sum.
SELECT t.account, t.strategy, s.symbol, t.entry_time, t.exit_time, t.pnl::float8 AS pnl, t.fees::float8 AS fees,
       (t.exit_price / t.entry_price - 1)::float8 AS move, t.exit_reason,
       count(*) OVER () AS trades, sum(t.pnl) OVER ()::float8 AS total,
       count(*) FILTER (WHERE t.pnl > 0) OVER () AS wins
FROM tracker.trade_logs t JOIN tracker.symbols s USING (symbol_id)
WHERE t.account = $1 AND t.exit_time > $2 AND t.exit_time <= $3 ORDER BY t.exit_time DESC, t.trade_id DESC LIMIT $4;

-- name: symbols
-- What each symbol earned in trades that an account closed in ($2, $3], the best first.
SELECT s.symbol, count(*) AS trades, sum(t.pnl)::float8 AS pnl
FROM tracker.trade_logs t JOIN tracker.symbols s USING (symbol_id)
WHERE t.account = $1 AND t.exit_time > $2 AND t.exit_time <= $3
GROUP BY s.symbol ORDER BY pnl DESC, s.symbol;

-- name: funnel
-- How far the looks of the hours from $1 to $2 came, by strategy, for an account.
SELECT strategy, place, step, sum(count)::bigint AS count FROM dashboards.funnel
WHERE hour >= $1 AND hour <= $2 AND account IS NOT DISTINCT FROM $3::text
GROUP BY strategy, place, step ORDER BY strategy, place;

-- name: stopped_by
-- What most looks of each strategy in the hours from $1 to $2 stopped at before they became a signal.
SELECT DISTINCT ON (strategy) strategy, reason, sum(count)::bigint AS count FROM dashboards.funnel_reasons
WHERE hour >= $1 AND hour <= $2 AND account IS NOT DISTINCT FROM $3::text AND step IN ('scans', 'setups')
GROUP BY strategy, reason ORDER BY strategy, sum(count) DESC, reason;

-- name: scanned_through
-- How far every strategy has scanned, the furthest.
SELECT max(closed_through) FROM tracker.scan_watermarks;

-- name: leaders
-- The best variations in the shadow over a window, and how many there are.
SELECT strategy, variation, source, changes::text AS changes, trades, total_return, sharpe, dsr, max_drawdown, hours,
       as_of, count(*) OVER () AS variations
FROM dashboards.shadow_leaders WHERE span = $1 AND trades > 0
ORDER BY dsr DESC NULLS LAST, sharpe DESC NULLS LAST, variation LIMIT $2;

-- name: champions
-- The champion of each strategy that scans, if it has one, and the last look at it.
SELECT w.strategy, m.model_id, m.promoted_at, p.watched_at, p.action, p.brier, p.expected_brier, p.labels
FROM tracker.scan_watermarks w
LEFT JOIN tracker.models m ON m.strategy = w.strategy AND m.status = 'champion'
LEFT JOIN LATERAL (
  SELECT * FROM dashboards.model_performance q
  WHERE q.model_id = m.model_id ORDER BY q.performance_id DESC LIMIT 1
) p ON true
ORDER BY w.strategy;

-- name: verdicts
-- What the gate said of models since $1, the newest first.
SELECT m.strategy, v.model_id, v.judged_at, v.passed, v.promoted, v.forced,
       (SELECT string_agg(c ->> 'name', ', ' ORDER BY n) FROM jsonb_array_elements(v.criteria) WITH ORDINALITY e(c, n)
        WHERE c ->> 'ok' = 'false') AS failed,
       jsonb_array_length(v.criteria) AS criteria
FROM tracker.model_verdicts v JOIN tracker.models m USING (model_id)
WHERE v.judged_at > $1 ORDER BY v.verdict_id DESC LIMIT 20;

-- name: data
-- Symbols, freshness, and the gaps that are open or were closed since $1.
SELECT
  (SELECT count(*) FROM tracker.symbols WHERE status = 'active') AS active,
  (SELECT count(*) FROM tracker.symbols WHERE status = 'unsupported') AS unsupported,
  (SELECT count(*) FROM tracker.symbols WHERE status = 'paused') AS paused,
  (SELECT closed_through FROM tracker.bar_watermarks WHERE timeframe = '1m') AS closed_through,
  (SELECT count(*) FROM tracker.data_gaps WHERE state = 'open' AND cause <> 'history') AS open_gaps,
  (SELECT count(DISTINCT symbol_id) FROM tracker.data_gaps WHERE state = 'open' AND cause <> 'history') AS gap_symbols,
  (SELECT min(detected_at) FROM tracker.data_gaps WHERE state = 'open' AND cause <> 'history') AS gap_since,
  (SELECT coalesce(sum(healed_bars), 0) FROM tracker.data_gaps WHERE resolved_at > $1) AS healed_bars,
  (SELECT count(*) FROM tracker.rejected_bars WHERE received_at > $1) AS rejected;

-- name: coverage
-- The share of expected bars that is stored on the last whole days, by day, and the symbol with the least.
SELECT d.day, sum(d.bars)::bigint AS bars, sum(d.expected)::bigint AS expected,
       (array_agg(s.symbol ORDER BY d.bars::float8 / nullif(d.expected, 0), s.symbol))[1] AS least,
       min(d.bars::float8 / nullif(d.expected, 0)) AS least_share
FROM tracker.symbol_days d JOIN tracker.symbols s USING (symbol_id)
WHERE d.expected > 0 AND s.status = 'active' AND d.day > (SELECT max(day) FROM tracker.symbol_days) - $1::interval
GROUP BY d.day ORDER BY d.day DESC;

-- name: alerts
-- The alerts that were told or are over since $1.
SELECT fingerprint, severity, state, first_at, recovered_at, repeats, observed FROM tracker.alerts
WHERE (first_at > $1 OR recovered_at > $1 OR state IN ('open', 'recovering')) AND episodes > 0
ORDER BY state IN ('open', 'recovering') DESC, severity, first_at DESC;

-- name: memory
-- What the services take in memory, and how often they were started anew.
SELECT count(*) AS services, coalesce(sum(rss_bytes), 0)::bigint AS rss_bytes,
       count(*) FILTER (WHERE status IN ('fail', 'stopped')) AS unwell, coalesce(sum(restarts), 0)::bigint AS restarts
FROM tracker.service_heartbeats;
