"""Twenty-four hours: exactly the expected reports and alerts stand in Slack, whatever fails and whenever it is killed.

The clocks of the day's zone are put forward in its first night, and a weekly summary is due. Slack fails in every way
that the local one knows, and the reporter is ended after any of its awaits. TRACKER_SLACK_DAYS says how many such days
are lived through; one where it is not set.
"""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from killed import UntilKilled
from reporter_house import ReporterHouse, rules
from tracker.domain.errors import LeaseLostError
from tracker.store.database import Database
from tracker.testing.clock import FixedClock
from tracker.testing.slack import Shown, fake_slack

DAYS = int(os.environ.get("TRACKER_SLACK_DAYS", "1"))
MIDNIGHT = datetime(2024, 3, 31, tzinfo=UTC)
END = MIDNIGHT + timedelta(days=1, minutes=30)
QUIET_STEP, BUSY_STEP, BUSY_FOR = 150.0, 10.0, timedelta(minutes=3)
# In what every reporter dies at least once.
PLACES = ("_look", "look", "_due", "_report", "deliver", "_take", "_found", "find", "_send", "post", "edit", "picture",
          "_delivered", "_again")  # fmt: skip
TAG = "[SIMULATED] "


def at(hour: int, minute: int = 0, second: int = 0) -> datetime:
    return MIDNIGHT + timedelta(hours=hour, minutes=minute, seconds=second)


@dataclass
class Day:
    house: ReporterHouse
    rng: random.Random
    monitored: bool = True
    running: bool = True
    kills: Counter[str] = field(default_factory=Counter[str])
    died: Counter[tuple[str, ...]] = field(default_factory=Counter[tuple[str, ...]])
    faults: Counter[str] = field(default_factory=Counter[str])
    deaths: int = 0
    hangs: int = 0
    runs: int = 0

    def script(self) -> list[tuple[datetime, Callable[[], Awaitable[Any]]]]:
        """Return what happens when; times are UTC, two hours behind the wall."""
        events: list[tuple[datetime, Callable[[], Awaitable[Any]]]] = []

        def fact(name: str, begin: datetime, end: datetime | None, severity: str = "critical") -> None:
            events.append((begin, lambda: self.house.finding(name, ok=False, severity=severity, observed="bad")))
            if end is not None:
                events.append((end, lambda: self.house.finding(name, ok=True, severity=severity, observed="good")))

        def then(moment: datetime, what: Callable[[], Awaitable[Any]]) -> None:
            events.append((moment, what))

        fact("heartbeat paper_trader", at(1), at(1, 12))
        fact("too short", at(2), at(2, 0, 10))
        fact("model drift dca", at(3), at(4), "warning")
        fact("only information", at(3), None, "info")
        for turn in range(4):
            fact("flaps", at(4, 10 * turn), at(4, 10 * turn + 5))
        for number in range(8):
            fact(f"storm {number}", at(6), at(6, 20 + number))
        then(at(8), self._stall_monitor)
        then(at(8, 10), self._wake_monitor)
        then(at(9), self._halt)
        then(at(11), lambda: self._model("demote", at(11)))
        then(at(11, 30), lambda: self._model("promote", at(11, 30)))
        fact("stays", at(12), None)
        then(at(13), self._stop)
        fact("while it was down", at(13, 5), at(13, 20))
        fact("since it was down", at(13, 10), at(14))
        then(at(13, 40), self._start)
        then(at(14, 50), self._stop)
        then(at(16, 10), self._start)
        for hour in range(24):
            # Long after a report is due, and long before the next: killed, it may come minutes later.
            then(at(hour, 50), lambda hour=hour: self._trade(hour))
        return sorted(events, key=lambda event: event[0])

    async def live(self) -> None:
        """Live through the day and a little longer."""
        events = self.script()
        busy_until = MIDNIGHT
        while self.house.clock.now() < END:
            now = self.house.clock.now()
            step = timedelta(seconds=BUSY_STEP if now < busy_until or await self._waits() else QUIET_STEP)
            until = min(now + step, events[0][0] if events else END)
            self.house.clock.advance((until - now).total_seconds())
            if self.monitored:
                await self.house.monitor_looks()
            while events and events[0][0] <= self.house.clock.now():
                await events.pop(0)[1]()
                busy_until = self.house.clock.now() + BUSY_FOR
            if self.running:
                await self._run()

    async def _waits(self) -> bool:
        rows = await self.house.sql(
            "SELECT FROM tracker.slack_outbox WHERE state IN ('pending', 'sending')"
            " UNION ALL SELECT FROM tracker.alerts WHERE state IN ('pending', 'recovering')"
        )
        return self.running and bool(rows)

    async def _run(self) -> None:
        self.runs += 1
        waits = await self._waits()
        if waits and self.rng.random() < 0.3:
            self._fail()
        run = UntilKilled(self.house.service.run_once(), self._dies)
        try:
            await run
        except LeaseLostError:
            return
        if run.died_in is not None:
            self.deaths += 1
            self.kills.update(set(run.died_in))
            await self.house.restart()

    def _dies(self, place: list[str]) -> bool:
        """Choose the seldom as often as the common: the more it died in a function, the less it does again."""
        dies = bool(place) and self.rng.random() < 0.15 / (1 + self.died[tuple(place[-2:])])
        self.died[tuple(place[-2:])] += dies
        return dies

    def _fail(self) -> None:
        """Have a request go wrong; what takes real time is rare."""
        kind = self.rng.choice(["rate_limit", "status", "status", "drop", "lose", "lose", "lose", "error", "hang"])
        if kind == "hang":
            self.hangs += 1
            if self.hangs > 3:
                kind = "lose"
        method = self.rng.choice(["chat.postMessage", "chat.update", "files.", "/upload", "conversations.", ""])
        self.faults[kind] += 1
        self.house.slack.fail(kind, method, retry_after=20, code="internal_error")

    async def _stall_monitor(self) -> None:
        self.monitored = False

    async def _wake_monitor(self) -> None:
        self.monitored = True

    async def _stop(self) -> None:
        self.running = False

    async def _start(self) -> None:
        self.running = True
        await self.house.restart()

    async def _halt(self) -> None:
        await self.house.sql(
            "INSERT INTO tracker.protection_locks (account, protection, locked_at, until, observed, note)"
            " VALUES ('paper', 'halt', $1, $2, 0.1, 'equity fell')", at(8, 59), at(10),
        )

    async def _model(self, action: str, moment: datetime) -> None:
        await self.house.sql(
            "INSERT INTO tracker.model_events (at, strategy, action, model_id, made_by, reason)"
            " VALUES ($1, 'dca', $2, 1, 'watch', 'why')", moment, action,
        )

    async def _trade(self, hour: int) -> None:
        await self.house.trade(f"S{hour}-USD", at(hour, 45), 10.0)
        await self.house.equity(at(hour, 45), 10_000.0 + 10 * (hour + 1))


