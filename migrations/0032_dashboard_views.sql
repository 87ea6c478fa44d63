-- migrate:up
-- What pages, Grafana and people ask, one view a question. How they may change is said in docs/sql.md. None reads the
-- bars, features or looks of more than a stated span, and no span of them but by their keys.
CREATE INDEX orders_by_time ON tracker.orders (placed_at);

-- Money that people moved is no gain and no loss: an account is measured by what it has beside what was paid in.
CREATE VIEW tracker.capital WITH (security_invoker = true) AS
SELECT m.account,
  CASE row_number() OVER w WHEN 1 THEN timestamptz '-infinity' ELSE m.at END AS after,
  lead(m.at, 1, timestamptz 'infinity') OVER w AS through,
  sum(m.amount) OVER w AS paid_in
FROM (
  SELECT a.account, coalesce(e.ts, a.opened_at) AS at, coalesce(sum(e.amount), a.start_cash) AS amount
  FROM tracker.accounts a
  LEFT JOIN tracker.account_events e ON e.account = a.account AND e.amount IS NOT NULL
  GROUP BY a.account, e.ts
) m
WINDOW w AS (PARTITION BY m.account ORDER BY m.at);
COMMENT ON VIEW tracker.capital IS
  'cash that was paid into each account, less what was taken out, for every point of its equity after one moment and up'
  ' to another';

CREATE VIEW tracker.equity_points WITH (security_invoker = true) AS
SELECT e.account, e.ts, e.equity, e.cash, e.positions_value, e.realised_pnl, e.unrealised_pnl, e.fees, e.open_positions,
  c.paid_in, e.equity - c.paid_in AS gain
FROM tracker.capital c
JOIN tracker.equity_curve e ON e.account = c.account AND e.ts > c.after AND e.ts <= c.through;
COMMENT ON VIEW tracker.equity_points IS 'the equity curve with what was paid in; to be read with a bound on ts';

CREATE MATERIALIZED VIEW tracker.equity_hours AS
SELECT h.account, h.hour, f.equity AS open, h.high, h.low, l.equity AS close, h.highest_gain, h.lowest_gain, l.gain,
  l.paid_in, l.fees, h.open_positions, h.last_at
FROM (
  SELECT account, date_bin('1 hour', ts, timestamptz '1970-01-01 00:00:00+00') AS hour, max(equity) AS high,
    min(equity) AS low, max(gain) AS highest_gain, min(gain) AS lowest_gain, max(open_positions) AS open_positions,
    min(ts) AS first_at, max(ts) AS last_at
  FROM tracker.equity_points GROUP BY 1, 2
) h
JOIN tracker.equity_points f ON f.account = h.account AND f.ts = h.first_at
JOIN tracker.equity_points l ON l.account = h.account AND l.ts = h.last_at;
CREATE UNIQUE INDEX equity_hours_key ON tracker.equity_hours (account, hour);
COMMENT ON MATERIALIZED VIEW tracker.equity_hours IS 'each account''s equity by the hour; refreshed by data_scheduler';

-- Hours that are over from the aggregate, and what it does not have yet from the curve.
CREATE VIEW tracker.equity_by_hour WITH (security_invoker = true) AS
SELECT h.account, h.hour, h.open, h.high, h.low, h.close, h.highest_gain, h.lowest_gain, h.gain, h.paid_in, h.fees,
  h.open_positions, h.last_at
FROM tracker.accounts a
CROSS JOIN LATERAL (SELECT max(n.hour) AS hour FROM tracker.equity_hours n WHERE n.account = a.account) r
JOIN tracker.equity_hours h ON h.account = a.account AND h.hour < r.hour
UNION ALL
SELECT t.account, t.hour, f.equity, t.high, t.low, l.equity, t.highest_gain, t.lowest_gain, l.gain, l.paid_in, l.fees,
  t.open_positions, t.last_at
FROM tracker.accounts a
CROSS JOIN LATERAL (SELECT max(n.hour) AS hour FROM tracker.equity_hours n WHERE n.account = a.account) r
CROSS JOIN LATERAL (
  SELECT p.account, date_bin('1 hour', p.ts, timestamptz '1970-01-01 00:00:00+00') AS hour, max(p.equity) AS high,
    min(p.equity) AS low, max(p.gain) AS highest_gain, min(p.gain) AS lowest_gain,
    max(p.open_positions) AS open_positions, min(p.ts) AS first_at, max(p.ts) AS last_at
  FROM tracker.equity_points p
  WHERE p.account = a.account AND p.ts >= coalesce(r.hour, timestamptz '-infinity')
  GROUP BY 1, 2
) t
CROSS JOIN LATERAL (
  SELECT e.equity FROM tracker.equity_curve e WHERE e.account = t.account AND e.ts = t.first_at
) f
CROSS JOIN LATERAL (
  SELECT p.equity, p.gain, p.paid_in, p.fees FROM tracker.equity_points p
  WHERE p.account = t.account AND p.ts = t.last_at
) l;

CREATE VIEW dashboards.contract WITH (security_invoker = true) AS
SELECT c.relname::text AS view, coalesce(substring(c.relname::text FROM '_v([0-9]+)$')::integer, 1) AS version,
  obj_description(c.oid, 'pg_class') AS question,
  ARRAY(SELECT a.attname::text || ' ' || format_type(a.atttypid, a.atttypmod) FROM pg_attribute a
        WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum) AS columns
FROM pg_class c
WHERE c.relnamespace = to_regnamespace('dashboards') AND c.relkind = 'v';
COMMENT ON VIEW dashboards.contract IS 'which views there are, which question each answers, and its columns';
COMMENT ON COLUMN dashboards.contract.version IS
  'within one a view only gains columns; a view that has to change otherwise gets a new name that ends in _v2';

CREATE VIEW dashboards.market_mode WITH (security_invoker = true) AS
SELECT CASE coalesce(h.market, 'unknown') WHEN 'simulated' THEN 'SIMULATED' WHEN 'replay' THEN 'REPLAY'
    WHEN 'unknown' THEN 'UNKNOWN' ELSE 'LIVE' END AS mode,
  coalesce(h.market, 'unknown') AS market, h.vendor, h.beat_at AS told_at,
  (SELECT max(w.closed_through) FROM tracker.bar_watermarks w) AS closed_through
FROM (SELECT) one
LEFT JOIN LATERAL (
  SELECT b.detail ->> 'market' AS market, b.detail ->> 'source' AS vendor, b.beat_at
  FROM tracker.service_heartbeats b WHERE b.service = 'data_collector' ORDER BY b.beat_at DESC LIMIT 1
) h ON true;
COMMENT ON VIEW dashboards.market_mode IS 'Is this market real? One row, as the data collector last told.';
COMMENT ON COLUMN dashboards.market_mode.mode IS 'LIVE, SIMULATED (invented prices), REPLAY (of the past), UNKNOWN';
COMMENT ON COLUMN dashboards.market_mode.market IS 'simulated, replay, unknown, or the vendor that bars are bought from';
COMMENT ON COLUMN dashboards.market_mode.vendor IS 'whose protocol is spoken; that of simulated and replayed bars too';
COMMENT ON COLUMN dashboards.market_mode.closed_through IS 'event time: bars are complete up to here';

CREATE VIEW dashboards.fleet WITH (security_invoker = true) AS
SELECT b.service, b.instance, b.detail ->> 'role' AS role, b.pid,
  CASE WHEN b.status <> 'stopped' AND b.beat_at < now() - interval '30 seconds' THEN 'silent' ELSE b.status END AS state,
  b.status AS last_status, b.started_at, b.beat_at,
  extract(epoch FROM now() - b.beat_at)::float8 AS age_seconds,
  extract(epoch FROM b.beat_at - b.started_at)::float8 AS uptime_seconds,
  b.restarts, b.rss_bytes, coalesce(b.detail ->> 'problem', b.detail ->> 'trouble') AS problem, b.detail
