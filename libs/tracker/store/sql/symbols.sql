-- name: insert_missing
-- Take a symbol of the universe in; a known one burns no number of the identity.
INSERT INTO tracker.symbols (symbol, lot_step, min_notional, vendor_tickers, base_timeframe)
SELECT $1, $2, $3, $4::jsonb, $5
WHERE NOT EXISTS (SELECT FROM tracker.symbols WHERE symbol = $1);

-- name: refresh
-- Bring a symbol's vendor tickers and lot rules up to date with the universe.
UPDATE tracker.symbols SET lot_step = $2, min_notional = $3, vendor_tickers = $4::jsonb, base_timeframe = $5
WHERE symbol = $1
  AND (lot_step, min_notional, vendor_tickers, base_timeframe) IS DISTINCT FROM ($2, $3, $4::jsonb, $5);

-- name: read_all
-- Every symbol, in the order of its name.
SELECT symbol_id, symbol, status, status_reason, base_timeframe::text AS base_timeframe, lot_step, min_notional,
       vendor_tickers::text AS vendor_tickers
FROM tracker.symbols ORDER BY symbol;

-- name: find
-- The symbol of that name.
SELECT symbol_id, symbol, status, status_reason, base_timeframe::text AS base_timeframe, lot_step, min_notional,
       vendor_tickers::text AS vendor_tickers
FROM tracker.symbols WHERE symbol = $1;

-- name: set_status
-- Change whether bars are expected from a symbol, with the reason.
UPDATE tracker.symbols SET status = $2, status_reason = $3, status_since = now()
WHERE symbol = $1 AND (status, status_reason) IS DISTINCT FROM ($2, $3);
