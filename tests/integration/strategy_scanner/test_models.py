"""Scanners under a champion: promoted, rolled back, damaged, of another feature set; they always go on."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import numpy as np
import pytest
from tracker.domain.signal import Regime, SkipReason, Strategy, Volatility
from tracker.domain.timeframe import Timeframe
from tracker.quant.frame import FeatureFrame
from tracker.quant.models.scoring import Model
from tracker.quant.strategies import Proposals
from tracker.runtime.live_model import LiveModel, usable_model
from tracker.runtime.strategies import StrategyConfig
from tracker.testing.models import FakeRegistry, make_stored_model

from services.strategy_scanner.service import StrategyScanner

DAY = timedelta(days=1)
OPENED = datetime(2022, 1, 18, 6, tzinfo=UTC)
THRESHOLD = 0.5
RSI, FELL = 50.0, 40.0


@dataclass(frozen=True)
class Nothing:
    """No parameters."""


class Busy:
    """A close is a setup unless prices fell hard before it, and a signal where they rose more than they fell."""

    name: ClassVar[Strategy] = Strategy("swing")
    required_features: ClassVar[tuple[str, ...]] = ("rsi_14",)
    params: ClassVar[type] = Nothing

    def evaluate(self, frame: FeatureFrame, params: Nothing) -> Proposals:
        """Return one proposal a row."""
        del params
        rises = frame["rsi_14"] > RSI
        reason = np.full(len(frame), SkipReason.TOO_FEW_CONFIRMATIONS, dtype=object)
        reason[rises], reason[frame["rsi_14"] < FELL] = None, SkipReason.NO_SETUP
        width = len(frame), 0
        return Proposals(
            is_signal=rises, reason=reason, entry=frame.close, stop=frame.close * 0.97, target=frame.close * 1.03,
            strength=np.full(len(frame), 0.8), confirmations=np.full(len(frame), 3),
            expires_at=frame.decided_at + 86_400, ladder=np.empty(width), size_weights=np.ones((len(frame), 1)),
            target_fraction=np.full(len(frame), np.nan), trail_distance=np.zeros(len(frame)),
            regime=np.full(len(frame), Regime.RANGE, dtype=object),
            volatility=np.full(len(frame), Volatility.MID, dtype=object),
        )  # fmt: skip


BUSY = StrategyConfig(
    strategy=Strategy("swing"), timeframe=Timeframe.M15, rule=Busy(), params=Nothing(), hash="busy"
)


@pytest.fixture
async def desk(floor: Any) -> Any:
    """Four days of a market, closed for the first."""
    await floor.trade("BTC-USD", (OPENED - 8 * DAY, OPENED + 3 * DAY))
    await floor.close(OPENED + DAY)
    return floor


def scanner(floor: Any, registry: FakeRegistry, threshold: float = THRESHOLD) -> StrategyScanner:
    return floor.scanner(BUSY, model=LiveModel(Strategy("swing"), threshold, registry))


async def predictions(floor: Any) -> list[dict[str, Any]]:
    return await floor.fetch("SELECT * FROM tracker.predictions ORDER BY decided_at, is_champion DESC")


async def looks(floor: Any) -> list[dict[str, Any]]:
    return await floor.fetch(
        "SELECT decided_at, decision, reason, confidence_score, model_id, metadata ->> 'decided_by' AS decided_by,"
        " metadata ->> 'no_model' AS no_model FROM tracker.scan_history ORDER BY decided_at"
    )


async def test_a_champion_decides_and_every_score_is_kept(desk: Any) -> None:
    await desk.close(OPENED + 2 * DAY)
    await desk.run(desk.scanner(BUSY))
    alone = {row["decided_at"]: row for row in await looks(desk)}
    proposed = {at for at, row in alone.items() if row["decision"] == "SIGNAL"}
    asked = {at for at, row in alone.items() if row["no_model"]}
    assert proposed
    assert proposed < asked
    assert {row["no_model"] for row in alone.values()} == {None, "no champion"}
    await desk.forget()

    registry = FakeRegistry()
    registry.keep(make_stored_model(7), make_stored_model(8, status="candidate"))
    await desk.run(scanner(desk, registry))
    said = await predictions(desk)
    assert {row["decided_at"] for row in said} == asked
    counts = Counter((row["model_id"], row["is_champion"]) for row in said)
    assert counts == {(7, True): len(asked), (8, False): len(asked)}
    mine = {row["decided_at"]: row for row in said if row["is_champion"]}
    assert not any(row["taken"] for row in said if not row["is_champion"])
    for row in await looks(desk):
        before, score = alone[row["decided_at"]], mine.get(row["decided_at"])
        if score is None:
            assert (row["decision"], row["reason"]) == (before["decision"], before["reason"])
            assert (row["confidence_score"], row["model_id"], row["decided_by"]) == (None, None, "rule")
            continue
        assert (row["confidence_score"], row["model_id"], row["decided_by"]) == (score["probability"], 7, "model")
        assert score["is_signal"] == (before["decision"] == "SIGNAL")
        low = score["is_signal"] and score["probability"] < THRESHOLD
        assert row["reason"] == ("confidence_too_low" if low else before["reason"])
        assert score["taken"] == (row["decision"] == "SIGNAL")
    signals = await desk.signals()
    assert {row["decided_at"]: (row["confidence"], row["model_id"]) for row in signals} == {
        at: (row["probability"], 7) for at, row in mine.items() if row["taken"]
    }
    # The market had both kinds, else nothing was shown.
    assert 0 < len(signals) < len(proposed)


async def test_rows_do_not_depend_on_how_many_closes_a_run_takes(desk: Any) -> None:
    await desk.close(OPENED + 2 * DAY)
    registry = FakeRegistry()
    registry.keep(make_stored_model(7))
    await desk.run(scanner(desk, registry))
    whole = (await looks(desk), await desk.signals(), [_plain(row) for row in await predictions(desk)])
    await desk.forget()
    await desk.execute("DELETE FROM tracker.predictions")
    while True:
        one = desk.scanner(BUSY, model=LiveModel(Strategy("swing"), THRESHOLD, registry), closes_per_run=7)
        if not await one.run_once():
            break
    assert (await looks(desk), await desk.signals(), [_plain(row) for row in await predictions(desk)]) == whole


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != "predicted_at"}


async def test_promotions_damage_and_rollbacks_never_stop_it(desk: Any) -> None:
    registry = FakeRegistry()
    service = scanner(desk, registry)
    end = OPENED + DAY

    async def scanned() -> tuple[str, set[int | None]]:
        """Return what /health says, and which models the setups of the new closes name."""
        nonlocal end
        before = len(await looks(desk))
        await desk.run(service)
        rows = (await looks(desk))[before:]
        assert len(rows) >= 24
        end += DAY / 4
        await desk.close(end)
        detail = service.detail()
        setups = [row for row in rows if row["decided_by"] == "model" or row["no_model"]]
        assert setups
        return detail.get("trouble", ""), {row["model_id"] for row in setups}

    assert await scanned() == ("", {None})
    registry.keep(make_stored_model(1))
    assert await scanned() == ("", {1})
    registry.keep(make_stored_model(2, status="candidate"))
    registry.promote(2)
    assert await scanned() == ("", {2})
    assert service.detail()["model_id"] == 2
    # Damaged while it is loaded: what was read and checked goes on.
    good = registry.models[2]
    assert good.artifact is not None
    registry.keep(replace(good, artifact=good.artifact[:-1] + b"?"))
    assert await scanned() == ("", {2})
    # A scanner that starts anew has nothing that was checked.
    service = scanner(desk, registry)
    trouble, models = await scanned()
    assert models == {None}
    assert "model 2: the model's bytes have sha256" in trouble
    assert trouble.endswith("the rule decides alone")
    # Mended in place, it is taken again at the next close.
    registry.keep(good)
    assert await scanned() == ("", {2})


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"feature_set_hash": "0123456789abcdef"}, "model 5 was trained on feature set 0123456789abcdef, and"),
        ({"artifact": None}, "model 5 has no bytes in the database"),
        ({"artifact": b"{"}, "model 5: the model's bytes have sha256"),
        ({"calibration": {"slope": -1.0, "intercept": 0.0}}, "model 5: the model's calibration"),
    ],
)
async def test_an_unusable_champion_leaves_it_to_the_rule(desk: Any, changes: dict[str, Any], says: str) -> None:
    registry = FakeRegistry()
    registry.keep(make_stored_model(4))
    service = scanner(desk, registry)
    await desk.run(service)
    assert service.detail()["model_id"] == 4
    # Not its predecessor: whoever promoted another did not want that one any more.
    registry.keep(replace(make_stored_model(5), status="candidate", **changes))
    registry.promote(5)
    await desk.close(OPENED + 2 * DAY)
    await desk.run(service)
    assert service.detail()["trouble"].startswith(says)
    assert service.detail()["decided_by"] == "rule"
    said = {row["no_model"] for row in await looks(desk) if row["decided_at"] > OPENED + DAY} - {None}
    assert len(said) == 1
    assert said.pop().startswith(says)


async def test_it_reads_a_model_once(desk: Any) -> None:
    registry = FakeRegistry()
    registry.keep(make_stored_model(1))
    service = scanner(desk, registry)
    await desk.run(service)
    for _ in range(5):
        await service.run_once()
    assert registry.reads == 1


async def test_a_model_is_not_asked_about_what_it_was_made_of(desk: Any) -> None:
    registry = FakeRegistry()
    registry.keep(make_stored_model(1, known_from=OPENED + DAY / 2))
    await desk.run(scanner(desk, registry))
    setups = [row for row in await looks(desk) if row["decided_by"] == "model" or row["no_model"]]
    for row in setups:
        is_later = row["decided_at"] >= OPENED + DAY / 2
        assert (row["decided_by"] == "model") == is_later
        assert is_later or row["no_model"] == "model 1 was made of what came later"
    assert {row["decided_by"] for row in setups} == {"model", "rule"}


def test_a_threshold_is_what_its_column_holds() -> None:
    model: Model = usable_model(make_stored_model(1), 0.55)
    assert model.threshold == float(np.float32(0.55))
