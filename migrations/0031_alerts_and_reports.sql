-- migrate:up
CREATE TABLE tracker.reports (
  report_id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
  kind text NOT NULL CHECK (kind IN ('morning', 'evening', 'weekly')),
  due_at timestamptz NOT NULL,
  made_at timestamptz NOT NULL,
  covers_from timestamptz NOT NULL,
  late boolean NOT NULL DEFAULT false,
  asked_by text CHECK (asked_by <> ''),
  zone text NOT NULL CHECK (zone <> ''),
  document jsonb NOT NULL CHECK (jsonb_typeof(document) = 'object'),
  picture bytea,
  UNIQUE (kind, due_at),
  CHECK (covers_from <= made_at)
);
SELECT tracker.written_by('tracker.reports', 'slack_reporter');
COMMENT ON TABLE tracker.reports IS 'written by slack_reporter and, in its name, by tracker report';
COMMENT ON COLUMN tracker.reports.due_at IS 'when it was to be made; for one that a person asked for, when that was';
COMMENT ON COLUMN tracker.reports.covers_from IS 'what "since the last report" begins at';
COMMENT ON COLUMN tracker.reports.late IS 'made so long after due_at that the report says so';
COMMENT ON COLUMN tracker.reports.asked_by IS 'who asked for it by hand; null where the timetable did';
COMMENT ON COLUMN tracker.reports.zone IS 'IANA zone in which its times are shown';
COMMENT ON COLUMN tracker.reports.document IS 'every figure in it, before it is laid out as blocks';
COMMENT ON COLUMN tracker.reports.picture IS 'PNG of equity and drawdown; null where there was no curve to draw';

CREATE TABLE tracker.report_cursor (
  timetable text PRIMARY KEY CHECK (timetable IN ('daily', 'weekly')),
  due_through timestamptz NOT NULL
);
SELECT tracker.written_by('tracker.report_cursor', 'slack_reporter');
COMMENT ON COLUMN tracker.report_cursor.due_through IS
  'every report due at or before this moment is made, or passed over because a later one took its place';

CREATE TABLE tracker.slack_outbox (
  outbox_id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
  kind text NOT NULL CHECK (kind IN ('report', 'alert', 'alert_update', 'weekly', 'digest')),
  action text NOT NULL CHECK (action IN ('post', 'reply', 'edit', 'picture')),
  dedupe_key text NOT NULL UNIQUE CHECK (dedupe_key <> ''),
  payload jsonb NOT NULL CHECK (jsonb_typeof(payload) = 'object'),
  parent_id bigint REFERENCES tracker.slack_outbox ON DELETE CASCADE,
  report_id bigint REFERENCES tracker.reports ON DELETE SET NULL,
  created_at timestamptz NOT NULL,
  not_before timestamptz NOT NULL,
  attempts integer NOT NULL DEFAULT 0 CHECK (attempts >= 0),
  state text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'sending', 'delivered', 'given_up')),
  sent_at timestamptz,
  last_error text,
  held boolean NOT NULL DEFAULT false,
  channel text,
  ts text,
  delivered_at timestamptz,
  delivered_by text CHECK (delivered_by IN ('bot', 'webhook')),
  CHECK ((state = 'delivered') = (delivered_at IS NOT NULL)),
  CHECK ((delivered_at IS NULL) = (delivered_by IS NULL)),
  CHECK (state <> 'given_up' OR last_error IS NOT NULL),
  CHECK (NOT held OR state = 'given_up'),
  CHECK (action NOT IN ('reply', 'edit') OR parent_id IS NOT NULL),
  CHECK (action <> 'picture' OR report_id IS NOT NULL)
);
CREATE INDEX slack_outbox_open ON tracker.slack_outbox (outbox_id) WHERE state IN ('pending', 'sending');
CREATE INDEX slack_outbox_by_time ON tracker.slack_outbox (created_at);
SELECT tracker.written_by('tracker.slack_outbox', 'slack_reporter');
COMMENT ON TABLE tracker.slack_outbox IS 'written by slack_reporter and, in its name, by tracker report';
COMMENT ON COLUMN tracker.slack_outbox.dedupe_key IS 'what the message says, by name: written once, whoever writes it again';
COMMENT ON COLUMN tracker.slack_outbox.payload IS 'text and Block Kit blocks, as Slack takes them';
COMMENT ON COLUMN tracker.slack_outbox.parent_id IS 'the message whose thread it joins or which it edits';
COMMENT ON COLUMN tracker.slack_outbox.state IS
  'sending: handed over without an answer so far, so it is looked for before it is sent again';
COMMENT ON COLUMN tracker.slack_outbox.sent_at IS 'when it was last handed over';
COMMENT ON COLUMN tracker.slack_outbox.held IS
  'given up for a reason that lies with the settings or the channel: tried again once those work';
