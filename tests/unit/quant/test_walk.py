"""Stepping only where something happens gives the ledger of stepping through every minute."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tracker.domain.account import Account
from tracker.domain.instrument import Instrument
from tracker.domain.signal import Signal
from tracker.domain.timeframe import Timeframe
from tracker.quant.bars import BarArrays
from tracker.quant.execution import ExecutionParams
from tracker.quant.paper import AccountParams, PaperConfig, TradingRules
from tracker.quant.portfolio.book import Book, seconds_of
from tracker.quant.portfolio.engine import Engine
from tracker.quant.portfolio.series import CandleSeries
from tracker.quant.portfolio.walk import Walk
from tracker.quant.risk import CoolDown, DailyLoss, Drawdown, LowProfit, Protections, RiskConfig, RiskLimits, StopStreak
from tracker.quant.sizing import SizingParams
from tracker.quant.strategies import RULES
from tracker.testing.trades import COSTLY, NOON, make_signal

BEGIN = seconds_of(NOON)
HOURS = 8
FRAMES = (Timeframe.M1, Timeframe.M1, Timeframe.M5, Timeframe.M15)


def market(rng: random.Random, timeframe: Timeframe, volatility: float) -> CandleSeries:
    """Return a walk around 100 in which some bars are missing and some have hardly any volume."""
    rows: list[tuple[float, ...]] = []
    close = 100.0
    for index in range(HOURS * 3600 // timeframe.seconds):
        open_ = close * (1 + rng.gauss(0, volatility / 3))
        close = open_ * (1 + rng.gauss(0, volatility))
        high = max(open_, close) * (1 + abs(rng.gauss(0, volatility / 2)))
        low = min(open_, close) * (1 - abs(rng.gauss(0, volatility / 2)))
        if rng.random() < 0.9:
            volume = rng.choice([0.0, 3.0, 500.0, 9e4])
            rows.append((BEGIN + index * timeframe.seconds, open_, high, low, close, volume))
    columns = np.array(rows).T
    bars = BarArrays(
        ts=columns[0].astype(np.int64),
        open=columns[1],
        high=columns[2],
        low=columns[3],
        close=columns[4],
        volume=columns[5],
    )
    return CandleSeries(bars, bars.ts + timeframe.seconds)


def proposals(rng: random.Random, instrument: Instrument, series: CandleSeries) -> list[Signal]:
    """Return signals at some quarters, with ladders, trails and short lives."""
    signals: list[Signal] = []
    for quarter in range(1, HOURS * 4):
        close = BEGIN + quarter * 900
        before = series.index_from(close + 1) - 1
        if before < 0 or rng.random() < 0.7:
            continue
        price = float(series.bars.close[before])
        at = NOON + timedelta(seconds=close - BEGIN)
        signal = make_signal(
            strategy=rng.choice(list(RULES)),
            symbol_id=instrument.symbol_id,
            decided_at=at,
            entry=price,
            stop=price * rng.choice([0.99, 0.997]),
            target=price * rng.choice([1.002, 1.01, 1.05]),
            expires_at=at + timedelta(minutes=rng.choice([7, 45, 300])),
        )
        shape = rng.randrange(3)
        if rng.random() < 0.5:
            signal = replace(signal, break_even_distance=price * rng.choice([0.002, 0.006]))
        if shape == 0:
            signal = replace(signal, trail_distance=price * 0.004)
        elif shape == 1 and signal.stop < price * 0.995:
            signal = replace(
                signal, ladder=(price * 0.998, price * 0.996), size_weights=(0.2, 0.3, 0.5), target_fraction=0.004
            )
        signals.append(signal)
    return signals


# So tight that a few hours set them off.
PROTECTIONS = Protections(
    stop_streak=StopStreak(trades=2, window_minutes=120, lock_minutes=30),
    cool_down=CoolDown(lock_minutes=10),
    low_profit=LowProfit(trades=2, window_minutes=240, min_return=-0.001, lock_minutes=45),
    daily_loss=DailyLoss(max_loss=0.004),
    drawdown=Drawdown(reduce_at=0.002, reduce_minutes=45, halt_at=0.006, halt_minutes=90),
)


def engine(
    instruments: list[Instrument], signals: list[Signal], execution: ExecutionParams, protected: bool
) -> Engine:
    """Return an engine with 10,000 to trade with."""
    account = Account(account="paper", currency="USD", start_cash=Decimal(10_000), opened_at=NOON, cash=Decimal(10_000))
    rules = TradingRules(
        paper=PaperConfig(account=AccountParams(name="paper", currency="USD", start_cash=10_000), execution=execution),
        risk=RiskConfig(
            sizing=SizingParams(risk_per_trade=0.02, size_multiplier=1.5, max_position_share=0.2),
            limits=RiskLimits(max_open_positions=4),
            protections=PROTECTIONS if protected else Protections(),
        ),
    )
    return Engine(Book(account, (), (), instruments), rules, "rules", signals)


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**32), st.sampled_from([0.0004, 0.002, 0.01]), st.sampled_from([0.02, 0.1, 1.0]), st.booleans())
def test_the_walk_leaves_the_ledger_that_the_engine_leaves(
    seed: int, volatility: float, share: float, protected: bool
) -> None:
    rng = random.Random(seed)
    instruments = [
        Instrument(symbol_id=number, symbol=f"{number}-USD", base_timeframe=frame, lot_step=Decimal("0.001"))
        for number, frame in enumerate(FRAMES, start=1)
    ]
    series = {each.symbol_id: market(rng, each.base_timeframe, volatility) for each in instruments}
    signals = [signal for each in instruments for signal in proposals(rng, each, series[each.symbol_id])]
    signals.sort(key=lambda each: (each.decided_at, str(each.symbol_id), each.strategy))
    execution = replace(COSTLY, max_volume_share=share)
    end = BEGIN + HOURS * 3600

    dense = engine(instruments, signals, execution, protected)
    for number, each in series.items():
        dense.load(number, each)
    after = BEGIN
    while after < end:
        after = dense.run(after, end)
    sparse = engine(instruments, signals, execution, protected)
    walk = Walk(sparse, series)
    walk.run(BEGIN, end)

    assert sparse.book.fills == dense.book.fills
    assert sparse.book.trades == dense.book.trades
    assert sparse.book.account == dense.book.account
    assert [each.settle() for each in sparse.book.live] == [each.settle() for each in dense.book.live]
    assert sparse.book.changes().new_orders == dense.book.changes().new_orders
    assert sparse.book.guard.locks == dense.book.guard.locks
    assert len(walk.fill_closes) == len(sparse.book.fills)
    for fill, close in zip(sparse.book.fills, walk.fill_closes, strict=True):
        assert seconds_of(fill.filled_at) <= close


def test_a_candle_is_found_by_its_close_alone() -> None:
    series = market(random.Random(1), Timeframe.M5, 0.01)
    closes = list(series)
    assert len(series) == len(closes)
    assert series[closes[3]].ts == closes[3] - 300
    assert series.get(closes[3] + 1) is None
    with pytest.raises(KeyError):
        series[closes[-1] + 300]


@pytest.mark.parametrize("protected", [False, True])
def test_the_compared_markets_are_busy(protected: bool) -> None:
    rng = random.Random(3)
    instruments = [
        Instrument(symbol_id=number, symbol=f"{number}-USD", base_timeframe=frame, lot_step=Decimal("0.001"))
        for number, frame in enumerate(FRAMES, start=1)
    ]
    series = {each.symbol_id: market(rng, each.base_timeframe, 0.002) for each in instruments}
    signals = [signal for each in instruments for signal in proposals(rng, each, series[each.symbol_id])]
    signals.sort(key=lambda each: each.decided_at)
    walk = Walk(engine(instruments, signals, COSTLY, protected), series)
    walk.run(BEGIN, BEGIN + HOURS * 3600)
    reasons = {each.exit_reason for each in walk.engine.book.trades}
    assert len(walk.engine.book.fills) > 20
    assert len(reasons) > 2
