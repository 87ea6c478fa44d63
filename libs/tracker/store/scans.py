"""What the scanners looked at and what they proposed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from tracker.domain.signal import Decision, Regime, Signal, Strategy, Volatility
from tracker.domain.timeframe import Timeframe
from tracker.store.database import Transaction

SCANS_CHANNEL = "tracker_scans"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """One look at one symbol at one bar close; `confidence` and `model_id` are None where no model was asked."""

    strategy: Strategy
    symbol_id: int
    decided_at: datetime
    decision: Decision
    reason: str
    regime: Regime
    volatility: Volatility
    strength: float
    confidence: float | None
    config_hash: str
    metadata: dict[str, Any]
    model_id: int | None = None


async def write_scans(
    transaction: Transaction, strategy: Strategy, timeframe: Timeframe, config_hash: str, scans: Sequence[Scan]
) -> None:
    """Store one strategy's looks under one config; storing them again changes nothing."""
    if not scans:
        return
    await transaction.execute(
        "scans.write_scans",
        strategy.value,
        timeframe.value,
        config_hash,
        [each.decided_at for each in scans],
        [each.symbol_id for each in scans],
        [each.decision.value for each in scans],
        [each.reason for each in scans],
        [each.regime.value for each in scans],
        [each.volatility.value for each in scans],
        [each.confidence for each in scans],
        [each.strength for each in scans],
        [orjson.dumps(each.metadata).decode() for each in scans],
        [each.model_id for each in scans],
    )


async def write_signals(transaction: Transaction, timeframe: Timeframe, signals: Iterable[Signal]) -> None:
    """Store proposals; storing them again changes nothing."""
    await transaction.execute_many(
        "scans.write_signal",
        [
            (
                each.decided_at, each.expires_at, each.entry, each.stop, each.target, each.target_fraction,
                each.trail_distance, each.break_even_distance, list(each.ladder), list(each.size_weights),
                each.strategy.value, timeframe.value, each.symbol_id, each.side.value, each.confirmations,
                each.strength, each.confidence, each.regime.value, each.volatility.value, each.config_hash,
                each.model_id,
            )
            for each in signals
        ],
    )


async def read_scan_watermark(transaction: Transaction, strategy: Strategy) -> datetime | None:
    """Return up to which close a strategy has scanned."""
    return await transaction.fetch_value("scans.watermark", strategy.value)


async def advance_scan_watermark(
    transaction: Transaction, strategy: Strategy, timeframe: Timeframe, moment: datetime
) -> None:
    """Declare every close up to `moment` scanned and hint at it."""
    await transaction.execute("scans.advance_watermark", strategy.value, timeframe.value, moment)
    await transaction.notify(SCANS_CHANNEL, f"{strategy} {moment.isoformat()}")


async def count_scans(transaction: Transaction) -> dict[str, tuple[int, int]]:
    """Return (scans, signals) by strategy."""
    return {row["strategy"]: (row["scans"], row["signals"]) for row in await transaction.fetch("scans.counts")}
