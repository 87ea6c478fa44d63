"""Hours of a busy market: four symbols, three strategies, gaps and bars of hardly any volume."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

from paper_desk import Desk, plain
from tracker.domain.instrument import Instrument
from tracker.domain.signal import Signal, Strategy
from tracker.domain.timeframe import Timeframe
from tracker.quant.risk import CoolDown, DailyLoss, Drawdown, LowProfit, Protections, StopStreak
from tracker.runtime.settings import load_settings
from tracker.runtime.trading_rules import load_trading_rules
from tracker.testing.paper_world import minutes
from tracker.testing.trades import NOON, make_signal

from services.paper_trader.settings import PaperTraderSettings

HOURS = 6
SYMBOLS = {"AAA-USD": Timeframe.M1, "BBB-USD": Timeframe.M1, "CCC-USD": Timeframe.M5, "DDD-USD": Timeframe.M1}
SHAPES = LADDER, TRAILING, PLAIN = Strategy("dca"), Strategy("swing"), Strategy("channel")


RULES = load_trading_rules(load_settings(PaperTraderSettings).config_dir)
PLAIN = plain(RULES)
RELAXED = replace(PLAIN, risk=replace(PLAIN.risk, sizing=replace(PLAIN.risk.sizing, max_position_share=0.3)))
# So tight that six hours set all of them off.
GUARDED = replace(
    RELAXED,
    risk=replace(
        RELAXED.risk,
        limits=replace(RELAXED.risk.limits, max_cluster_exposure=0.75, cluster_correlation=0.5, cluster_least_hours=2),
        protections=Protections(
            stop_streak=StopStreak(trades=2, window_minutes=120, lock_minutes=20),
            cool_down=CoolDown(lock_minutes=16),
            low_profit=LowProfit(trades=2, window_minutes=240, min_return=-0.001, lock_minutes=30),
            daily_loss=DailyLoss(max_loss=0.02),
            drawdown=Drawdown(reduce_at=0.004, reduce_minutes=15, halt_at=0.009, halt_minutes=45),
        ),
    ),
)


def random_rows(rng: random.Random, count: int, volatility: float) -> list[tuple[float, ...]]:
    """Return a random walk around 100 with gaps and bars of hardly any volume."""
    rows: list[tuple[float, ...]] = []
    close = 100.0
    for _ in range(count):
        open_ = close * (1 + rng.gauss(0, volatility / 3))
        close = open_ * (1 + rng.gauss(0, volatility))
        high = max(open_, close) * (1 + abs(rng.gauss(0, volatility)))
        low = min(open_, close) * (1 - abs(rng.gauss(0, volatility)))
        volume = rng.choice([0.0, 20.0, 200.0, 2_000.0])
        rows.append((round(open_, 4), round(high, 4) + 1e-4, round(low, 4) - 1e-4, round(close, 4), volume))
    return rows


async def busy_market(desk: Desk) -> None:
    """Fill the world with hours of four symbols and a signal of some strategy at most closes."""
    rng = random.Random(7)
    ids = await desk.world.list_symbols(
        *(
            Instrument(symbol_id=0, symbol=name, base_timeframe=each, lot_step=Decimal("0.001"))
            for name, each in SYMBOLS.items()
        )
    )
    signals: list[Signal] = []
    for name, timeframe in SYMBOLS.items():
        count = HOURS * 3600 // timeframe.seconds
        rows = random_rows(rng, count, 0.002)
        await desk.world.bars(name, rows, timeframe=timeframe)
        for quarter in range(HOURS * 4):
            at = NOON + minutes(15 * quarter)
            price = rows[max(quarter * 900 // timeframe.seconds - 1, 0)][3]
            for strategy in SHAPES:
                if rng.random() < 0.6:
                    signals.append(random_signal(rng, strategy, ids[name], price, at - NOON))
    await desk.world.signals(signals)
    await desk.world.scanned(NOON + timedelta(hours=HOURS))


def random_signal(
    rng: random.Random, strategy: Strategy, symbol_id: int, price: float, after: timedelta
) -> Signal:
    """Return a signal of one of three shapes: ladder, trailing, plain."""
    at = NOON + after
    plain = make_signal(
        strategy=strategy,
        symbol_id=symbol_id,
        decided_at=at,
        entry=price,
        stop=price * 0.99,
        target=price * 1.01,
        expires_at=at + minutes(rng.choice([20, 45, 90])),
    )
    if strategy == LADDER:
        return replace(
            plain,
            ladder=(price * 0.997, price * 0.994),
            size_weights=(0.2, 0.3, 0.5),
            target_fraction=0.004,
            target=price * 1.004,
        )
    if strategy == TRAILING:
        return replace(plain, trail_distance=price * 0.005)
    return replace(plain, break_even_distance=price * 0.007)