FROM tracker.service_heartbeats b;
COMMENT ON VIEW dashboards.fleet IS 'Which services run, how they are, since when, and how much memory they take; a row an instance.';
COMMENT ON COLUMN dashboards.fleet.role IS 'holder or standby, of services of which only one instance acts; null for others';
COMMENT ON COLUMN dashboards.fleet.state IS 'pass, warn, fail, stopped as the instance told, or silent after 30 s without a word';
COMMENT ON COLUMN dashboards.fleet.age_seconds IS 'since the last heartbeat, by the wall clock';
COMMENT ON COLUMN dashboards.fleet.restarts IS 'how many instances before it this one has taken over from';
COMMENT ON COLUMN dashboards.fleet.rss_bytes IS 'resident memory of the process';
COMMENT ON COLUMN dashboards.fleet.problem IS 'what needs a person, else what is tried again; null where all is well';

CREATE VIEW dashboards.leases WITH (security_invoker = true) AS
SELECT l.lease, l.service, l.holder, l.acquired_at, l.expires_at, l.expires_at > now() AS held
FROM tracker.service_leases l;
COMMENT ON VIEW dashboards.leases IS 'Which instance acts where only one may.';

CREATE VIEW dashboards.market_heat WITH (security_invoker = true) AS
SELECT s.symbol, s.status, l.timeframe, l.close AS price, l.ts AS last_bar_at,
  l.ts + tracker.duration(l.timeframe) AS closed_at,
  extract(epoch FROM now() - l.ts - tracker.duration(l.timeframe))::float8 AS age_seconds,
  l.close / h.close - 1 AS change_1h, l.close / d.close - 1 AS change_24h,
  v.volume AS volume_24h, v.turnover AS turnover_24h, v.high AS high_24h, v.low AS low_24h
FROM tracker.symbols s
JOIN tracker.latest_bar l ON l.symbol_id = s.symbol_id AND l.timeframe = s.base_timeframe
LEFT JOIN LATERAL (
  SELECT o.close FROM tracker.ohlc_data o
  WHERE o.symbol_id = s.symbol_id AND o.timeframe = s.base_timeframe
    AND o.ts <= l.ts - interval '1 hour' AND o.ts > l.ts - interval '3 hours'
  ORDER BY o.ts DESC LIMIT 1
) h ON true
LEFT JOIN LATERAL (
  SELECT o.close FROM tracker.ohlc_data o
  WHERE o.symbol_id = s.symbol_id AND o.timeframe = s.base_timeframe
    AND o.ts <= l.ts - interval '24 hours' AND o.ts > l.ts - interval '26 hours'
  ORDER BY o.ts DESC LIMIT 1
) d ON true
LEFT JOIN LATERAL (
  SELECT sum(o.volume) AS volume, sum(o.volume * coalesce(o.vwap, o.close)) AS turnover, max(o.high) AS high,
    min(o.low) AS low
  FROM tracker.ohlc_data o
  WHERE o.symbol_id = s.symbol_id
    AND o.timeframe = CASE WHEN s.base_timeframe IN ('1m', '5m') THEN '15m' ELSE s.base_timeframe END
    AND o.ts > l.ts - interval '24 hours' AND o.ts <= l.ts
) v ON true;
COMMENT ON VIEW dashboards.market_heat IS 'What the market does: each symbol''s price, its change, volume and how fresh that is.';
COMMENT ON COLUMN dashboards.market_heat.price IS 'close of the last bar, in the quote currency';
COMMENT ON COLUMN dashboards.market_heat.last_bar_at IS 'open of the last bar, which closed at closed_at';
COMMENT ON COLUMN dashboards.market_heat.age_seconds IS 'since that bar closed, by the wall clock';
COMMENT ON COLUMN dashboards.market_heat.change_1h IS 'fraction: 0.01 is 1 percent up; null where there was no bar then';
COMMENT ON COLUMN dashboards.market_heat.change_24h IS 'fraction, as change_1h';
COMMENT ON COLUMN dashboards.market_heat.volume_24h IS
  'of the 24 hours before the last bar, in the base currency, by closed bars of 15 minutes';
COMMENT ON COLUMN dashboards.market_heat.turnover_24h IS 'volume times price, in the quote currency';

CREATE VIEW dashboards.symbols WITH (security_invoker = true) AS
SELECT s.symbol, s.status, s.status_reason, s.status_since, s.base_timeframe, h.last_bar_at, h.closed_at, h.age_seconds,
  coalesce(s.status = 'active' AND h.last_bar_at >= max(h.last_bar_at) OVER (PARTITION BY s.base_timeframe)
    - greatest(interval '5 minutes', tracker.duration(s.base_timeframe)), false) AS live,
  h.price, h.change_24h, h.volume_24h, f.features_at, f.known AS features_known, f.features AS features_expected,
  coalesce(f.known = f.features, false) AS features_warm
FROM tracker.symbols s
LEFT JOIN dashboards.market_heat h ON h.symbol = s.symbol
LEFT JOIN LATERAL (
  SELECT m.ts + interval '15 minutes' AS features_at, cardinality(m.values) AS features,
    (SELECT count(*)::integer FROM unnest(m.values) AS each(value) WHERE each.value <> 'NaN') AS known
  FROM tracker.ml_features m
  WHERE m.symbol_id = s.symbol_id AND m.timeframe = '15m' AND m.ts > (
    SELECT w.closed_through FROM tracker.feature_watermarks w WHERE w.timeframe = '15m') - interval '3 hours'
  ORDER BY m.ts DESC, m.feature_set DESC LIMIT 1
) f ON true;
COMMENT ON VIEW dashboards.symbols IS 'Which symbols are watched, whether bars of each still come, and whether its features are warm.';
COMMENT ON COLUMN dashboards.symbols.live IS 'its last bar is within five minutes, or one bar, of the newest of its kind';
COMMENT ON COLUMN dashboards.symbols.age_seconds IS 'since the last bar closed, by the wall clock';
COMMENT ON COLUMN dashboards.symbols.change_24h IS 'fraction: 0.01 is 1 percent up';
COMMENT ON COLUMN dashboards.symbols.volume_24h IS 'in the base currency';
COMMENT ON COLUMN dashboards.symbols.features_at IS
  'close of the 15m bar that the newest features are of; null where the last three hours have none';
COMMENT ON COLUMN dashboards.symbols.features_known IS 'how many of features_expected are numbers already';

CREATE VIEW dashboards.candles WITH (security_invoker = true) AS
SELECT s.symbol, o.timeframe, o.ts, o.open, o.high, o.low, o.close, o.volume, o.vwap, o.trades, o.source::text AS source,
  o.revision, o.received_at
FROM tracker.symbols s JOIN tracker.ohlc_all o ON o.symbol_id = s.symbol_id;
COMMENT ON VIEW dashboards.candles IS
  'Bars of a symbol, wherever their month lies. Ask with symbol, timeframe and bounds on ts: without them it reads all.';
COMMENT ON COLUMN dashboards.candles.ts IS 'open of the bar, UTC';
COMMENT ON COLUMN dashboards.candles.volume IS 'in the base currency; prices are in the quote currency';
COMMENT ON COLUMN dashboards.candles.source IS 'stream, rest, rollup (made of finer bars), import';
COMMENT ON COLUMN dashboards.candles.revision IS 'how often the bar was corrected';

CREATE VIEW dashboards.candles_recent WITH (security_invoker = true) AS
SELECT s.symbol, o.timeframe, o.ts, o.open, o.high, o.low, o.close, o.volume, o.vwap, o.trades, o.source::text AS source,
  o.revision, o.received_at
FROM tracker.symbols s
JOIN tracker.ohlc_data o ON o.symbol_id = s.symbol_id
WHERE o.timeframe IN ('1m', '5m', '15m', '1h', '1d')
  AND o.ts >= (SELECT max(w.closed_through) FROM tracker.bar_watermarks w) - interval '7 days';
COMMENT ON VIEW dashboards.candles_recent IS
  'Bars of the last 7 days of event time, also of a replay of the past. Ask with symbol and timeframe.';
