"""vectorbt: all symbols as columns of one table, compiled by numba."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version as version_of
from typing import Any

import numpy as np
import pandas as pd
import vectorbt as vbt
from tracker.testing.ema_cross import NEVER, EmaCrossParams, trade_list

from benchmarks.peers.agreement import Cause
from benchmarks.peers.series import Run, Series, Watch, delayed

NAME = "vectorbt"
CAUSES = frozenset({Cause.UNDER_STOP, Cause.BLIND_ENTRY_BAR, Cause.STOP_FIRST})
# Its stops are fractions of the entry.
RTOL = 1e-12
CASH = 1e9


def version() -> str:
    """Return the version that runs."""
    return version_of(NAME)


def run(series: Sequence[Series], params: EmaCrossParams, own_indicators: bool = False) -> Run:
    """Trade all series at once; they must have the same bars' times. Stops are fractions of the entry here."""
    index = pd.to_datetime(series[0].bars.ts, unit="s", utc=True)
    tables = {
        name: pd.DataFrame({each.name: getattr(each.bars, name) for each in series}, index=index)
        for name in ("open", "high", "low", "close")
    }
    known = {
        name: np.column_stack([getattr(each.entries, name) for each in series]) for name in ("enter", "stop", "target")
    }
    watch = Watch()
    if own_indicators:
        known = _entries(tables, params)
    opened = tables["open"].to_numpy()
    stop = np.vstack([np.full((1, len(series)), np.nan), known["stop"][:-1]])
    target = np.vstack([np.full((1, len(series)), np.nan), known["target"][:-1]])
    portfolio = vbt.Portfolio.from_signals(
        **{name: tables[name] for name in ("open", "high", "low", "close")},
        entries=np.column_stack([delayed(known["enter"][:, each], False).astype(bool) for each in range(len(series))]),
        exits=False,
        price=tables["open"],
        size=params.cash,
        size_type="value",
        # A fraction below 0 is refused: an open under the stop cannot be told.
        sl_stop=np.maximum(1.0 - stop / opened, 0.0),
        tp_stop=np.maximum(target / opened - 1.0, 0.0),
        stop_entry_price="fillprice",
        stop_exit_price="stoplimit",
        fees=params.fee,
        init_cash=CASH,
        freq=pd.Timedelta(seconds=series[0].timeframe.seconds),
    )
    records = portfolio.trades.records
    portfolio.total_return()
    effort = watch.read()
    return Run(trades=trade_list(_rows(series, records)), effort=effort)


def _entries(tables: dict[str, pd.DataFrame], params: EmaCrossParams) -> dict[str, np.ndarray]:
    average, true_range = vbt.talib("EMA"), vbt.talib("ATR")
    close = tables["close"]
    fast = average.run(close, params.fast).real.to_numpy()
    slow = average.run(close, params.slow).real.to_numpy()
    atr = true_range.run(tables["high"], tables["low"], close, params.atr).real.to_numpy()
    crossed = np.zeros(fast.shape, dtype=bool)
    crossed[1:] = (fast[:-1] < slow[:-1]) & (fast[1:] > slow[1:])
    closes = close.to_numpy()
    stop = closes - params.stop_atr * atr
    return {
        "enter": crossed & (stop > 0.0) & (stop < closes),
        "stop": stop,
        "target": closes + params.target_atr * atr,
    }


def _rows(series: Sequence[Series], records: Any) -> list[tuple[int, int, int, float, float]]:
    ts = series[0].bars.ts
    return [
        (
            int(column),
            int(ts[entry]),
            int(ts[left]) if status == 1 else NEVER,
            float(bought),
            float(sold) if status == 1 else np.nan,
        )
        for column, entry, left, bought, sold, status in zip(
            records["col"], records["entry_idx"], records["exit_idx"], records["entry_price"], records["exit_price"],
            records["status"], strict=True,
        )
    ]
