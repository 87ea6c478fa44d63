"""Each invariant is made to break in a real database, is seen red, and is seen green again."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
from prometheus_client import REGISTRY
from tracker.runtime.logging import get_logger
from tracker.runtime.settings import load_settings
from tracker.store.database import Database
from tracker.testing.clock import FixedClock

from services.health_monitor.service import OK, HealthMonitor
from services.health_monitor.settings import MonitorSettings

SERVICES = "data_collector,strategy_scanner_dca"


@dataclass(slots=True)
class Ward:
    """A fleet's database in which everything can be made to fail, and its monitor."""

    owner: Database
    database: Database
    monitor: HealthMonitor
    clock: FixedClock

    def restarted(self, **settings: Any) -> HealthMonitor:
        self.monitor = monitor(self.database, self.clock, **settings)
        return self.monitor

    async def execute(self, *statements: str) -> None:
        async with self.owner.transaction() as transaction:
            for statement in statements:
                await transaction.connection.execute(statement)
            await transaction.commit()

    async def history(self, name: str) -> list[bool]:
        async with self.owner.transaction() as transaction:
            rows = await transaction.connection.fetch(
                "SELECT ok FROM tracker.health_checks WHERE name = $1 ORDER BY check_id", name
            )
        return [row["ok"] for row in rows]

    async def look(self) -> dict[str, dict[str, Any]]:
        """Return the findings of a new look by their names."""
        self.clock.advance(60)
        assert not await self.monitor.run_once()
        return {finding["name"]: finding for finding in self.monitor.detail()["findings"]}

    async def red(self, name: str) -> str:
        """Check that nothing but `name` is broken, and return what was observed."""
        findings = await self.look()
        assert self.monitor.detail()["failing"] == [name]
        return findings[name]["observed"]

    async def green(self) -> None:
        await self.look()
        assert self.monitor.detail()["failing"] == []


def monitor(database: Database, clock: FixedClock, **settings: Any) -> HealthMonitor:
    chosen = load_settings(MonitorSettings, {"services": SERVICES, **settings})
    return HealthMonitor(database, chosen, clock, get_logger("test"))


@pytest.fixture
async def ward(open_database: Callable[[str | None], Awaitable[Database]]) -> Ward:
    """A database in which nothing has happened yet."""
    clock = FixedClock(datetime(2024, 3, 1, tzinfo=UTC))
    database = await open_database("health_monitor")
    return Ward(await open_database(None), database, monitor(database, clock), clock)


HEALTHY = (
    "INSERT INTO tracker.symbols (symbol) SELECT 'S' || n || '-USD' FROM generate_series(1, 10) n",
    "INSERT INTO tracker.latest_bar (ts, open, high, low, close, volume, received_at, timeframe, symbol_id)"
    " SELECT date_trunc('minute', now()) - interval '1 minute', 1, 1, 1, 1, 1, now(), '1m', symbol_id"
    " FROM tracker.symbols",
    "INSERT INTO tracker.bar_watermarks SELECT t, now() - interval '1 day', date_trunc('minute', now()), now()"
    " FROM unnest(ARRAY['1m', '15m', '1h']) t",
    "INSERT INTO tracker.feature_watermarks SELECT timeframe, closed_through, now() FROM tracker.bar_watermarks"
    " WHERE timeframe <> '1m'",
    "INSERT INTO tracker.scan_watermarks SELECT 'dca', timeframe, closed_through, now() FROM tracker.feature_watermarks"
    " WHERE timeframe = '15m'",
    "INSERT INTO tracker.shadow_cursor SELECT 'dca', timeframe, closed_through, closed_through, 'x', now()"
    " FROM tracker.feature_watermarks WHERE timeframe = '15m'",
    "INSERT INTO tracker.accounts (account, currency, start_cash, opened_at, cash)"
    " VALUES ('main', 'USD', 1, now(), 1)",
    "INSERT INTO tracker.account_events (account, ts, kind, amount, outcome, note)"
    " VALUES ('main', now(), 'open', 1, 'done', 'opened')",
    "INSERT INTO tracker.paper_cursor SELECT 'main', opened_at, closed_through FROM tracker.bar_watermarks"
    " WHERE timeframe = '1m'",
    "INSERT INTO tracker.job_runs (job_id, kind, strategy, reason, attempt, started_at, ended_at, outcome)"
    " SELECT 1, 'train', s, 'x', 1, now(), now(), 'done' FROM unnest(ARRAY['dca', 'swing']) s",
    "INSERT INTO tracker.service_heartbeats (service, instance, pid, started_at, beat_at, status, rss_bytes)"
    f" SELECT s, 'i', 1, now(), now(), 'pass', 1 FROM unnest(string_to_array('{SERVICES}', ',')) s",
)


