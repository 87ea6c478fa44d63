"""The bars that features are computed from, and the indicators of their wanted rows, each computed once."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np
import talib

from tracker.quant.bars import BarArrays, Bools, Floats, Ints

# TA-Lib treats a variance below 1e-14 as none and a money flow below 1.0 as none, whatever the currency: a
# coin priced at 0.00005 BTC would have no volatility at all. Powers of two rescale without a rounding error,
# so the features of a symbol quoted in another unit are the same to the last bit.
_VOLUME_FACTOR = 2.0**60
# No indicator of EXACT looks further back than this.
_EXACT_BARS = 98

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
    scaled: dict[str, Floats] = field(default_factory=dict[str, Floats])

    @property
    def factor(self) -> float:
        """The power of two that brings the close at the anchor into [1, 2)."""
        return math.ldexp(1.0, 1 - math.frexp(float(self.bars.close[self.anchor]))[1])

    def values(self, name: str) -> Floats:
        """Return a column from the anchor on, prices scaled by `factor` and volume by 2**60."""
        known = self.scaled.get(name)
        if known is None:
            known = self.scaled[name] = self._derive(name)
        return known

    def _derive(self, name: str) -> Floats:
        if name in _FIELDS:
            raw: Floats = getattr(self.bars, name)[self.anchor : self.stop]
            return raw * (_VOLUME_FACTOR if name == "volume" else self.factor)
        return _DERIVED[name](self)


def _returns(window: Window) -> Floats:
    close = window.values("close")
    result = np.empty(close.shape)
    result[0] = np.nan
    # TA-Lib takes logarithms one at a time; a vectorised log may round the last odd element differently.
    result[1:] = 100.0 * talib.LN(close[1:] / close[:-1]) if close.size > 1 else 0.0
    return result


def _moves(window: Window) -> Floats:
    close = window.values("close")
    result = np.empty(close.shape)
    result[0] = np.nan
    np.abs(close[1:] - close[:-1], out=result[1:])
    return result


def _flow(window: Window) -> Floats:
    high, low, close = window.values("high"), window.values("low"), window.values("close")
    return ratio((close - low) - (high - close), high - low, 0.0) * window.values("volume")


_DERIVED: dict[str, Callable[[Window], Floats]] = {
    "typical": lambda window: talib.TYPPRICE(window.values("high"), window.values("low"), window.values("close")),
    "turnover": lambda window: window.values("typical") * window.values("volume"),
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

    def __init__(self, symbols: Sequence[Sequence[Window]]) -> None:
        """Take the windows of each symbol, none of them empty, in the order of time without a gap between them."""
        self._windows = [window for windows in symbols for window in windows]
        self._spans = [
            (windows[0].bars, max(windows[0].begin - _EXACT_BARS, 0), windows[0].begin, windows[-1].stop)
            for windows in symbols
        ]
        self._kept = self._rows()
        self._memory: dict[Hashable, Any] = {}

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
        """Return what `compute` gave when this key was first asked for."""
        if key not in self._memory:
            self._memory[key] = compute()
        return self._memory[key]

    def tail(self, name: str) -> Floats:
        """Return a column of the wanted rows and of the bars before them that EXACT indicators look back on."""
        return self.once(("tail", name), lambda: self._tail(name))

    def _tail(self, name: str) -> Floats:
        if name == "typical":
            return talib.TYPPRICE(self.tail("high"), self.tail("low"), self.tail("close"))
        parts: list[Floats] = [getattr(bars, name)[start:stop] for bars, start, _, stop in self._spans]
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def kept(self, tail: Floats, lag: int = 0) -> Floats:
        """Return the wanted rows of a tail, or those `lag` bars before them, NaN where there are none."""
        rows = self._kept
        if not isinstance(rows, slice):
            if lag == 0:
                return tail[rows]
            return np.where(rows < lag, np.nan, tail[np.maximum(rows - lag, 0)])
        if rows.start >= lag:
            return tail[rows.start - lag : rows.stop - lag]
        missing = np.full(min(lag - rows.start, rows.stop - rows.start), np.nan)
        return np.concatenate((missing, tail[: max(rows.stop - lag, 0)]))

    def column(self, name: str, lag: int = 0) -> Floats:
        """Return open, high, low, close, volume or typical price as it is, or as it was `lag` bars before."""
        return self.once((name, lag), lambda: self.kept(self.tail(name), lag))

    def exact(self, function: Callable[..., Floats], names: Sequence[str], *parameters: int, lag: int = 0) -> Floats:
        """Return an EXACT indicator of the named columns."""
        key = (function, *names, *parameters)
        tail: Floats = self.once(key, lambda: function(*(self.tail(name) for name in names), *parameters))
        return self.once((*key, "lag", lag), lambda: self.kept(tail, lag))

    def anchored(self, function: Callable[..., Any], names: Sequence[str], *parameters: float, lead: int) -> Any:
        """Return an ANCHORED indicator of the named scaled columns: one column, or a tuple where it yields several."""
        key = (function, *names, *parameters)
        return self.once(key, lambda: self._anchored(function, names, parameters, lead))

    def _anchored(
        self, function: Callable[..., Any], names: Sequence[str], parameters: Sequence[float], lead: int
    ) -> Any:
        parts: list[tuple[Floats, ...]] = []
        for window in self._windows:
            start = max(window.block - lead - window.anchor, 0)
            first = window.begin - window.anchor - start
            found: Any = function(*(window.values(name)[start:] for name in names), *parameters)
            outputs: tuple[Floats, ...] = cast(Any, found) if isinstance(found, tuple) else (found,)
            parts.append(tuple(each[first:] for each in outputs))
        joined = tuple(_joined(each) for each in zip(*parts, strict=True))
        return joined[0] if len(joined) == 1 else joined

    def scaled_volume(self) -> Floats:
        """Return the volume in the unit of the ANCHORED indicators."""
        return self.anchored(_itself, ("volume",), lead=0)

    def scaled_close(self) -> Floats:
        """Return the close in the unit of the ANCHORED indicators."""
        return self.anchored(_itself, ("close",), lead=0)

    def is_flat(self, name: str, period: int) -> Bools:
        """Return where the last `period` values are all the same; False before there are that many."""
        return self.once(
            ("flat", name, period),
            lambda: self.exact(talib.MAX, (name,), period) == self.exact(talib.MIN, (name,), period),
        )


def _itself(values: Floats) -> Floats:
    return values


def ratio(numerator: Floats, denominator: Floats, otherwise: float) -> Floats:
    """Return numerator / denominator (n,), and `otherwise` where the denominator is not above 0."""
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