COMMENT ON COLUMN dashboards.candles_recent.ts IS 'open of the bar, UTC';

CREATE VIEW dashboards.indicators WITH (security_invoker = true) AS
SELECT s.symbol, m.timeframe, m.ts, m.ts + tracker.duration(m.timeframe) AS closes_at, n.feature,
  nullif(m.values[n.place], 'NaN')::float8 AS value, m.computed_at
FROM tracker.feature_sets f
CROSS JOIN LATERAL unnest(f.names) WITH ORDINALITY AS n(feature, place)
CROSS JOIN tracker.symbols s
JOIN tracker.ml_features m ON m.symbol_id = s.symbol_id AND m.feature_set = f.feature_set
WHERE f.hash = obj_description(to_regclass('tracker.ml_features_named'), 'pg_class')
  AND m.timeframe IN ('15m', '1h')
  AND m.ts >= (SELECT max(w.closed_through) FROM tracker.feature_watermarks w) - interval '30 days';
COMMENT ON VIEW dashboards.indicators IS
  'What the strategies and models saw: each feature of a symbol by the bar, over the last 30 days of event time. Ask with'
  ' symbol, timeframe and feature.';
COMMENT ON COLUMN dashboards.indicators.ts IS 'open of the bar that it is of; it was known from closes_at on';
COMMENT ON COLUMN dashboards.indicators.value IS 'null until the feature''s own warm-up is complete; units are in docs/features.md';

CREATE VIEW dashboards.signals WITH (security_invoker = true) AS
SELECT g.signal_id, g.strategy, s.symbol, g.timeframe, g.decided_at, g.expires_at, g.created_at, g.side, g.entry, g.stop,
  g.target, abs(g.target - g.entry) / nullif(abs(g.entry - g.stop), 0) AS reward_to_risk, g.ladder, g.confirmations,
  g.strength, g.confidence, g.market_regime, g.volatility, g.model_id, g.config_hash
FROM tracker.signals g JOIN tracker.symbols s USING (symbol_id);
COMMENT ON VIEW dashboards.signals IS 'Every trade that a strategy proposed, whatever became of it.';
COMMENT ON COLUMN dashboards.signals.decided_at IS 'the bar close at which it was decided, event time; indexed';
COMMENT ON COLUMN dashboards.signals.entry IS 'the close that the decision saw; prices are in the quote currency';
COMMENT ON COLUMN dashboards.signals.ladder IS 'prices of further buys below the entry';
COMMENT ON COLUMN dashboards.signals.strength IS 'of the rule, 0 to 1';
COMMENT ON COLUMN dashboards.signals.confidence IS 'probability of a profit after fees that the model gave; null without a model';

CREATE VIEW dashboards.orders WITH (security_invoker = true) AS
SELECT o.order_id, o.account, o.strategy, s.symbol, o.decided_at, o.leg, o.kind, o.side, o.status, o.reason, o.note,
  o.quantity, o.filled_quantity, (o.filled_quantity / nullif(o.quantity, 0))::float8 AS filled_share, o.limit_price,
  o.reference_price, o.quantity * o.reference_price AS notional, o.placed_at, o.ended_at, o.signal_id, o.config_hash
FROM tracker.orders o JOIN tracker.symbols s USING (symbol_id);
COMMENT ON VIEW dashboards.orders IS 'What was ordered, refused orders with their reason among it.';
COMMENT ON COLUMN dashboards.orders.leg IS 'entry, rung1.., stop, trailing, target, timeout and the like';
COMMENT ON COLUMN dashboards.orders.reason IS 'why it was refused; null for any other';
COMMENT ON COLUMN dashboards.orders.quantity IS 'in the base currency';
COMMENT ON COLUMN dashboards.orders.reference_price IS
  'price the decision saw: the close for an entry, the level for a rung or an exit';
COMMENT ON COLUMN dashboards.orders.notional IS 'quantity at that price, in the account''s currency';
COMMENT ON COLUMN dashboards.orders.placed_at IS 'event time; indexed';

CREATE VIEW dashboards.fills WITH (security_invoker = true) AS
SELECT i.fill_id, i.order_id, o.account, o.strategy, s.symbol, o.leg, o.kind, i.side, i.filled_at, i.bar_ts, i.quantity,
  i.price, i.reference_price, i.quantity * i.price AS notional,
  i.quantity * CASE i.side WHEN 'buy' THEN i.price - i.reference_price ELSE i.reference_price - i.price END AS slippage,
  (10000 * CASE i.side WHEN 'buy' THEN 1 ELSE -1 END * (i.price / i.reference_price - 1))::float8 AS slippage_bps,
  i.fee, (10000 * i.fee / (i.quantity * i.price))::float8 AS fee_bps, i.liquidity, i.realised_pnl, o.decided_at,
  o.signal_id
FROM tracker.fills i JOIN tracker.orders o USING (order_id) JOIN tracker.symbols s USING (symbol_id);
COMMENT ON VIEW dashboards.fills IS 'What was bought and sold, at which price, and what slippage and fees took.';
COMMENT ON COLUMN dashboards.fills.filled_at IS 'event time; indexed';
COMMENT ON COLUMN dashboards.fills.bar_ts IS 'open of the bar that filled it';
COMMENT ON COLUMN dashboards.fills.reference_price IS 'price before slippage';
COMMENT ON COLUMN dashboards.fills.slippage IS 'what was paid more, or got less, than at reference_price, in the account''s currency';
COMMENT ON COLUMN dashboards.fills.slippage_bps IS 'hundredths of a percent of the price, as fee_bps; above 0 is worse';
COMMENT ON COLUMN dashboards.fills.realised_pnl IS 'gross of fees; 0 for a buy';

CREATE VIEW dashboards.positions WITH (security_invoker = true) AS
SELECT p.account, p.strategy, s.symbol, p.side, p.status, p.decided_at, p.opened_at, p.expires_at, p.quantity,
  (p.cost / nullif(p.quantity, 0))::float8 AS average_price, m.price AS last_price, m.closed_at AS marked_at, p.cost,
  (p.quantity::float8 * m.price) AS value,
  m.sign * (p.quantity::float8 * m.price - p.cost::float8) AS unrealised_pnl,
  m.sign * (p.quantity::float8 * m.price / nullif(p.cost, 0)::float8 - 1) AS unrealised_return,
  p.realised_pnl, p.fees, p.stop_price, p.stop_reason, p.initial_stop_price, p.target_price,
  (p.stop_price::float8 / m.price - 1) AS to_stop, (p.target_price::float8 / m.price - 1) AS to_target,
  m.sign * (p.cost - p.quantity * p.stop_price) AS loss_at_stop, r.filled AS rungs_filled, r.placed AS rungs, p.leaving,
  p.signal_id, g.confidence, g.strength, g.market_regime, p.config_hash
FROM tracker.positions p
JOIN tracker.symbols s USING (symbol_id)
LEFT JOIN tracker.signals g ON g.signal_id = p.signal_id
LEFT JOIN tracker.latest_bar l ON l.symbol_id = s.symbol_id AND l.timeframe = s.base_timeframe
CROSS JOIN LATERAL (
  SELECT coalesce(l.close, p.last_price::float8) AS price,
    coalesce(l.ts + tracker.duration(l.timeframe), p.last_bar_at) AS closed_at,
    CASE p.side WHEN 'long' THEN 1 ELSE -1 END AS sign
) m
CROSS JOIN LATERAL (
  SELECT count(*) FILTER (WHERE o.filled_quantity > 0) AS filled, count(*) AS placed
  FROM tracker.orders o
  WHERE o.account = p.account AND o.strategy = p.strategy AND o.symbol_id = p.symbol_id
    AND o.decided_at = p.decided_at AND o.kind IN ('entry', 'rung')
) r
WHERE p.status IN ('pending', 'open');
COMMENT ON VIEW dashboards.positions IS 'What is held or waited for now, what it is worth, and where it will be sold.';
COMMENT ON COLUMN dashboards.positions.status IS 'pending until the first fill, then open';
COMMENT ON COLUMN dashboards.positions.last_price IS 'close of the last bar, which closed at marked_at';
COMMENT ON COLUMN dashboards.positions.cost IS 'of what is held, without fees, in the account''s currency; value is at last_price';
COMMENT ON COLUMN dashboards.positions.unrealised_pnl IS 'before fees, in the account''s currency';
COMMENT ON COLUMN dashboards.positions.unrealised_return IS 'fraction of the cost';
COMMENT ON COLUMN dashboards.positions.realised_pnl IS 'of what was sold of it already, before fees';
COMMENT ON COLUMN dashboards.positions.to_stop IS 'fraction the price has to move to the stop, below 0 is down; to_target alike';
COMMENT ON COLUMN dashboards.positions.loss_at_stop IS 'what is lost of the cost at the stop; below 0 is a gain that is safe';
COMMENT ON COLUMN dashboards.positions.rungs IS 'buys of its ladder, the entry among them, that were placed; rungs_filled at least in part';
COMMENT ON COLUMN dashboards.positions.leaving IS 'why it is being sold; null where it is not';

