"""How the monitor looks, what it keeps, and what it answers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from prometheus_client import REGISTRY
from tracker.domain.errors import DatabaseUnavailableError
from tracker.runtime.findings import document
from tracker.runtime.health import health_app
from tracker.runtime.logging import get_logger
from tracker.runtime.pulse import Pulse
from tracker.runtime.settings import load_settings
from tracker.store.database import Database, Transaction
from tracker.store.health.facts import Facts, read_now
from tracker.store.health.findings import read_findings, read_monitor_age
from tracker.testing.clock import FixedClock
from ward import Ward

from services.health_monitor.invariants.base import Group, Invariant, Observation, Verdict, source
from services.health_monitor.metrics import OK
from services.health_monitor.service import HealthMonitor
from services.health_monitor.settings import MonitorSettings

SCANNER = "heartbeat strategy_scanner_dca"
SCANNER_FAILS = "UPDATE tracker.service_heartbeats SET status = 'fail' WHERE service = 'strategy_scanner_dca'"
SCANNER_GONE = (
    "UPDATE tracker.service_heartbeats SET beat_at = now() - interval '31 s' WHERE service = 'strategy_scanner_dca'"
)


def labels(name: str) -> dict[str, str]:
    return {"name": name, "group": "data pipeline", "severity": "critical"}


async def test_an_empty_database_is_a_finding_and_no_crash(ward: Ward) -> None:
    findings = await ward.look()
    assert not findings["bars fresh"]["ok"]
    assert findings["bars fresh"]["observed"] == "no minute closed yet"
    assert findings["heartbeat data_collector"]["observed"] == "no heartbeat ever"
    assert findings["symbols live"]["observed"] == "0 of 0 active (0 unsupported)"
    assert findings["paper trader follows"]["ok"]


# The bars are those of one hour of these tests' own making: what is not named here has drills of its own.
FRESH = {"bars fresh", "symbols live", "paper trader follows"}


async def broken(ward: Ward, names: set[str]) -> dict[str, str]:
    """Return which of some findings do not hold at a new look, and what is observed of them."""
    return {
        name: each["observed"] for name, each in (await ward.look()).items() if name in names and not each["ok"]
    }


async def test_no_bars_for_minutes(healthy: Ward) -> None:
    away = "UPDATE tracker.{} SET closed_through = closed_through - interval '10 minutes', updated_at = now()"
    for table in ("bar_watermarks", "feature_watermarks", "scan_watermarks"):
        await healthy.execute(away.format(table))
    await healthy.execute("UPDATE tracker.paper_cursor SET processed_through = processed_through - interval '1 hour'")
    found = await broken(healthy, FRESH)
    assert set(found) == {"bars fresh", "paper trader follows"}
    assert int(found["bars fresh"].split()[0]) >= 600
    # Bars of the past are not young, and their close keeps up with what was received.
    healthy.restarted(source="replay")
    await healthy.execute("UPDATE tracker.latest_bar SET ts = ts - interval '10 minutes'")
    await healthy.execute(
        "UPDATE tracker.paper_cursor SET processed_through ="
        " (SELECT closed_through FROM tracker.bar_watermarks WHERE timeframe = '1m')"
    )
    assert await broken(healthy, FRESH) == {}


async def test_symbols_with_longer_bars_are_live_until_the_next_one_is_late(healthy: Ward) -> None:
    await healthy.execute(
        "DELETE FROM tracker.latest_bar WHERE timeframe <> '1m'",
        "UPDATE tracker.symbols SET base_timeframe = '1h' WHERE symbol_id <= 5",
        "UPDATE tracker.latest_bar SET timeframe = '1h', ts = date_trunc('hour', now()) - interval '1 hour'"
        " WHERE symbol_id <= 5",
    )
    assert await broken(healthy, FRESH) == {}
    await healthy.execute(
        "UPDATE tracker.latest_bar SET ts = ts - interval '2 hours' WHERE symbol_id <= 5",
    )
    assert await broken(healthy, FRESH) == {"symbols live": "5 of 10 active (0 unsupported)"}


async def test_a_replay_of_hourly_candles_alone_is_judged_by_them(healthy: Ward) -> None:
    await healthy.execute(
        "DELETE FROM tracker.latest_bar WHERE timeframe <> '1m'",
        "UPDATE tracker.symbols SET base_timeframe = '1h'",
        "UPDATE tracker.latest_bar SET timeframe = '1h', ts = date_trunc('hour', now()) - interval '1 hour'",
    )
    assert await broken(healthy, FRESH) == {}


async def test_history_keeps_changes_and_a_sign_of_life(healthy: Ward) -> None:
    name = "bars fresh"
    for _ in range(3):
        await healthy.look()
    assert await healthy.history(name) == [True]
    since = (await healthy.look())[name]["since"]
    await healthy.execute("UPDATE tracker.health_findings SET kept_at = kept_at - interval '301 s'")
    assert (await healthy.look())[name]["since"] == since
    assert await healthy.history(name) == [True, True]
    # A new monitor goes on where the old one ended, and tells Prometheus although nothing has changed.
    healthy.restarted()
    OK.clear()
    assert (await healthy.look())[name]["since"] == since
    assert await healthy.history(name) == [True, True]
    assert REGISTRY.get_sample_value("tracker_invariant_ok", labels(name)) == 1


async def test_between_two_looks_it_rests(healthy: Ward) -> None:
    await healthy.execute(SCANNER_GONE)
    healthy.clock.advance(5)
    await healthy.monitor.run_once()
    assert healthy.monitor.detail()["critical"] == []
    healthy.clock.advance(5)
    await healthy.monitor.run_once()
    assert healthy.monitor.detail()["critical"] == [SCANNER]


@dataclass(frozen=True, slots=True, kw_only=True)
class Apples(Facts):
    """How many there are in each basket."""

    baskets: dict[str, int]


class ApplesThere(Invariant):
    """Every basket has apples."""

    name = "apples"
    group = "load"
    severity = "warning"
    advice = "buy some"

    def judge(self, seen: Observation) -> Iterable[Verdict]:
        for basket, count in seen.of(Apples).baskets.items():
            yield Verdict(subject=basket, observed=str(count), limit="1", ok=6 // count > 0, value=count)


class ClockThere(Invariant):
    """Time goes on."""

    name = "clock"
    group = "load"
    severity = "info"
    advice = "wind it up"

    def judge(self, seen: Observation) -> Iterable[Verdict]:
        yield Verdict(observed="it ticks", limit="it ticks", ok=True)


@dataclass(slots=True)
class Orchard:
    """A monitor that looks at apples, of which the number can be chosen, and which may take seconds to count."""

    monitor: HealthMonitor
    clock: FixedClock
    database: Database
    baskets: dict[str, int]
    wait: float = 0.0

    async def look(self) -> dict[str, dict[str, Any]]:
        self.clock.advance(60)
        await self.monitor.run_once()
        return {each.name: document(each) for each in self.monitor.findings()}


@pytest.fixture
async def orchard(ward: Ward) -> Orchard:
    async def read(transaction: Transaction) -> Apples:
        await transaction.connection.fetchval("SELECT pg_sleep($1)", made.wait)
        return Apples(now=await read_now(transaction), baskets=made.baskets)

    settings = load_settings(MonitorSettings, {"look_timeout_seconds": 0.2})
    group = Group(name="load", invariants=(ApplesThere, ClockThere), sources=(source(Apples, read),))
    watcher = HealthMonitor(ward.database, settings, ward.clock, get_logger("test"), (group,))
    made = Orchard(watcher, ward.clock, ward.database, {"a": 1, "b": 2})
    return made


async def test_an_invariant_that_cannot_be_judged_is_a_finding_and_takes_no_other_along(orchard: Orchard) -> None:
    before = await orchard.look()
    assert set(before) == {"monitor looks", "apples a", "apples b", "clock"}
    orchard.baskets = {"a": 0}
    broken = await orchard.look()
    assert not broken["apples"]["ok"]
    assert broken["apples"]["observed"].startswith("could not be judged: ZeroDivisionError: ")
    # What was known of each subject neither broke nor recovered by it.
    assert {name: broken[name] for name in ("apples a", "apples b", "clock")} == {
        name: before[name] for name in ("apples a", "apples b", "clock")
    }
    orchard.baskets = {"a": 3}
    assert set(await orchard.look()) == {"monitor looks", "apples a", "clock"}


async def test_facts_that_take_too_long_are_given_up_and_take_no_others_along(orchard: Orchard) -> None:
    await orchard.look()
    orchard.wait = 5.0
    broken = await orchard.look()
    assert not broken["apples"]["ok"]
    assert "canceling statement due to statement timeout" in broken["apples"]["observed"]
    assert broken["clock"]["ok"]
    orchard.wait = 0.0
    assert (await orchard.look())["apples a"]["ok"]


async def test_what_was_found_can_be_read_by_others(healthy: Ward) -> None:
    await healthy.execute(SCANNER_GONE)
    await healthy.look()
    async with healthy.database.transaction() as transaction:
        found, age = await read_findings(transaction), await read_monitor_age(transaction)
    assert found == healthy.monitor.findings()[1:]
    assert age.alive
    assert age.limit_seconds == 60
    assert await healthy.value("SELECT critical FROM dashboards.monitor_alive") == 1
    assert await healthy.value('SELECT count(DISTINCT "group") FROM dashboards.health') >= 5
    assert await healthy.value("SELECT count(*) FROM dashboards.health_history WHERE NOT ok") == 1
    await healthy.execute("UPDATE tracker.monitor_looks SET looked_at = now() - interval '61 s'")
    async with healthy.database.transaction() as transaction:
        assert not (await read_monitor_age(transaction)).alive


async def test_before_the_first_look_the_monitor_is_not_alive(ward: Ward) -> None:
    async with ward.database.transaction() as transaction:
        age = await read_monitor_age(transaction)
    assert (age.alive, age.age_seconds) == (False, None)
    assert [(each.name, each.ok, each.observed) for each in ward.monitor.findings()] == [
        ("monitor looks", False, "it has never looked")
    ]


def served(ward: Ward) -> FastAPI:
    pulse = Pulse(service="health_monitor", started_at=ward.clock.now(), last_success=ward.clock.now())
    pulse.database, pulse.telling = ward.database, ward.monitor
    app = health_app("health_monitor", pulse.ready, pulse.report)
    ward.monitor.mount(app)
    return app


async def test_the_pages_tell_the_state_of_the_fleet(healthy: Ward) -> None:
    transport = httpx.ASGITransport(served(healthy))
    async with httpx.AsyncClient(transport=transport, base_url="http://monitor") as client:
        whole, simple = await client.get("/health"), await client.get("/health/simple")
        assert (whole.status_code, whole.headers["content-type"]) == (200, "application/health+json")
        assert (whole.json()["status"], simple.status_code) == ("pass", 200)
        assert simple.json() == {"status": "pass", "failing": 0}
        await healthy.execute(
            "UPDATE tracker.job_runs SET started_at = started_at - interval '40 h', ended_at = now() - interval '40 h'"
            " WHERE strategy = 'dca'"
        )
        await healthy.look()
        whole, simple = await client.get("/health"), await client.get("/health/simple")
        assert (whole.status_code, whole.json()["status"], simple.status_code) == (200, "warn", 200)
        assert simple.json() == {"status": "warn", "failing": 1}
        await healthy.execute(SCANNER_FAILS)
        await healthy.look()
        whole, simple = await client.get("/health"), await client.get("/health/simple")
        assert (whole.status_code, whole.json()["status"], simple.status_code) == (503, "fail", 503)
        assert simple.json() == {"status": "fail", "failing": 2}
        body = whole.json()
        assert body["serviceId"] == "health_monitor"
        (check,) = body["checks"][f"error recovery:{SCANNER}"]
        assert (check["status"], check["observedUnit"]) == ("fail", "s")
        assert "look at the log of strategy_scanner_dca" in check["output"]
        keys = {"name", "group", "severity", "observed", "limit", "ok", "since", "advice"}
        assert all(set(each) == keys for each in body["findings"])
        metrics = (await client.get("/metrics")).text
        assert (
            f'tracker_invariant_ok{{group="error recovery",name="{SCANNER}",severity="critical"}} 0.0' in metrics
        )
        assert 'tracker_symbols{state="live"} 10.0' in metrics
        assert 'tracker_service_instances{service="strategy_scanner_dca",status="fail"} 1.0' in metrics


async def test_a_monitor_that_looks_no_more_says_so_itself(healthy: Ward) -> None:
    transport = httpx.ASGITransport(served(healthy))
    async with httpx.AsyncClient(transport=transport, base_url="http://monitor") as client:
        healthy.clock.advance(61)
        simple = await client.get("/health/simple")
        assert (simple.status_code, simple.json()) == (503, {"status": "fail", "failing": 1})
        await healthy.look()
        assert (await client.get("/health/simple")).status_code == 200


async def test_where_nothing_can_be_written_what_is_found_is_still_told(healthy: Ward) -> None:
    database = await healthy.value("SELECT current_database()")
    await healthy.execute(SCANNER_GONE)
    await healthy.execute(f'ALTER DATABASE "{database}" SET default_transaction_read_only = on')
    fresh = await healthy.open_as("health_monitor")
    healthy.database = fresh
    healthy.restarted()
    healthy.clock.advance(60)
    with pytest.raises(DatabaseUnavailableError, match="read-only"):
        await healthy.monitor.run_once()
    assert healthy.monitor.detail()["critical"] == [SCANNER]


@pytest.mark.parametrize(
    ("seconds", "took", "pauses", "reads"),
    [
        ("every_seconds", 0.0, (10, 10, 10), 4),
        ("slow_every_seconds", 0.0, (10, 40, 10, 50), 2),
        # A twentieth of the time at most: what takes two seconds rests for forty.
        ("every_seconds", 2.0, (10, 10, 10, 10, 10), 2),
    ],
)
async def test_facts_are_read_as_often_as_they_may_cost(
    ward: Ward, seconds: str, took: float, pauses: tuple[int, ...], reads: int
) -> None:
    count = 0

    async def read(transaction: Transaction) -> Apples:
        nonlocal count
        count += 1
        ward.clock.advance(took)
        return Apples(now=await read_now(transaction), baskets={"a": 1})

    group = Group(name="load", invariants=(ApplesThere,), sources=(source(Apples, read, seconds),))
    watcher = HealthMonitor(
        ward.database, load_settings(MonitorSettings, {}), ward.clock, get_logger("test"), (group,)
    )
    await watcher.run_once()
    for pause in pauses:
        ward.clock.advance(pause)
        await watcher.run_once()
        assert [each.name for each in watcher.findings()] == ["monitor looks", "apples a"]
    assert count == reads
