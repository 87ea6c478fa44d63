"""backtesting.py: one symbol after the other, a Python call a bar."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from importlib.metadata import version as version_of
from typing import Any

import numpy as np
import talib
from backtesting import Backtest, Strategy
from backtesting.lib import crossover
from tracker.testing.ema_cross import NEVER, START_CASH, EmaCrossParams, trade_list

from benchmarks.peers.agreement import Cause
from benchmarks.peers.series import Effort, Run, Series, Watch, frame_of

NAME = "backtesting"
CAUSES = frozenset({Cause.STOP_FIRST})
RTOL = 1e-12


def version() -> str:
    """Return the version that runs."""
    return version_of(NAME)


class KnownEntries(Strategy):
    """Trades what is known already: only the trading is its own."""

    enter: Any = None
    stop: Any = None
    target: Any = None
    units = 1

    def init(self) -> None:
        """Need nothing."""

    def next(self) -> None:
        """Look at one close."""
        row = len(self.data) - 1
        if self.enter[row] and not self.position:
            self.buy(size=self.units, sl=self.stop[row], tp=self.target[row])


class OwnIndicators(Strategy):
    """Computes the indicators the way its manual does."""

    rule: Any = None
    units = 1

    def init(self) -> None:
        """Declare the indicators."""
        data = self.data
        self.fast = self.I(talib.EMA, data.Close, self.rule.fast)
        self.slow = self.I(talib.EMA, data.Close, self.rule.slow)
        self.atr = self.I(talib.ATR, data.High, data.Low, data.Close, self.rule.atr)

    def next(self) -> None:
        """Look at one close."""
        if crossover(self.fast, self.slow) and not self.position:
            close, atr = self.data.Close[-1], self.atr[-1]
            stop, target = close - self.rule.stop_atr * atr, close + self.rule.target_atr * atr
            if 0.0 < stop < close:
                self.buy(size=self.units, sl=stop, tp=target)


def run(series: Sequence[Series], params: EmaCrossParams, own_indicators: bool = False) -> Run:
    """Trade every series; quantities are whole numbers here, which no time and no price depends on."""
    effort = Effort(0.0, 0.0)
    rows: list[tuple[int, int, int, float, float]] = []
    for place, each in enumerate(series):
        frame = frame_of(each.bars).rename(columns=str.capitalize)
        units = max(int(params.cash / each.bars.close[0]), 1)
        given: dict[str, Any] = {"units": units}
        if own_indicators:
            given["rule"] = params
        else:
            given |= {"enter": each.entries.enter, "stop": each.entries.stop, "target": each.entries.target}
        watch = Watch()
        with warnings.catch_warnings(action="ignore"):
            test = Backtest(
                frame, OwnIndicators if own_indicators else KnownEntries, cash=START_CASH, commission=params.fee
            )
            stats = test.run(**given)
        effort += watch.read()
        rows += _rows(place, each, stats)
    return Run(trades=trade_list(rows), effort=effort)


def _rows(place: int, series: Series, stats: Any) -> list[tuple[int, int, int, float, float]]:
    closed, ts = stats["_trades"], series.bars.ts
    rows = [
        (place, int(ts[entry]), int(ts[left]), float(bought), float(sold))
        for entry, left, bought, sold in zip(
            closed["EntryBar"], closed["ExitBar"], closed["EntryPrice"], closed["ExitPrice"], strict=True
        )
    ]
    still_open = stats["_strategy"].trades
    return rows + [(place, int(ts[each.entry_bar]), NEVER, float(each.entry_price), np.nan) for each in still_open]


def profits_per_unit(series: Series, params: EmaCrossParams) -> np.ndarray:
    """Return what each finished trade brought for one unit after fees, in the order of the exits."""
    known = series.entries
    test = Backtest(
        frame_of(series.bars).rename(columns=str.capitalize), KnownEntries, cash=START_CASH, commission=params.fee
    )
    closed = test.run(enter=known.enter, stop=known.stop, target=known.target)["_trades"]
    return (closed["PnL"] / closed["Size"]).to_numpy()
