"""How each invariant of the group "error recovery" is broken and mended."""

from __future__ import annotations

from tracker.store.heartbeats import Heartbeat, write_heartbeat
from ward import Drill, Ward

from services.health_monitor.invariants.error_recovery.heartbeats import HeartbeatFresh
from services.health_monitor.invariants.error_recovery.maintenance import MaintenanceEnds, MaintenanceSucceeds
from services.health_monitor.invariants.error_recovery.requests import CommandsAnswered, JobsBegin, RequestsAnswered
from services.health_monitor.invariants.error_recovery.services import (
    LeasesLive,
    OneActs,
    RestartsFew,
    ServicesUntroubled,
)
from services.health_monitor.invariants.error_recovery.telling import LookQuick, OutboxDelivered, ReportsOnTime

QUEUED = (
    "INSERT INTO tracker.pgqueuer (priority, status, entrypoint, dedupe_key, execute_after)"
    " VALUES (1, 'queued', 'train', 'train:dca', now() - interval '7 hours')"
)
MESSAGE = (
    "INSERT INTO tracker.slack_outbox (kind, action, dedupe_key, payload, created_at, not_before)"
    " VALUES ('report', 'post', 'k', '{\"text\": \"t\"}', now() - interval '20 minutes', now() - interval '20 minutes')"
)


async def die_four_times(ward: Ward) -> None:
    """Have four instances of a scanner come and go, each seen once and taken over by the next."""
    for number in range(4):
        now = await ward.value("SELECT now()")
        beat = Heartbeat(
            service="strategy_scanner_dca", instance=f"short{number}", pid=1, started_at=now, beat_at=now,
            status="pass", rss_bytes=1, detail={},
        )  # fmt: skip
        async with (await ward.open_as("strategy_scanner")).transaction() as transaction:
            await write_heartbeat(transaction, beat)
            await transaction.commit()
        await ward.look()
        await ward.execute(
            "UPDATE tracker.service_heartbeats SET beat_at = now() - interval '31 s'"
            " WHERE service = 'strategy_scanner_dca'"
        )


async def an_hour_later(ward: Ward) -> None:
    """Let the monitor find them as long ago as they would be in an hour."""
    ward.restarted()
    await ward.execute("UPDATE tracker.service_heartbeats SET started_at = started_at - interval '61 minutes'")


def asked(kind: str) -> str:
    """Return what notes a command of so long ago that it should have an answer."""
    return (
        "INSERT INTO tracker.commands (requested_by, account, kind, requested_at)"
        f" VALUES ('test', 'main', '{kind}', now() - interval '6 minutes')"
    )



