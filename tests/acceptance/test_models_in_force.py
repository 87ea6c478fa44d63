"""Promote, roll back, corrupt an artifact, change the feature set: scanners go on, and tracker why says by whom."""

from __future__ import annotations

import asyncio
import io
import json
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from rich.console import Console
from tracker.domain.signal import Strategy
from tracker.domain.timeframe import EPOCH
from tracker.quant.features import FEATURE_SET
from tracker.quant.models.scorer import artifact_hash
from tracker.quant.strategies import RULES
from tracker.runtime.effective_strategy import load_file
from tracker.runtime.live_model import LiveModel
from tracker.runtime.model_registry import retire, rollback
from tracker.runtime.parity_looks import check_looks
from tracker.runtime.settings import PROJECT_ROOT, environment
from tracker.store.database import Database
from tracker.store.models import NewModel, add_model, crown_model, read_model
from tracker.testing.models import make_artifact

from services.control.funnel import FunnelRequest, read_funnel
from services.control.why import WhyRequest, read_why
from services.control.why_view import why_view
from services.strategy_scanner.service import StrategyScanner
from tests.integration.strategy_scanner.conftest import Floor, floor, minutes

__all__ = ["floor", "minutes"]

DAY = timedelta(days=1)
OPENED = datetime(2022, 1, 18, 6, tzinfo=UTC)
DCA = Strategy("dca")
FILE = load_file(PROJECT_ROOT / "configs", DCA, RULES)
# Between what the made-up models give most setups, so that both happen.
THRESHOLD = 0.5
SETUPS = ("setup", "confidence_too_low", "too_few_confirmations", "strength_too_low")


@dataclass(slots=True)
class Desk:
    """A market, a scanner that follows the registry, and the command line."""

    floor: Floor
    url: str
    registry: Database
    service: StrategyScanner
    end: datetime = OPENED

    async def add(self, seed: int) -> int:
        artifact = make_artifact(seed)
        new = NewModel(
            strategy="dca", learnt_through=EPOCH, window_from=EPOCH, known_from=EPOCH, feature_hash=FEATURE_SET.hash,
            label_config="l", config_hash=f"c{seed}", sha256=artifact_hash(artifact), artifact=artifact,
            artifact_path=None, calibration={"slope": 1.0, "intercept": 0.0}, metrics={}, lineage={}, card="<p>",
            importance=[],
        )  # fmt: skip
        async with self.registry.transaction() as transaction:
            model_id, _ = await add_model(transaction, new)
            await transaction.commit()
        return model_id

    async def promote(self, model_id: int) -> None:
        async with self.registry.transaction() as transaction:
            await crown_model(transaction, await read_model(transaction, model_id), "promote", "test", "better")
            await transaction.commit()

    async def scanned(self) -> tuple[list[dict[str, Any]], str]:
        """Let hours pass until there is a setup; return what tracker why says of each, and any trouble."""
        said: list[dict[str, Any]] = []
        while not said:
            begin, self.end = self.end, self.end + DAY / 8
            await self.floor.close(self.end)
            await self.floor.run(self.service)
            rows = await self.floor.fetch(
                "SELECT decided_at, reason FROM tracker.scan_history WHERE decided_at > $1 ORDER BY decided_at", begin
            )
            assert len(rows) == 12
            said = [await self.why(row["decided_at"]) for row in rows if row["reason"] in SETUPS]
        for each in said:
            assert each["recomputed"]["agrees"] is not False
        return said, self.service.detail().get("trouble", "")

    async def why(self, at: datetime) -> dict[str, Any]:
        request = WhyRequest(symbol="BTC-USD", strategy=DCA, at=at, replay=False)
        (found,) = await read_why(self.url, request, [FILE], (DCA,))
        return found


@pytest.fixture
async def desk(floor: Floor, database_url: str, open_database: Callable[[str | None], Awaitable[Database]]) -> Desk:
    """Bitcoin before and while it fell, and a scanner of dca."""
    await floor.trade("BTC-USD", (OPENED - 8 * DAY, OPENED + 13 * DAY))
    service = floor.scanner("dca", model=LiveModel(DCA, THRESHOLD))
    made = Desk(floor, database_url, await open_database("ml_retrainer"), service)
    # Until there are setups.
    made.end = OPENED + 3 * DAY
    await floor.close(made.end)
    await floor.run(service)
    return made


def models(said: list[dict[str, Any]]) -> set[int | None]:
    return {each["model"]["model_id"] for each in said}


def shown(document: dict[str, Any]) -> str:
    out = io.StringIO()
    Console(file=out, width=250).print(why_view([document]))
    return out.getvalue()


