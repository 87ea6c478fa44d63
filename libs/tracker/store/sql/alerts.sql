-- name: read
-- Every alert, with the kind of its message.
SELECT a.fingerprint, a.name, a.alert_group, a.severity, a.state, a.observed, a.threshold, a.advice, a.bad_since,
       a.good_since, a.first_at, a.last_at, a.recovered_at, a.episodes, a.repeats, a.told_at, a.quiet_until, a.root_id,
       coalesce(o.kind = 'digest', false) AS gathered
FROM tracker.alerts a LEFT JOIN tracker.slack_outbox o ON o.outbox_id = a.root_id
ORDER BY a.first_at, a.fingerprint;

-- name: write
-- Write an alert as it stands now.
INSERT INTO tracker.alerts
  (fingerprint, name, alert_group, severity, state, observed, threshold, advice, bad_since, good_since, first_at,
   last_at, recovered_at, episodes, repeats, told_at, quiet_until, root_id)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)
ON CONFLICT (fingerprint) DO UPDATE SET
  name = excluded.name, alert_group = excluded.alert_group, severity = excluded.severity, state = excluded.state,
  observed = excluded.observed, threshold = excluded.threshold, advice = excluded.advice,
  bad_since = excluded.bad_since, good_since = excluded.good_since, first_at = excluded.first_at,
  last_at = excluded.last_at, recovered_at = excluded.recovered_at, episodes = excluded.episodes,
  repeats = excluded.repeats, told_at = excluded.told_at, quiet_until = excluded.quiet_until,
  thread_channel = CASE WHEN tracker.alerts.root_id = excluded.root_id THEN tracker.alerts.thread_channel END,
  thread_ts = CASE WHEN tracker.alerts.root_id = excluded.root_id THEN tracker.alerts.thread_ts END,
  root_id = excluded.root_id;

-- name: remove
-- Forget a fact that was never told.
DELETE FROM tracker.alerts WHERE fingerprint = $1 AND episodes = 0;

-- name: forget
-- Forget what recovered, or happened, before a moment.
DELETE FROM tracker.alerts WHERE state IN ('recovered', 'happened') AND last_at < $1;

-- name: last_look
-- When the health monitor last completed a look.
SELECT looked_at FROM tracker.monitor_looks;

-- name: trading
-- Whether each account may trade, and why not.
SELECT t.account, t.state, t.state_until, coalesce((
  SELECT string_agg(DISTINCT p.note, '; ') FROM dashboards.protection_locks p
  WHERE p.account = t.account AND p.active AND p.symbol IS NULL
), '') AS note
FROM dashboards.trading_state t ORDER BY t.account;

-- name: model_events
-- Promotions, roll-backs, demotions and retirements since $1.
SELECT event_id, at, strategy, action, model_id, champion_id, made_by, reason
FROM tracker.model_events WHERE at > $1 ORDER BY event_id;
