"""`tracker doctor` as typed: on a database with a monitor that looks, with one that is dead, and on none."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tracker.runtime.findings import GROUPS
from tracker.store.database import Database
from tracker.store.health.findings import Finding, Look, write_findings, write_look

KEYS = ["name", "group", "severity", "observed", "limit", "ok", "since", "advice"]


def finding(name: str, group: str, severity: str, *, ok: bool) -> Finding:
    return Finding(
        name=name, group=group, severity=severity, observed="5 s" if ok else "99 s", limit="30 s", ok=ok,
        since=datetime(2026, 1, 1, tzinfo=UTC), advice=f"mend the {name}",
    )  # fmt: skip


GOOD = (finding("bars fresh", "data pipeline", "critical", ok=True), finding("memory", "load", "warning", ok=True))
WARNED = (GOOD[0], finding("memory", "load", "warning", ok=False))


class Found:
    """A database in which a monitor left what it found."""

    def __init__(self, url: str, database: Database, state: Path) -> None:
        self.url = url
        self.database = database
        self.state = state

    async def leave(self, findings: tuple[Finding, ...], age: float = 3.0) -> None:
        now = datetime.now(UTC) - timedelta(seconds=age)
        async with self.database.transaction() as transaction:
            since = datetime.now(UTC) - timedelta(minutes=5)
            await write_findings(transaction, now, [replace(each, since=since) for each in findings])
            await write_look(transaction, Look(
                looked_at=now, every_seconds=10, seconds=0.1, findings=len(findings),
                critical=sum(not each.ok and each.severity == "critical" for each in findings), warnings=0,
            ))  # fmt: skip
            await transaction.commit()

    async def doctor(self, *arguments: str, url: str | None = None) -> tuple[int, str, str]:
        environment = {**os.environ, "DATABASE_URL": self.url if url is None else url,
                       "TRACKER_STATE_DIR": str(self.state)}
        done = await asyncio.to_thread(
            subprocess.run, [sys.executable, "-m", "services.control", "doctor", *arguments],
            env=environment, capture_output=True, text=True, timeout=60, check=False,
        )
        return done.returncode, done.stdout, done.stderr

    async def listed(self, *arguments: str, url: str | None = None) -> tuple[int, list[dict[str, Any]]]:
        code, out, _ = await self.doctor("--json", *arguments, url=url)
        listed = json.loads(out)
        assert all(list(each) == KEYS for each in listed)
        return code, listed


@pytest.fixture
async def found(
    open_database: Callable[[str | None], Awaitable[Database]], database_url: str, tmp_path: Path
) -> Found:
    return Found(database_url, await open_database("health_monitor"), tmp_path)


async def test_a_healthy_fleet(found: Found) -> None:
    await found.leave(GOOD)
    code, out, _ = await found.doctor()
    assert code == 0
    assert out.startswith("All 3 facts hold, as of ")
    assert "data pipeline" in out
    assert "mend" not in out
    assert "\x1b" not in out
    code, listed = await found.listed()
    assert (code, [each["name"] for each in listed]) == (0, ["monitor looks", "bars fresh", "memory"])


async def test_what_does_not_hold_comes_first_with_what_to_do(found: Found) -> None:
    await found.leave(WARNED)
    code, out, _ = await found.doctor()
    lines = out.splitlines()
    assert code == 1
    assert lines[0].startswith("1 of 3 facts do not hold, as of ")
    assert lines[0].endswith("; 0 critical.")
    assert [line.strip() for line in lines[2:6]] == [
        "WARNING  memory  (load, for 5 min)", "observed: 99 s", "limit:    30 s", "to do:    mend the memory",
    ]  # fmt: skip
    code, listed = await found.listed("--group", "load")
    assert (code, [(each["name"], each["ok"]) for each in listed]) == (1, [("memory", False)])
    assert (await found.listed("--group", "data pipeline"))[0] == 0
    code, _, error = await found.doctor("--group", "luck")
    assert code == 2
    assert error == f"tracker: --group 'luck' is none of {', '.join(GROUPS)}\n"


async def test_a_dead_monitor_is_itself_a_finding_of_every_group(found: Found) -> None:
    await found.leave(GOOD, age=3_700)
    code, out, _ = await found.doctor()
    assert code == 1
    assert out.startswith("The health monitor last looked 1 h 1 min ago: all of this is as old as that.")
    code, listed = await found.listed("--group", "load")
    assert code == 1
    assert [(each["name"], each["severity"], each["ok"]) for each in listed] == [
        ("monitor looks", "critical", False), ("memory", "warning", True),
    ]  # fmt: skip
    assert "look at the log of health_monitor" in listed[0]["advice"]


async def test_a_fleet_that_was_never_looked_at(found: Found) -> None:
    code, out, _ = await found.doctor()
    assert code == 1
    assert out.startswith("The health monitor has never looked at this fleet")
    code, listed = await found.listed()
    assert [(each["name"], each["observed"]) for each in listed] == [("monitor looks", "it has never looked")]


async def test_without_a_database(found: Found) -> None:
    nowhere = "postgresql://tracker@127.0.0.1:1/tracker"
    for url, reason in ((nowhere, "the database cannot be reached"), ("", "the embedded database does not run")):
        code, out, error = await found.doctor(url=url)
        assert (code, out) == (2, "")
        assert error.startswith(f"tracker: {reason}")
        assert error.count("\n") == 1
        code, listed = await found.listed(url=url)
        assert code == 2
        (only,) = listed
        assert (only["name"], only["severity"], only["ok"]) == ("database reachable", "critical", False)
        assert only["observed"].startswith(reason)
