"""Reasons and regimes are words that the database knows, and SQL counts them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest
from tracker.domain.signal import Decision, Regime, SkipReason, Strategy, Volatility
from tracker.domain.timeframe import Timeframe
from tracker.runtime.looks import SIGNAL_REASON
from tracker.store.scans import Scan, advance_scan_watermark, write_scans

NOON = datetime(2024, 3, 1, 12, tzinfo=UTC)
SWING = Strategy("swing")


def scan(symbol_id: int, minutes: int, **changes: Any) -> Scan:
    plain: dict[str, Any] = {
        "strategy": SWING,
        "symbol_id": symbol_id,
        "decided_at": NOON + timedelta(minutes=minutes),
        "decision": Decision.SKIP,
        "reason": SkipReason.NO_SETUP.value,
        "regime": Regime.RANGE,
        "volatility": Volatility.MID,
        "strength": 0.1,
        "confidence": None,
        "config_hash": "h",
        "metadata": {},
    }
    return Scan(**(plain | changes))


async def write(floor: Any, *scans: Scan) -> None:
    async with floor.database.transaction() as transaction:
        await write_scans(transaction, SWING, Timeframe.M15, "h", scans)
        await transaction.commit()


async def test_every_word_of_the_code_is_known(floor: Any) -> None:
    await floor.trade("AAA-USD")
    number = floor.ids["AAA-USD"]
    reasons = [scan(number, 15 * place, reason=each.value) for place, each in enumerate(SkipReason)]
    regimes = [scan(number, -15 * place, regime=each) for place, each in enumerate(Regime, start=1)]
    terciles = [scan(number, -150 - 15 * place, volatility=each) for place, each in enumerate(Volatility)]
    signal = scan(number, -300, decision=Decision.SIGNAL, reason=SIGNAL_REASON)
    await write(floor, *reasons, *regimes, *terciles, signal)
    assert len(await floor.looks()) == len(SkipReason) + len(Regime) + len(Volatility) + 1


@pytest.mark.parametrize(
    ("column", "changes"),
    [
        ("reason", {"reason": "bad_mood"}),
        ("reason", {"reason": SIGNAL_REASON}),
        ("reason", {"decision": Decision.SIGNAL, "reason": SkipReason.NO_SETUP.value}),
        ("market_regime", {"regime": SkipReason.NO_SETUP}),
        ("volatility", {"volatility": Regime.RANGE}),
    ],
)
async def test_another_is_refused(floor: Any, column: str, changes: dict[str, Any]) -> None:
    await floor.trade("AAA-USD")
    with pytest.raises(asyncpg.CheckViolationError, match=f"scan_history_{column}"):
        await write(floor, scan(floor.ids["AAA-USD"], 0, **changes))


async def test_reasons_are_counted_by_strategy_and_hour(floor: Any) -> None:
    await floor.trade("AAA-USD")
    await floor.trade("BBB-USD")
    one, other = floor.ids["AAA-USD"], floor.ids["BBB-USD"]
    against = SkipReason.TREND_AGAINST.value
    await write(
        floor,
        scan(one, -8 * 1440),
        scan(one, 15),
        scan(one, 30),
        scan(other, 30),
        scan(other, 45, reason=against),
        scan(one, 60, reason=against),
        scan(other, 60, decision=Decision.SIGNAL, reason=SIGNAL_REASON),
    )
    async with floor.database.transaction() as transaction:
        await advance_scan_watermark(transaction, SWING, Timeframe.M15, NOON + timedelta(hours=1))
        await transaction.commit()
    rows = await floor.fetch("SELECT * FROM dashboards.skip_reasons ORDER BY hour, reason")
    assert [tuple(row.values()) for row in rows] == [
        ("swing", NOON, "no_setup", 3, 2),
        ("swing", NOON, "trend_against", 1, 1),
        ("swing", NOON + timedelta(hours=1), "trend_against", 1, 1),
    ]
