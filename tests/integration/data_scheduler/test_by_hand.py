"""`tracker maintain` as a process, and the service as one that is told to stop or killed in the middle of its work."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from bar_house import BarHouse
from tracker.runtime.settings import PROJECT_ROOT, environment

WAITING = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"


@asynccontextmanager
async def started(
    url: str, module: str, *arguments: str, **variables: str
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Start a process of ours, which does not outlive the test."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", module, *arguments, stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL, env={**environment(), "DATABASE_URL": url, "PORT": "0", **variables},
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def until(house: BarHouse, question: str) -> None:
    """Wait until a query says true."""
    async with asyncio.timeout(60):
        while not await house.value(question):
            await asyncio.sleep(0.05)


async def tracker(url: str, state: Path, *arguments: str) -> tuple[int | None, str, str]:
    """Run the command and return its exit code and what it said."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "services.control", "maintain", *arguments, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE, env={**environment(), "DATABASE_URL": url, "TRACKER_STATE_DIR": str(state)},
    )
    out, err = await process.communicate()
    return process.returncode, out.decode(), err.decode()


async def test_an_unknown_task_is_one_sentence_with_those_there_are(tmp_path: Path) -> None:
    code, out, err = await tracker("", tmp_path, "tidy_up")
    assert (code, out) == (2, "")
    assert err == (
        "tracker: TASK: 'tidy_up' is not one of make_partitions, refresh_aggregates, cluster_closed_months,"
        " archive_months, retention, analyze, nightly_parity\n"
    )


async def test_without_a_task_all_are_listed(tmp_path: Path) -> None:
    code, out, _ = await tracker("", tmp_path)
    assert code == 0
    assert "archive_months" in out
    assert "daily at 03:20 UTC" in out


async def test_a_task_is_shown_and_reported(house: BarHouse, database_url: str, tmp_path: Path) -> None:
    code, out, err = await tracker(database_url, tmp_path, "cluster_closed_months", "--json")
    assert code == 0, err
    report = json.loads(out)
    assert (report["task"], report["ok"], report["error"]) == ("cluster_closed_months", True, None)
    # The shipped rules keep thirteen months out of the archive, so all closed ones are clustered.
    assert [each["month"] for each in report["result"]["months"]] == ["2023-12", "2024-01", "2024-02", "2024-03"]
    assert "2024-02: 2 of 3 symbols copied" in err
    code, out, err = await tracker(database_url, tmp_path, "retention")
    assert (code, "retention done in" in out, "ml_features 0" in out) == (0, True, True), err
    assert [run["by_hand"] for run in await house.runs("retention")] == [True]


async def test_a_failure_is_exit_code_1(house: BarHouse, database_url: str, tmp_path: Path) -> None:
    async with house.owner.transaction() as reader:
        await reader.connection.execute("LOCK TABLE tracker.ohlc_data IN ACCESS SHARE MODE")
        code, out, err = await tracker(database_url, tmp_path, "make_partitions")
    assert code == 1, err
    assert out.startswith("make_partitions failed after")
    assert "the months of bars are in use" in out


@pytest.mark.parametrize("module", ["services.data_scheduler", "services.data_scheduler.jobs"])
async def test_sigterm_ends_a_statement_in_the_middle(
    house: BarHouse, database_url: str, tmp_path: Path, module: str
) -> None:
    arguments = ["refresh_aggregates"] if module.endswith("jobs") else []
    async with house.owner.transaction() as reader:
        await reader.connection.execute("LOCK TABLE tracker.trade_logs IN ACCESS EXCLUSIVE MODE")
        async with started(database_url, module, *arguments) as process:
            await until(house, WAITING)
            process.send_signal(signal.SIGTERM)
            async with asyncio.timeout(30):
                await process.wait()
    runs = await house.runs("refresh_aggregates")
    assert [(run["ok"], json.loads(run["result"])["unfinished"]) for run in runs] == [(True, True)]
    async with house.owner.transaction() as reader:
        # Given back, so that the next one need not wait for its end.
        assert await reader.connection.fetch("SELECT * FROM tracker.service_leases") == []


async def test_a_killed_service_is_followed_by_one_that_goes_on(
    house: BarHouse, database_url: str, tmp_path: Path
) -> None:
    rules = (PROJECT_ROOT / "configs" / "data_scheduler.toml").read_text()
    for old, new in (("first_seconds = 60 ", "first_seconds = 0.1 "), ("after_months = 13", "after_months = 2")):
        assert old in rules
        rules = rules.replace(old, new)
    (tmp_path / "data_scheduler.toml").write_text(rules)
    variables = {"TRACKER_CONFIG_DIR": str(tmp_path), "DATA_SCHEDULER_LEASE_SECONDS": "2"}
    before = await house.exported()
    # The other tasks have just been done.
    await house.execute(
        "INSERT INTO tracker.maintenance_runs (task, started_at, finished_at, seconds, ok, by_hand)"
        " SELECT t, now() - interval '1 minute', now(), 1, true, false FROM unnest('{make_partitions,"
        "refresh_aggregates,cluster_closed_months,retention,analyze,nightly_parity}'::text[]) t"
    )
    async with house.owner.transaction() as holder:
        await holder.connection.execute("LOCK TABLE tracker.ohlc_data_2024_01 IN ACCESS EXCLUSIVE MODE")
        async with started(database_url, "services.data_scheduler", **variables) as process:
            await until(house, WAITING)
            process.kill()
            await process.wait()
    async with started(database_url, "services.data_scheduler", **variables):
        await until(house, "SELECT count(*) = 2 FROM pg_inherits WHERE inhparent = 'tracker.ohlc_archive'::regclass")
    assert await house.tables("ohlc_archive") == ["2023_12", "2024_01"]
    assert await house.exported() == before
    assert "interrupted" in [run["error"] for run in await house.runs("archive_months")]


async def test_a_short_statement_timeout_does_not_end_long_work(
    house: BarHouse, database_url: str, tmp_path: Path
) -> None:
    name = await house.value("SELECT current_database()")
    await house.execute(f"ALTER DATABASE {name} SET statement_timeout = '400ms'")
    async with house.owner.transaction() as holder:
        await holder.connection.execute("LOCK TABLE tracker.trade_logs IN ACCESS EXCLUSIVE MODE")
        command = asyncio.create_task(tracker(database_url, tmp_path, "refresh_aggregates"))
        await until(house, WAITING)
        await asyncio.sleep(0.6)
    code, out, err = await command
    assert code == 0, (out, err)