DRILLS: tuple[Drill, ...] = (
    Drill(
        kind=HeartbeatFresh,
        name="heartbeat data_collector",
        breaking=(
            "UPDATE tracker.service_heartbeats SET beat_at = now() - interval '31 s' WHERE service = 'data_collector'"
        ),
        observed=r"holder: pass, 3\d s ago",
        mending="UPDATE tracker.service_heartbeats SET beat_at = now()",
    ),
    Drill(
        kind=HeartbeatFresh,
        name="heartbeat strategy_scanner_dca",
        breaking=(
            "UPDATE tracker.service_heartbeats SET status = 'fail', detail = '{\"problem\": \"no key\"}'"
            " WHERE service = 'strategy_scanner_dca'"
        ),
        observed=r"fail, \d s ago: no key",
        mending="UPDATE tracker.service_heartbeats SET status = 'warn', detail = '{}'",
    ),
    Drill(
        kind=HeartbeatFresh,
        name="heartbeat data_collector",
        breaking="UPDATE tracker.service_heartbeats SET status = 'stopped' WHERE service = 'data_collector'",
        observed=r"holder: stopped, \d s ago",
        mending="UPDATE tracker.service_heartbeats SET status = 'pass'",
    ),
    Drill(
        kind=HeartbeatFresh,
        name="heartbeat data_collector",
        breaking=(
            "INSERT INTO tracker.service_heartbeats"
            " (service, instance, pid, started_at, beat_at, status, rss_bytes, detail)"
            " SELECT service, 'j', 2, now() + interval '1 s', now(), 'fail', 1,"
            " '{\"role\": \"standby\", \"problem\": \"no key\"}'"
            " FROM tracker.service_heartbeats WHERE service = 'data_collector'"
        ),
        observed=r"holder: pass, \d s ago; standby: fail, \d s ago: no key",
        mending="UPDATE tracker.service_heartbeats SET status = 'stopped' WHERE instance = 'j'",
    ),
    Drill(
        kind=RestartsFew,
        name="restarts",
        breaking=die_four_times,
        observed="within an hour: strategy_scanner_dca 4 times",
        mending=an_hour_later,
    ),
    Drill(
        # Two collectors on one vendor connection.
        kind=OneActs,
        name="one of a kind acts",
        breaking=(
            "INSERT INTO tracker.service_heartbeats (service, instance, pid, started_at, beat_at, status, rss_bytes,"
            " detail) SELECT service, 'j', 2, started_at, beat_at, status, 1, detail FROM tracker.service_heartbeats"
            " WHERE service = 'data_collector'"
        ),
        observed="2 of data_collector act at once",
        mending=(
            "UPDATE tracker.service_heartbeats SET detail = '{\"role\": \"standby\"}' WHERE instance = 'j'"
        ),
    ),
    Drill(
        kind=LeasesLive,
        name="leases",
        before=(
            "INSERT INTO tracker.service_leases"
            " VALUES ('feed:polygon', 'data_collector', 'h#1', now(), now() + interval '1 minute')"
        ),
        breaking="UPDATE tracker.service_leases SET expires_at = now() - interval '61 s'",
        observed=r"feed:polygon of data_collector ended 6\d s ago",
        mending="UPDATE tracker.service_leases SET holder = 'h#2', expires_at = now() + interval '1 minute'",
    ),
    Drill(
        kind=ServicesUntroubled,
        name="services untroubled",
        breaking=(
            "UPDATE tracker.service_heartbeats SET detail = detail || '{\"trouble\": \"HTTP 429\"}'"
            " WHERE service = 'data_collector'"
        ),
        observed="data_collector: HTTP 429",
        mending="UPDATE tracker.service_heartbeats SET detail = detail - 'trouble'",
    ),
    Drill(
        kind=MaintenanceSucceeds,
        name="maintenance refresh_aggregates",
        breaking=(
            "INSERT INTO tracker.maintenance_runs (task, started_at, by_hand, finished_at, seconds, ok, error)"
            " SELECT 'refresh_aggregates', now(), false, now(), 1, false, 'no room' FROM generate_series(1, 3)"
        ),
        observed=r"0\.0 h ago, 3 failures since: no room",
        mending=(
            "INSERT INTO tracker.maintenance_runs (task, started_at, by_hand, finished_at, seconds, ok, result)"
            " VALUES ('refresh_aggregates', now(), true, now(), 1, true, '{}')"
        ),
    ),
    Drill(
        kind=MaintenanceSucceeds,
        name="maintenance retention",
        breaking=(
            "INSERT INTO tracker.maintenance_runs (task, started_at, by_hand, finished_at, seconds, ok, result)"
            " VALUES ('retention', now() - interval '27 hours', false, now() - interval '27 hours', 1, true, '{}')"
        ),
        observed=r"27\.0 h ago",
        mending=(
            "INSERT INTO tracker.maintenance_runs (task, started_at, by_hand, finished_at, seconds, ok, result)"
            " VALUES ('retention', now(), false, now(), 1, true, '{}')"
        ),
    ),
    Drill(
        kind=MaintenanceEnds,
        name="maintenance ends",
        breaking=(
            "INSERT INTO tracker.maintenance_runs (task, started_at, by_hand)"
            " VALUES ('archive_months', now() - interval '3 hours', false)"
        ),
        observed=r"archive_months for 3\.0 h",
        mending=(
            "UPDATE tracker.maintenance_runs SET finished_at = now(), seconds = 1, ok = false, error = 'interrupted'"
            " WHERE finished_at IS NULL"
        ),
    ),
    Drill(
        kind=CommandsAnswered,
        name="commands answered",
        breaking=asked("halt"),
        observed=r"halt of main waits for 36\d s",
        mending=(
            "INSERT INTO tracker.account_events (account, ts, command_id, kind, outcome, note)"
            " SELECT account, now(), command_id, kind, 'done', 'halted' FROM tracker.commands"
        ),
    ),
    Drill(
        kind=RequestsAnswered,
        name="requests answered",
        breaking=(
            "INSERT INTO tracker.job_requests (requested_by, kind, strategy, requested_at)"
            " VALUES ('test', 'train', NULL, now() - interval '31 minutes')"
        ),
        observed=r"train of all waits for 186\d s",
        mending=(
            "INSERT INTO tracker.job_answers (request_id, outcome, note)"
            " SELECT request_id, 'queued', 'queued' FROM tracker.job_requests"
        ),
    ),
    Drill(
        kind=JobsBegin,
        name="job queue moves",
        breaking=QUEUED,
        observed=r"train of dca is due for 7\.0 h",
        mending="UPDATE tracker.pgqueuer SET status = 'picked'",
    ),
    Drill(
        kind=OutboxDelivered,
        name="Slack outbox",
        breaking=f"{MESSAGE}; UPDATE tracker.slack_outbox SET last_error = 'HTTP 503', attempts = 4",
        observed=r"1 wait, for up to 120\d s: HTTP 503",
        mending=(
            "UPDATE tracker.slack_outbox SET state = 'delivered', delivered_at = now(), delivered_by = 'bot'"
        ),
    ),
    Drill(
        kind=OutboxDelivered,
        name="Slack outbox",
        breaking=f"{MESSAGE}; UPDATE tracker.slack_outbox SET last_error = 'invalid_auth', state = 'given_up'",
        observed="none waits, 1 given up within a day: invalid_auth",
        mending="UPDATE tracker.slack_outbox SET state = 'pending', not_before = now()",
    ),
    Drill(
        # Held for want of a way to Slack is no matter where that is wanted.
        kind=OutboxDelivered,
        name="Slack outbox",
        before=(
            "INSERT INTO tracker.service_heartbeats (service, instance, pid, started_at, beat_at, status, rss_bytes,"
            " detail) VALUES ('slack_reporter', 'i', 1, now(), now(), 'pass', 1, '{\"delivery\": \"bot\"}')"
        ),
        breaking=f"{MESSAGE}; UPDATE tracker.slack_outbox SET last_error = 'no way', state = 'given_up', held = true",
        observed="none waits, 1 given up within a day: no way",
        mending=(
            "UPDATE tracker.service_heartbeats SET detail = '{\"delivery\": \"none\"}' WHERE service = 'slack_reporter'"
        ),
    ),
    Drill(
        kind=ReportsOnTime,
        name="reports",
        breaking="INSERT INTO tracker.report_cursor VALUES ('daily', now() - interval '18 hours')",
        observed=r"made up to 18\.0 h ago",
        mending="UPDATE tracker.report_cursor SET due_through = now() - interval '2 hours'",
    ),
    Drill(
        kind=LookQuick,
        name="look quick",
        # As a look leaves it that took seconds: the next one finds it.
        breaking="UPDATE tracker.monitor_looks SET seconds = 7",
        observed=r"7\.00 s",
        mending="UPDATE tracker.monitor_looks SET seconds = 0.2",
    ),
)