CREATE VIEW dashboards.trades WITH (security_invoker = true) AS
SELECT t.trade_id, t.account, t.strategy, s.symbol, t.side, t.decided_at, t.entry_time, t.exit_time,
  extract(epoch FROM t.exit_time - t.entry_time)::float8 AS held_seconds, t.entry_price, t.exit_price, t.quantity,
  t.entry_price * t.quantity AS notional, t.gross_pnl, t.fees, t.pnl,
  (t.pnl / nullif(t.entry_price * t.quantity, 0))::float8 AS net_return,
  (t.pnl / nullif(abs(t.entry_price - p.initial_stop_price) * t.quantity, 0))::float8 AS r_multiple,
  t.exit_reason, t.mae, t.mfe, t.stop_loss_price, t.take_profit_price, g.market_regime, g.volatility, g.strength,
  g.confidence, g.model_id, t.signal_id, t.config_hash
FROM tracker.trade_logs t
JOIN tracker.symbols s USING (symbol_id)
JOIN tracker.positions p USING (account, strategy, symbol_id, decided_at)
LEFT JOIN tracker.signals g ON g.signal_id = t.signal_id;
COMMENT ON VIEW dashboards.trades IS 'Every finished trade, from its signal to its outcome.';
COMMENT ON COLUMN dashboards.trades.exit_time IS 'event time; indexed';
COMMENT ON COLUMN dashboards.trades.entry_price IS 'average of all buys, as exit_price of all sales; in the quote currency';
COMMENT ON COLUMN dashboards.trades.pnl IS 'after slippage and fees, in the account''s currency; gross_pnl is before fees';
COMMENT ON COLUMN dashboards.trades.net_return IS 'pnl as a fraction of the notional';
COMMENT ON COLUMN dashboards.trades.r_multiple IS 'pnl in units of what the first stop would have lost';
COMMENT ON COLUMN dashboards.trades.mae IS 'worst price seen while held, as a fraction of the average entry; mfe is the best';
COMMENT ON COLUMN dashboards.trades.confidence IS 'what the model gave the signal; null without a model';

CREATE VIEW dashboards.equity_hourly WITH (security_invoker = true) AS
SELECT e.account, e.hour, e.open, e.high, e.low, e.close, e.paid_in, e.gain,
  greatest((e.peak - e.gain) / nullif(e.paid_in + e.peak, 0), 0)::float8 AS drawdown,
  greatest((e.peak - e.lowest_gain) / nullif(e.paid_in + e.peak, 0), 0)::float8 AS worst_drawdown, e.fees,
  e.open_positions, e.last_at
FROM (
  SELECT h.*, greatest(max(h.highest_gain) OVER (PARTITION BY h.account ORDER BY h.hour), 0) AS peak
  FROM tracker.equity_by_hour h
) e;
COMMENT ON VIEW dashboards.equity_hourly IS
  'The equity curve of each account with its drawdown, hour by hour since the beginning, the running hour included.';
COMMENT ON COLUMN dashboards.equity_hourly.open IS 'equity at the first minute of the hour, in the account''s currency; close at the last';
COMMENT ON COLUMN dashboards.equity_hourly.gain IS 'close less paid_in, the cash that was paid in so far less what was taken out';
COMMENT ON COLUMN dashboards.equity_hourly.drawdown IS
  'of the gain at the hour''s end from its highest so far, as a fraction of the equity it would be; 0.1 is 10 percent';
COMMENT ON COLUMN dashboards.equity_hourly.worst_drawdown IS 'at the worst minute of the hour';
COMMENT ON COLUMN dashboards.equity_hourly.fees IS 'since the account was opened';
COMMENT ON COLUMN dashboards.equity_hourly.open_positions IS 'most at a time';

CREATE VIEW dashboards.equity_daily WITH (security_invoker = true) AS
SELECT d.account, d.day, d.open, d.high, d.low, d.close, d.paid_in, d.gain,
  d.gain - coalesce(lag(d.gain) OVER w, 0) AS pnl,
  ((d.gain - coalesce(lag(d.gain) OVER w, 0))
    / nullif(d.paid_in + coalesce(lag(d.gain) OVER w, 0), 0))::float8 AS net_return,
  d.drawdown, d.worst_drawdown, d.fees - coalesce(lag(d.fees) OVER w, 0) AS fees, d.open_positions, d.last_at
FROM (
  SELECT h.account, date_trunc('day', h.hour, 'UTC') AS day, (array_agg(h.open ORDER BY h.hour))[1] AS open,
    max(h.high) AS high, min(h.low) AS low, (array_agg(h.close ORDER BY h.hour DESC))[1] AS close,
    (array_agg(h.paid_in ORDER BY h.hour DESC))[1] AS paid_in, (array_agg(h.gain ORDER BY h.hour DESC))[1] AS gain,
    (array_agg(h.drawdown ORDER BY h.hour DESC))[1] AS drawdown, max(h.worst_drawdown) AS worst_drawdown,
    (array_agg(h.fees ORDER BY h.hour DESC))[1] AS fees, max(h.open_positions) AS open_positions,
    max(h.last_at) AS last_at
  FROM dashboards.equity_hourly h GROUP BY 1, 2
) d
WINDOW w AS (PARTITION BY d.account ORDER BY d.day);
COMMENT ON VIEW dashboards.equity_daily IS 'How each account did, day by day (UTC), the running day included.';
COMMENT ON COLUMN dashboards.equity_daily.open IS 'equity at the first minute of the day, in the account''s currency; close at the last';
COMMENT ON COLUMN dashboards.equity_daily.paid_in IS 'cash that was paid in so far, less what was taken out';
COMMENT ON COLUMN dashboards.equity_daily.gain IS 'close less paid_in; pnl is what the day added to it';
COMMENT ON COLUMN dashboards.equity_daily.net_return IS
  'pnl as a fraction of the equity the day began with, money moved on the day counted as if at its beginning';
COMMENT ON COLUMN dashboards.equity_daily.drawdown IS 'at the day''s end, as dashboards.equity_hourly.drawdown';
COMMENT ON COLUMN dashboards.equity_daily.worst_drawdown IS 'at the worst minute of the day';
COMMENT ON COLUMN dashboards.equity_daily.fees IS 'of the day';
COMMENT ON COLUMN dashboards.equity_daily.open_positions IS 'most at a time';

CREATE VIEW dashboards.equity WITH (security_invoker = true) AS
SELECT e.account, e.ts, e.equity, e.cash, e.positions_value, e.realised_pnl, e.unrealised_pnl, e.fees, e.open_positions,
  e.paid_in, e.gain,
  greatest((e.peak - e.gain) / nullif(e.paid_in + e.peak, 0), 0)::float8 AS drawdown
