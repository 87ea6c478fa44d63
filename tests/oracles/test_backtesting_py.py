"""Our trades are those of backtesting.py where its rules are ours, and the one rule that differs is counted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from quant_builders import read_candles
from tracker.domain.timeframe import Timeframe
from tracker.quant.bars import BarArrays
from tracker.quant.bulk import trading
from tracker.quant.compiled import trade_all
from tracker.quant.roll_up import roll_up
from tracker.testing.ema_cross import NEVER, EmaCrossParams, Entries, backtest, market_of, trades_of

pytest.importorskip("backtesting", reason="backtesting.py is not installed; make setup-dev installs it")

from benchmarks.peers import backtesting_py
from benchmarks.peers.agreement import Cause, compare
from benchmarks.peers.series import Series, series_of

PARAMS = EmaCrossParams()
PERP, ETH = "BTC-PERP_1m_2022-01.csv", "ETH-BTC_5m_2018-01.csv"
NARROW = EmaCrossParams(fast=5, slow=12, stop_atr=0.6, target_atr=0.9)
# File, timeframe, rule, trades, and how many of them backtesting.py leaves at the stop of a bar that opens over the
# target: it looks at stops first, whatever the open says.
CASES = [
    (PERP, Timeframe.M1, PARAMS, 448, 0),
    (PERP, Timeframe.M5, PARAMS, 89, 0),
    (PERP, Timeframe.M15, PARAMS, 25, 0),
    (ETH, Timeframe.M5, PARAMS, 47, 0),
    (PERP, Timeframe.M1, NARROW, 1861, 1),
    (PERP, Timeframe.M5, NARROW, 388, 0),
    (PERP, Timeframe.M15, NARROW, 135, 0),
    (ETH, Timeframe.M5, NARROW, 278, 0),
]


def bars_of(path: Path, timeframe: Timeframe) -> BarArrays:
    """Return a file's bars in a timeframe, without an unfinished last one; volume never limits."""
    bars = read_candles(path)
    if (bars.ts[1] - bars.ts[0]) < timeframe.seconds:
        bars = roll_up(bars, timeframe.seconds, int(bars.ts[-1]))
    return BarArrays(
        ts=bars.ts, open=bars.open, high=bars.high, low=bars.low, close=bars.close, volume=np.full(len(bars), 1e12)
    )


@pytest.mark.parametrize(("name", "timeframe", "params", "trades", "stops_first"), CASES)
def test_every_trade_is_entered_and_left_in_the_same_bar_at_the_same_price(
    shared_candles: Path, name: str, timeframe: Timeframe, params: EmaCrossParams, trades: int, stops_first: int
) -> None:
    bars = bars_of(shared_candles / name, timeframe)
    series = series_of([name], [bars], timeframe, params)
    result = backtest([market_of(0, bars, timeframe)], timeframe, params, trade_all, [series[0].entries])
    ours, theirs = trades_of(result), backtesting_py.run(series, params).trades
    assert len(ours) == len(theirs) == trades
    # To the last bit.
    found = compare(ours, theirs, series, backtesting_py.CAUSES, rtol=0.0)
    assert found.same == trades - stops_first
    assert found.causes.total() == found.causes[Cause.STOP_FIRST] == stops_first
    assert not found.unexplained


@pytest.mark.parametrize(("name", "timeframe"), [(PERP, Timeframe.M1), (PERP, Timeframe.M15), (ETH, Timeframe.M5)])
def test_each_with_its_own_indicators_comes_to_the_same_trades(
    shared_candles: Path, name: str, timeframe: Timeframe
) -> None:
    bars = bars_of(shared_candles / name, timeframe)
    series = series_of([name], [bars], timeframe, PARAMS)
    ours = trades_of(backtest([market_of(0, bars, timeframe)], timeframe, PARAMS, trade_all))
    theirs = backtesting_py.run(series, PARAMS, own_indicators=True).trades
    found = compare(ours, theirs, series, frozenset(), rtol=1e-12)
    assert found.same == len(ours) == len(theirs) > 0
    assert not found.unexplained


def test_fees_and_profits_are_the_same_per_unit(shared_candles: Path) -> None:
    bars = bars_of(shared_candles / PERP, Timeframe.M5)
    series = series_of(["BTC-PERP"], [bars], Timeframe.M5, PARAMS)
    result = backtest([market_of(0, bars, Timeframe.M5)], Timeframe.M5, PARAMS, trade_all)
    ours = result.traded.trades
    theirs = backtesting_py.profits_per_unit(series[0], PARAMS)
    assert np.allclose(ours.pnl / ours.quantity, theirs, rtol=0, atol=1e-7 * bars.close[0])


def test_where_a_bar_opens_over_the_target_and_falls_to_the_stop_we_believe_the_open() -> None:
    # Decided at the second close, bought at 100 with stop 95 and target 105; the last bar opens at 106, where the
    # target was filled before anything else.
    rows = np.array([(100, 101, 99, 100)] * 3 + [(106, 107, 94, 95)], dtype=np.float64)
    bars = BarArrays(
        ts=np.arange(4, dtype=np.int64) * 60,
        open=rows[:, 0],
        high=rows[:, 1],
        low=rows[:, 2],
        close=rows[:, 3],
        volume=np.full(4, 1e12),
    )
    entries = Entries(enter=np.array([False, True, False, False]), stop=np.full(4, 95.0), target=np.full(4, 105.0))
    series = [Series(name="one", bars=bars, entries=entries, timeframe=Timeframe.M1)]
    result = backtest([market_of(0, bars, Timeframe.M1)], Timeframe.M1, PARAMS, trading.trade_all, [entries])
    ours, theirs = trades_of(result), backtesting_py.run(series, PARAMS).trades
    assert ours.exit_price.tolist() == [106.0]
    assert theirs.exit_price.tolist() == [95.0]
    found = compare(ours, theirs, series, backtesting_py.CAUSES, backtesting_py.RTOL)
    assert found.causes == {Cause.STOP_FIRST: 1}
    assert not found.unexplained
    assert compare(ours, theirs, series, frozenset(), 0.0).unexplained


def test_a_difference_that_no_bar_shows_is_not_explained_away(shared_candles: Path) -> None:
    bars = bars_of(shared_candles / ETH, Timeframe.M5)
    series = series_of(["ETH-BTC"], [bars], Timeframe.M5, PARAMS)
    ours = trades_of(backtest([market_of(0, bars, Timeframe.M5)], Timeframe.M5, PARAMS, trade_all))
    wider = EmaCrossParams(stop_atr=2.001)
    moved = trades_of(backtest([market_of(0, bars, Timeframe.M5)], Timeframe.M5, wider, trade_all))
    assert compare(ours, moved, series, frozenset(Cause), 1e-9).unexplained
    assert (ours.exit != NEVER).sum() > 40
