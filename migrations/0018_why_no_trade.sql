-- migrate:up
-- Every look with what became of it. One row a look that led to no signal, one row an account for a signal. Whoever
-- reads it bounds decided_at; with the strategy and the symbol from the small tables, the key of scan_history finds
-- the rows of a span whatever else is stored.
CREATE VIEW tracker.looks WITH (security_invoker = true) AS
SELECT w.strategy, s.symbol, h.decided_at, h.timeframe, h.scanned_at, h.decision, h.reason, h.market_regime, h.volatility,
  h.signal_strength, h.confidence_score, (h.metadata ->> 'confirmations')::integer AS confirmations, h.config_hash,
  a.account, o.status AS order_status, o.reason AS refusal_reason, o.note AS order_note,
  p.status AS position_status, t.pnl, t.exit_reason,
  CASE
    WHEN h.reason IN ('too_few_confirmations', 'strength_too_low', 'confidence_too_low') THEN 'setups'
    WHEN h.decision = 'SKIP' THEN 'scans'
    WHEN o.order_id IS NULL OR o.status = 'refused' THEN 'scored'
    WHEN coalesce(p.bought_quantity, 0) = 0 THEN 'approved'
    WHEN p.status <> 'closed' THEN 'filled'
    ELSE 'closed'
  END AS last_step,
  CASE
    WHEN h.decision = 'SKIP' THEN h.reason
    WHEN a.account IS NULL THEN 'no_account'
    WHEN o.order_id IS NULL THEN CASE
      WHEN c.processed_through IS NULL OR c.processed_through < h.decided_at THEN 'not_reached'
      WHEN h.decided_at < c.started_at THEN 'before_account'
      ELSE 'not_offered' END
    WHEN o.status = 'refused' THEN o.reason
    WHEN coalesce(p.bought_quantity, 0) = 0 THEN CASE WHEN o.ended_at IS NULL THEN 'waiting' ELSE o.status END
    WHEN p.status <> 'closed' THEN 'still_open'
  END AS stopped_by
FROM tracker.scan_watermarks w
CROSS JOIN tracker.symbols s
JOIN tracker.scan_history h ON h.strategy = w.strategy AND h.symbol_id = s.symbol_id
LEFT JOIN tracker.accounts a ON h.decision = 'SIGNAL'
LEFT JOIN tracker.paper_cursor c ON c.account = a.account
LEFT JOIN tracker.orders o ON o.account = a.account AND o.strategy = h.strategy AND o.symbol_id = h.symbol_id
  AND o.decided_at = h.decided_at AND o.leg = 'entry'
LEFT JOIN tracker.positions p ON p.account = a.account AND p.strategy = h.strategy AND p.symbol_id = h.symbol_id
  AND p.decided_at = h.decided_at
LEFT JOIN tracker.trade_logs t ON t.account = a.account AND t.strategy = h.strategy AND t.symbol_id = h.symbol_id
  AND t.decided_at = h.decided_at;
COMMENT ON VIEW tracker.looks IS
  'what each look at a symbol led to: one row a look without a signal, one row an account for a signal;'
  ' to be read with a bound on decided_at';
COMMENT ON COLUMN tracker.looks.last_step IS
  'how far it came: scans, setups, scored, approved, filled or closed; what the steps mean is said of dashboards.funnel';
COMMENT ON COLUMN tracker.looks.stopped_by IS
  'a reason to skip, a reason to refuse, or not_reached (the paper trader has not come that far), not_offered (it has,'
  ' without an answer), before_account, no_account, waiting, expired, cancelled, still_open; null for a closed trade';

CREATE VIEW dashboards.why WITH (security_invoker = true) AS
SELECT l.symbol, l.strategy, l.decided_at, l.decision, l.reason, l.market_regime, l.volatility, l.signal_strength,
  l.confidence_score, l.confirmations, l.account, l.order_status, l.refusal_reason, l.order_note, l.position_status,
  l.pnl, l.exit_reason, l.last_step, l.stopped_by
FROM tracker.looks l
WHERE l.decided_at > (SELECT max(closed_through) FROM tracker.scan_watermarks) - interval '7 days';
COMMENT ON VIEW dashboards.why IS
  'why there was a trade or none: each look at a symbol over the last 7 days of event time, a row an account for a'
  ' signal; `tracker why` tells the same with the numbers of each condition';
