"""What the account was worth at every close of a span."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tracker.domain.fill import Fill
from tracker.domain.order import OrderSide
from tracker.quant.bars import Floats, Ints
from tracker.quant.portfolio.series import CandleSeries


@dataclass(frozen=True, slots=True, kw_only=True)
class EquityCurve:
    """Columns (n,): `ts` int64 Unix seconds; `cash`, `held` (at the last closes) and `fees` so far, quote currency."""

    ts: Ints
    cash: Floats
    held: Floats
    fees: Floats

    @property
    def equity(self) -> Floats:
        """Cash and what is held."""
        return self.cash + self.held


def equity_curve(
    start_cash: float,
    fills: Sequence[Fill],
    closes: Sequence[int],
    series: Mapping[int, CandleSeries],
    moments: Ints,
) -> EquityCurve:
    """Value the account at `moments` (ascending); `closes` says of each fill the close of its bar."""
    at = np.array(closes, dtype=np.int64)
    notional = np.array([_flow(each) for each in fills], dtype=np.float64)
    fee = np.array([float(each.fee) for each in fills], dtype=np.float64)
    fees = _steps(at, fee, moments)
    held = np.zeros(len(moments))
    for symbol_id in {each.order.symbol_id for each in fills}:
        mine = np.array([each.order.symbol_id == symbol_id for each in fills])
        quantity = np.array([_signed(each) for each in fills if each.order.symbol_id == symbol_id])
        candles = series[symbol_id]
        last = np.searchsorted(candles.closes, moments, side="right") - 1
        price = np.where(last >= 0, candles.bars.close[np.maximum(last, 0)], 0.0)
        amount = _steps(at[mine], quantity, moments)
        # What all buys and sales leave of a closed position is rounding, not a holding.
        amount[np.abs(amount) < 1e-9 * np.abs(quantity).max()] = 0.0
        held += amount * price
    return EquityCurve(ts=moments, cash=start_cash + _steps(at, notional, moments) - fees, held=held, fees=fees)


def _signed(fill: Fill) -> float:
    return float(fill.quantity) if fill.side is OrderSide.BUY else -float(fill.quantity)


def _flow(fill: Fill) -> float:
    return -_signed(fill) * float(fill.price)


def _steps(at: Ints, amounts: Floats, moments: Ints) -> Floats:
    """Return the sum of the amounts that came by each moment (n,)."""
    sums = np.concatenate(([0.0], np.cumsum(amounts)))
    return sums[np.searchsorted(at, moments, side="right")]