@pytest.fixture
async def healthy(ward: Ward) -> Ward:
    """A fleet in which everything holds."""
    await ward.execute(*HEALTHY)
    await ward.green()
    return ward


async def test_an_empty_database_is_a_finding_and_no_crash(ward: Ward) -> None:
    findings = await ward.look()
    assert not findings["bars fresh"]["ok"]
    assert findings["bars fresh"]["observed"] == "no minute closed yet"
    assert findings["heartbeat data_collector"]["observed"] == "no heartbeat ever"
    assert findings["symbols live"]["observed"] == "0 of 0 active (0 unsupported)"
    assert findings["paper trader follows"]["ok"]


# Name, how it is broken, what is observed then, and how it is mended.
BREAKING = (
    (
        "training dca",
        "UPDATE tracker.job_runs SET started_at = now() - interval '31 h', ended_at = now() - interval '31 h'"
        " WHERE strategy = 'dca'; INSERT INTO tracker.job_runs (job_id, kind, strategy, reason, attempt, started_at,"
        " ended_at, outcome) VALUES (2, 'train', 'dca', 'x', 1, now() - interval '2 h', now(), 'interrupted')",
        r"31 h ago",
        "INSERT INTO tracker.job_runs (job_id, kind, strategy, reason, attempt, started_at, ended_at, outcome, result)"
        " VALUES (3, 'train', 'dca', 'x', 1, now(), now(), 'done', '{\"note\": \"12 labels, 1000 are needed\"}')",
    ),
    (
        "training swing",
        "UPDATE tracker.job_runs SET started_at = now() - interval '40 h', outcome = 'failed', error = 'no'"
        " WHERE strategy = 'swing'",
        r"never in 40 h",
        "UPDATE tracker.job_runs SET outcome = 'done', error = NULL WHERE strategy = 'swing'",
    ),
    (
        "model jobs succeed",
        "INSERT INTO tracker.pgqueuer (id, priority, status, entrypoint, dedupe_key) VALUES (7, 1, 'failed', 'watch',"
        " 'watch:dca'); INSERT INTO tracker.job_runs (job_id, kind, strategy, reason, attempt, started_at, ended_at,"
        " outcome, error) VALUES (7, 'watch', 'dca', 'x', 1, now(), now(), 'failed', 'no gate')",
        r"watch of dca: no gate",
        "UPDATE tracker.pgqueuer SET status = 'queued'",
    ),
    (
        "shadow watermark lag dca",
        "UPDATE tracker.shadow_cursor SET closed_through = closed_through - interval '1 hour',"
        " updated_at = now() - interval '50 min'",
        r"3000 s behind",
        "UPDATE tracker.shadow_cursor SET closed_through = closed_through + interval '1 hour', updated_at = now()",
    ),
    (
        "heartbeat data_collector",
        "UPDATE tracker.service_heartbeats SET beat_at = now() - interval '31 s' WHERE service = 'data_collector'",
        r"pass, 3\d s ago",
        "UPDATE tracker.service_heartbeats SET beat_at = now()",
    ),
    (
        "heartbeat strategy_scanner_dca",
        "UPDATE tracker.service_heartbeats SET status = 'fail', detail = '{\"problem\": \"no key\"}'"
        " WHERE service = 'strategy_scanner_dca'",
        r"fail, \d s ago: no key",
        "UPDATE tracker.service_heartbeats SET status = 'warn', detail = '{}'",
    ),
    (
        "heartbeat data_collector",
        "UPDATE tracker.service_heartbeats SET status = 'stopped' WHERE service = 'data_collector'",
        r"stopped, \d s ago",
        "UPDATE tracker.service_heartbeats SET status = 'pass'",
    ),
    (
        # A standby that is not well is told of, though the holder is; one that is gone is no matter.
        "heartbeat data_collector",
        "INSERT INTO tracker.service_heartbeats"
        " (service, instance, pid, started_at, beat_at, status, rss_bytes, detail)"
        " SELECT service, 'j', 2, now() + interval '1 s', now(), 'fail', 1,"
        " '{\"role\": \"standby\", \"problem\": \"no key\"}'"
        " FROM tracker.service_heartbeats WHERE service = 'data_collector'",
        r"pass, \d s ago; standby: fail, \d s ago: no key",
        "UPDATE tracker.service_heartbeats SET status = 'stopped' WHERE instance = 'j'",
    ),
    (
        "symbols live",
        "UPDATE tracker.latest_bar SET ts = ts - interval '16 minutes' WHERE symbol_id <= 2",
        r"8 of 10 active \(0 unsupported\)",
        "UPDATE tracker.symbols SET status = 'unsupported' WHERE symbol_id <= 2",
    ),
    (
        "gaps heal",
        "INSERT INTO tracker.data_gaps (symbol_id, timeframe, starts_at, ends_at, cause, detected_at)"
        " SELECT symbol_id, '1m', '2024-01-01Z', '2024-01-02Z', cause, now() - interval '2 hours'"
        " FROM tracker.symbols JOIN (VALUES (1, 'not_sent'), (2, 'history')) AS c(symbol_id, cause) USING (symbol_id)",
        r"1 symbols, open for up to 72\d\d s",
        "UPDATE tracker.data_gaps SET state = 'healed', resolved_at = now() WHERE cause = 'not_sent'",
    ),
    (
        "minutes explained",
        "INSERT INTO tracker.expected_spans SELECT closed_through - interval '2 hours', NULL, 1, '1m'"
        " FROM tracker.bar_watermarks WHERE timeframe = '1m'",
        r"60 unexplained bars of 1 symbols: S1-USD",
        "INSERT INTO tracker.data_gaps (symbol_id, timeframe, starts_at, ends_at, cause)"
        " SELECT 1, '1m', closed_through - interval '1 hour', closed_through, 'outage'"
        " FROM tracker.bar_watermarks WHERE timeframe = '1m'",
    ),
    (
        "stage features 15m",
        "UPDATE tracker.bar_watermarks SET updated_at = now() - interval '130 s',"
        " closed_through = closed_through + interval '15 minutes' WHERE timeframe = '15m'",
        r"13\d s behind",
        "UPDATE tracker.bar_watermarks SET closed_through = closed_through - interval '15 minutes'"
        " WHERE timeframe = '15m'",
    ),
    # Its input closed this moment, but the one before it has been waiting for an hour as well.
    (
        "stage features 1h",
        "UPDATE tracker.feature_watermarks SET closed_through = closed_through - interval '2 hours',"
        " updated_at = now() - interval '2 hours' WHERE timeframe = '1h'",
        r"72\d\d s behind",
        "UPDATE tracker.feature_watermarks SET updated_at = now() WHERE timeframe = '1h'",
    ),
    (
        "stage scan dca",
        "UPDATE tracker.scan_watermarks SET closed_through = closed_through - interval '1 hour',"
        " updated_at = now() - interval '1 hour'",
        r"36\d\d s behind",
        "UPDATE tracker.scan_watermarks SET closed_through = closed_through + interval '1 hour'",
    ),
    (
        "paper trader follows",
        "UPDATE tracker.paper_cursor SET processed_through = processed_through - interval '10 minutes'",
        r"54\d s behind",
        "UPDATE tracker.paper_cursor SET processed_through = processed_through + interval '10 minutes'",
    ),
    (
        "paper trader follows",
        "CREATE TABLE tracker.aside AS SELECT * FROM tracker.paper_cursor; DELETE FROM tracker.paper_cursor",
        r"\d+ s behind",
        "INSERT INTO tracker.paper_cursor SELECT * FROM tracker.aside",
    ),
    (
        "parity holds",
        "INSERT INTO tracker.parity_reports (first_at, end_at, started_at, finished_at, differences, first_differences)"
        " VALUES ('2024-01-01Z', '2024-01-02Z', now(), now(), 2, jsonb_build_array(jsonb_build_object("
        "'what', 'look', 'strategy', 'dca', 'symbol', 'S1-USD', 'decided_at', 'then', 'name', 'reason')))",
        r"2 differences, first look dca S1-USD then reason",
        "UPDATE tracker.parity_reports SET differences = 0",
    ),
    (
        "parity holds",
        "UPDATE tracker.parity_reports SET never_scanned = '{swing}'",
        "never scanned: swing",
        "UPDATE tracker.parity_reports SET never_scanned = '{}'",
    ),
    (
        "parity holds",
        "UPDATE tracker.parity_reports SET error = 'risk.toml: account is missing'",
        "the last check failed: risk.toml: account is missing",
        # One that is being worked on says nothing yet.
        "UPDATE tracker.parity_reports SET finished_at = NULL, error = NULL",
    ),
    (
        "ledger main",
        "UPDATE tracker.accounts SET cash = cash + 0.5",
        r"off by 1\.5: accounts\.cash: 0\.5; cash \+ positions = .*: 0\.5; journal cash: 0\.5",
        "UPDATE tracker.accounts SET cash = cash - 0.5",
    ),
    (
        "ledger main",
        "UPDATE tracker.account_events SET amount = 2",
        r"off by .*",
        "UPDATE tracker.account_events SET amount = 1",
    ),
    (
        "parity holds",
        "UPDATE tracker.parity_reports SET finished_at = now() - interval '26.6 hours'",
        "the last report is 27 h old",
        "DELETE FROM tracker.parity_reports",
    ),
    (
        "parity holds",
        "INSERT INTO tracker.maintenance_runs (task, started_at, by_hand)"
        " VALUES ('nightly_parity', now() - interval '27 hours', false)",
        "no report for 27 h",
        "INSERT INTO tracker.parity_reports (first_at, end_at, started_at, finished_at)"
        " VALUES ('2024-01-01Z', '2024-01-02Z', now(), now())",
    ),
)


