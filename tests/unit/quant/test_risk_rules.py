"""Protections, scales and exposure by hand, and what an account remembers over a restart."""

from __future__ import annotations

import math
import random
from datetime import timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tracker.domain.order import ExitReason, RefusalReason
from tracker.domain.risk import Protection, TradingState
from tracker.domain.signal import Side, Strategy
from tracker.domain.trade import ClosedTrade
from tracker.quant import risk_rules
from tracker.quant.portfolio.book import moment_of, seconds_of
from tracker.quant.portfolio.guard import AccountGuard, Memory
from tracker.quant.portfolio.hours import hourly_closes
from tracker.quant.risk import (
    CoolDown,
    DailyLoss,
    Drawdown,
    LowProfit,
    Protections,
    RiskConfig,
    RiskLimits,
    StopStreak,
)
from tracker.quant.sizing import ConfidenceScale, DrawdownScale, RegimeScale, SizingParams, VolatilityScale
from tracker.testing.trades import FREE, NOON

SIZING = SizingParams(
    risk_per_trade=0.02,
    size_multiplier=1.5,
    max_position_share=0.2,
    min_scale=0.25,
    max_scale=1.5,
    volatility=VolatilityScale(high=0.5, unknown=0.75),
    regime=RegimeScale(trend_down=0.8),
    confidence=ConfidenceScale(at_least=0.5, at_most=0.7, least=0.6, most=1.4, without_model=0.9),
    drawdown=DrawdownScale(begins=0.05, ends=0.15, least=0.5),
)
START = seconds_of(NOON)
MINUTE = 60


def limits(**protections: Any) -> list[float]:
    """Return the numbers of a configuration with some protections."""
    config = RiskConfig(
        sizing=SIZING, limits=RiskLimits(max_open_positions=5), protections=Protections(**protections)
    )
    return config.numbers(FREE)


def guard(memory: Memory | None = None, trades: int = 20) -> AccountGuard:
    """Return the guard of an account with 10,000 and symbols 1 to 3."""
    return AccountGuard("paper", [1, 2, 3], 10_000.0, memory or Memory(), trades)


def closed(minute: int, pnl: float, symbol_id: int = 1, reason: ExitReason = ExitReason.STOP) -> ClosedTrade:
    """Return a trade of 1,000 that ended so many minutes after the start."""
    return ClosedTrade(
        account="paper", strategy=Strategy("swing"), symbol_id=symbol_id, decided_at=NOON, signal_id=None,
        config_hash="c", rules_hash="r", side=Side.LONG, entry_time=NOON, exit_time=NOON + timedelta(minutes=minute),
        entry_price=Decimal(100), exit_price=Decimal(100), quantity=Decimal(10), gross_pnl=Decimal(repr(pnl)),
        fees=Decimal(0), stop_loss_price=Decimal(95), take_profit_price=Decimal(110), exit_reason=reason,
        mae=0.0, mfe=0.0,
    )  # fmt: skip


def reason_at(each: AccountGuard, minute: int, symbol_id: int = 1) -> RefusalReason | None:
    """Return why a signal so many minutes after the start would be refused."""
    refused = each.refusal(symbol_id, START + minute * MINUTE)
    return None if refused is None else refused.reason


def note(each: AccountGuard, p: list[float], *trades: ClosedTrade) -> None:
    """Take in trades at the closes at which they ended."""
    for trade in trades:
        each.note(p, trade, seconds_of(trade.exit_time))


STREAK = {"stop_streak": StopStreak(trades=3, window_minutes=60, lock_minutes=30)}