FROM (
  SELECT p.*, greatest(max(p.gain) OVER (PARTITION BY p.account ORDER BY p.ts), b.peak, 0) AS peak
  FROM (
    SELECT c.account, date_trunc('day', c.processed_through, 'UTC') - interval '7 days' AS since
    FROM tracker.paper_cursor c
  ) r
  CROSS JOIN LATERAL (
    SELECT max(h.highest_gain) AS peak FROM tracker.equity_by_hour h WHERE h.account = r.account AND h.hour < r.since
  ) b
  JOIN tracker.equity_points p ON p.account = r.account AND p.ts >= r.since
) e;
COMMENT ON VIEW dashboards.equity IS
  'The equity curve of each account with its drawdown, every stored minute of the last 7 days of event time;'
  ' dashboards.equity_hourly goes back to the beginning.';
COMMENT ON COLUMN dashboards.equity.equity IS 'cash + positions_value, in the account''s currency';
COMMENT ON COLUMN dashboards.equity.realised_pnl IS 'before fees, since the account was opened; fees alike';
COMMENT ON COLUMN dashboards.equity.gain IS 'equity less paid_in, the cash that was paid in so far less what was taken out';
COMMENT ON COLUMN dashboards.equity.drawdown IS
  'of the gain from its highest since the beginning, as a fraction of the equity it would be; 0.1 is 10 percent';

CREATE VIEW dashboards.accounts WITH (security_invoker = true) AS
SELECT a.account, a.currency, a.source, a.opened_at, c.processed_through AS as_of, t.state, t.state_until,
  e.equity, e.cash, e.positions_value, e.paid_in, e.gain, (e.gain / nullif(e.paid_in, 0))::float8 AS net_return,
  e.realised_pnl, e.unrealised_pnl, e.fees,
  e.gain - coalesce(y.gain, 0) AS pnl_today,
  ((e.gain - coalesce(y.gain, 0)) / nullif(e.paid_in + coalesce(y.gain, 0), 0))::float8 AS return_today,
  greatest((h.peak - e.gain) / nullif(e.paid_in + h.peak, 0), 0)::float8 AS drawdown,
  e.open_positions, o.trades AS trades_today, o.wins AS wins_today, n.trades, n.wins
FROM tracker.accounts a
LEFT JOIN tracker.paper_cursor c ON c.account = a.account
LEFT JOIN dashboards.trading_state t ON t.account = a.account
LEFT JOIN LATERAL (
  SELECT p.ts, p.equity, p.cash, p.positions_value, p.paid_in, p.gain, p.realised_pnl, p.unrealised_pnl, p.fees,
    p.open_positions
  FROM tracker.equity_points p
  WHERE p.account = a.account AND p.ts = (SELECT max(x.ts) FROM tracker.equity_curve x WHERE x.account = a.account)
) e ON true
LEFT JOIN LATERAL (
  SELECT p.gain FROM tracker.equity_points p
  WHERE p.account = a.account AND p.ts = (
    SELECT max(x.ts) FROM tracker.equity_curve x
    WHERE x.account = a.account AND x.ts < date_trunc('day', e.ts, 'UTC'))
) y ON true
LEFT JOIN LATERAL (
  SELECT greatest(max(h.highest_gain), 0) AS peak FROM tracker.equity_by_hour h WHERE h.account = a.account
) h ON true
CROSS JOIN LATERAL (
  SELECT count(*) AS trades, count(*) FILTER (WHERE l.pnl > 0) AS wins FROM tracker.trade_logs l
  WHERE l.account = a.account AND l.exit_time >= date_trunc('day', e.ts, 'UTC')
) o
CROSS JOIN LATERAL (
  SELECT count(*) AS trades, count(*) FILTER (WHERE l.pnl > 0) AS wins FROM tracker.trade_logs l
  WHERE l.account = a.account
) n;
COMMENT ON VIEW dashboards.accounts IS 'How each account stands now and how it did today (UTC day of event time).';
COMMENT ON COLUMN dashboards.accounts.as_of IS 'every bar that closed up to here has been acted on';
COMMENT ON COLUMN dashboards.accounts.state IS 'ACTIVE, REDUCING (nothing is bought) or HALTED (all is sold)';
COMMENT ON COLUMN dashboards.accounts.gain IS 'equity less paid_in; money in the account''s currency';
COMMENT ON COLUMN dashboards.accounts.net_return IS 'gain as a fraction of paid_in';
COMMENT ON COLUMN dashboards.accounts.return_today IS 'pnl_today as a fraction of the equity the day began with';
COMMENT ON COLUMN dashboards.accounts.drawdown IS 'as dashboards.equity.drawdown';

CREATE VIEW dashboards.symbol_performance WITH (security_invoker = true) AS
SELECT t.account, t.strategy, s.symbol, t.trades, t.wins, t.wins::float8 / t.trades AS win_rate,
  (t.won / nullif(t.lost, 0))::float8 AS profit_factor, t.pnl / t.trades AS expectancy, t.mean_return, t.gross_pnl,
  t.fees, t.pnl, t.best, t.worst, t.mean_held_seconds, t.last_exit_at
FROM (
  SELECT l.account, l.strategy, l.symbol_id, count(*) AS trades, count(*) FILTER (WHERE l.pnl > 0) AS wins,
    sum(greatest(l.pnl, 0)) AS won, sum(greatest(-l.pnl, 0)) AS lost, sum(l.pnl) AS pnl, sum(l.gross_pnl) AS gross_pnl,
    sum(l.fees) AS fees, avg(l.pnl / nullif(l.entry_price * l.quantity, 0))::float8 AS mean_return, max(l.pnl) AS best,
    min(l.pnl) AS worst, avg(extract(epoch FROM l.exit_time - l.entry_time))::float8 AS mean_held_seconds,
    max(l.exit_time) AS last_exit_at
  FROM tracker.trade_logs l GROUP BY 1, 2, 3
) t
JOIN tracker.symbols s USING (symbol_id);
COMMENT ON VIEW dashboards.symbol_performance IS 'Which symbols earn and which lose, by account and strategy, over all finished trades.';
COMMENT ON COLUMN dashboards.symbol_performance.win_rate IS '0 to 1, of trades with something left after fees';
COMMENT ON COLUMN dashboards.symbol_performance.profit_factor IS 'sum of the gains over sum of the losses; null without a loss';
COMMENT ON COLUMN dashboards.symbol_performance.expectancy IS 'mean pnl of a trade after fees, in the account''s currency';
COMMENT ON COLUMN dashboards.symbol_performance.mean_return IS 'mean of pnl over notional, a fraction';

CREATE VIEW dashboards.strategy_performance WITH (security_invoker = true) AS
SELECT t.account, t.strategy, t.trades, t.wins, t.wins::float8 / t.trades AS win_rate,
  (t.won / nullif(t.lost, 0))::float8 AS profit_factor, t.pnl / t.trades AS expectancy, t.mean_return,
  t.return_deviation, t.mean_return / nullif(t.return_deviation / sqrt(t.trades), 0) AS t_statistic,
  t.mean_return - 1.645 * t.return_deviation / sqrt(t.trades) AS return_lower_bound,
  t.mean_r, t.gross_pnl, t.fees, t.pnl, (t.fees / nullif(abs(t.gross_pnl), 0))::float8 AS fees_share, t.best, t.worst,
  t.mean_held_seconds, t.symbols, t.first_entry_at, t.last_exit_at
FROM (
  SELECT l.account, l.strategy, count(*) AS trades, count(*) FILTER (WHERE l.pnl > 0) AS wins,
    sum(greatest(l.pnl, 0)) AS won, sum(greatest(-l.pnl, 0)) AS lost, sum(l.pnl) AS pnl, sum(l.gross_pnl) AS gross_pnl,
    sum(l.fees) AS fees, avg(l.net_return) AS mean_return, stddev_samp(l.net_return) AS return_deviation,
    avg(l.r_multiple) AS mean_r, max(l.pnl) AS best, min(l.pnl) AS worst, avg(l.held_seconds) AS mean_held_seconds,
    count(DISTINCT l.symbol) AS symbols, min(l.entry_time) AS first_entry_at, max(l.exit_time) AS last_exit_at
  FROM dashboards.trades l GROUP BY 1, 2
) t;
COMMENT ON VIEW dashboards.strategy_performance IS 'Is the edge real? Each strategy''s finished trades in figures, by account.';
COMMENT ON COLUMN dashboards.strategy_performance.win_rate IS '0 to 1, of trades with something left after fees';
COMMENT ON COLUMN dashboards.strategy_performance.profit_factor IS 'sum of the gains over sum of the losses; null without a loss';
COMMENT ON COLUMN dashboards.strategy_performance.expectancy IS 'mean pnl of a trade after fees, in the account''s currency';
COMMENT ON COLUMN dashboards.strategy_performance.mean_return IS 'mean of pnl over notional, a fraction';
COMMENT ON COLUMN dashboards.strategy_performance.t_statistic IS
  'mean_return over its standard error, as if trades were independent, which flatters it; about 2 is a hint, below it is none';