async def test_each_invariant_is_seen_red_and_then_green(healthy: Ward) -> None:
    for name, breaking, observed, mending in BREAKING:
        await healthy.execute(breaking)
        assert re.fullmatch(observed, await healthy.red(name))
        await healthy.execute(mending)
        # What the next one looks at must not have aged meanwhile.
        await healthy.execute("UPDATE tracker.service_heartbeats SET beat_at = now()")
        await healthy.green()
        assert (await healthy.history(name))[-3:] == [True, False, True]


async def test_no_bars_for_minutes(healthy: Ward) -> None:
    away = "UPDATE tracker.{} SET closed_through = closed_through - interval '10 minutes', updated_at = now()"
    for table in ("bar_watermarks", "feature_watermarks", "scan_watermarks"):
        await healthy.execute(away.format(table))
    await healthy.execute("UPDATE tracker.paper_cursor SET processed_through = processed_through - interval '1 hour'")
    findings = await healthy.look()
    assert healthy.monitor.detail()["failing"] == ["bars fresh", "paper trader follows"]
    assert int(findings["bars fresh"]["observed"].split()[0]) >= 600
    # Bars of the past are not young, and their close keeps up with what was received.
    healthy.restarted(source="replay")
    await healthy.execute("UPDATE tracker.latest_bar SET ts = ts - interval '10 minutes'")
    await healthy.execute(
        "UPDATE tracker.paper_cursor SET processed_through ="
        " (SELECT closed_through FROM tracker.bar_watermarks WHERE timeframe = '1m')"
    )
    await healthy.green()