@pytest.mark.parametrize(
    ("trades", "locked"),
    [
        ([closed(1, -5), closed(2, -5), closed(3, -5)], True),
        ([closed(1, -5), closed(2, -5, symbol_id=2), closed(3, -5, reason=ExitReason.TRAILING)], True),
        ([closed(1, -5), closed(2, -5)], False),
        ([closed(1, -5), closed(2, 5), closed(3, -5), closed(4, -5)], False),
        ([closed(1, -5), closed(2, -5), closed(3, -5, reason=ExitReason.TIMEOUT)], False),
        ([closed(1, -5), closed(2, -5), closed(62, -5)], False),
    ],
)
def test_losing_stops_in_a_row_lock_the_account(trades: list[ClosedTrade], locked: bool) -> None:
    each, p = guard(), limits(**STREAK)
    note(each, p, *trades)
    last = seconds_of(trades[-1].exit_time) - START
    assert (reason_at(each, last // MINUTE, symbol_id=3) is RefusalReason.STOP_STREAK) == locked
    assert reason_at(each, last // MINUTE + 30) is None
    assert [lock.protection for lock in each.locks] == ([Protection.STOP_STREAK] if locked else [])


def test_the_same_stops_lock_only_once() -> None:
    each, p = guard(), limits(**STREAK)
    note(each, p, *(closed(minute, -5) for minute in range(1, 6)))
    assert len(each.locks) == 1
    note(each, p, closed(6, -5))
    assert len(each.locks) == 2


def test_a_symbol_rests_after_its_trade_and_others_do_not() -> None:
    each, p = guard(), limits(cool_down=CoolDown(lock_minutes=10))
    note(each, p, closed(5, 3.0))
    assert reason_at(each, 14) is RefusalReason.COOL_DOWN
    assert reason_at(each, 14, symbol_id=2) is None
    assert reason_at(each, 15) is None


def test_a_symbol_that_does_not_pay_is_locked() -> None:
    p = limits(low_profit=LowProfit(trades=2, window_minutes=60, min_return=-0.01, lock_minutes=20))
    each = guard()
    note(each, p, closed(1, -25), closed(2, 8))
    assert reason_at(each, 2) is None
    note(each, p, closed(3, -14))
    assert reason_at(each, 3) is RefusalReason.LOW_PROFIT
    assert reason_at(each, 3, symbol_id=2) is None
    (lock,) = each.locks
    assert lock.observed == pytest.approx(-31 / 3_000)


def test_a_bad_day_ends_at_midnight() -> None:
    each, p = guard(), limits(daily_loss=DailyLoss(max_loss=0.02))
    assert not each.mark(p, START, 10_000.0)
    assert not each.mark(p, START + 900, 9_801.0)
    assert each.mark(p, START + 1_800, 9_799.0)
    assert not each.mark(p, START + 2_700, 9_700.0)
    assert each.state(START + 1_800) is TradingState.REDUCING
    midnight = START + 12 * 3_600
    assert each.refusal(1, midnight - 1) is not None
    assert each.state(midnight) is TradingState.ACTIVE
    # The mark at midnight ends the day; the next one measures from it.
    assert not each.mark(p, midnight, 9_700.0)
    assert not each.mark(p, midnight + 900, 9_600.0)
    assert each.mark(p, midnight + 1_800, 9_500.0)


def test_a_drawdown_reduces_once_then_halts_and_then_counts_anew() -> None:
    p = limits(drawdown=Drawdown(reduce_at=0.1, reduce_minutes=30, halt_at=0.2, halt_minutes=60))
    each = guard()
    assert not each.mark(p, START, 11_000.0)
    assert each.mark(p, START + 900, 9_800.0)
    assert each.state(START + 900) is TradingState.REDUCING
    assert not each.mark(p, START + 2_700, 9_700.0), "the same fall does not lock again"
    assert each.state(START + 2_700) is TradingState.ACTIVE
    assert each.mark(p, START + 3_600, 8_700.0)
    assert each.state(START + 3_600) is TradingState.HALTED
    assert reason_at(each, 60) is RefusalReason.HALTED
    assert not each.mark(p, START + 4_500, 8_600.0)
    assert not each.mark(p, START + 7_200, 8_600.0), "the halt is over and its losses forgiven"
    assert each.state(START + 7_200) is TradingState.ACTIVE
    assert each.fall(8_600.0) == 0.0
    assert each.mark(p, START + 8_100, 7_700.0)


def test_recovering_arms_the_drawdown_again() -> None:
    p = limits(drawdown=Drawdown(reduce_at=0.1, reduce_minutes=1))
    each = guard()
    found = [each.mark(p, START + step * 900, equity) for step, equity in enumerate((8_900.0, 9_500.0, 8_900.0))]
    assert found == [True, False, True]


def test_money_that_moves_is_no_profit_and_no_loss() -> None:
    p = limits(drawdown=Drawdown(reduce_at=0.1, reduce_minutes=30), daily_loss=DailyLoss(max_loss=0.05))
    each = guard()
    each.mark(p, START, 10_000.0)
    each.cash_moved(10_000.0, 4_000.0)
    assert not each.mark(p, START + 900, 3_900.0)
    assert each.fall(3_900.0) == pytest.approx(0.025)
    each.cash_moved(3_900.0, 39_000.0)
    assert each.fall(39_000.0) == pytest.approx(0.025)


def test_people_halt_and_resume() -> None:
    each = guard()
    each.halt(START, START + 3_600)
    assert each.state(START) is TradingState.REDUCING
    assert reason_at(each, 1) is RefusalReason.HALTED_BY_COMMAND
    assert each.resume(START + 60) == [Protection.COMMAND]
    assert each.resume(START + 60) == []
    assert each.state(START + 60) is TradingState.ACTIVE
    (lock,) = each.locks
    assert (lock.locked_at, lock.until) == (NOON, NOON + timedelta(minutes=1))


@pytest.mark.parametrize(
    ("volatility", "regime", "confidence", "fall", "scale"),
    [
        (1, 1, 0.6, 0.0, 1.0),
        (2, 1, 0.7, 0.0, 1.4),
        (2, 1, 0.9, 0.0, 1.4),
        (2, 1, 0.3, 0.0, 0.6),
        (1, 1, math.nan, 0.0, 0.9),
        (3, 1, 0.6, 0.0, 0.5),
        (0, 2, 0.6, 0.0, 0.6),
        (1, 3, 0.6, 0.10, 0.75),
        (1, 1, 0.6, 0.40, 0.5),
        (3, 2, 0.3, 0.40, 0.25),
    ],
)
def test_a_size_is_scaled_by_how_things_stand(
    volatility: int, regime: int, confidence: float, fall: float, scale: float
) -> None:
    assert risk_rules.scale_of(limits(), volatility, regime, confidence, fall) == pytest.approx(scale)


@given(st.floats(0.3, 3.0), st.floats(1.0, 99.0))
def test_the_scale_never_lifts_a_size_over_the_largest_share(scale: float, stop: float) -> None:
    quantity, _ = risk_rules.risked_quantity(limits(), 10_000.0, 100.0, stop, scale)
    assert quantity <= 0.2 * 10_000.0 / 100.0
    by_risk = 10_000.0 * 0.03 / (100.0 - stop)
    assert quantity == pytest.approx(min(min(by_risk, 20.0) * scale, 20.0))


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0.0, 0.4))
def test_the_correlation_is_that_of_the_hours_both_have(seed: int, missing: float) -> None:
    rng = np.random.default_rng(seed)
    common = rng.normal(0, 0.01, 100)
    rows = [100 * np.exp(np.cumsum(common + rng.normal(0, 0.01, 100))) for _ in range(2)]
    for row in rows:
        row[rng.random(100) < missing] = np.nan
    returns = [np.diff(np.log(row)) for row in rows]
    both = np.isfinite(returns[0]) & np.isfinite(returns[1])
    found = risk_rules.correlation(rows[0].tolist(), rows[1].tolist(), 0, 99, 10)
    if both.sum() < 10:
        assert math.isnan(found)
    else:
        assert found == pytest.approx(np.corrcoef(returns[0][both], returns[1][both])[0, 1])


def test_what_is_not_known_moves_together() -> None:
    p = limits()
    p[risk_rules.LIMIT_CORRELATION], p[risk_rules.LIMIT_HOURS], p[risk_rules.LIMIT_LEAST_HOURS] = 0.8, 48, 24
    hours = hourly_closes([(1, START, 100.0)], [1, 2], START - 48 * 3_600, START + 3_600)
    assert risk_rules.in_cluster(p, hours.of(1), hours.of(2), hours.row_at(START + 3_600))
    assert risk_rules.in_cluster(p, hours.of(1), hours.of(9), hours.row_at(START))


def test_hours_stand_where_they_close() -> None:
    rows = [(1, START - 3_600, 5.0), (1, START, 6.0), (1, START + 3_600, 7.0)]
    hours = hourly_closes(rows, [1], START - 3_600, START + 3_600)
    assert hours.of(1)[hours.row_at(START)] == 5.0
    assert hours.of(1)[hours.row_at(START + 3_599)] == 5.0
    assert hours.of(1)[hours.row_at(START + 3_600)] == 6.0
    assert len(hours.of(1)) == 3


TIGHT: dict[str, Any] = {
    "stop_streak": StopStreak(trades=2, window_minutes=60, lock_minutes=20),
    "cool_down": CoolDown(lock_minutes=5),
    "low_profit": LowProfit(trades=2, window_minutes=90, min_return=-0.002, lock_minutes=30),
    "daily_loss": DailyLoss(max_loss=0.01),
    "drawdown": Drawdown(reduce_at=0.01, reduce_minutes=45, halt_at=0.03, halt_minutes=90),
}


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 2**32 - 1))
def test_an_account_read_back_from_its_rows_goes_on_as_if_it_had_never_stopped(seed: int) -> None:
    """At every step one guard lives on and another is made of what the first one has written down."""
    rng, p = random.Random(seed), limits(**TIGHT)
    config = Protections(**TIGHT)
    lasting = guard(trades=400)
    written: dict[tuple[Any, ...], Any] = {}
    trades: list[ClosedTrade] = []
    equity = 10_000.0
    for step in range(1, 200):
        minute = step * 15
        at = START + minute * MINUTE
        after = moment_of(at) - timedelta(minutes=config.memory_minutes + 15)
        memory = Memory(
            marks=lasting.marks(),
            locks=sorted(
                (lock for lock in written.values() if lock.until > after or lock.locked_at > after),
                key=lambda lock: lock.locked_at,
            ),
            trades=[trade for trade in trades if trade.exit_time > after - timedelta(days=1)],
        )
        fresh = guard(memory, trades=2)
        lasting.locks.clear()
        equity *= 1 + rng.gauss(0, 0.003)
        trade = closed(minute, round(rng.gauss(-2, 6), 2), rng.choice([1, 2, 3]), rng.choice(list(ExitReason)))
        for each in (lasting, fresh):
            if step % 3:
                note(each, p, trade)
            each.mark(p, at, equity)
        if step % 3:
            trades.append(trade)
        assert fresh.locks == lasting.locks
        assert fresh.marks() == lasting.marks()
        for symbol_id in (1, 2, 3):
            assert fresh.refusal(symbol_id, at + 60) == lasting.refusal(symbol_id, at + 60)
        written |= {(lock.protection, lock.symbol_id, lock.locked_at): lock for lock in lasting.locks}