def final(shown: Shown) -> str:
    """Return what a message says in the end, without what hangs on the second."""
    return shown.text.removeprefix(TAG).split(" after ")[0].split(", until")[0]


ALERTS = Counter([
    "heartbeat paper_trader recovered", "model drift dca recovered", "flaps recovered",
    "8 alerts at once, all recovered", "health monitor looks recovered", "trading paper recovered",
    "critical: stays: bad", "since it was down recovered",
    "model 1 of dca was demoted by watch: why; the rule decides alone",
    "model 1 of dca was promoted by watch: why; the rule decides alone",
])  # fmt: skip
REPORTS = Counter([
    "Morning report · Sun 31 Mar 2024 09:00: paper +70.00 USD (10,070.00 USD), no critical finding",
    "Weekly summary · Sun 31 Mar 2024 09:00: paper +70.00 USD (10,070.00 USD), no critical finding",
    "Evening report · Sun 31 Mar 2024 17:00: paper +90.00 USD (10,160.00 USD), 1 critical",
])  # fmt: skip


async def lived(open_database: Callable[[str | None], Awaitable[Database]], seed: int) -> Day:
    clock = FixedClock(MIDNIGHT - timedelta(minutes=2))
    async with fake_slack(clock) as slack:
        house = await ReporterHouse.of(open_database, slack, clock)
        house.rules = rules(
            reports={"zone": "Europe/Berlin", "weekly_day": "sunday"},
            delivery={"timeout_seconds": 1, "retry_longest_seconds": 20, "breaker_cool_down_seconds": 30},
        )
        await house.restart()
        await house.account(opened=MIDNIGHT)
        await house.sql(
            "INSERT INTO tracker.models (strategy, learnt_through, window_from, known_from, feature_hash,"
            " label_config, config_hash, sha256, artifact, calibration, metrics, lineage, card) VALUES ('dca', $1, $1,"
            " $1, 'f', 'l', 'c', repeat('a', 64), 'x', '{}', '{}', '{}', '')", MIDNIGHT,
        )
        await house.monitor_looks()
        await house.run()
        day = Day(house, random.Random(seed))
        await day.live()
        return day


@pytest.mark.slow
@pytest.mark.timeout(300 * DAYS)
@pytest.mark.parametrize("seed", range(DAYS))
async def test_a_day_is_told_as_it_was(
    open_database: Callable[[str | None], Awaitable[Database]], seed: int
) -> None:
    day = await lived(open_database, seed)
    slack, house = day.house.slack, day.house
    pictures = [each for each in slack.messages if each.files]
    roots = [each for each in slack.roots if not each.files]
    assert Counter(final(each) for each in roots if "report" not in each.text and "summary" not in each.text) == ALERTS
    reports = [each for each in roots if "report" in each.text or "summary" in each.text]
    assert Counter(each.text.removeprefix(TAG) for each in reports) == REPORTS
    assert [each.files[0]["title"] for each in pictures] == [
        f"{TAG}Equity, morning of Sun 31 Mar 09:00", f"{TAG}Equity, weekly of Sun 31 Mar 09:00",
        f"{TAG}Equity, evening of Sun 31 Mar 17:00",
    ]  # fmt: skip
    threads = {final(root): [each.text.split("`")[-1] for each in slack.thread(root)] for root in roots}
    assert threads.pop("flaps recovered") == [f" *is back* ({number}x): bad" for number in (1, 2, 3)]
    stays = threads.pop("critical: stays: bad")
    assert len(stays) == 2
    assert all("is still so after" in each for each in stays)
    assert set(map(tuple, threads.values())) == {()}
    # The rows say what Slack shows: nothing waits, nothing was given up, and nothing was written twice.
    closed = await house.sql("SELECT state, count(*) FROM tracker.slack_outbox GROUP BY 1")
    assert [tuple(row.values()) for row in closed] == [("delivered", len(await house.outbox()))]
    marks = [str(each.metadata) for each in slack.messages if not each.files]
    assert len(marks) == len(set(marks))
    late = await house.sql("SELECT kind, late FROM dashboards.reports ORDER BY due_at, kind")
    assert [tuple(row.values()) for row in late] == [("morning", False), ("weekly", False), ("evening", True)]
    assert set(PLACES) <= set(day.kills), f"never killed in {set(PLACES) - set(day.kills)}"
    assert day.deaths > 40
    print(f"{day.runs} runs, killed {day.deaths} times, in {dict(day.kills)}; faults: {dict(day.faults)}")
