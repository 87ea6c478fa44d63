"""A scanner takes another configuration over between two closes; each look is checked by its own."""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from rich.console import Console
from tracker.domain.errors import InputError
from tracker.domain.signal import Strategy
from tracker.quant.strategies import RULES
from tracker.runtime.effective_strategy import load_file
from tracker.runtime.settings import environment, load_settings

from services.control import config_versions as control
from services.control.config_view import diff_view, history_view, show_view, written_view
from services.control.settings import ControlSettings
from tests.integration.parity.conftest import DCA, Fleet


async def test_a_change_holds_from_the_next_close_on_and_parity_knows_each_looks_own(fleet: Fleet) -> None:
    file = load_file(fleet.configs, DCA, RULES).config
    assert await fleet.scan(10) == {file.hash}
    assert await fleet.write(min_drop_pct=1.0, min_strength=0.3) == 1
    changed = await fleet.scan(16)
    assert len(changed) == 1
    assert changed != {file.hash}
    detail = fleet.scanner.detail()
    assert (detail["config_version"], {detail["config"]}) == (1, changed)
    found = await fleet.check()
    assert (found.looks, found.other_config, found.differences) == (40, 0, [])
    # What the changed configuration decided is held against that configuration.
    await fleet.floor.execute(
        f"UPDATE tracker.scan_history SET signal_strength = 0.999 WHERE config_hash = '{changed.pop()}'"
        " AND decided_at = '2022-01-18 15:00Z'"
    )
    (difference,) = (await fleet.check()).differences
    assert (difference.name, difference.decided_at) == ("strength", "2022-01-18T15:00:00+00:00")
    # One that is known nowhere is counted, and not held against another.
    await fleet.floor.execute(
        "UPDATE tracker.scan_history SET config_hash = 'gone' WHERE decided_at > '2022-01-18 15:30Z'"
    )
    assert (await fleet.check()).other_config == 2


async def test_rollback_returns_and_the_history_tells_it_all(fleet: Fleet) -> None:
    file = load_file(fleet.configs, DCA, RULES).config
    await control.note_files(fleet.url, fleet.settings)
    await fleet.write(min_strength=0.3)
    assert await fleet.scan(10) != {file.hash}
    report = await fleet.ask(control.rollback, DCA, None, "it bought every dip")
    assert (report["version"], report["to"], report["changes"]) == (3, 1, {"min_strength": [0.3, 0.6]})
    assert await fleet.scan(12) == {file.hash}
    (history,) = (await fleet.ask(control.history, DCA))["strategies"]
    assert [(each["version"], each["source"], each["in_force"]) for each in history["versions"]] == [
        (3, "rollback", True), (2, "promotion", False), (1, "file", False),
    ]
    assert history["versions"][0]["lineage"]["rollback_of"] == 2
    assert history["versions"][0]["reason"] == "it bought every dip"
    shown = await fleet.ask(control.show, DCA, 2)
    assert shown["params"]["min_strength"] == 0.3
    diff = await fleet.ask(control.diff, DCA, None, 2)
    assert diff["changes"] == {"min_strength": [0.6, 0.3]}
    console = Console(width=200, record=True)
    for view, document in (
        (history_view, await fleet.ask(control.history, None)), (show_view, shown), (diff_view, diff),
        (written_view, report),
    ):
        console.print(view(document))
    text = console.export_text()
    for words in ("rollback of 2 to 1", "promotion of v1", "min_strength = 0.3", "swing: version 1, file is in force"):
        assert words in text


@pytest.mark.parametrize(
    ("strategy", "to", "reason", "words"),
    [
        ("dca", 7, "why not", "version 7: dca has no such version, it has 1 to 1"),
        ("dca", 1, "why not", "--to: version 1 of dca is what is in force already"),
        ("dca", None, "why not", "dca has no earlier configuration than the one in force, version 1, file"),
        ("dca", None, " ", "--reason: say why"),
        ("scalping", None, "why not", "STRATEGY: 'scalping' has no file; those with one are channel, dca, swing"),
    ],
)
async def test_what_cannot_be_returned_to_is_one_sentence_and_writes_nothing(
    fleet: Fleet, strategy: str, to: int | None, reason: str, words: str
) -> None:
    await control.note_files(fleet.url, fleet.settings)
    with pytest.raises(InputError) as caught:
        await fleet.ask(control.rollback, Strategy(strategy), to, reason)
    assert str(caught.value).startswith(words)
    assert (await fleet.floor.fetch("SELECT count(*) FROM tracker.config_versions"))[0]["count"] == 3


async def test_a_running_scanner_changes_without_a_restart_and_over_its_own_file(fleet: Fleet) -> None:
    async with running_scanner(fleet):
        before = await heartbeat(fleet, lambda detail: "config" in detail)
        await fleet.write(min_strength=0.3)
        # It would poll only in a minute: the hint wakes it.
        after = await heartbeat(fleet, lambda detail: detail["config_version"] == 1)
        assert after["detail"]["config"] != before["detail"]["config"]
        assert (after["pid"], after["restarts"]) == (before["pid"], 0)
        # The file here is another than the scanner's: the version is written over the scanner's.
        other = fleet.configs.parent / "other"
        shutil.copytree(fleet.configs, other)
        path = other / "strategies" / "dca.toml"
        path.write_text(path.read_text().replace("min_strength = 0.60", "min_strength = 0.5"))
        elsewhere = load_settings(ControlSettings, {"database_url": fleet.url, "config_dir": other})
        await fleet.write(min_strength=0.35)
        report = await asyncio.to_thread(control.rollback, elsewhere, DCA, 1, "back")
        assert report["notes"] == ["the scanner runs with another dca.toml than the one here"]
        assert report["changes"] == {"min_strength": [0.35, 0.3]}
        last = await heartbeat(fleet, lambda detail: detail["config_version"] == report["version"])
        assert last["detail"]["config"] == after["detail"]["config"]


@asynccontextmanager
async def running_scanner(fleet: Fleet) -> AsyncIterator[None]:
    variables = {
        "DATABASE_URL": fleet.url, "PORT": "0", "POLL_SECONDS": "60", "HEARTBEAT_SECONDS": "0.2",
        "TRACKER_CONFIG_DIR": str(fleet.configs),
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "services.strategy_scanner", "--strategy", "dca", env={**environment(), **variables},
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        yield
    finally:
        process.kill()
        await process.wait()


async def heartbeat(fleet: Fleet, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """Wait for a heartbeat of the scanner that says so."""
    async with asyncio.timeout(30):
        while True:
            for row in await fleet.floor.fetch("SELECT pid, restarts, detail FROM tracker.service_heartbeats"):
                detail = json.loads(row["detail"])
                if wanted(detail):
                    return {**row, "detail": detail}
            await asyncio.sleep(0.1)