COMMENT ON COLUMN tracker.slack_outbox.ts IS 'of the message at Slack; null by webhook, which tells none';

CREATE TABLE tracker.alerts (
  fingerprint text PRIMARY KEY CHECK (fingerprint <> ''),
  name text NOT NULL,
  alert_group text NOT NULL,
  severity text NOT NULL CHECK (severity IN ('warning', 'critical')),
  state text NOT NULL CHECK (state IN ('pending', 'open', 'recovering', 'recovered', 'happened')),
  observed text NOT NULL,
  threshold text NOT NULL,
  advice text NOT NULL,
  bad_since timestamptz NOT NULL,
  good_since timestamptz,
  first_at timestamptz,
  last_at timestamptz NOT NULL,
  recovered_at timestamptz,
  episodes integer NOT NULL DEFAULT 0 CHECK (episodes >= 0),
  repeats integer NOT NULL DEFAULT 0 CHECK (repeats >= 0),
  told_at timestamptz,
  quiet_until timestamptz,
  root_id bigint REFERENCES tracker.slack_outbox ON DELETE SET NULL,
  thread_channel text,
  thread_ts text,
  CHECK (state NOT IN ('open', 'recovering', 'happened') OR first_at IS NOT NULL),
  CHECK ((state = 'recovered') <= (recovered_at IS NOT NULL))
);
CREATE INDEX alerts_by_root ON tracker.alerts (root_id);
SELECT tracker.written_by('tracker.alerts', 'slack_reporter');
COMMENT ON COLUMN tracker.alerts.fingerprint IS 'the name of a finding of the health monitor, or of what happened';
COMMENT ON COLUMN tracker.alerts.state IS
  'pending: bad, but not for long enough to be told; open: told; recovering: good again, but not for long enough;'
  ' recovered: good again, and told; happened: told, with nothing to recover from';
COMMENT ON COLUMN tracker.alerts.bad_since IS 'of the last time it went bad, as good_since of the last time it went good';
COMMENT ON COLUMN tracker.alerts.first_at IS 'when the present episode was told, with a message of its own';
COMMENT ON COLUMN tracker.alerts.last_at IS 'when it was last seen bad';
COMMENT ON COLUMN tracker.alerts.episodes IS 'how often it was told with a message of its own';
COMMENT ON COLUMN tracker.alerts.repeats IS 'how often it came back within the present episode, told in its thread';
COMMENT ON COLUMN tracker.alerts.quiet_until IS 'until then it joins the thread that it has instead of opening a new one';
COMMENT ON COLUMN tracker.alerts.root_id IS 'its message in slack_outbox';

CREATE VIEW dashboards.alerts WITH (security_invoker = true) AS
SELECT fingerprint, name, alert_group, severity, state, observed, threshold, advice, bad_since, good_since, first_at,
  last_at, recovered_at, episodes, repeats, quiet_until, thread_channel, thread_ts
FROM tracker.alerts;
COMMENT ON VIEW dashboards.alerts IS 'every fact that was ever alerted, as it stands now; state open is what needs somebody';

CREATE VIEW dashboards.reports WITH (security_invoker = true) AS
SELECT report_id, kind, due_at, made_at, covers_from, late, asked_by, zone, document, picture
FROM tracker.reports;
COMMENT ON VIEW dashboards.reports IS 'every report, whether or not it went to Slack';
COMMENT ON COLUMN dashboards.reports.picture IS 'PNG; null where there was no curve to draw';

CREATE VIEW dashboards.outbox WITH (security_invoker = true) AS
SELECT outbox_id, kind, action, dedupe_key, payload ->> 'text' AS text, parent_id, report_id, created_at, not_before,
  attempts, state, sent_at, last_error, held, channel, ts, delivered_at, delivered_by,
  extract(epoch FROM delivered_at - created_at)::float8 AS seconds
FROM tracker.slack_outbox;
COMMENT ON VIEW dashboards.outbox IS 'every message for Slack and what became of it';
COMMENT ON COLUMN dashboards.outbox.seconds IS 'from being written down to being delivered; null while it is not';
COMMENT ON COLUMN dashboards.outbox.held IS 'given up for now: tried again once the settings or the channel work';

GRANT SELECT ON dashboards.alerts, dashboards.reports, dashboards.outbox TO tracker_reader;

-- migrate:down
DROP VIEW dashboards.outbox;
DROP VIEW dashboards.reports;
DROP VIEW dashboards.alerts;
DROP TABLE tracker.alerts;
DROP TABLE tracker.slack_outbox;
DROP TABLE tracker.report_cursor;
DROP TABLE tracker.reports;
