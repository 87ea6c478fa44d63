"""What the account was worth at every close of a span."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tracker.quant.backtest.tables import FillTable
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
    start_cash: float, fills: FillTable, market_of: Ints, series: Sequence[CandleSeries], moments: Ints
) -> EquityCurve:
    """Value the account at `moments` (ascending); `market_of` says of each fill which of the series it was in."""
    fees = _steps(fills.closes, fills.fee, moments)
    bought = fills.bought
    cash = start_cash - _steps(fills.closes, bought * fills.price, moments) - fees
    held = np.zeros(len(moments))
    for number, candles in enumerate(series):
        mine = market_of == number
        if not mine.any():
            continue
        amount = _steps(fills.closes[mine], bought[mine], moments)
        # What all buys and sales leave of a closed position is rounding, not a holding.
        amount[np.abs(amount) < 1e-9 * np.abs(bought[mine]).max()] = 0.0
        held += amount * _last_closes(candles, moments)
    return EquityCurve(ts=moments, cash=cash, held=held, fees=fees)


def _last_closes(candles: CandleSeries, moments: Ints) -> Floats:
    last = np.searchsorted(candles.closes, moments, side="right") - 1
    return np.where(last >= 0, candles.bars.close[np.maximum(last, 0)], 0.0)


def _steps(at: Ints, amounts: Floats, moments: Ints) -> Floats:
    """Return the sum of the amounts that came by each moment (n,)."""
    # There are fewer fills than moments to look for.
    places = np.searchsorted(moments, at)
    return np.bincount(places, weights=amounts, minlength=len(moments) + 1)[: len(moments)].cumsum()
