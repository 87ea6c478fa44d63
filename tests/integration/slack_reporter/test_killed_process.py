"""kill -9 of the real process, again and again: what it told before and after stands in Slack once.

TRACKER_SLACK_KILLS says how often; a handful where it is not set.
"""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import psutil
import pytest
from reporter_house import ReporterHouse
from tracker.domain.clock import SystemClock
from tracker.runtime.settings import PROJECT_ROOT, environment
from tracker.store.database import Database
from tracker.testing.clock import FixedClock
from tracker.testing.slack import CHANNEL, TOKEN, FakeSlack, fake_slack

KILLS = int(os.environ.get("TRACKER_SLACK_KILLS", "5"))
FACTS = 6
QUICK = {
    "look_seconds = 5": "look_seconds = 0.1",
    "bad_seconds = { critical = 20, warning = 120 }": "bad_seconds = { critical = 0.2, warning = 0.2 }",
    "good_seconds = 60": "good_seconds = 0.2", "storm_alerts = 5": "storm_alerts = 99",
    "monitor_limit_seconds = 90": "monitor_limit_seconds = 900", "pace_seconds = 1": "pace_seconds = 0.05",
    "timeout_seconds = 10": "timeout_seconds = 1", "verify_seconds = 10": "verify_seconds = 0.5",
    "retry_first_seconds = 2": "retry_first_seconds = 0.1",
    "retry_longest_seconds = 120": "retry_longest_seconds = 0.4",
    "breaker_cool_down_seconds = 60": "breaker_cool_down_seconds = 0.5",
}  # fmt: skip


def configured(folder: Path, due: datetime) -> Path:
    """Return a folder of configs whose reports are due within the next seconds."""
    made = folder / "configs"
    shutil.copytree(PROJECT_ROOT / "configs", made)
    # A zone in which that is about noon, so that no midnight comes between.
    zone = ZoneInfo(f"Etc/GMT{'+' if due.hour > 12 else '-'}{abs(due.hour - 12)}")
    wall = due.astimezone(zone)
    text = (made / "slack_reporter.toml").read_text()
    changes = {
        **QUICK, 'zone = "UTC"': f'zone = "{zone.key}"',
        'morning = "09:00"': f'morning = "{wall:%H:%M:%S}"',
        'evening = "17:00"': f'evening = "{wall + timedelta(seconds=5):%H:%M:%S}"',
        'weekly_day = "monday"': f'weekly_day = "{wall + timedelta(days=2):%A}"'.lower(),
    }  # fmt: skip
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    (made / "slack_reporter.toml").write_text(text)
    return made


async def start(url: str, slack: FakeSlack, configs: Path) -> asyncio.subprocess.Process:
    log = (configs / "log").open("ab")
    chosen = {
        "DATABASE_URL": url, "TRACKER_CONFIG_DIR": str(configs), "TRACKER_SOURCE": "simulated", "PORT": "0",
        "POLL_SECONDS": "0.05", "SLACK_REPORTER_LEASE_SECONDS": "2", "DATABASE_POOL_SIZE": "1",
        "SLACK_BOT_TOKEN": TOKEN, "SLACK_CHANNEL": CHANNEL, "SLACK_API_URL": slack.base_url,
    }  # fmt: skip
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "services.slack_reporter", cwd=PROJECT_ROOT, env={**environment(), **chosen}, stdout=log,
        stderr=log,
    )


async def killed_again_and_again(
    house: ReporterHouse, rng: random.Random, start: Callable[[], Awaitable[asyncio.subprocess.Process]]
) -> None:
    """Have facts go bad and well while the reporter is killed, and it tell what is left at last."""
    process = await start()
    try:
        for number in range(KILLS):
            for fact in range(FACTS):
                house.clock.moment = SystemClock().now()
                await house.finding(f"fact {fact}", ok=(number + fact) % 2 == 0)
            method = rng.choice(["chat.", "files.", "conversations."])
            house.slack.fail(rng.choice(["lose", "drop", "status"]), method)
            # From the first line of its start to the middle of a delivery.
            await asyncio.sleep(rng.uniform(0.5, 4.0))
            process.kill()
            await process.wait()
            process = await start()
        for fact in range(FACTS):
            house.clock.moment = SystemClock().now()
            await house.finding(f"fact {fact}", ok=True)
        await settled(house)
        print(f"{psutil.Process(process.pid).memory_info().rss / 2**20:.0f} MB resident after {KILLS} kills")
        process.terminate()
        assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


@pytest.mark.slow
@pytest.mark.timeout(120 + 15 * KILLS)
async def test_a_killed_reporter_tells_everything_once(
    open_database: Callable[[str | None], Awaitable[Database]], database_url: str, tmp_path: Path
) -> None:
    rng, clock = random.Random(7), SystemClock()
    async with fake_slack(clock) as slack:
        house = ReporterHouse(await open_database(None), await open_database("slack_reporter"), slack,
                              FixedClock(clock.now()))  # fmt: skip
        await house.account(opened=clock.now() - timedelta(hours=1))
        for minute in (3, 2, 1):
            await house.equity(clock.now() - timedelta(minutes=minute), 10_000.0 + minute)
        await house.monitor_looks()
        await house.sql(
            "INSERT INTO tracker.report_cursor SELECT t, $1 FROM unnest(ARRAY['daily', 'weekly']) t", clock.now()
        )
        due = (clock.now() + timedelta(seconds=4)).replace(microsecond=0)
        configs = configured(tmp_path, due.astimezone(UTC))
        await killed_again_and_again(house, rng, lambda: start(database_url, slack, configs))
        told = await house.sql("SELECT state, ts FROM tracker.slack_outbox WHERE action IN ('post', 'reply')")
        assert {row["state"] for row in told} == {"delivered"}
        shown = [each for each in slack.messages if not each.files]
        assert sorted(each.ts for each in shown) == sorted(row["ts"] for row in told)
        assert len({str(each.metadata) for each in shown}) == len(shown)
        reports = [each for each in shown if "report" in each.text]
        assert 1 <= len(reports) <= 2
        assert len([each for each in slack.messages if each.files]) == len(reports)
        assert {each["state"] for each in await house.sql("SELECT state FROM tracker.alerts")} <= {"recovered"}
        roots = [each for each in slack.roots if each not in reports and not each.files]
        assert all("recovered after" in each.text for each in roots)


async def settled(house: ReporterHouse) -> None:
    for _ in range(300):
        await asyncio.sleep(0.2)
        waits = await house.sql(
            "SELECT dedupe_key AS what, state, last_error FROM tracker.slack_outbox WHERE state <> 'delivered'"
            " UNION ALL SELECT fingerprint, state, NULL FROM tracker.alerts WHERE state <> 'recovered'"
            " UNION ALL SELECT 'report', 'missing', NULL WHERE NOT EXISTS (SELECT FROM tracker.reports)"
        )
        if not waits:
            return
    raise AssertionError(f"not everything was told: {waits}")
