"""The bars that features are computed from, and the indicators of their wanted rows, each computed once."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

import numpy as np
import talib
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from tracker.quant.bars import BarArrays, Bools, Floats, Ints

# TA-Lib treats a variance below 1e-14 as none and a money flow below 1.0 as none, whatever the currency: a
# coin priced at 0.00005 BTC would have no volatility at all. Powers of two rescale without a rounding error,
# so the features of a symbol quoted in another unit are the same to the last bit.
_VOLUME_FACTOR = 2.0**60
# No indicator of EXACT looks further back than this.
_EXACT_BARS = 98

Number = TypeVar("Number", bound=np.generic)

# Bars before the block from which on a column may be wanted: the price of the slowest average, those of a Wilder
# average (260) with the 144 values that it is compared with, and everything that only windows of up to 96 bars look at.
_LEADS = {"close": 1000, "high": 404, "low": 404}
_SHORT_LEAD = 98
# Up to so many rows are compared with their past row by row, more of them lag by lag.
_FEW_ROWS = 64
_FIELDS = ("open", "high", "low", "close", "volume")


@dataclass(slots=True, kw_only=True)
class Window:
    """Rows [begin, stop) of a symbol's bars, wanted with what the rows from `anchor` on tell of them.

    `block` is the first row of the block of time that they lie in: recursive indicators start a fixed number of bars
    before it, wherever in the block the wanted rows lie.
    """

    bars: BarArrays
    anchor: int
    block: int
    begin: int
    stop: int
    columns: dict[str, tuple[int, Floats]] = field(default_factory=dict[str, tuple[int, Floats]])

    @property
    def factor(self) -> float:
        """The power of two that brings the close at the anchor into [1, 2)."""
        return math.ldexp(1.0, 1 - math.frexp(float(self.bars.close[self.anchor]))[1])

    def first(self, name: str) -> int:
        """Return the row at which the values of a column begin."""
        return max(self.block - _LEADS.get(name, _SHORT_LEAD), self.anchor)

    def values(self, name: str) -> Floats:
        """Return a column from as early on as any indicator wants it, prices scaled by `factor`, volume by 2**60."""
        return self._column(name)[1]

    def _column(self, name: str) -> tuple[int, Floats]:
        known = self.columns.get(name)
        if known is None:
            known = self.columns[name] = self.first(name), self._derive(name)
        return known

    def since(self, name: str, row: int) -> Floats:
        """Return a column from a row on; raises ValueError where its lead is shorter than an indicator's."""
        first, values = self._column(name)
        if row < first:
            raise ValueError(f"{name} begins {first - row} bars after where an indicator starts")
        return values[row - first :]

    def short(self, name: str) -> Floats:
        """Return a column from where derived columns begin."""
        return self.values(name)[self.first("") - self.first(name) :]

    def _derive(self, name: str) -> Floats:
        if name in _FIELDS:
            raw: Floats = getattr(self.bars, name)[self.first(name) : self.stop]
            return raw * (_VOLUME_FACTOR if name == "volume" else self.factor)
        return _DERIVED[name](self)


def _returns(window: Window) -> Floats:
    close = window.short("close")
    result = np.empty(close.shape)
    result[0] = np.nan
    # TA-Lib takes logarithms one at a time; a vectorised log may round the last odd element differently.
    result[1:] = 100.0 * talib.LN(close[1:] / close[:-1]) if close.size > 1 else 0.0
    return result


def _moves(window: Window) -> Floats:
    close = window.short("close")
    result = np.empty(close.shape)
    result[0] = np.nan
    np.abs(close[1:] - close[:-1], out=result[1:])
    return result


def _flow(window: Window) -> Floats:
    high, low, close = window.short("high"), window.short("low"), window.short("close")
    return ratio((close - low) - (high - close), high - low, 0.0) * window.short("volume")


_DERIVED: dict[str, Callable[[Window], Floats]] = {
    "typical": lambda window: talib.TYPPRICE(window.short("high"), window.short("low"), window.short("close")),
    "turnover": lambda window: window.values("typical") * window.short("volume"),
    "return": _returns,
    "move": _moves,
    "flow": _flow,
}


