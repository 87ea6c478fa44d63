"""A variation of the shadow becomes what scanners decide with, by the gate or against it with a reason."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import TypeAdapter
from rich.console import Console
from tracker.domain.errors import ConfigError, InputError
from tracker.domain.timeframe import Timeframe
from tracker.quant.paper import TradingRules
from tracker.quant.strategies import RULES
from tracker.runtime.effective_strategy import load_file
from tracker.runtime.settings import environment
from tracker.runtime.strategies import shaped_strategy
from tracker.runtime.trading_rules import load_trading_rules
from tracker.store.database import Database
from tracker.store.shadow import VariationRow, add_variations, write_outcomes

from services.control import config_versions as control
from services.control.promotion import PromotionRequest, promote
from services.control.promotion_view import promotion_view
from tests.integration.parity.conftest import DCA, Fleet

AS_OF = datetime(2022, 1, 18, 6, tzinfo=UTC)
# hours, trades, total_return, sharpe, psr, dsr, max_drawdown, p_value, mean_trade_return, lower_bound, halves
GOOD = (720.0, 240, 0.12, 3.1, 0.999, 0.97, 0.03, 0.001, 0.002, 0.0006, 0.07, 0.05)
LUCKY = (720.0, 41, 0.02, 1.1, 0.90, 0.12, 0.09, 0.2, 0.001, -0.0004, 0.05, -0.03)


@dataclass(slots=True)
class Candidates:
    """A fleet with variations in the shadow."""

    fleet: Fleet
    shadow: Database

    async def add(self, name: str, outcome: tuple[Any, ...], risk: float | None = None, **changes: Any) -> str:
        """Plant a variation with its outcome, and return the hash of its configuration."""
        live = load_file(self.fleet.configs, DCA, RULES).config
        params = {**asdict(live.params), **changes}
        rules = TypeAdapter(TradingRules).dump_python(load_trading_rules(self.fleet.configs), mode="json")
        if risk is not None:
            rules["risk"]["sizing"]["risk_per_trade"] = risk
        config = shaped_strategy("test", DCA, live.rule, {"timeframe": "15m", "params": params})
        async with self.shadow.transaction() as transaction:
            number = len(await transaction.connection.fetch("SELECT FROM tracker.shadow_variations"))
            row = VariationRow(
                id=name, strategy=DCA, number=number, timeframe=Timeframe.M15, params=params, rules=rules,
                changes=changes, config_hash=config.hash, rules_hash="r", source="dca_grid",
            )
            await add_variations(transaction, AS_OF, [row])
            await write_outcomes(transaction, [name], "30d", AS_OF, [[each] for each in outcome])
            await transaction.commit()
        return config.hash

    async def promote(
        self, variation: str, *, force: bool = False, reason: str = "", dry: bool = False
    ) -> dict[str, Any]:
        request = PromotionRequest(variation=variation, force=force, reason=reason, dry_run=dry)
        return await self.fleet.ask(promote, request)

    async def verdicts(self) -> list[tuple[Any, ...]]:
        rows = await self.fleet.floor.fetch(
            "SELECT subject_id, passed, forced, reason, version FROM tracker.promotion_verdicts ORDER BY verdict_id"
        )
        return [tuple(row.values()) for row in rows]

    async def versions(self) -> int:
        return (await self.fleet.floor.fetch("SELECT count(*) FROM tracker.config_versions WHERE source <> 'file'"))[0][
            "count"
        ]


@pytest.fixture
async def candidates(fleet: Fleet, open_database: Callable[[str | None], Awaitable[Database]]) -> Candidates:
    """Nothing in the shadow yet."""
    return Candidates(fleet, await open_database("shadow_tester"))


async def test_a_promotion_reaches_the_scanner_and_rollback_returns(candidates: Candidates) -> None:
    fleet = candidates.fleet
    live = load_file(fleet.configs, DCA, RULES).config
    wanted = await candidates.add("abcd1234", GOOD, min_drop_pct=1.0, min_strength=0.5)
    assert await fleet.scan(10) == {live.hash}
    dry = await candidates.promote("abcd", dry=True)
    assert (dry["would_promote"], dry["promoted"], await candidates.verdicts()) == (True, False, [])
    report = await candidates.promote("abcd")
    assert (report["passed"], report["promoted"], report["version"], report["failed"]) == (True, True, 2, [])
    assert report["changes"] == {"min_strength": [0.6, 0.5], "min_drop_pct": [1.5, 1.0]}
    assert await fleet.scan(12) == {wanted}
    (history,) = (await fleet.ask(control.history, DCA))["strategies"]
    newest, first = history["versions"]
    assert (newest["source"], newest["in_force"], first["source"]) == ("promotion", True, "file")
    lineage = newest["lineage"]
    assert (lineage["variation"], lineage["set"], lineage["forced"]) == ("abcd1234", "dca_grid", False)
    assert (lineage["outcome"]["trades"], lineage["outcome"]["dsr"]) == (240, 0.97)
    assert lineage["previous"] == {"version": 1, "config_hash": live.hash}
    assert {each["name"]: each["ok"] for each in lineage["verdict"]["criteria"]}["trades"] is True
    assert await candidates.verdicts() == [("abcd1234", True, False, "", 2)]
    await fleet.ask(control.rollback, DCA, None, "the market turned")
    assert await fleet.scan(14) == {live.hash}
    assert (await fleet.check()).differences == []


async def test_a_refused_one_changes_nothing_but_its_verdict_is_kept(candidates: Candidates) -> None:
    fleet = candidates.fleet
    live = load_file(fleet.configs, DCA, RULES).config
    await candidates.add("lucky", LUCKY, min_strength=0.4)
    report = await candidates.promote("lucky")
    assert (report["passed"], report["promoted"], report["version"]) == (False, False, None)
    assert report["failed"] == [
        "trades is 41, and has to be at least 100",
        "Deflated Sharpe over all variations is 0.12, and has to be at least 0.95",
        "lower bound of the mean net return a trade is -0.0004, and has to be above 0",
        "return of the second half is -0.03, and has to be above 0",
    ]
    assert await candidates.versions() == 0
    assert await candidates.verdicts() == [("lucky", False, False, "", None)]
    assert await fleet.scan(10) == {live.hash}
    console = Console(width=200, record=True)
    console.print(promotion_view(report))
    text = console.export_text()
    assert "refused: trades is 41" in text
    assert "min_strength" in text


async def test_against_the_gate_it_takes_a_reason_which_is_kept(candidates: Candidates) -> None:
    wanted = await candidates.add("lucky", LUCKY, min_strength=0.4)
    with pytest.raises(InputError, match="--force: needs --reason"):
        await candidates.promote("lucky", force=True)
    assert await candidates.verdicts() == []
    report = await candidates.promote("lucky", force=True, reason="a rehearsal of the desk")
    assert (report["passed"], report["forced"], report["promoted"]) == (False, True, True)
    assert await candidates.fleet.scan(10) == {wanted}
    assert await candidates.verdicts() == [("lucky", False, True, "a rehearsal of the desk", 2)]
    row = (await candidates.fleet.floor.fetch("SELECT * FROM dashboards.config_history WHERE version = 2"))[0]
    assert (row["reason"], row["passed"], row["forced"]) == ("a rehearsal of the desk", False, True)


async def test_the_command_ends_with_1_where_it_is_refused_and_with_2_where_it_cannot_be_meant(
    candidates: Candidates,
) -> None:
    await candidates.add("lucky", LUCKY, min_strength=0.4)
    await candidates.add("good", GOOD, min_strength=0.5)

    async def tracker(*arguments: str) -> tuple[int | None, str, str]:
        variables = {"DATABASE_URL": candidates.fleet.url, "TRACKER_CONFIG_DIR": str(candidates.fleet.configs)}
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "services.control", "shadow", "promote", *arguments, stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE, env={**environment(), **variables},
        )
        out, err = await process.communicate()
        return process.returncode, out.decode(), err.decode()

    code, out, err = await tracker("lucky")
    assert (code, err) == (1, "")
    assert "Deflated Sharpe over all variations is 0.12, and has to be at least 0.95" in out
    code, out, err = await tracker("good", "--dry-run", "--json")
    assert (code, json.loads(out)["would_promote"], json.loads(out)["version"]) == (0, True, None)
    code, out, err = await tracker("good", "--force")
    assert (code, out) == (2, "")
    assert err == "tracker: --force: needs --reason, which is kept with the configuration\n"
    code, out, err = await tracker("good")
    assert (code, err) == (0, "")
    assert "promoted as version 2 of dca" in out


async def test_what_it_traded_by_is_not_promoted_and_said(candidates: Candidates) -> None:
    wanted = await candidates.add("risky", GOOD, risk=0.03, min_strength=0.5)
    report = await candidates.promote("risky")
    assert report["failed"] == ["rules of trading unlike the live ones is 1, and has to be at most 0"]
    assert report["not_promoted"] == {"risk.sizing.risk_per_trade": [0.02, 0.03]}
    report = await candidates.promote("risky", force=True, reason="its parameters alone")
    assert report["promoted"]
    assert await candidates.fleet.scan(10) == {wanted}
    console = Console(width=200, record=True)
    console.print(promotion_view(report))
    assert "risk.sizing.risk_per_trade" in console.export_text()
    await candidates.add("only_rules", GOOD, risk=0.01, min_strength=0.5)
    with pytest.raises(InputError, match=r"in force already, but for rules of trading: risk.sizing.risk_per_trade"):
        await candidates.promote("only_rules")


async def test_one_that_was_retired_or_is_not_there_is_not_promoted(candidates: Candidates) -> None:
    await candidates.add("gone1", GOOD, min_strength=0.5)
    await candidates.add("gone2", GOOD, min_strength=0.7)
    await candidates.fleet.floor.execute("UPDATE tracker.shadow_variations SET retired_at = now() WHERE id = 'gone1'")
    await candidates.fleet.floor.execute("DELETE FROM tracker.shadow_outcomes WHERE variation = 'gone1'")
    report = await candidates.promote("gone1")
    assert "retired is 1, and has to be at most 0" in report["failed"]
    assert "trades is not known, and has to be at least 100" in report["failed"]
    for beginning, words in (("gone", "several variations begin with 'gone'"), ("x", "there is no variation 'x'"),
                             ("", "there is no variation ''")):
        with pytest.raises(InputError, match=words):
            await candidates.promote(beginning)
    await candidates.fleet.floor.execute(
        "UPDATE tracker.shadow_variations SET params = params || '{\"min_strength\": 7}' WHERE id = 'gone2'"
    )
    with pytest.raises(ConfigError, match=r"variation gone2: params\.min_strength = 7"):
        await candidates.promote("gone2")
    assert await candidates.versions() == 0


async def test_two_at_once_become_two_versions_one_after_the_other(candidates: Candidates) -> None:
    await candidates.add("one", GOOD, min_strength=0.5)
    await candidates.add("two", GOOD, min_strength=0.7)
    reports = await asyncio.gather(candidates.promote("one"), candidates.promote("two"))
    assert sorted(each["version"] for each in reports) == [2, 3]
    (history,) = (await candidates.fleet.ask(control.history, DCA))["strategies"]
    assert history["versions"][0]["lineage"]["previous"]["version"] == 2
