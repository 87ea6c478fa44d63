"""Fills and trades as columns: what a backtest of years is worked out from."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from tracker.quant.bars import Bools, Floats, Ints
from tracker.quant.bulk import desk
from tracker.quant.kernel import LEG_EXIT


@dataclass(frozen=True, slots=True, kw_only=True)
class FillTable:
    """Columns (F,), in the order of the fills.

    `signal` is a row of the signals; `leg` -1 the entry, -2 the exit, else the rung; money in quote currency; `bar_ts`
    and `closes` (int64, Unix seconds) are the bar's open and close, `filled_at` the one or the other.
    """

    signal: Ints
    leg: Ints
    quantity: Floats
    price: Floats
    reference: Floats
    fee: Floats
    maker: Bools
    filled_at: Ints
    bar_ts: Ints
    closes: Ints
    reason: Ints

    def __len__(self) -> int:
        """Return the number of fills."""
        return int(self.signal.shape[0])

    @property
    def bought(self) -> Floats:
        """Quantities, those of sales below 0."""
        return np.where(self.leg == LEG_EXIT, -self.quantity, self.quantity)

    @property
    def slippage(self) -> Floats:
        """What each fill lost against its reference price."""
        against = np.where(self.leg == LEG_EXIT, self.reference - self.price, self.price - self.reference)
        return np.maximum(against, 0.0) * self.quantity


@dataclass(frozen=True, slots=True, kw_only=True)
class TradeTable:
    """Columns (T,) of finished trades, in the order of their ends; prices are averages, times Unix seconds.

    `signal` is a row of the signals, `reason` the kernel's number of why it was left, `pnl` is net of `fees`,
    `slippage` what its fills lost against their references; `mae` and `mfe` are fractions of the entry, 0 or more.
    """

    signal: Ints
    entry_time: Ints
    exit_time: Ints
    entry_price: Floats
    exit_price: Floats
    quantity: Floats
    gross_pnl: Floats
    fees: Floats
    slippage: Floats
    stop: Floats
    target: Floats
    reason: Ints
    mae: Floats
    mfe: Floats

    def __len__(self) -> int:
        """Return the number of trades."""
        return int(self.signal.shape[0])

    @property
    def pnl(self) -> Floats:
        """Profit or loss after fees."""
        return self.gross_pnl - self.fees

    @property
    def returns(self) -> Floats:
        """Profit or loss after fees as a fraction of what was paid."""
        return self.pnl / (self.entry_price * self.quantity)

    def take(self, rows: Bools | Ints) -> TradeTable:
        """Return some of the trades."""
        columns: dict[str, Any] = {each.name: getattr(self, each.name)[rows] for each in fields(self)}
        return TradeTable(**columns)


def fill_table(fills: Floats) -> FillTable:
    """Return the columns of a record's fills (F, FILL_SIZE)."""
    at_open = fills[:, desk.FILL_AT_OPEN] != 0.0
    bar_ts, closes = fills[:, desk.FILL_BAR_TS].astype(np.int64), fills[:, desk.FILL_CLOSE].astype(np.int64)
    return FillTable(
        signal=fills[:, desk.FILL_SIGNAL].astype(np.int64),
        leg=fills[:, desk.FILL_LEG].astype(np.int64),
        quantity=fills[:, desk.FILL_QUANTITY].copy(),
        price=fills[:, desk.FILL_PRICE].copy(),
        reference=fills[:, desk.FILL_REFERENCE].copy(),
        fee=fills[:, desk.FILL_FEE].copy(),
        maker=fills[:, desk.FILL_MAKER] != 0.0,
        filled_at=np.where(at_open, bar_ts, closes),
        bar_ts=bar_ts,
        closes=closes,
        reason=fills[:, desk.FILL_REASON].astype(np.int64),
    )


def trade_table(fills: FillTable, ends: Floats) -> TradeTable:
    """Return the finished trades of the fills; `ends` (n, END_SIZE) says of each signal how its trade stood."""
    signals = len(ends)
    selling = fills.leg == LEG_EXIT
    buying = ~selling
    bought = _sum(fills.signal[buying], fills.quantity[buying], signals)
    cost = _sum(fills.signal[buying], (fills.price * fills.quantity)[buying], signals)
    proceeds = _sum(fills.signal[selling], (fills.price * fills.quantity)[selling], signals)
    finished = np.flatnonzero((bought > 0.0) & (ends[:, desk.END_LIVE] == 0.0))
    first, last = _edges(fills, signals)
    finished = finished[np.argsort(last[finished], kind="stable")]
    entry = cost[finished] / bought[finished]
    return TradeTable(
        signal=finished,
        entry_time=fills.filled_at[first[finished]],
        exit_time=fills.filled_at[last[finished]],
        entry_price=entry,
        exit_price=proceeds[finished] / bought[finished],
        quantity=bought[finished],
        gross_pnl=proceeds[finished] - cost[finished],
        fees=_sum(fills.signal, fills.fee, signals)[finished],
        slippage=_sum(fills.signal, fills.slippage, signals)[finished],
        stop=ends[finished, desk.END_STOP],
        target=ends[finished, desk.END_TARGET],
        reason=fills.reason[last[finished]],
        mae=np.maximum(1.0 - ends[finished, desk.END_LOWEST] / entry, 0.0),
        mfe=np.maximum(ends[finished, desk.END_HIGHEST] / entry - 1.0, 0.0),
    )


def _sum(keys: Ints, values: Floats, size: int) -> Floats:
    return np.bincount(keys, weights=values, minlength=size).astype(np.float64)


def _edges(fills: FillTable, signals: int) -> tuple[Ints, Ints]:
    """Return the rows of each signal's first and last fill; 0 where it has none."""
    first, last = np.zeros(signals, dtype=np.int64), np.zeros(signals, dtype=np.int64)
    rows = np.arange(len(fills), dtype=np.int64)
    first[fills.signal[::-1]] = rows[::-1]
    last[fills.signal] = rows
    return first, last