COMMENT ON COLUMN dashboards.why.decided_at IS 'the bar close that was looked at';
COMMENT ON COLUMN dashboards.why.reason IS 'why the rule skipped it; setup for a signal';
COMMENT ON COLUMN dashboards.why.account IS 'null for a look without a signal, which is no account''s';
COMMENT ON COLUMN dashboards.why.order_note IS 'how the entry was sized, or in words why it was refused';
COMMENT ON COLUMN dashboards.why.pnl IS 'of the closed trade, after fees, in the account''s currency';
COMMENT ON COLUMN dashboards.why.last_step IS 'the last step of dashboards.funnel that it came to';
COMMENT ON COLUMN dashboards.why.stopped_by IS 'why it went no further; dashboards.funnel_reasons counts by it';

-- Hour after hour, so that whoever asks for a few hours reads no more than those.
CREATE VIEW tracker.look_counts WITH (security_invoker = true) AS
SELECT w.strategy, h.hour, l.account, l.last_step, l.stopped_by, l.looks
FROM tracker.scan_watermarks w
CROSS JOIN LATERAL generate_series(
  date_bin('1 hour', w.closed_through, timestamptz '1970-01-01 00:00:00+00') - interval '7 days', w.closed_through,
  interval '1 hour'
) AS h(hour)
CROSS JOIN LATERAL (
  SELECT o.account, o.last_step, o.stopped_by, count(*) AS looks
  FROM tracker.looks o
  WHERE o.strategy = w.strategy AND o.decided_at >= h.hour AND o.decided_at < h.hour + interval '1 hour'
  GROUP BY o.account, o.last_step, o.stopped_by
) l;
COMMENT ON VIEW tracker.look_counts IS
  'tracker.looks counted by the hour over the last 7 days; account is null for looks without a signal';

CREATE VIEW dashboards.funnel WITH (security_invoker = true) AS
SELECT c.strategy, b.account, c.hour, f.place, f.step,
  coalesce(sum(c.looks) FILTER (WHERE f.place <= array_position(
    ARRAY['scans', 'setups', 'scored', 'approved', 'filled', 'closed'], c.last_step)), 0)::bigint AS count
FROM tracker.look_counts c
JOIN (
  SELECT account FROM tracker.accounts UNION ALL SELECT NULL WHERE NOT EXISTS (SELECT FROM tracker.accounts)
) b ON c.account IS NULL OR c.account = b.account
CROSS JOIN unnest(ARRAY['scans', 'setups', 'scored', 'approved', 'filled', 'closed']) WITH ORDINALITY AS f(step, place)
GROUP BY c.strategy, b.account, c.hour, f.place, f.step;
COMMENT ON VIEW dashboards.funnel IS
  'how far the looks of each hour came, by strategy and account, over the last 7 days of event time. scans: looks at a'
  ' symbol at a close. setups: passed every gate of the rule itself, before confirmations, strength and confidence are'
  ' asked for (a plan whose prices are out of order counts as a gate). scored: passed those too, so that it is a signal.'
  ' approved: by the account''s risk rules. filled: at least in part. closed: a finished trade';
COMMENT ON COLUMN dashboards.funnel.account IS
  'looks are no account''s and are counted for each of them; null while there is none';
COMMENT ON COLUMN dashboards.funnel.hour IS
  'of the bar close that was looked at, in event time, also for what became of it later';
COMMENT ON COLUMN dashboards.funnel.place IS '1 for scans to 6 for closed';
COMMENT ON COLUMN dashboards.funnel.count IS
  'looks that came to the step: those that came to the next one, and those that dashboards.funnel_reasons has for it';

CREATE VIEW dashboards.funnel_reasons WITH (security_invoker = true) AS
SELECT c.strategy, b.account, c.hour, c.last_step AS step, c.stopped_by AS reason, c.looks AS count
FROM tracker.look_counts c
JOIN (
  SELECT account FROM tracker.accounts UNION ALL SELECT NULL WHERE NOT EXISTS (SELECT FROM tracker.accounts)
) b ON c.account IS NULL OR c.account = b.account
WHERE c.stopped_by IS NOT NULL;
COMMENT ON VIEW dashboards.funnel_reasons IS 'what fell out of dashboards.funnel after each step, and why';
COMMENT ON COLUMN dashboards.funnel_reasons.step IS 'the last one that was come to';
COMMENT ON COLUMN dashboards.funnel_reasons.reason IS 'as dashboards.why.stopped_by';

GRANT SELECT ON tracker.looks, tracker.look_counts, dashboards.why, dashboards.funnel, dashboards.funnel_reasons
  TO tracker_reader;

-- migrate:down
DROP VIEW dashboards.funnel_reasons;
DROP VIEW dashboards.funnel;
DROP VIEW tracker.look_counts;
DROP VIEW dashboards.why;
DROP VIEW tracker.looks;