COMMENT ON COLUMN dashboards.strategy_performance.return_lower_bound IS 'of mean_return, one-sided, 95 percent, by the same reckoning';
COMMENT ON COLUMN dashboards.strategy_performance.mean_r IS 'mean r_multiple of dashboards.trades';
COMMENT ON COLUMN dashboards.strategy_performance.fees_share IS 'fees as a fraction of the gross result, whatever its sign';

CREATE VIEW dashboards.funnel_today WITH (security_invoker = true) AS
SELECT f.strategy, f.account, f.place, f.step, sum(f.count)::bigint AS count
FROM dashboards.funnel f
WHERE f.hour >= date_trunc('day', (SELECT max(w.closed_through) FROM tracker.scan_watermarks w), 'UTC')
GROUP BY 1, 2, 3, 4;
COMMENT ON VIEW dashboards.funnel_today IS 'How far today''s looks came (UTC day of event time), in the steps of dashboards.funnel.';

CREATE VIEW dashboards.reasons_today WITH (security_invoker = true) AS
SELECT f.strategy, f.account, f.step, f.reason, sum(f.count)::bigint AS count
FROM dashboards.funnel_reasons f
WHERE f.hour >= date_trunc('day', (SELECT max(w.closed_through) FROM tracker.scan_watermarks w), 'UTC')
GROUP BY 1, 2, 3, 4;
COMMENT ON VIEW dashboards.reasons_today IS 'Why there was no more trade today: what fell out after each step of dashboards.funnel_today.';

CREATE VIEW dashboards.watermarks WITH (security_invoker = true) AS
SELECT s.place, s.stage, s.name, s.timeframe, s.closed_through, s.updated_at,
  extract(epoch FROM b.closed_through - s.closed_through)::float8 AS behind_seconds,
  extract(epoch FROM now() - s.closed_through)::float8 AS age_seconds
FROM (
  SELECT 1 AS place, 'bars' AS stage, w.timeframe::text AS name, w.timeframe::text AS timeframe, w.closed_through,
    w.updated_at
  FROM tracker.bar_watermarks w
  UNION ALL
  SELECT 2, 'features', w.timeframe, w.timeframe, w.closed_through, w.updated_at FROM tracker.feature_watermarks w
  UNION ALL
  SELECT 3, 'scans', w.strategy, w.timeframe, w.closed_through, w.updated_at FROM tracker.scan_watermarks w
  UNION ALL
  SELECT 4, 'paper', c.account, '1m', c.processed_through, c.updated_at FROM tracker.paper_cursor c
  UNION ALL
  SELECT 5, 'shadow', c.strategy, c.timeframe, c.closed_through, c.updated_at FROM tracker.shadow_cursor c
  UNION ALL
  SELECT 6, 'labels', c.strategy, c.timeframe, u.labelled_through, u.updated_at
  FROM (SELECT DISTINCT ON (strategy) * FROM tracker.label_configs ORDER BY strategy, created_at DESC) c
  JOIN LATERAL (
    SELECT min(x.labelled_through) AS labelled_through, max(x.updated_at) AS updated_at
    FROM tracker.label_cursors x WHERE x.config_hash = c.config_hash
  ) u ON u.labelled_through IS NOT NULL
) s
LEFT JOIN tracker.bar_watermarks b ON b.timeframe = s.timeframe;
COMMENT ON VIEW dashboards.watermarks IS 'How far each stage has come, and which one holds the others up.';
COMMENT ON COLUMN dashboards.watermarks.stage IS 'bars, features, scans, paper, shadow, labels, in the order of place';
COMMENT ON COLUMN dashboards.watermarks.name IS 'a timeframe, a strategy or an account';
COMMENT ON COLUMN dashboards.watermarks.closed_through IS 'event time up to which the stage is done; of labels the slowest symbol''s';
COMMENT ON COLUMN dashboards.watermarks.behind_seconds IS 'behind the complete bars of its timeframe, in event time';
COMMENT ON COLUMN dashboards.watermarks.age_seconds IS 'behind the wall clock; means nothing in a replay';

CREATE VIEW dashboards.stage_latency WITH (security_invoker = true) AS
SELECT 1 AS place, 'bars' AS stage, l.timeframe::text AS name, max(l.ts) + tracker.duration(l.timeframe) AS closed_at,
  extract(epoch FROM max(l.received_at) - max(l.ts) - tracker.duration(l.timeframe))::float8 AS seconds
FROM tracker.latest_bar l GROUP BY l.timeframe
UNION ALL
SELECT 2, 'features', w.timeframe, w.closed_through, extract(epoch FROM max(m.computed_at) - w.closed_through)::float8
FROM tracker.feature_watermarks w
CROSS JOIN tracker.symbols s
JOIN tracker.ml_features m ON m.symbol_id = s.symbol_id AND m.timeframe = w.timeframe
  AND m.ts = w.closed_through - tracker.duration(w.timeframe)
GROUP BY w.timeframe, w.closed_through
UNION ALL
SELECT 3, 'scans', w.strategy, w.closed_through, extract(epoch FROM max(h.scanned_at) - w.closed_through)::float8
FROM tracker.scan_watermarks w
CROSS JOIN tracker.symbols s
JOIN tracker.scan_history h ON h.strategy = w.strategy AND h.symbol_id = s.symbol_id AND h.decided_at = w.closed_through
GROUP BY w.strategy, w.closed_through
UNION ALL
SELECT 4, 'paper', c.account, c.processed_through, extract(epoch FROM c.updated_at - c.processed_through)::float8
FROM tracker.paper_cursor c;
COMMENT ON VIEW dashboards.stage_latency IS 'How long after its bar''s close each stage had done the newest close.';
COMMENT ON COLUMN dashboards.stage_latency.seconds IS
  'from the close to the last row of the stage, by the wall clock; means nothing in a replay or after a catch-up';

CREATE VIEW dashboards.partitions WITH (security_invoker = true) AS
SELECT m.month, m.name, m.place, greatest(m.reltuples, 0)::bigint AS rows_estimate, m.reltuples >= 0 AS is_analyzed,
  pg_total_relation_size(m.oid) AS bytes, coalesce(k.status = 'done', false) AS clustered, k.status AS cluster_status,
  k.finished_at AS clustered_at, m.month > now() AS is_ahead
FROM (
  SELECT c.oid, c.relname::text AS name, c.reltuples, p.relname::text AS place,
    make_timestamptz(substring(c.relname::text FROM '(\d{4})_\d{2}$')::integer,
                     substring(c.relname::text FROM '\d{4}_(\d{2})$')::integer, 1, 0, 0, 0, 'UTC') AS month
  FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid JOIN pg_class p ON p.oid = i.inhparent
  WHERE p.relnamespace = to_regnamespace('tracker') AND p.relname IN ('ohlc_data', 'ohlc_archive') AND c.relkind = 'r'
) m
LEFT JOIN tracker.bar_months k ON k.month = m.month AND k.purpose = 'cluster';
COMMENT ON VIEW dashboards.partitions IS 'Where the bars of each month lie, how many they are, and whether they lie in the order of their key.';
COMMENT ON COLUMN dashboards.partitions.place IS 'ohlc_data, or ohlc_archive for months that are no longer written';
COMMENT ON COLUMN dashboards.partitions.rows_estimate IS 'as of the last ANALYZE; 0 before the first';
COMMENT ON COLUMN dashboards.partitions.bytes IS 'with indexes';
COMMENT ON COLUMN dashboards.partitions.clustered IS 'rewritten in the order of the key, which makes reads of a day ten times as fast';

