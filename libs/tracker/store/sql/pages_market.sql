-- name: symbols
-- The symbols that have bars or are watched, with their finest timeframe.
SELECT symbol, base_timeframe::text AS base_timeframe, closed_at FROM dashboards.symbols
WHERE status <> 'unsupported' OR closed_at IS NOT NULL ORDER BY symbol;

-- name: heat
-- Each symbol's price, its change over an hour and a day, and its turnover of a day.
SELECT symbol, price, closed_at, change_1h, change_24h, turnover_24h::float8 AS turnover
FROM dashboards.market_heat WHERE status = 'active' ORDER BY turnover_24h DESC NULLS LAST, symbol;

-- name: newest
-- When a symbol's newest bar closed, in its finest timeframe.
SELECT timeframe::text AS timeframe, closed_at FROM dashboards.market_heat WHERE symbol = $1;

-- name: candles
-- One symbol's bars of a timeframe that open in [$3, $4), oldest first, a column a figure.
SELECT coalesce(array_agg(extract(epoch FROM ts)::bigint), '{}') AS ts, coalesce(array_agg(open), '{}') AS open,
       coalesce(array_agg(high), '{}') AS high, coalesce(array_agg(low), '{}') AS low,
       coalesce(array_agg(close), '{}') AS close, coalesce(array_agg(volume), '{}') AS volume
FROM (
  SELECT ts, open, high, low, close, volume FROM dashboards.candles
  WHERE symbol = $1 AND timeframe = $2 AND ts >= $3 AND ts < $4 ORDER BY ts
) c;

-- name: features
-- Some features of one symbol by the bar, of bars that open in [$4, $5), oldest first.
SELECT feature, array_agg(extract(epoch FROM ts)::bigint ORDER BY ts) AS ts, array_agg(value ORDER BY ts) AS value
FROM dashboards.indicators
WHERE symbol = $1 AND timeframe = $2 AND feature = ANY ($3) AND ts >= $4 AND ts < $5
GROUP BY feature;

-- name: signals
-- The newest proposals for one symbol since a moment.
SELECT strategy, decided_at, entry, stop, target, strength, confidence FROM dashboards.signals
WHERE symbol = $1 AND decided_at >= $2 ORDER BY decided_at DESC, strategy LIMIT $3;

-- name: fills
-- What one account bought and sold of a symbol since a moment, the newest first.
SELECT strategy, leg, side, filled_at, quantity::float8 AS quantity, price::float8 AS price FROM dashboards.fills
WHERE symbol = $1 AND account = $2 AND filled_at >= $3 ORDER BY filled_at DESC, fill_id DESC LIMIT $4;

-- name: lives
-- The positions of one account in a symbol that were held since a moment, with what bounds them, the newest first.
SELECT strategy, opened_at, NULL::timestamptz AS closed_at, average_price AS entry, stop_price::float8 AS stop,
       initial_stop_price::float8 AS initial_stop, target_price::float8 AS target
FROM dashboards.positions WHERE symbol = $1 AND account = $2 AND status = 'open'
UNION ALL
(SELECT strategy, entry_time, exit_time, entry_price::float8, stop_loss_price::float8, stop_loss_price::float8,
        take_profit_price::float8
 FROM dashboards.trades WHERE symbol = $1 AND account = $2 AND exit_time >= $3 ORDER BY exit_time DESC LIMIT $4)
ORDER BY opened_at DESC;

-- name: coverage
-- Bars by the day and how many there could be, of one symbol or of all ($1 null) that are watched.
SELECT (day AT TIME ZONE 'UTC')::date AS day, sum(bars)::bigint AS bars, sum(expected)::bigint AS expected,
       count(*) FILTER (WHERE bars < expected) AS incomplete
FROM dashboards.coverage WHERE ($1::text IS NULL OR symbol = $1) AND status <> 'unsupported'
GROUP BY 1 ORDER BY 1;
