-- migrate:up
ALTER TABLE tracker.protection_locks DROP CONSTRAINT protection_locks_protection_check;
ALTER TABLE tracker.protection_locks ADD CONSTRAINT protection_locks_protection_check CHECK (protection IN
  ('halt', 'drawdown', 'daily_loss', 'command', 'stop_streak', 'cool_down', 'low_profit'));
CREATE OR REPLACE VIEW dashboards.trading_state WITH (security_invoker = true) AS
SELECT a.account,
  CASE
    WHEN l.protections @> ARRAY['halt'] THEN 'HALTED'
    WHEN l.protections && ARRAY['drawdown', 'daily_loss', 'command'] THEN 'REDUCING'
    ELSE 'ACTIVE'
  END AS state,
  l.until AS state_until,
  c.processed_through AS as_of,
  m.equity AS marked_equity, m.peak AS peak_equity,
  greatest(1 - m.equity / nullif(m.peak, 0), 0) AS drawdown,
  greatest(1 - m.equity / nullif(m.day_equity, 0), 0) AS day_loss,
  coalesce(s.symbols, 0) AS locked_symbols
FROM tracker.accounts a
JOIN tracker.paper_cursor c USING (account)
LEFT JOIN tracker.risk_marks m USING (account)
CROSS JOIN LATERAL (
  SELECT coalesce(array_agg(DISTINCT p.protection), '{}') AS protections, max(p.until) AS until
  FROM tracker.protection_locks p
  WHERE p.account = a.account AND p.symbol_id IS NULL AND p.until > c.processed_through
) l
CROSS JOIN LATERAL (
  SELECT count(DISTINCT p.symbol_id) AS symbols
  FROM tracker.protection_locks p
  WHERE p.account = a.account AND p.symbol_id IS NOT NULL AND p.until > c.processed_through
) s;

-- migrate:down
DELETE FROM tracker.protection_locks WHERE protection = 'command';
ALTER TABLE tracker.protection_locks DROP CONSTRAINT protection_locks_protection_check;
ALTER TABLE tracker.protection_locks ADD CONSTRAINT protection_locks_protection_check CHECK (protection IN
  ('halt', 'drawdown', 'daily_loss', 'stop_streak', 'cool_down', 'low_profit'));
