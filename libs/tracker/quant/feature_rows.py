"""Whole rows of features: all that a decision at a close may use, of all symbols together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tracker.quant.bars import BarArrays, Ints, Singles
from tracker.quant.features import CONTEXTS, FEATURE_SET, OWN_NAMES, Origin
from tracker.quant.features.catalogue import FEATURE_SPECS, Context
from tracker.quant.features.clock import CLOCK_NAMES, clock_column
from tracker.quant.features.market import (
    REFERENCE_NAMES,
    TOGETHER_NAMES,
    Reference,
    own_names_of,
    reference_columns,
    together_columns,
)
from tracker.quant.windows import all_anchored_features, anchor_seconds, windows_of

_ORIGINS = {spec.name: spec.origin for spec in FEATURE_SPECS}


@dataclass(frozen=True, slots=True, kw_only=True)
class ContextTable:
    """Features of one symbol's bars of a longer timeframe.

    `closes` int64 (m,), Unix seconds of the bars' CLOSE, ascending; `values` float32 (m, F) of the features `names`, as
    they are called among the bars' own.
    """

    closes: Ints
    names: tuple[str, ...]
    values: Singles


@dataclass(frozen=True, slots=True, kw_only=True)
class SymbolPast:
    """One symbol's bars, from `anchor_seconds` of the first wanted one on, and its contexts by where they come from."""

    bars: BarArrays
    contexts: Mapping[Origin, ContextTable]


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureRows:
    """`ts` int64 (n,) bar OPEN in Unix seconds, `values` float32 (n, F) in the order of the names asked for."""

    ts: Ints
    values: Singles


def context_names(context: Context, names: Sequence[str]) -> tuple[str, ...]:
    """Return which features of the longer timeframe's bars the named features of a row need."""
    wanted = set(names)
    return tuple(name for name in context.names if context.prefix + name in wanted)


def needs_all_symbols(names: Sequence[str]) -> bool:
    """Tell whether one of the features compares symbols, so that all must be computed together."""
    return any(_ORIGINS[name] is Origin.MARKET for name in names)


def context_tables(
    context: Context, series: Mapping[int, BarArrays], first_ts: int, names: Sequence[str] | None = None
) -> dict[int, ContextTable]:
    """Return each symbol's context from the bars of its timeframe with ts >= first_ts, all of them closed.

    `series` as for anchored_features; `names` of the bars' own features, all that rows take by default.
    """
    chosen = context.names if names is None else tuple(names)
    seconds = context.timeframe.seconds
    return {
        key: ContextTable(closes=ts + seconds, names=chosen, values=values)
        for key, (ts, values) in all_anchored_features(series, seconds, first_ts, chosen).items()
    }


def closed_context(decided_at: Ints, table: ContextTable, max_age_seconds: int) -> Singles:
    """Return for each decision (n,) the features of the latest bar of the table that had closed by then: (n, F).

    NaN where no bar had closed yet or the latest closed more than `max_age_seconds` before.
    """
    index = np.searchsorted(table.closes, decided_at, side="right") - 1
    some = index >= 0
    some[some] = decided_at[some] - table.closes[index[some]] <= max_age_seconds
    if some.all():
        return table.values[index]
    result = np.full((len(decided_at), len(table.names)), np.nan, dtype=np.float32)
    result[some] = table.values[index[some]]
    return result


