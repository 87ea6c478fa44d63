"""Rows in, options of ECharts out."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tracker.domain.timeframe import Timeframe
from tracker.quant.features import FEATURE_SET
from tracker.store.pages.market import Candles, CandleTail, DayCoverage, SymbolHeat
from tracker.store.pages.paper import EquityPoint

from services.dashboard.candle_chart import continues
from services.dashboard.charts.candles import MOST_BARS, Life, Mark, MarkKind, candle_options, candle_rows, with_running
from services.dashboard.charts.coverage import coverage_options
from services.dashboard.charts.equity import equity_options
from services.dashboard.charts.heat import colour_limit, diverging, heat_options
from services.dashboard.charts.overlays import OVERLAYS, Line, needed_features, overlay_lines
from services.dashboard.elements.sent_chart import as_code
from services.dashboard.formats import MINUS, NONE

HOUR = 3_600
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
FIRST = 1_700_000_000 // HOUR * HOUR


def table(count: int, timeframe: Timeframe = Timeframe.H1) -> Candles:
    close = tuple(100.0 + number for number in range(count))
    return Candles(
        ts=tuple(FIRST + timeframe.seconds * number for number in range(count)),
        open=tuple(each - 0.5 for each in close), high=tuple(each + 1.0 for each in close),
        low=tuple(each - 1.0 for each in close), close=close, volume=(10.0,) * count,
    )  # fmt: skip


def series(options: dict[str, object], identity: str) -> dict[str, object]:
    every: Sequence[dict[str, object]] = options["series"]  # type: ignore[assignment]
    return next(each for each in every if each["id"] == identity)


def test_a_chart_of_candles_can_be_sent_and_holds_the_newest_bars_only() -> None:
    options = candle_options(table(MOST_BARS + 7), Timeframe.H1)
    rows: list[list[float]] = series(options, "candles")["data"]  # type: ignore[assignment]
    assert len(rows) == MOST_BARS
    assert rows[0][0] == (FIRST + 7 * HOUR) * 1000
    # ECharts reads open, close, low, high.
    assert rows[0][1:] == [106.5, 107.0, 106.0, 108.0]
    assert len(options["yAxis"]) == 2
    assert orjson.loads(orjson.dumps(options)) == options


def test_a_chart_without_bars_is_empty_and_not_an_error() -> None:
    mark = Mark(kind=MarkKind.BUY, at=FIRST, price=1.0, says="bought")
    options = candle_options(table(0), Timeframe.H1, marks=[mark])
    assert series(options, "candles")["data"] == []


def test_marks_lie_over_the_bar_in_which_they_happened() -> None:
    marks = [
        Mark(kind=MarkKind.BUY, at=FIRST + HOUR + 100, price=101.0, says="bought 2"),
        # Decided at the close of the first bar, which is the open of the second.
        Mark(kind=MarkKind.SIGNAL, at=FIRST + HOUR, price=100.0, says="dca"),
        Mark(kind=MarkKind.SELL, at=FIRST - 5 * HOUR, price=90.0, says="before the chart"),
    ]
    options = candle_options(table(5), Timeframe.H1, marks=marks)
    assert series(options, "buy")["data"] == [{"value": [(FIRST + HOUR) * 1000, 101.0], "says": "bought 2"}]
    assert series(options, "signal")["data"] == [{"value": [FIRST * 1000, 100.0], "says": "dca"}]
    assert series(options, "sell")["data"] == []


def test_stop_and_target_are_drawn_over_the_life_of_a_position_alone() -> None:
    life = Life(
        first=FIRST + 1.5 * HOUR, last=FIRST + 3 * HOUR, entry=101.5, stop=99.0, initial_stop=98.0, target=110.0,
        says="swing",
    )  # fmt: skip
    past = Life(first=0, last=10, entry=None, stop=1.0, initial_stop=1.0, target=2.0, says="old")
    options = candle_options(table(10), Timeframe.H1, lives=[life, past])
    stamps = [(FIRST + hour * HOUR) * 1000 for hour in (1, 2, 3)]
    for name, level in (("stop", 99.0), ("first stop", 98.0), ("target", 110.0), ("entry", 101.5)):
        assert series(options, f"{name}:0")["data"] == [[at, level] for at in stamps]
    assert not [each for each in options["series"] if each["id"].endswith(":1")]


def test_lines_below_get_a_pane_of_their_own_and_gaps_stay_gaps() -> None:
    values = np.array([math.nan, 55.0, 60.0])
    options = candle_options(table(3), Timeframe.H1, below=[Line(name="rsi_14", values=values, colour="#000")])
    assert len(options["grid"]) == len(options["xAxis"]) == len(options["yAxis"]) == 3
    made = series(options, "below:rsi_14")
    assert made["xAxisIndex"] == 2
    assert [row[1] for row in made["data"]] == [None, 55.0, 60.0]  # type: ignore[attr-defined]


def test_overlays_give_back_the_lines_that_the_features_were_made_of() -> None:
    rng = np.random.default_rng(7)
    close = 50.0 + rng.normal(size=60).cumsum() * 0.2
    ema = close * 1.01
    middle, half = close + 0.3, np.full(60, 1.7)
    lower, width = close - 0.4, np.full(60, 0.9)
    features = {
        "ema_9_distance": 100.0 * (close / ema - 1.0),
        "bb_20_width": 100.0 * 2.0 * half / middle,
        "bb_20_percent_b": (close - (middle - half)) / (2.0 * half),
        "linreg_48_half_width_pct": 100.0 * width / close,
        "linreg_48_position": (close - lower) / (2.0 * width),
    }
    chosen = ("ema_9", "bollinger", "channel")
    assert set(needed_features(chosen)) == set(features)
    lines = {each.name: each.values for each in overlay_lines(chosen, close, features)}
    expected = {
        "EMA 9": ema, "Bollinger 20 upper": middle + half, "Bollinger 20 middle": middle,
        "Bollinger 20 lower": middle - half, "Channel 48 upper": lower + 2.0 * width,
        "Channel 48 middle": lower + width, "Channel 48 lower": lower,
    }  # fmt: skip
    assert lines.keys() == expected.keys()
    for name, values in expected.items():
        np.testing.assert_allclose(lines[name], values, rtol=1e-12)


def test_overlays_read_features_that_there_are() -> None:
    assert set(needed_features(tuple(OVERLAYS))) <= set(FEATURE_SET.names)


@given(st.lists(st.none() | st.floats(min_value=-0.9, max_value=9.0), max_size=90))
def test_the_fullest_colour_is_for_the_strongest_tenth(changes: list[float | None]) -> None:
    limit = colour_limit(changes)
    known = [abs(each) for each in changes if each is not None]
    assert limit >= 0.005
    assert sum(each <= limit for each in known) >= 0.9 * len(known)


def heat(symbol: str, price_now: float, change: float | None, turnover: float | None) -> SymbolHeat:
    return SymbolHeat(
        symbol=symbol, price=price_now, closed_at=NOON, change_1h=None, change_24h=change, turnover=turnover
    )


def test_the_heat_map_tells_rise_from_fall_by_colour_and_by_sign() -> None:
    symbols = [heat("BTC-USD", 64_000.0, 0.02, 4e9), heat("ETH-USD", 3e3, -0.02, 1e9), heat("NEW-USD", 1.0, None, None)]
    (treemap,) = heat_options(symbols, hours=24, chosen="ETH-USD")["series"]
    btc, eth, new = treemap["data"]
    assert [each["itemStyle"]["color"] for each in (btc, eth, new)] == [
        diverging(1.0, 0.1), diverging(-1.0, 0.1), diverging(None, 0.1),
    ]  # fmt: skip
    assert (btc["label"]["formatter"], eth["label"]["formatter"]) == ("BTC\n+2.0%", f"ETH\n{MINUS}2.0%")
    assert (btc["value"], eth["value"], new["value"]) == (1.0, 0.5, 0.12)
    assert eth["itemStyle"]["borderWidth"] > btc["itemStyle"]["borderWidth"]
    assert "64,000.00" in btc["says"]
    assert heat_options(symbols, hours=1, chosen=None)["series"][0]["data"][0]["label"]["formatter"].endswith(NONE)


def test_the_coverage_calendar_has_a_field_for_each_day_that_could_have_bars() -> None:
    first = date(2026, 3, 1)
    days = [
        DayCoverage(day=first + timedelta(days=number), bars=bars, expected=expected, incomplete=incomplete)
        for number, (bars, expected, incomplete) in enumerate([(1440, 1440, 0), (720, 1440, 3), (0, 0, 0)])
    ]
    options = coverage_options(days)
    assert options["calendar"]["range"] == ["2026-03-01", "2026-03-02"]
    assert [each["value"] for each in options["series"][0]["data"]] == [["2026-03-01", 1.0], ["2026-03-02", 0.5]]
    assert options["series"][0]["data"][1]["says"] == "02 Mar 2026: 720 of 1,440 bars, 50.00%, 3 symbols miss some"
    assert coverage_options([]) == {"series": []}


def test_the_equity_chart_has_the_drawdown_under_the_curve() -> None:
    points = [EquityPoint(at=NOON, equity=100.0, drawdown=None), EquityPoint(at=NOON, equity=90.0, drawdown=0.1)]
    options = equity_options(points, paid_in=100.0)
    assert [row[1] for row in series(options, "equity")["data"]] == [100.0, 90.0]  # type: ignore[attr-defined]
    assert [row[1] for row in series(options, "drawdown")["data"]] == [0.0, -0.1]  # type: ignore[attr-defined]
    assert series(options, "drawdown")["yAxisIndex"] == 1
    assert series(options, "equity")["markLine"]["data"] == [{"yAxis": 100.0}]  # type: ignore[index]


def test_the_running_bar_is_made_of_the_finest_ones_that_no_closed_bar_holds() -> None:
    closed = table(2)
    opens = [FIRST + 2 * HOUR + 60 * minute for minute in (0, 1, 59, 60)]
    finest = Candles(
        ts=tuple(opens), open=(10.0, 11.0, 12.0, 20.0), high=(15.0, 11.5, 12.5, 21.0), low=(9.0, 8.0, 11.0, 19.0),
        close=(11.0, 12.0, 13.0, 20.5), volume=(1.0, 2.0, 3.0, 4.0),
    )  # fmt: skip
    made = with_running(CandleTail(closed=closed, finest=finest), Timeframe.H1)
    assert made.ts[2:] == (FIRST + 2 * HOUR, FIRST + 3 * HOUR)
    # As ECharts wants it: the open, the close, the low, the high.
    assert candle_rows(made, FIRST + 2 * HOUR) == [
        [(FIRST + 2 * HOUR) * 1000, 10.0, 13.0, 8.0, 15.0], [(FIRST + 3 * HOUR) * 1000, 20.0, 20.5, 19.0, 21.0],
    ]  # fmt: skip
    assert made.volume[2:] == (6.0, 4.0)
    assert with_running(CandleTail(closed=closed, finest=Candles()), Timeframe.H1) == closed


@pytest.mark.parametrize("options", [
    candle_options(table(3), Timeframe.H1), heat_options([], hours=1, chosen=None), equity_options([]),
    coverage_options([DayCoverage(day=date(2026, 3, 1), bars=1, expected=1, incomplete=0)]),
])  # fmt: skip
def test_what_is_code_for_the_browser_is_a_function(options: dict[str, object]) -> None:
    found: list[str] = []

    def look(value: object) -> None:
        if isinstance(value, dict):
            for name, inner in value.items():  # pyright: ignore[reportUnknownVariableType]
                if str(name).startswith(":"):  # pyright: ignore[reportUnknownArgumentType]
                    found.append(str(inner))  # pyright: ignore[reportUnknownArgumentType]
                look(inner)  # pyright: ignore[reportUnknownArgumentType]
        elif isinstance(value, list):
            for inner in value:  # pyright: ignore[reportUnknownVariableType]
                look(inner)  # pyright: ignore[reportUnknownArgumentType]

    look(options)
    assert found
    assert all(re.match(r"\(?\(?\w+\)? =>", each) for each in found)


def moved(bars: Candles, close: float, *, more: int = 0, dropped: int = 0) -> Candles:
    """Return bars whose last one has another close, with some more after it and without the first ones."""
    grown = table(len(bars) + more)
    changed = (*bars.close[:-1], close, *grown.close[len(bars):])
    return Candles(
        ts=grown.ts[dropped:], open=grown.open[dropped:], high=grown.high[dropped:], low=grown.low[dropped:],
        close=changed[dropped:], volume=grown.volume[dropped:],
    )  # fmt: skip


@pytest.mark.parametrize(("after", "follows"), [
    (table(5), True),
    (moved(table(5), 7.0), True),
    (moved(table(5), 7.0, more=1), True),
    (moved(table(5), 7.0, more=2, dropped=2), True),
    # An older bar was corrected, another symbol was drawn, or nothing of it is left.
    (moved(table(4), 7.0, more=1), False),
    (table(5, Timeframe.M15), False),
    (Candles(), False),
    (table(4), False),
])  # fmt: skip
def test_only_a_chart_whose_end_alone_has_moved_is_followed(after: Candles, follows: bool) -> None:
    assert continues(table(5), after) is follows


def test_nothing_follows_an_empty_chart() -> None:
    assert not continues(Candles(), table(3))


def test_options_become_code_of_the_browser_with_its_functions() -> None:
    options = {
        "a": [[1, None], [2, 0.5]], ":formatter": "(v) => v", "b": {"c": "it's </script>"}, "d": [{":e": "1 + 1"}],
    }  # fmt: skip
    assert as_code(options) == (
        '({"a":[[1, null],[2, 0.5]],"formatter":(v) => v,"b":({"c":"it\'s </script>"}),"d":[({"e":1 + 1})]})'
    )
