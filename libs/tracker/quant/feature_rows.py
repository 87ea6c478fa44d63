"""Whole rows of features: all that a decision at a close may use, of all symbols together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tracker.quant.bars import BarArrays, Bools, Ints, Singles
from tracker.quant.features import CONTEXTS, FEATURE_SET, OWN_NAMES, Origin
from tracker.quant.features.catalogue import FEATURE_SPECS, Context
from tracker.quant.features.clock import clock_column
from tracker.quant.features.market import (
    REFERENCE_NAMES,
    TOGETHER_NAMES,
    own_names_of,
    reference_columns,
    together_columns,
)
from tracker.quant.windows import all_anchored_features, anchor_seconds, windows_of

_ORIGINS = {spec.name: spec.origin for spec in FEATURE_SPECS}


@dataclass(frozen=True, slots=True, kw_only=True)
class ContextTable:
    """Features of one symbol's bars of a longer timeframe.

    `closes` int64 (m,), Unix seconds of the bars' CLOSE, ascending; `columns` float32 (m,) by the feature's own name.
    """

    closes: Ints
    columns: Mapping[str, Singles]


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
        key: ContextTable(
            closes=ts + seconds, columns={name: values[:, place] for place, name in enumerate(chosen)}
        )
        for key, (ts, values) in all_anchored_features(series, seconds, first_ts, chosen).items()
    }


def closed_context(decided_at: Ints, table: ContextTable, name: str, max_age_seconds: int) -> Singles:
    """Return for each decision (n,) a feature of the latest bar of the table that had closed by then.

    NaN where no bar had closed yet or the latest closed more than `max_age_seconds` before.
    """
    index, some = _latest(decided_at, table.closes, max_age_seconds)
    return _picked(table.columns[name], index, some)


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
    own = _own_features(pasts, seconds, first_ts, names)
    comparing = [name for name in names if name in TOGETHER_NAMES]
    together: Mapping[int, Mapping[str, Singles]] = {}
    if comparing:
        found = together_columns(
            [own[key][0] for key in pasts], [own[key][1] for key in pasts], comparing
        )
        together = dict(zip(pasts, found, strict=True))
    rows: dict[int, FeatureRows] = {}
    for key, past in pasts.items():
        ts, columns = own[key]
        table = {
            **columns,
            **together.get(key, {}),
            **_reference(key, pasts, reference, seconds, first_ts, names),
            **_contexts(past, ts + seconds, names),
        }
        rows[key] = FeatureRows(ts=ts, values=_assembled(table, ts + seconds, names))
    return rows


def _own_features(
    pasts: Mapping[int, SymbolPast], seconds: int, first_ts: int, names: Sequence[str]
) -> dict[int, tuple[Ints, dict[str, Singles]]]:
    needed = {each for name in names if name in TOGETHER_NAMES for each in own_names_of(name)}
    wanted = tuple(name for name in OWN_NAMES if name in needed or name in names)
    series = {key: past.bars for key, past in pasts.items()}
    return {
        key: (ts, {name: values[:, place] for place, name in enumerate(wanted)})
        for key, (ts, values) in all_anchored_features(series, seconds, first_ts, wanted).items()
    }


def _reference(
    key: int,
    pasts: Mapping[int, SymbolPast],
    reference: int | None,
    seconds: int,
    first_ts: int,
    names: Sequence[str],
) -> dict[str, Singles]:
    wanted = [name for name in names if name in REFERENCE_NAMES]
    if not wanted:
        return {}
    bars = pasts[key].bars
    windows = windows_of(bars, seconds, first_ts)
    compared = key if reference is None else reference
    if not windows or compared not in pasts or len(pasts[compared].bars) == 0:
        return {}
    anchors = [anchor_seconds(int(bars.ts[each.begin]), seconds) for each in windows]
    columns = reference_columns(windows, pasts[compared].bars, anchors)
    if compared == key:
        return {name: np.where(np.isfinite(each), np.float32(1.0), each) for name, each in columns.items()}
    return columns


def _contexts(past: SymbolPast, decided_at: Ints, names: Sequence[str]) -> dict[str, Singles]:
    found: dict[str, Singles] = {}
    for context in CONTEXTS:
        wanted = context_names(context, names)
        table = past.contexts.get(context.origin)
        if wanted and table is not None:
            index, some = _latest(decided_at, table.closes, context.max_age_seconds)
            for name in wanted:
                found[context.prefix + name] = _picked(table.columns[name], index, some)
    return found


def _assembled(table: Mapping[str, Singles], decided_at: Ints, names: Sequence[str]) -> Singles:
    columns = np.empty((len(names), len(decided_at)), dtype=np.float32)
    for row, name in zip(columns, names, strict=True):
        if _ORIGINS[name] is Origin.CLOCK:
            row[:] = clock_column(name, decided_at)
        else:
            # No bar of a longer timeframe, or none of the reference: not known.
            row[:] = table[name] if name in table else np.nan
    return columns.T


def _latest(decided_at: Ints, closes: Ints, max_age_seconds: int) -> tuple[Ints, Bools]:
    index = np.searchsorted(closes, decided_at, side="right") - 1
    some = index >= 0
    some[some] = decided_at[some] - closes[index[some]] <= max_age_seconds
    return index, some


def _picked(
    column: Singles, index: Ints, some: Bools
) -> Singles:
    result = np.full(index.shape, np.nan, dtype=np.float32)
    result[some] = column[index[some]]
    return result