CREATE VIEW dashboards.table_sizes WITH (security_invoker = true) AS
SELECT coalesce(p.relname, c.relname)::text AS name, count(*) AS parts,
  sum(greatest(c.reltuples, 0))::bigint AS rows_estimate, sum(pg_relation_size(c.oid))::bigint AS heap_bytes,
  sum(pg_indexes_size(c.oid))::bigint AS index_bytes, sum(pg_total_relation_size(c.oid))::bigint AS bytes,
  sum(s.n_dead_tup)::bigint AS dead_rows, max(greatest(s.last_vacuum, s.last_autovacuum)) AS vacuumed_at,
  max(greatest(s.last_analyze, s.last_autoanalyze)) AS analyzed_at
FROM pg_class c
LEFT JOIN pg_inherits i ON i.inhrelid = c.oid
LEFT JOIN pg_class p ON p.oid = i.inhparent
LEFT JOIN pg_stat_all_tables s ON s.relid = c.oid
WHERE c.relnamespace = to_regnamespace('tracker') AND c.relkind IN ('r', 'm')
GROUP BY 1;
COMMENT ON VIEW dashboards.table_sizes IS 'What takes the disk: every table and aggregate, its parts summed.';
COMMENT ON COLUMN dashboards.table_sizes.rows_estimate IS 'as of the last ANALYZE';
COMMENT ON COLUMN dashboards.table_sizes.bytes IS 'heap, indexes and what is stored out of line';

CREATE VIEW dashboards.backfills WITH (security_invoker = true) AS
SELECT s.symbol, c.timeframe, count(*) AS chunks, count(*) FILTER (WHERE c.status = 'done') AS done,
  count(*) FILTER (WHERE c.status = 'planned') AS planned, count(*) FILTER (WHERE c.status = 'failed') AS failed,
  count(*) FILTER (WHERE c.status = 'done')::float8 / count(*) AS done_share, sum(c.bars)::bigint AS bars,
  min(c.starts_at) AS first_at, max(c.ends_at) AS last_at, max(c.finished_at) AS finished_at,
  (array_agg(c.reason ORDER BY c.finished_at DESC NULLS LAST) FILTER (WHERE c.status = 'failed'))[1] AS last_failure
FROM tracker.backfill_chunks c JOIN tracker.symbols s USING (symbol_id)
GROUP BY s.symbol, c.timeframe;
COMMENT ON VIEW dashboards.backfills IS 'How much of each symbol''s wanted history has been fetched.';
COMMENT ON COLUMN dashboards.backfills.done_share IS '0 to 1, of the chunks';
COMMENT ON COLUMN dashboards.backfills.finished_at IS 'of the last chunk that ended, by the wall clock';

CREATE VIEW dashboards.rejected_bars WITH (security_invoker = true) AS
SELECT r.rejection_id, r.received_at, r.source, r.symbol, r.timeframe, r.ts, r.reason, left(r.frame, 500) AS frame
FROM tracker.rejected_bars r
WHERE r.rejection_id > (SELECT max(n.rejection_id) FROM tracker.rejected_bars n) - 1000;
COMMENT ON VIEW dashboards.rejected_bars IS 'What the vendor sent that could not be believed, of the last 1000 rejections.';
COMMENT ON COLUMN dashboards.rejected_bars.frame IS 'as it was received, its first 500 characters';

CREATE VIEW dashboards.model_verdicts WITH (security_invoker = true) AS
SELECT v.verdict_id, v.model_id, m.strategy, m.status, v.champion_id, v.judged_at, v.judged_by, v.window_from, v.window_to,
  v.passed, v.forced, v.promoted, v.reason, v.verdict_id = max(v.verdict_id) OVER (PARTITION BY v.model_id) AS is_last,
  c.place, c.criterion ->> 'name' AS criterion, (c.criterion ->> 'number')::float8 AS number,
  c.criterion ->> 'comparison' AS comparison, (c.criterion ->> 'limit')::float8 AS limit_value,
  (c.criterion ->> 'ok')::boolean AS ok
FROM tracker.model_verdicts v
JOIN tracker.models m USING (model_id)
CROSS JOIN LATERAL jsonb_array_elements(v.criteria) WITH ORDINALITY AS c(criterion, place);
COMMENT ON VIEW dashboards.model_verdicts IS 'Why a model was or was not promoted: each criterion of the gate with its number and limit.';
COMMENT ON COLUMN dashboards.model_verdicts.is_last IS 'of the model''s newest verdict';
COMMENT ON COLUMN dashboards.model_verdicts.champion_id IS 'what was to be beaten; null where there was none';
COMMENT ON COLUMN dashboards.model_verdicts.number IS 'null where it is not known, which never holds';
COMMENT ON COLUMN dashboards.model_verdicts.comparison IS 'at least, above, at most: how number has to lie to limit_value';

CREATE VIEW dashboards.feature_importance WITH (security_invoker = true) AS
SELECT i.model_id, m.strategy, m.status, i.feature, i.gain,
  i.gain / nullif(sum(i.gain) OVER (PARTITION BY i.model_id), 0) AS gain_share, i.permutation,
  rank() OVER (PARTITION BY i.model_id ORDER BY i.gain DESC) AS place
FROM tracker.feature_importance i JOIN tracker.models m USING (model_id);
COMMENT ON VIEW dashboards.feature_importance IS 'What each model looks at.';
COMMENT ON COLUMN dashboards.feature_importance.gain IS 'log-loss that splits by it took off in training, summed; gain_share of all, 0 to 1';
COMMENT ON COLUMN dashboards.feature_importance.permutation IS
  'nats a row that the untouched window costs more with the feature dealt anew among the rows';

CREATE VIEW dashboards.model_calibration WITH (security_invoker = true) AS
SELECT g.strategy, g.model_id, g.bucket, count(*) AS labels, sum(g.weight) AS weight,
  sum(g.weight * g.probability) / nullif(sum(g.weight), 0) AS predicted,
  sum(g.weight) FILTER (WHERE g.outcome = 'win') / nullif(sum(g.weight), 0) AS observed,
  sum(g.weight * g.net_return) / nullif(sum(g.weight), 0) AS mean_return,
  min(g.probability) AS lowest, max(g.probability) AS highest
FROM (
  SELECT v.strategy, v.model_id, v.probability, v.outcome, v.weight, v.net_return,
    ntile(10) OVER (PARTITION BY v.strategy, v.model_id ORDER BY v.probability, v.decided_at, v.symbol_id) AS bucket
  FROM tracker.scored_setups v
  WHERE v.outcome IN ('win', 'loss')
    AND v.decided_at > (SELECT max(closed_through) FROM tracker.scan_watermarks) - interval '30 days'
) g
GROUP BY 1, 2, 3;
COMMENT ON VIEW dashboards.model_calibration IS
  'Does a model mean what it says? Its live scores of the last 30 days in ten groups, beside how many of each were won.';
COMMENT ON COLUMN dashboards.model_calibration.bucket IS '1 to 10, from the lowest probabilities to the highest';
COMMENT ON COLUMN dashboards.model_calibration.weight IS 'of the labels, by how much of its own each says';
COMMENT ON COLUMN dashboards.model_calibration.predicted IS 'mean probability; observed is the share won; means are weighted';
COMMENT ON COLUMN dashboards.model_calibration.mean_return IS 'net of fees, a fraction';

CREATE VIEW dashboards.feature_drift WITH (security_invoker = true) AS
SELECT m.strategy, m.model_id, m.status, p.watched_at, p.window_from, p.window_to, d.place, d.moved ->> 'feature' AS feature,
  (d.moved ->> 'psi')::float8 AS psi, (d.moved ->> 'ks')::float8 AS ks,
  i.gain / nullif((SELECT sum(x.gain) FROM tracker.feature_importance x WHERE x.model_id = m.model_id), 0) AS gain_share