async def test_a_scanner_that_never_scanned_is_missed(healthy: Ward) -> None:
    await healthy.execute(
        "DELETE FROM tracker.scan_watermarks",
        "UPDATE tracker.feature_watermarks SET updated_at = now() - interval '5 minutes'",
    )
    assert re.fullmatch(r"30\d s behind", await healthy.red("stage scan dca"))


async def test_symbols_with_longer_bars_are_live_until_the_next_one_is_late(healthy: Ward) -> None:
    await healthy.execute(
        "UPDATE tracker.symbols SET base_timeframe = '1h' WHERE symbol_id <= 5",
        "UPDATE tracker.latest_bar SET timeframe = '1h', ts = ts - interval '119 minutes' WHERE symbol_id <= 5",
    )
    await healthy.green()
    await healthy.execute(
        "UPDATE tracker.latest_bar SET ts = ts - interval '30 minutes' WHERE symbol_id <= 5",
    )
    assert await healthy.red("symbols live") == "5 of 10 active (0 unsupported)"


async def test_a_replay_of_hourly_candles_alone_is_judged_by_them(healthy: Ward) -> None:
    await healthy.execute(
        "UPDATE tracker.symbols SET base_timeframe = '1h'",
        "UPDATE tracker.latest_bar SET timeframe = '1h', ts = ts - interval '59 minutes'",
    )
    await healthy.green()


async def test_history_keeps_changes_and_a_sign_of_life(healthy: Ward) -> None:
    name = "bars fresh"
    for _ in range(3):
        await healthy.look()
    assert await healthy.history(name) == [True]
    since = (await healthy.look())[name]["since"]
    await healthy.execute("UPDATE tracker.health_checks SET checked_at = checked_at - interval '301 s'")
    assert (await healthy.look())[name]["since"] == since
    assert await healthy.history(name) == [True, True]
    # A new monitor goes on where the old one ended, and tells Prometheus although nothing has changed.
    healthy.restarted()
    OK.clear()
    assert (await healthy.look())[name]["since"] == since
    assert await healthy.history(name) == [True, True]
    assert REGISTRY.get_sample_value("tracker_invariant_ok", {"name": name}) == 1


async def test_between_two_looks_it_rests(healthy: Ward) -> None:
    await healthy.execute("DELETE FROM tracker.service_heartbeats")
    healthy.clock.advance(5)
    await healthy.monitor.run_once()
    assert healthy.monitor.detail()["failing"] == []
    healthy.clock.advance(5)
    await healthy.monitor.run_once()
    assert len(healthy.monitor.detail()["failing"]) == 2