def feature_rows(
    pasts: Mapping[int, SymbolPast],
    seconds: int,
    first_ts: int,
    *,
    reference: int | None,
    names: Sequence[str] = FEATURE_SET.names,
) -> dict[int, FeatureRows]:
    """Return the named features of each symbol's bars with ts >= first_ts.

    `seconds` is the length of the bars; `reference` the symbol that others are compared with, None where the universe
    has none. A row depends on bars that had closed by its own close alone: not on what else is in the batch, but for
    the other symbols' bars at the same close. Raises InputError as anchored_features does.
    """
    own_names = _own_names(names)
    own = all_anchored_features({key: past.bars for key, past in pasts.items()}, seconds, first_ts, own_names)
    comparing = [name for name in names if name in TOGETHER_NAMES]
    together: dict[int, dict[str, Singles]] = {}
    if comparing:
        columns = [dict(zip(own_names, values.T, strict=True)) for _, values in own.values()]
        found = together_columns([ts for ts, _ in own.values()], columns, comparing)
        together = dict(zip(pasts, found, strict=True))
    references = _references(pasts, seconds, first_ts, reference, names)
    rows: dict[int, FeatureRows] = {}
    for key, past in pasts.items():
        ts, values = own[key]
        row = _Rows(names, ts + seconds)
        row.put(own_names, values)
        for name, column in {**together.get(key, {}), **references.get(key, {})}.items():
            row.put_column(name, column)
        row.put_contexts(past)
        rows[key] = FeatureRows(ts=ts, values=row.finished())
    return rows


def _own_names(names: Sequence[str]) -> tuple[str, ...]:
    """Return the own features among the names, and those that comparisons among them need."""
    needed = {each for name in names if name in TOGETHER_NAMES for each in own_names_of(name)}
    return tuple(name for name in OWN_NAMES if name in needed or name in names)


class _Rows:
    """One symbol's rows of the wanted names, put together from where their features come from."""

    def __init__(self, names: Sequence[str], decided_at: Ints) -> None:
        self._places = {name: place for place, name in enumerate(names)}
        self._decided_at = decided_at
        # What nobody puts in is not known: no bar of a longer timeframe, or none of the reference.
        self._columns = np.full((len(names), len(decided_at)), np.nan, dtype=np.float32)

    def put(self, names: Sequence[str], values: Singles) -> None:
        """Take those of the named columns (n, F) that are wanted."""
        pairs = [(place, self._places[name]) for place, name in enumerate(names) if name in self._places]
        if pairs:
            sources, places = zip(*pairs, strict=True)
            self._columns[list(places)] = values.T[list(sources)]

    def put_column(self, name: str, column: Singles) -> None:
        """Take one column (n,) where it is wanted."""
        if name in self._places:
            self._columns[self._places[name]] = column

    def put_contexts(self, past: SymbolPast) -> None:
        """Take what is wanted of the latest closed bars of longer timeframes."""
        for context in CONTEXTS:
            table = past.contexts.get(context.origin)
            stored = [] if table is None else [context.prefix + name for name in table.names]
            if table is not None and any(name in self._places for name in stored):
                self.put(stored, closed_context(self._decided_at, table, context.max_age_seconds))

    def finished(self) -> Singles:
        """Return the rows (n, F), with the time of each close."""
        for name in CLOCK_NAMES:
            if name in self._places:
                self.put_column(name, clock_column(name, self._decided_at))
        return self._columns.T


def _references(
    pasts: Mapping[int, SymbolPast], seconds: int, first_ts: int, reference: int | None, names: Sequence[str]
) -> dict[int, dict[str, Singles]]:
    """Return what compares each symbol with the reference; in a universe without one each is its own."""
    if not any(name in REFERENCE_NAMES for name in names):
        return {}
    found: dict[int, dict[str, Singles]] = {}
    theirs = None if reference is None or reference not in pasts else Reference(pasts[reference].bars)
    for key, past in pasts.items():
        windows = windows_of(past.bars, seconds, first_ts)
        itself = reference is None or key == reference
        compared = Reference(past.bars) if itself else theirs
        if windows and compared is not None and len(compared.bars):
            anchors = [anchor_seconds(int(past.bars.ts[each.begin]), seconds) for each in windows]
            found[key] = reference_columns(windows, compared, anchors)
            if itself:
                found[key] = {
                    name: np.where(np.isfinite(each), np.float32(1.0), each) for name, each in found[key].items()
                }
    return found