class Source:
    """The wanted rows of some symbols, one symbol after another, as columns (m,).

    Two kinds of indicator: EXACT ones (extremes, logarithms, plain arithmetic) are the same wherever their series
    starts and run on the bars as they are; ANCHORED ones (averages, running sums) remember where they started and run
    on each window's scaled bars, `lead` bars before its block.
    """

    def __init__(self, symbols: Sequence[Sequence[Window]], uses: Mapping[Hashable, int]) -> None:
        """Take the windows of each symbol, none of them empty, in the order of time without a gap between them.

        `uses` says how often each key will be asked for: what nobody asks for again is dropped, so that the memory that
        is worked on stays in the cache.
        """
        self._windows = [window for windows in symbols for window in windows]
        self._spans = [
            (windows[0].bars, max(windows[0].begin - _EXACT_BARS, 0), windows[0].begin, windows[-1].stop)
            for windows in symbols
        ]
        self._kept = self._rows()
        lengths = [stop - start for _, start, _, stop in self._spans]
        self._starts = np.cumsum([0, *lengths[:-1]])
        self._memory: dict[Hashable, Any] = {}
        self._uses = uses
        self.asked: dict[Hashable, int] = {}

    def _rows(self) -> slice | Ints:
        if len(self._spans) == 1:
            _, start, begin, stop = self._spans[0]
            return slice(begin - start, stop - start)
        parts: list[Ints] = []
        offset = 0
        for _, start, begin, stop in self._spans:
            parts.append(np.arange(offset + begin - start, offset + stop - start))
            offset += stop - start
        return np.concatenate(parts)

    def ages(self) -> Ints:
        """Return how many bars each wanted row lies behind its anchor."""
        return np.concatenate([np.arange(each.begin - each.anchor, each.stop - each.anchor) for each in self._windows])

    def once(self, key: Hashable, compute: Callable[[], Any]) -> Any:
        """Return what `compute` gives for this key, computed the first time only."""
        asked = self.asked[key] = self.asked.get(key, 0) + 1
        value = self._memory[key] if key in self._memory else compute()
        if asked < self._uses.get(key, 1):
            self._memory[key] = value
        else:
            self._memory.pop(key, None)
        return value

    def tail(self, name: str) -> Floats:
        """Return a column of the wanted rows and of the bars before them that EXACT indicators look back on."""
        return self.once(("tail", name), lambda: self._tail(name))

    def _tail(self, name: str) -> Floats:
        if name == "typical":
            return talib.TYPPRICE(self.tail("high"), self.tail("low"), self.tail("close"))
        parts: list[Floats] = [getattr(bars, name)[start:stop] for bars, start, _, stop in self._spans]
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def kept(self, tail: NDArray[Number]) -> NDArray[Number]:
        """Return the wanted rows of a tail."""
        return tail[self._kept]

    def lagged(self, tail: Floats, lag: int) -> Floats:
        """Return the rows of a tail `lag` bars before the wanted ones, NaN where there are none."""
        rows = self._kept
        if not isinstance(rows, slice):
            return np.where(rows < lag, np.nan, tail[np.maximum(rows - lag, 0)])
        if rows.start >= lag:
            return tail[rows.start - lag : rows.stop - lag]
        missing = np.full(min(lag - rows.start, rows.stop - rows.start), np.nan)
        return np.concatenate((missing, tail[: max(rows.stop - lag, 0)]))

    def column(self, name: str, lag: int = 0) -> Floats:
        """Return open, high, low, close, volume or typical price as it is, or as it was `lag` bars before."""
        return self.once((name, lag), lambda: self.lagged(self.tail(name), lag))

    def exact(self, function: Callable[..., Floats], names: Sequence[str], *parameters: int, lag: int = 0) -> Floats:
        """Return an EXACT indicator of the named columns."""
        key = (function, *names, *parameters)
        tail: Floats = self.once(key, lambda: function(*(self.tail(name) for name in names), *parameters))
        return self.once((*key, "lag", lag), lambda: self.lagged(tail, lag))

    def anchored(self, function: Callable[..., Any], names: Sequence[str], *parameters: float, lead: int) -> Any:
        """Return an ANCHORED indicator of the named scaled columns: one column, or a tuple where it yields several."""
        key = (function, *names, *parameters)
        return self.once(key, lambda: self._anchored(function, names, parameters, lead))

    def _anchored(
        self, function: Callable[..., Any], names: Sequence[str], parameters: Sequence[float], lead: int
    ) -> Any:
        # What TA-Lib's functions are wrapped in looks for data frames in every call.
        function = getattr(function, "__wrapped__", function)
        parts: list[tuple[Floats, ...]] = []
        for window in self._windows:
            start = max(window.block - lead, window.anchor)
            first = window.begin - start
            found: Any = function(*(window.since(name, start) for name in names), *parameters)
            outputs: tuple[Floats, ...] = cast(Any, found) if isinstance(found, tuple) else (found,)
            parts.append(tuple(each[first:] for each in outputs))
        joined = tuple(_joined(each) for each in zip(*parts, strict=True))
        return joined[0] if len(joined) == 1 else joined

    def place(
        self, function: Callable[..., Floats], names: Sequence[str], period: int, *, lead: int, bars: int
    ) -> Floats:
        """Return the share of an ANCHORED indicator's values of the last `bars` bars that lie below its present one.

        NaN where one of them is not known. `lead` is the indicator's own.
        """
        function = getattr(function, "__wrapped__", function)
        parts: list[Floats] = []
        for window in self._windows:
            start = max(window.block - lead - bars, window.anchor)
            values = function(*(window.since(name, start) for name in names), period)
            parts.append(_places(values, window.begin - start, bars))
        return _joined(parts)

    def scaled_volume(self) -> Floats:
        """Return the volume in the unit of the ANCHORED indicators."""
        return self.anchored(_itself, ("volume",), lead=0)

    def scaled_close(self) -> Floats:
        """Return the close in the unit of the ANCHORED indicators."""
        return self.anchored(_itself, ("close",), lead=0)

    def is_flat(self, name: str, period: int) -> Bools | None:
        """Return where the last `period` values are the same, False before there are that many; None for nowhere."""
        runs: Ints | None = self.once(("runs", name), lambda: self.runs(self._changes(name)))
        return self.long_runs(runs, period - 1)

    def _changes(self, name: str) -> Bools:
        tail = self.tail(name)
        changes = np.ones(tail.shape, dtype=np.bool_)
        np.not_equal(tail[1:], tail[:-1], out=changes[1:])
        return changes

    def runs(self, ends: Bools) -> Ints | None:
        """Return for each row of a tail how many rows lie between it and the latest of `ends`; None for all 0."""
        if ends.all():
            return None
        ends = ends.copy()
        # A run of one symbol does not go on in the next.
        ends[self._starts] = True
        rows = np.arange(ends.size)
        return rows - np.maximum.accumulate(np.where(ends, rows, 0))

    def long_runs(self, runs: Ints | None, least: int) -> Bools | None:
        """Return the wanted rows whose run is at least so long, None for none."""
        if runs is None or int(runs.max()) < least:
            return None
        return self.kept(runs >= least)

    def all_above_zero(self, name: str) -> bool:
        """Tell whether all values of a column's tail are above 0."""
        return self.once(("positive", name), lambda: float(self.tail(name).min()) > 0)


