"""`tracker report`: shown without a token and outside of its hours, or handed to the reporter."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from reporter_house import ReporterHouse
from tracker.domain.clock import SystemClock
from tracker.domain.errors import InputError
from tracker.runtime.settings import load_settings
from tracker.store.database import Database
from tracker.testing.clock import FixedClock
from tracker.testing.slack import fake_slack
from tracker.testing.slack_limits import refusal
from typer.testing import CliRunner

from services.control.main import app
from services.control.report import make_report
from services.control.settings import ControlSettings

Open = Callable[[str | None], Awaitable[Database]]


def asked(url: str, folder: Path, kind: str | None = None, picture: Path | None = None, *, dry_run: bool) -> Any:
    facts = {"database_url": url, "state_dir": folder, "source": "replay", "user": "me"}
    return make_report(load_settings(ControlSettings, facts), kind, picture, dry_run=dry_run)


@pytest.fixture
async def filled(open_database: Open) -> None:
    clock = FixedClock(SystemClock().now())
    async with fake_slack(clock) as slack:
        house = await ReporterHouse.of(open_database, slack, clock)
        await house.account(opened=clock.now() - timedelta(hours=5))
        for hour in (4, 3, 2):
            await house.equity(clock.now() - timedelta(hours=hour), 10_000.0 + hour)


async def test_a_dry_run_shows_it_and_keeps_nothing(
    filled: None, database_url: str, open_database: Open, tmp_path: Path
) -> None:
    picture = tmp_path / "made" / "picture.png"
    shown = await asyncio.to_thread(lambda: asked(database_url, tmp_path, "weekly", picture, dry_run=True))
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert len(picture.read_bytes()) < 100_000
    words = shown.words()
    assert words.startswith("[REPLAY] Weekly summary · ")
    assert "asked for by me" in words
    assert f"picture: {picture}" in words
    assert words.endswith("nothing was sent or kept (--dry-run)\n")
    document = orjson.loads(orjson.dumps(shown.document()))
    assert refusal(document) is None
    database = await open_database(None)
    async with database.transaction() as transaction:
        kept = await transaction.connection.fetch(
            "SELECT dedupe_key FROM tracker.slack_outbox UNION ALL SELECT kind FROM tracker.reports"
        )
    assert kept == []


async def test_without_a_dry_run_the_reporter_delivers_it(
    filled: None, database_url: str, open_database: Open, tmp_path: Path
) -> None:
    shown = await asyncio.to_thread(lambda: asked(database_url, tmp_path, dry_run=False))
    assert shown.words().endswith("report 1 is kept; it goes to Slack once slack_reporter runs (`tracker up`)\n")
    clock = FixedClock(SystemClock().now())
    async with fake_slack(clock) as slack:
        house = await ReporterHouse.of(open_database, slack, clock)
        await house.monitor_looks()
        await house.run(10, step=1)
        report, picture = slack.messages
        assert report.text.startswith("[REPLAY] ")
        assert "asked for by me" in str(report.blocks)
        assert picture.files[0]["title"].startswith("[REPLAY] Equity, ")
    # It is none of the timetable's, whose next one begins where the last of its own did.
    rows = await house.sql("SELECT asked_by FROM dashboards.reports")
    assert [row["asked_by"] for row in rows] == ["me"]


def test_it_says_what_is_missing(tmp_path: Path) -> None:
    found = CliRunner().invoke(app, ["report"])
    assert isinstance(found.exception, InputError)
    assert "say --now" in str(found.exception)


async def test_a_picture_that_cannot_be_written_is_named(filled: None, database_url: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"--picture: .*file/picture\.png cannot be written"):
        await asyncio.to_thread(
            lambda: asked(database_url, tmp_path, picture=tmp_path / "file" / "picture.png", dry_run=True)
        )
