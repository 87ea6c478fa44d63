"""Features of the whole market: what all symbols with a bar at a close do together, and one among them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import talib

from tracker.quant.bars import BarArrays, Bools, Floats, Ints, Singles
from tracker.quant.features.catalogue import BREADTH_OF, RANKED, REFERENCE_BARS
from tracker.quant.features.source import Window, clipped

# The symbol that the others are compared with: the first of these that the universe has.
REFERENCES = ("BTC-USD", "BTC-USDT", "BTC-USDC", "BTC-PERP")
REFERENCE_NAMES = ("btc_correlation_96", "btc_beta_96")
TOGETHER_NAMES = (*BREADTH_OF, "market_return_16", "relative_return_16", *RANKED)

_BETA_LIMIT = 20.0
_RETURN = "log_return_16"


def reference_of(symbols: Mapping[str, int]) -> int | None:
    """Return the id of the symbol that the others are compared with, None where the universe has none."""
    return next((symbols[name] for name in REFERENCES if name in symbols), None)


def own_names_of(name: str) -> tuple[str, ...]:
    """Return the own features that a feature of TOGETHER_NAMES is made of."""
    return (RANKED.get(name) or BREADTH_OF.get(name) or _RETURN,)


class Reference:
    """The bars that symbols are compared with; what several symbols ask of the same stretch is computed once."""

    def __init__(self, bars: BarArrays) -> None:
        """Take the bars of one symbol."""
        self.bars = bars
        self._moves: dict[tuple[int, int], _Moves] = {}

    def moves(self, ts: Ints, anchor_ts: int) -> tuple[_Moves, Bools]:
        """Return the moves between the bars at `ts`, and at which of them there is one."""
        own = self.bars.ts
        start, stop = np.searchsorted(own, (max(int(ts[0]), anchor_ts), int(ts[-1]) + 1)).tolist()
        if stop - start == len(ts) and bool((own[start:stop] == ts).all()):
            if (start, stop) not in self._moves:
                self._moves[start, stop] = _Moves(self.bars.close[start:stop])
            return self._moves[start, stop], np.ones(len(ts), dtype=np.bool_)
        last = np.searchsorted(own, ts, side="right") - 1
        # What the reference did before the anchor must not matter: live windows do not hold it.
        known = last >= int(np.searchsorted(own, anchor_ts))
        latest = np.maximum(last, 0)
        return _Moves(np.where(known, self.bars.close[latest], np.nan)), known & (own[latest] == ts)


class _Moves:
    """Log returns of closes in percent (n,), their deviation over the last 96, and where none of those moved."""

    def __init__(self, close: Floats) -> None:
        self.returns = np.full(close.shape, np.nan)
        if close.size > 1:
            self.returns[1:] = 100.0 * talib.LN(close[1:] / close[:-1])
        self.deviation = talib.STDDEV(self.returns, REFERENCE_BARS)
        # A running sum keeps a residue of what left its window; the extremes tell exactly whether nothing moved.
        self.still: Bools = talib.MAX(np.abs(self.returns), REFERENCE_BARS) == 0


def reference_columns(
    windows: Sequence[Window], reference: Reference, anchors: Sequence[int]
) -> dict[str, Singles]:
    """Return correlation and beta of a symbol's windows with the reference: float32 (m,) each.

    Returns are between the closes of the symbol's own bars; where the reference has none in between, its close is the
    one before. NaN in a row at whose time the reference has no bar, and until there are 96 returns of both after the
    window's anchor, whose time in Unix seconds `anchors` says.
    """
    correlation: list[Floats] = []
    beta: list[Floats] = []
    for window, anchor_ts in zip(windows, anchors, strict=True):
        one, other = _with_reference(window, reference, anchor_ts)
        correlation.append(one)
        beta.append(other)
    return {
        "btc_correlation_96": np.concatenate(correlation).astype(np.float32),
        "btc_beta_96": np.concatenate(beta).astype(np.float32),
    }


def _with_reference(window: Window, reference: Reference, anchor_ts: int) -> tuple[Floats, Floats]:
    start = max(window.block - REFERENCE_BARS - 1, window.anchor)
    market, present = reference.moves(window.bars.ts[start : window.stop], anchor_ts)
    rows = slice(window.begin - start, None)
    correlation, beta = _compared(_Moves(window.bars.close[start : window.stop]), market, rows)
    # A young symbol's first rows have fewer returns than are asked for, whatever the reference has.
    young = np.arange(window.begin, window.stop) - window.anchor < REFERENCE_BARS
    hidden = young | ~present[rows]
    return np.where(hidden, np.nan, correlation), np.where(hidden, np.nan, beta)


def _compared(mine: _Moves, market: _Moves, rows: slice) -> tuple[Floats, Floats]:
    if np.isnan(mine.returns + market.returns).all():
        nothing = np.full(mine.returns.shape, np.nan)[rows]
        return nothing, nothing
    correlation = clipped(talib.CORREL(mine.returns, market.returns, REFERENCE_BARS)[rows], -1.0, 1.0)
    still = (mine.still | market.still)[rows]
    with np.errstate(divide="ignore", invalid="ignore"):
        beta = correlation * mine.deviation[rows] / market.deviation[rows]
    beta = clipped(np.where(np.isfinite(correlation) & ~np.isfinite(beta), 0.0, beta), -_BETA_LIMIT, _BETA_LIMIT)
    return np.where(still, 0.0, correlation), np.where(still, 0.0, beta)


def together_columns(
    stamps: Sequence[Ints], own: Sequence[Mapping[str, Singles]], names: Sequence[str]
) -> list[dict[str, Singles]]:
    """Return the named features of TOGETHER_NAMES of each symbol's rows: float32 (m,) each.

    `stamps` of each symbol's rows, ascending; `own` its columns, those that own_names_of says. A symbol counts at a
    close where it has a row and the feature in question is known; what others do at other closes does not matter.
    """
    times = _all_times(stamps)
    places = [np.searchsorted(times, ts) for ts in stamps]
    result: list[dict[str, Singles]] = [{} for _ in stamps]
    for name in names:
        table = _table([each[own_names_of(name)[0]] for each in own], places, len(times))
        values = _together(name, table)
        for number, place in enumerate(places):
            column = values[place] if values.ndim == 1 else values[number, place]
            result[number][name] = np.ascontiguousarray(column)
    return result


def _all_times(stamps: Sequence[Ints]) -> Ints:
    if all(len(each) == len(stamps[0]) and bool((each == stamps[0]).all()) for each in stamps):
        return stamps[0]
    return np.unique(np.concatenate(stamps))


def _table(columns: Sequence[Singles], places: Sequence[Ints], times: int) -> Singles:
    table = np.full((len(columns), times), np.nan, dtype=np.float32)
    for row, column, place in zip(table, columns, places, strict=True):
        row[place] = column
    return table


def _together(name: str, table: Singles) -> Singles:
    if name in RANKED:
        return _ranks(table)
    if name in BREADTH_OF:
        count = np.isfinite(table).sum(axis=0)
        share = (table > 0).sum(axis=0) / np.maximum(count, 1)
        return np.where(count > 0, share, np.nan).astype(np.float32)
    mean = _mean(table)
    return mean if name == "market_return_16" else table - mean


def _mean(table: Singles) -> Singles:
    # Added symbol by symbol: NumPy's own sum may group the terms differently for another number of closes.
    total = np.zeros(table.shape[1])
    count = np.zeros(table.shape[1])
    for row in table:
        known = np.isfinite(row)
        total += np.where(known, row, 0.0)
        count += known
    return np.where(count > 0, total / np.maximum(count, 1), np.nan).astype(np.float32)


def _ranks(table: Singles) -> Singles:
    """Return (symbols below + half of those equal, itself included) / symbols, at each close."""
    by_time = np.ascontiguousarray(table.T)
    order = np.argsort(by_time, axis=1, kind="stable")
    ordered = np.take_along_axis(by_time, order, axis=1)
    width = by_time.shape[1]
    index: Ints = np.arange(width, dtype=np.int64)
    differs = ordered[:, 1:] != ordered[:, :-1]
    edge = np.ones((len(by_time), 1), dtype=np.bool_)
    first = np.maximum.accumulate(np.where(np.hstack((edge, differs)), index, 0), axis=1)
    ends: Ints = np.where(np.hstack((differs, edge)), index, width)
    last = np.minimum.accumulate(ends[:, ::-1], axis=1)[:, ::-1]
    count = np.isfinite(by_time).sum(axis=1, keepdims=True)
    middle = (first + last + 1) / (2.0 * np.maximum(count, 1))
    ranks = np.empty(by_time.shape, dtype=np.float32)
    np.put_along_axis(ranks, order, np.where(np.isfinite(ordered), middle, np.nan).astype(np.float32), axis=1)
    return np.ascontiguousarray(ranks.T)