def where(rows: Bools | None, value: float, otherwise: Floats) -> Floats:
    """Return `value` in the rows (n,), None for no row, and the others' own."""
    return otherwise if rows is None else np.where(rows, value, otherwise)


def _places(values: Floats, first: int, bars: int) -> Floats:
    places = np.full(len(values) - first, np.nan)
    begin = max(first, bars)
    if begin < len(values):
        present, oldest = values[begin:], values[begin - bars : len(values) - bars]
        known = np.isfinite(present) & np.isfinite(oldest)
        places[begin - first :] = np.where(known, _below(values, begin, bars) / bars, np.nan)
    return places


def _below(values: Floats, begin: int, bars: int) -> NDArray[np.uint8]:
    """Return how many of the `bars` values before each one from `begin` on lie below it; `bars` at most 255."""
    if len(values) - begin <= _FEW_ROWS:
        spans = sliding_window_view(values[begin - bars :], bars + 1)
        return (spans[:, :-1] < spans[:, -1:]).sum(axis=1, dtype=np.uint8)
    present = values[begin:]
    below = np.zeros(len(present), dtype=np.uint8)
    is_below = np.empty(len(present), dtype=np.bool_)
    for lag in range(1, bars + 1):
        np.less(values[begin - lag : len(values) - lag], present, out=is_below)
        np.add(below, is_below.view(np.uint8), out=below)
    return below


def _itself(values: Floats) -> Floats:
    return values


def ratio(numerator: Floats, denominator: Floats, otherwise: float) -> Floats:
    """Return numerator / denominator (n,), and `otherwise` where the denominator is not above 0."""
    if denominator.size and float(denominator.min()) > 0:
        return numerator / denominator
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        result = numerator / denominator
    np.copyto(result, otherwise, where=~(denominator > 0))
    return result


def clipped(values: Floats, low: float, high: float) -> Floats:
    """Return the values within [low, high]; NaN stays."""
    result = np.maximum(values, low)
    return np.minimum(result, high, out=result)


def percent_above(value: Floats, reference: Floats) -> Floats:
    """Return how far `value` (n,) lies above `reference` (n,), in percent of the reference."""
    result = value / reference
    result -= 1.0
    result *= 100.0
    return result


def _joined(parts: Sequence[Floats]) -> Floats:
    return parts[0] if len(parts) == 1 else np.concatenate(parts)
