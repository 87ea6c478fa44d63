"""How much is bought, by hand."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tracker.domain.instrument import Instrument
from tracker.domain.money import floor_quantity, price_of, quantity_of, quantity_step
from tracker.domain.order import RefusalReason
from tracker.domain.signal import Signal
from tracker.quant.execution import ExecutionParams
from tracker.quant.risk import RiskConfig, RiskLimits
from tracker.quant.sizing import AdaptivePositionSizer, Approved, Refused, Situation, SizingParams, reserve_price
from tracker.testing.trades import COSTLY, FREE, make_instrument, make_signal

PARAMS = SizingParams(risk_per_trade=0.02, size_multiplier=1.5, max_position_share=1.0)


def size_trade(
    signal: Signal,
    instrument: Instrument,
    equity: float,
    free_cash: float,
    params: SizingParams,
    execution: ExecutionParams,
) -> Approved | Refused:
    """Size a signal where nothing else is held."""
    config = RiskConfig(sizing=params, limits=RiskLimits(max_open_positions=1))
    sizer = AdaptivePositionSizer(limits=config.numbers(execution), execution=execution)
    return sizer.size(signal, instrument, Situation(equity=equity, free_cash=free_cash))


def size(
    equity: float = 10_000.0, free_cash: float = 1e9, params: SizingParams = PARAMS, **changes: Any
) -> Any:
    """Size the usual signal (100, stop 95) with changes."""
    return size_trade(make_signal(**changes), make_instrument(), equity, free_cash, params, FREE)


def test_two_percent_times_one_and_a_half_is_lost_at_the_stop() -> None:
    approved = size()
    assert (approved.quantities, approved.how) == ((Decimal(60),), "risk")
    assert float(approved.quantities[0]) * (100 - 95) == 300


def test_a_ladder_is_sized_from_its_average() -> None:
    # average 0.5 * 100 + 0.5 * 98 = 99, stop 95: 300 / 4 = 75
    approved = size(ladder=(98.0,), size_weights=(0.5, 0.5))
    assert approved.quantities == (Decimal("37.5"), Decimal("37.5"))


def test_a_share_of_equity_caps() -> None:
    approved = size(params=SizingParams(risk_per_trade=0.02, size_multiplier=1.5, max_position_share=0.2))
    assert (approved.quantities, approved.how) == ((Decimal(20),), "position_share")


def test_free_cash_caps_with_costs() -> None:
    approved = size_trade(make_signal(), make_instrument(), 10_000, 1_000.0, PARAMS, COSTLY)
    assert isinstance(approved, Approved)
    assert approved.how == "cash"
    # 50 bps of slippage at worst, then 20 bps of fee
    assert approved.reserved == pytest.approx(1_000.0, abs=0.02)
    assert approved.reserved < 1_000.0
    assert reserve_price(100.0, COSTLY, maker=False) == pytest.approx(100 * 1.005 * 1.002)


def test_lots_are_floored() -> None:
    signal, instrument = make_signal(), make_instrument(lot_step=Decimal(7))
    approved = size_trade(signal, instrument, 10_000, 1e9, PARAMS, FREE)
    assert isinstance(approved, Approved)
    assert approved.quantities == (Decimal(56),)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"equity": 30.0}, None),
        (
            {
                "equity": 20.0,
                "params": SizingParams(risk_per_trade=0.02, size_multiplier=1, max_position_share=0.1),
            },
            RefusalReason.BELOW_MIN_NOTIONAL,
        ),
        ({"free_cash": 5.0}, RefusalReason.NO_CASH),
        ({"free_cash": 0.0}, RefusalReason.NO_CASH),
        ({"free_cash": -10.0}, RefusalReason.NO_CASH),
        (
            {"equity": 100.0, "ladder": (98.0,), "size_weights": (0.99, 0.01)},
            RefusalReason.BELOW_MIN_NOTIONAL,
        ),
    ],
)
def test_too_small_is_refused(changes: dict[str, Any], reason: RefusalReason | None) -> None:
    verdict = size(**changes)
    if reason is None:
        assert isinstance(verdict, Approved)
    else:
        assert isinstance(verdict, Refused)
        assert verdict.reason is reason
        assert verdict.note


@given(st.floats(1e-8, 1e10), st.sampled_from(["0.00000001", "0.001", "1", "25"]))
def test_quantities_are_the_same_as_float_and_decimal(total: float, lot_step: str) -> None:
    step = quantity_step(Decimal(lot_step), total)
    assert step % Decimal(lot_step) == 0
    quantity = floor_quantity(Decimal(repr(total)), step)
    assert quantity_of(float(quantity), step) == quantity


@given(st.floats(1e-9, 1e9))
def test_prices_keep_twelve_digits(price: float) -> None:
    assert float(price_of(price)) == pytest.approx(price, rel=1e-11)
    assert len(price_of(price).as_tuple().digits) <= 12


@given(
    st.floats(100, 1e6),
    st.floats(0, 1e6),
    st.floats(0.001, 0.5),
    st.floats(0.0001, 1e5),
    st.sampled_from(["0.00000001", "0.01", "1"]),
)
def test_never_more_than_risk_share_and_cash_allow(
    equity: float, cash: float, distance: float, price: float, lot_step: str
) -> None:
    signal = make_signal(entry=price, stop=price * (1 - distance), target=price * 2)
    params = SizingParams(risk_per_trade=0.02, size_multiplier=1.5, max_position_share=0.25)
    verdict = size_trade(signal, make_instrument(lot_step=Decimal(lot_step)), equity, cash, params, COSTLY)
    if isinstance(verdict, Approved):
        quantity = float(verdict.quantities[0])
        assert quantity * price * distance <= equity * 0.03 * (1 + 1e-9)
        assert quantity * price <= equity * 0.25 * (1 + 1e-9)
        assert verdict.reserved <= cash
        assert quantity * price >= 10 * (1 - 1e-9)
