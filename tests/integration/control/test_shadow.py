"""`tracker shadow top` and `show`: what is said of variations, and of a variation that there is not."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tracker.domain.timeframe import Timeframe
from tracker.runtime.settings import PROJECT_ROOT, environment
from tracker.runtime.shadow_config import load_swarms
from tracker.runtime.strategies import RULES
from tracker.store.database import Database
from tracker.store.shadow import VariationRow, add_variations, write_outcomes

SINCE = datetime(2024, 3, 1, tzinfo=UTC)
AS_OF = datetime(2024, 4, 1, tzinfo=UTC)


@pytest.fixture
async def ids(open_database: Callable[[str | None], Awaitable[Database]]) -> dict[str, str]:
    """Store the live swing, one that earns, one with other rules and one that loses; return their ids by name."""
    from dataclasses import asdict

    from pydantic import TypeAdapter
    from tracker.quant.paper import TradingRules

    swarm = next(each for each in load_swarms(PROJECT_ROOT / "configs", RULES) if each.config.strategy == "swing")
    other = next(each for each in swarm.variations if any("." in name for name in each.changes))
    chosen = dict(zip(("live", "good", "bad"), swarm.variations, strict=False)) | {"riskier": other}
    figures = {
        "live": (200, 0.04, 1.0, 0.5), "good": (300, 0.30, 6.0, 0.99), "riskier": (300, 0.20, 5.0, 0.97),
        "bad": (12, -0.05, -1.0, 0.01),
    }  # fmt: skip
    database = await open_database("shadow_tester")
    async with database.transaction() as transaction:
        await add_variations(transaction, SINCE, [
            VariationRow(
                id=each.id, strategy="swing", number=number, timeframe=Timeframe.M15, params=asdict(each.params),
                rules=TypeAdapter(TradingRules).dump_python(each.rules, mode="json"), changes=dict(each.changes),
                config_hash=each.config_hash, rules_hash=each.rules_hash, source=each.source,
            )
            for number, each in enumerate(chosen.values())
        ])  # fmt: skip
        for name, (trades, earned, sharpe, dsr) in figures.items():
            columns = [
                [720.0], [trades], [earned], [sharpe], [dsr], [dsr], [0.03], [0.01], [earned / trades],
                [earned / trades / 2], [earned / 2], [earned / 2],
            ]  # fmt: skip
            await write_outcomes(transaction, [chosen[name].id], "30d", AS_OF, columns)
        await transaction.commit()
    return {name: each.id for name, each in chosen.items()}


def tracker(url: str, tmp_path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    variables = {**environment(), "DATABASE_URL": url, "TRACKER_STATE_DIR": str(tmp_path)}
    return subprocess.run(
        [str(Path(sys.executable).parent / "tracker"), "shadow", *arguments],
        env=variables, capture_output=True, text=True, check=False,
    )  # fmt: skip


def document(done: subprocess.CompletedProcess[str]) -> Any:
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_the_best_come_first_and_each_says_why_it_may_not_be_promoted(
    ids: dict[str, str], database_url: str, tmp_path: Path
) -> None:
    report = document(tracker(database_url, tmp_path, "top", "--json"))
    assert [each["id"] for each in report["leaders"]] == [ids[name] for name in ("good", "riskier", "live", "bad")]
    good, riskier, live, bad = report["leaders"]
    assert (good["promotable"], good["why_not"]) == (True, [])
    assert riskier["why_not"][0].startswith("rules of trading unlike the live ones is ")
    assert live["why_not"] == ["it is in force already"]
    assert {each.split(" is ")[0] for each in bad["why_not"]} >= {"trades", "return of the first half"}
    assert report["strategies"] == [
        {"strategy": "swing", "variations": 4, "traded": 4, "as_of": AS_OF.isoformat()}
    ]
    shown = tracker(database_url, tmp_path, "top", "--limit", "1").stdout
    assert ids["good"] in shown
    assert ids["bad"] not in shown
    assert "yes" in shown


def test_another_window_or_strategy_has_its_own_best(ids: dict[str, str], database_url: str, tmp_path: Path) -> None:
    assert document(tracker(database_url, tmp_path, "top", "--window", "7d", "--json"))["leaders"] == []
    assert document(tracker(database_url, tmp_path, "top", "--strategy", "dca", "--json"))["leaders"] == []
    wrong = tracker(database_url, tmp_path, "top", "--window", "2d")
    assert (wrong.returncode, wrong.stderr) == (2, "tracker: --window: '2d' is not one of 1d, 7d, 30d, all\n")


def test_one_variation_is_shown_by_the_beginning_of_its_id(
    ids: dict[str, str], database_url: str, tmp_path: Path
) -> None:
    report = document(tracker(database_url, tmp_path, "show", ids["good"][:6], "--json"))
    assert report["id"] == ids["good"]
    assert [each["span"] for each in report["outcomes"]] == ["30d"]
    shown = tracker(database_url, tmp_path, "show", ids["good"]).stdout
    for name, value in report["changes"].items():
        assert f"{name} = {value}  (not as in force)" in shown
    nothing = tracker(database_url, tmp_path, "show", "zzz")
    assert nothing.returncode == 2
    assert "'zzz' is the beginning of no variation" in nothing.stderr