FROM tracker.models m
JOIN LATERAL (
  SELECT * FROM tracker.model_performance w WHERE w.model_id = m.model_id ORDER BY w.performance_id DESC LIMIT 1
) p ON true
CROSS JOIN LATERAL jsonb_array_elements(p.drift) WITH ORDINALITY AS d(moved, place)
LEFT JOIN tracker.feature_importance i ON i.model_id = m.model_id AND i.feature = d.moved ->> 'feature';
COMMENT ON VIEW dashboards.feature_drift IS
  'Is the market still the one a model learnt from? How far each feature has moved, as of the last look at the model.';
COMMENT ON COLUMN dashboards.feature_drift.psi IS 'population stability index: under 0.1 still, over 0.25 moved';
COMMENT ON COLUMN dashboards.feature_drift.ks IS 'largest distance of the two distributions, 0 to 1';
COMMENT ON COLUMN dashboards.feature_drift.gain_share IS 'how much the model owes to the feature, 0 to 1';

CREATE VIEW dashboards.model_history WITH (security_invoker = true) AS
SELECT e.event_id, e.at, e.strategy, e.action, e.model_id, e.champion_id, e.made_by, e.reason
FROM tracker.model_events e;
COMMENT ON VIEW dashboards.model_history IS 'Which model took whose place, when, by whom and why.';
COMMENT ON COLUMN dashboards.model_history.champion_id IS 'who decides after it; null where the rule decides alone';

CREATE VIEW dashboards.shadow_leaderboard WITH (security_invoker = true) AS
SELECT o.span, v.strategy, rank() OVER (PARTITION BY o.span, v.strategy
    ORDER BY o.dsr DESC NULLS LAST, o.sharpe DESC NULLS LAST, o.total_return DESC) AS place,
  o.variation, v.number, v.source, v.source = 'live' AS is_live, v.changes, o.trades, o.total_return,
  o.total_return - l.total_return AS excess_return, o.sharpe, o.psr, o.dsr, o.max_drawdown, o.p_value,
  o.mean_trade_return, o.lower_bound, o.first_half_return, o.second_half_return, o.hours, o.as_of
FROM tracker.shadow_outcomes o
JOIN tracker.shadow_variations v ON v.id = o.variation
LEFT JOIN LATERAL (
  SELECT x.total_return FROM tracker.shadow_variations y JOIN tracker.shadow_outcomes x ON x.variation = y.id
  WHERE y.strategy = v.strategy AND y.source = 'live' AND y.retired_at IS NULL AND x.span = o.span
  ORDER BY y.number DESC LIMIT 1
) l ON true
WHERE v.retired_at IS NULL;
COMMENT ON VIEW dashboards.shadow_leaderboard IS 'Which variation would have done best, and how much of that is luck.';
COMMENT ON COLUMN dashboards.shadow_leaderboard.place IS '1 for the best of the window and strategy, by dsr';
COMMENT ON COLUMN dashboards.shadow_leaderboard.changes IS 'what differs from the live configuration, by name';
COMMENT ON COLUMN dashboards.shadow_leaderboard.total_return IS 'of the variation''s own account, a fraction; excess_return is beyond the live one''s';
COMMENT ON COLUMN dashboards.shadow_leaderboard.sharpe IS 'a year';
COMMENT ON COLUMN dashboards.shadow_leaderboard.dsr IS
  'probability that the Sharpe ratio is more than the luck of the best of all; psr is the same as if nothing were chosen';
COMMENT ON COLUMN dashboards.shadow_leaderboard.lower_bound IS 'of mean_trade_return after fees, one-sided, 95 percent';

CREATE VIEW dashboards.command_log WITH (security_invoker = true) AS
SELECT 'account' AS area, c.command_id AS id, c.requested_at, c.requested_by, c.account AS subject, c.kind::text AS kind,
  c.arguments, c.reason, coalesce(e.outcome, 'waiting') AS outcome, e.note, e.ts AS effective_at, e.amount
FROM tracker.commands c LEFT JOIN tracker.account_events e ON e.command_id = c.command_id
UNION ALL
SELECT 'models', r.request_id, r.requested_at, r.requested_by, coalesce(r.strategy, 'all'), r.kind, '{}', r.reason,
  coalesce(a.outcome, 'waiting'), a.note, a.answered_at, NULL
FROM tracker.job_requests r LEFT JOIN tracker.job_answers a USING (request_id);
COMMENT ON VIEW dashboards.command_log IS 'Who asked for what, and what was answered.';
COMMENT ON COLUMN dashboards.command_log.subject IS 'an account, or a strategy whose models it is about';
COMMENT ON COLUMN dashboards.command_log.outcome IS 'waiting, done or refused; of models waiting, queued, joined or refused';
COMMENT ON COLUMN dashboards.command_log.effective_at IS 'event time for an account, the wall clock for models; null while it waits';
COMMENT ON COLUMN dashboards.command_log.amount IS 'cash that came in, below 0 what went out, in the account''s currency';

GRANT SELECT ON tracker.capital, tracker.equity_points, tracker.equity_hours, tracker.equity_by_hour TO tracker_reader;
GRANT SELECT ON dashboards.contract, dashboards.market_mode, dashboards.fleet, dashboards.leases, dashboards.market_heat,
  dashboards.symbols, dashboards.candles, dashboards.candles_recent, dashboards.indicators, dashboards.signals,
  dashboards.orders, dashboards.fills, dashboards.positions, dashboards.trades, dashboards.equity_hourly,
  dashboards.equity_daily, dashboards.equity, dashboards.accounts, dashboards.symbol_performance, dashboards.strategy_performance,
  dashboards.funnel_today, dashboards.reasons_today, dashboards.watermarks, dashboards.stage_latency,
  dashboards.partitions, dashboards.table_sizes, dashboards.backfills, dashboards.rejected_bars,
  dashboards.model_verdicts, dashboards.feature_importance, dashboards.model_calibration, dashboards.feature_drift,
  dashboards.model_history, dashboards.shadow_leaderboard, dashboards.command_log TO tracker_reader;

-- migrate:down
DROP VIEW dashboards.command_log;
DROP VIEW dashboards.shadow_leaderboard;
DROP VIEW dashboards.model_history;
DROP VIEW dashboards.feature_drift;
DROP VIEW dashboards.model_calibration;
DROP VIEW dashboards.feature_importance;
DROP VIEW dashboards.model_verdicts;
DROP VIEW dashboards.rejected_bars;
DROP VIEW dashboards.backfills;
DROP VIEW dashboards.table_sizes;
DROP VIEW dashboards.partitions;
DROP VIEW dashboards.stage_latency;
DROP VIEW dashboards.watermarks;
DROP VIEW dashboards.reasons_today;
DROP VIEW dashboards.funnel_today;
DROP VIEW dashboards.strategy_performance;
DROP VIEW dashboards.symbol_performance;
DROP VIEW dashboards.accounts;
DROP VIEW dashboards.equity;
DROP VIEW dashboards.equity_daily;
DROP VIEW dashboards.equity_hourly;
DROP VIEW dashboards.trades;
DROP VIEW dashboards.positions;
DROP VIEW dashboards.fills;
DROP VIEW dashboards.orders;
DROP VIEW dashboards.signals;
DROP VIEW dashboards.indicators;
DROP VIEW dashboards.candles_recent;
DROP VIEW dashboards.candles;
DROP VIEW dashboards.symbols;
DROP VIEW dashboards.market_heat;
DROP VIEW dashboards.leases;
DROP VIEW dashboards.fleet;
DROP VIEW dashboards.market_mode;
DROP VIEW dashboards.contract;
DROP VIEW tracker.equity_by_hour;
DROP MATERIALIZED VIEW tracker.equity_hours;
DROP VIEW tracker.equity_points;
DROP VIEW tracker.capital;
DROP INDEX tracker.orders_by_time;
