-- name: bars_copy
-- One symbol's bars of a timeframe that open in [$3, $4), archived ones included, for COPY into NumPy.
SELECT (extract(epoch FROM ts))::bigint, open, high, low, close, volume, coalesce(vwap, 'NaN'), coalesce(trades, 0)
FROM tracker.ohlc_all
WHERE symbol_id = $1 AND timeframe = $2 AND ts >= $3 AND ts < $4
ORDER BY ts;