@pytest.mark.timeout(300)
async def test_scanners_go_on_whatever_happens_to_their_model(desk: Desk) -> None:
    said, trouble = await desk.scanned()
    assert (models(said), trouble) == ({None}, "")
    assert {each["model"]["says"] for each in said} == {"decided by rule: no champion"}

    first, second = await desk.add(1), await desk.add(2)
    await desk.promote(first)
    said, trouble = await desk.scanned()
    assert (models(said), trouble) == ({first}, "")
    for each in said:
        model = each["model"]
        assert model["says"].startswith(f"model {first} gives it {model['confidence']:.3f}, ")
        assert model["threshold"] == THRESHOLD
        assert [abs(part["log_odds"]) for part in model["moved_by"]]
        # Scored beside it, a candidate decides nothing.
        assert [part["model_id"] for part in model["candidates"]] == [second]
        assert model["says"] in " ".join(shown(each).split())
        if each["reason"] == "confidence_too_low":
            assert each["answer"] == f"No signal, confidence_too_low: {model['says']}."

    await desk.promote(second)
    said, trouble = await desk.scanned()
    assert (models(said), trouble) == ({second}, "")

    async with desk.registry.transaction() as transaction:
        gone, came = await rollback(transaction, "dca", "test", "it was worse")
        await transaction.commit()
    assert (gone.model_id, came.model_id) == (second, first)
    said, trouble = await desk.scanned()
    assert (models(said), trouble) == ({first}, "")

    # Its bytes are damaged in the database: what was read and checked goes on, a scanner that starts anew has nothing.
    await desk.floor.execute(f"UPDATE tracker.models SET artifact = artifact || '\\x00' WHERE model_id = {first}")
    said, trouble = await desk.scanned()
    assert (models(said), trouble) == ({first}, "")
    assert {f"model {first}: the model's bytes have sha256" in each["recomputed"]["says"] for each in said} == {True}
    desk.service = desk.floor.scanner("dca", model=LiveModel(DCA, THRESHOLD))
    said, trouble = await desk.scanned()
    assert models(said) == {None}
    assert trouble.startswith(f"model {first}: the model's bytes have sha256")
    assert {each["model"]["says"].startswith(f"decided by rule: model {first}: ") for each in said} == {True}

    # The features are others than it was trained on.
    third = await desk.add(3)
    await desk.floor.execute(f"UPDATE tracker.models SET feature_hash = 'other' WHERE model_id = {third}")
    await desk.promote(third)
    said, trouble = await desk.scanned()
    assert models(said) == {None}
    assert trouble.startswith(f"model {third} was trained on feature set other, and {FEATURE_SET.hash} is computed")

    async with desk.registry.transaction() as transaction:
        await retire(transaction, third, "test", "of no use")
        await transaction.commit()
    said, trouble = await desk.scanned()
    assert (models(said), trouble) == ({None}, "")

    # All that was decided, by whichever model, is decided alike again; what the damaged one said cannot be.
    async with desk.registry.transaction() as transaction:
        found = await check_looks(transaction, FILE.config, (None, None))
    assert found is not None
    assert found.differences == []
    assert found.other_config > 0
    await desk.floor.execute(f"UPDATE tracker.models SET artifact = substr(artifact, 1, length(artifact) - 1)"
                             f" WHERE model_id = {first}")
    async with desk.registry.transaction() as transaction:
        found = await check_looks(transaction, FILE.config, (None, None))
    assert found is not None
    assert (found.differences, found.other_config) == ([], 0)
    # It would notice: one probability is written over.
    await desk.floor.execute(
        "UPDATE tracker.scan_history SET confidence_score = 0.123 WHERE scan_id = ("
        "SELECT min(scan_id) FROM tracker.scan_history WHERE model_id IS NOT NULL)"
    )
    async with desk.registry.transaction() as transaction:
        found = await check_looks(transaction, FILE.config, (None, None))
    assert found is not None
    assert [(each.name, each.was) for each in found.differences] == [("confidence", pytest.approx(0.123))]

    # What a model held back fell out of the funnel behind setups, before it was a signal.
    low = await desk.floor.fetch("SELECT count(*) AS n FROM tracker.scan_history WHERE reason = 'confidence_too_low'")
    request = FunnelRequest(hours=9 * 24, until=desk.end, strategy=DCA, account=None, symbols=(), replay=False)
    funnel = await read_funnel(desk.url, request, {DCA: FILE.config.timeframe}, (DCA,))
    (block,) = funnel["strategies"]
    reasons = {each["reason"]: each["count"] for each in block["steps"][1]["reasons"]}
    assert block["steps"][1]["step"] == "setups"
    assert reasons["confidence_too_low"] == low[0]["n"] > 0

    # From signal to prediction in one query; orders, fills and trades carry the signal's key.
    rows = await desk.floor.fetch(
        "SELECT g.model_id, g.confidence, p.probability, p.taken, o.order_id FROM tracker.signals g"
        " JOIN tracker.predictions p USING (strategy, symbol_id, decided_at, model_id)"
        " LEFT JOIN tracker.orders o USING (strategy, symbol_id, decided_at)"
    )
    signals = await desk.floor.fetch("SELECT count(*) AS n FROM tracker.signals WHERE model_id IS NOT NULL")
    assert len(rows) == signals[0]["n"]
    assert all(row["taken"] and row["confidence"] == row["probability"] for row in rows)


@pytest.mark.timeout(120)
async def test_a_running_scanner_takes_a_promotion_over_within_seconds(desk: Desk) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "services.strategy_scanner", "--strategy", "dca", cwd=PROJECT_ROOT,
        env={**environment(), "DATABASE_URL": desk.url, "PORT": "0"}, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        async with asyncio.timeout(60):
            await said(process.stdout, "service_started")
        first, second = await desk.add(1), await desk.add(2)
        async with asyncio.timeout(10):
            for model_id in (first, second):
                await desk.promote(model_id)
                assert (await said(process.stdout, "model_changed"))["model"] == model_id
            async with desk.registry.transaction() as transaction:
                await retire(transaction, second, "test", "of no use")
                await transaction.commit()
            assert (await said(process.stdout, "model_changed"))["model"] is None
    finally:
        process.terminate()
        assert await process.wait() == 0


async def said(lines: asyncio.StreamReader, action: str) -> dict[str, Any]:
    """Return the next line of the log that tells of an action."""
    while line := await lines.readline():
        told = json.loads(line)
        if told.get("action") == action:
            return told
    raise AssertionError(f"the scanner ended without {action}")
