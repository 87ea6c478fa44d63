"""How each invariant of the group "error recovery" is broken and mended."""

from __future__ import annotations

from ward import Drill

from services.health_monitor.invariants.error_recovery.heartbeats import HeartbeatFresh

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
)
