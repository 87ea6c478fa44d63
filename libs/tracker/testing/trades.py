"""Builders of signals, working trades, candles and rules."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from tracker.domain.candle import Candle
from tracker.domain.instrument import Instrument
from tracker.domain.signal import Side, Signal, Strategy
from tracker.quant.execution import ExecutionParams
from tracker.quant.trade import Rung, Trade

NOON = datetime(2024, 3, 1, 12, tzinfo=UTC)
FREE = ExecutionParams(
    maker_fee_bps=0,
    taker_fee_bps=0,
    slippage_base_bps=0,
    slippage_impact_bps=0,
    slippage_cap_bps=0,
    max_volume_share=1,
    entry_valid_bars=3,
)
COSTLY = ExecutionParams(
    maker_fee_bps=10,
    taker_fee_bps=20,
    slippage_base_bps=5,
    slippage_impact_bps=100,
    slippage_cap_bps=50,
    max_volume_share=0.1,
    entry_valid_bars=3,
)


def make_rules(base: ExecutionParams = FREE, **changes: Any) -> ExecutionParams:
    """Return execution rules, by default free of all cost and limits."""
    return replace(base, **changes)


def make_trade(*, rungs: Iterable[tuple[float, float]] = (), **changes: Any) -> Trade:
    """Return a trade that enters 10 at 100, stop 90, target 110; its bars are minutes from 0.

    `rungs` are (price, quantity).
    """
    plain: dict[str, Any] = {
        "step": 0.001,
        "opens_from": 0,
        "entry_until": 180,
        "expires_at": 6_000,
        "entry_rest": 10.0,
        "stop": 90.0,
        "target": 110.0,
    }
    return Trade(**plain | changes, rungs=[Rung(price, quantity) for price, quantity in rungs])


def make_candles(rows: Iterable[tuple[float, ...]], seconds: int = 60) -> list[Candle]:
    """Return consecutive candles from (open, high, low, close[, volume = 1,000])."""
    return [
        Candle(index * seconds, row[0], row[1], row[2], row[3], row[4] if len(row) > 4 else 1_000.0)
        for index, row in enumerate(rows)
    ]


def make_signal(**changes: Any) -> Signal:
    """Return a swing signal at noon: long from 100, stop 95, target 110, one day to live."""
    plain = Signal(
        strategy=Strategy("swing"),
        symbol_id=1,
        decided_at=NOON,
        side=Side.LONG,
        entry=100.0,
        stop=95.0,
        target=110.0,
        expires_at=NOON + timedelta(days=1),
        strength=0.7,
        confirmations=3,
        config_hash="c0ffee",
    )
    return replace(plain, **changes)


def make_instrument(**changes: Any) -> Instrument:
    """Return BTC-USD as symbol 1."""
    return replace(Instrument(symbol_id=1, symbol="BTC-USD"), **changes)
