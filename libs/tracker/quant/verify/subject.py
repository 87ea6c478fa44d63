"""What is put to the test: a function from bars to the numbers that were known at each close."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from enum import Enum
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from tracker.domain.signal import Regime, SkipReason, Volatility
from tracker.quant.bars import BarArrays, Ints, Objects
from tracker.quant.feature_rows import ContextTable, SymbolPast, context_names, context_tables, feature_rows
from tracker.quant.features import CONTEXTS, FEATURE_SET, Origin
from tracker.quant.frame import FeatureFrame
from tracker.quant.roll_up import roll_up
from tracker.quant.strategies.base import Proposals, StrategyRule
from tracker.quant.strategies.inputs import features_read, own_columns

Numbers: TypeAlias = NDArray[Any]
Series: TypeAlias = Mapping[int, BarArrays]

_CODES: dict[Enum, int] = {member: number for number, member in enumerate((*SkipReason, *Regime, *Volatility), start=1)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What was known at n closes of a symbol: `decided_at` int64 (n,), Unix seconds; `columns` (n,) by name."""

    decided_at: Ints
    columns: Mapping[str, Numbers]

    def before(self, moment: int) -> Known:
        """Return the closes up to a moment."""
        count = int(np.searchsorted(self.decided_at, moment, side="right"))
        return Known(
            decided_at=self.decided_at[:count], columns={name: each[:count] for name, each in self.columns.items()}
        )


# All symbols' bars, and the moment through which bars are closed, to what was known at the close of each bar.
Compute: TypeAlias = Callable[[Series, int], Mapping[int, Known]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """Something to test, such as the features or a strategy."""

    name: str
    compute: Compute


def features_subject(seconds: int, reference: int | None, names: Sequence[str] = FEATURE_SET.names) -> Subject:
    """Return the named features of bars of `seconds`, contexts rolled up from them."""

    def compute(series: Series, through: int) -> Mapping[int, Known]:
        pasts = {key: _past(bars, through, names) for key, bars in series.items() if len(bars)}
        rows = feature_rows(pasts, seconds, 0, reference=reference, names=names)
        return {
            key: Known(
                decided_at=each.ts + seconds, columns={name: each.values[:, at] for at, name in enumerate(names)}
            )
            for key, each in rows.items()
        }

    return Subject(name="features", compute=compute)


def strategy_subject(rule: StrategyRule[Any], params: Any, features: Subject) -> Subject:
    """Return a strategy's proposals on the features that a subject yields."""

    def compute(series: Series, through: int) -> Mapping[int, Known]:
        found: dict[int, Known] = {}
        for key, known in features.compute(series, through).items():
            columns = {name: known.columns[name].astype(np.float64) for name in features_read(rule)}
            seconds = int(known.decided_at[0] - series[key].ts[0])
            columns |= own_columns(rule, params, series[key], seconds, 0)
            frame = FeatureFrame(close=series[key].close, decided_at=known.decided_at, columns=columns)
            proposed = dict(_columns_of(rule.evaluate(frame, params)))
            found[key] = Known(decided_at=known.decided_at, columns=proposed)
        return found

    return Subject(name=rule.name.value, compute=compute)


def _past(bars: BarArrays, through: int, names: Sequence[str]) -> SymbolPast:
    contexts: dict[Origin, ContextTable] = {}
    for context in CONTEXTS:
        wanted = context_names(context, names)
        if wanted:
            rolled = roll_up(bars, context.timeframe.seconds, through)
            contexts[context.origin] = context_tables(context, {0: rolled}, 0, wanted)[0]
    return SymbolPast(bars=bars, contexts=contexts)


def _columns_of(proposals: Proposals) -> Iterator[tuple[str, Numbers]]:
    for field in fields(proposals):
        values: Numbers = getattr(proposals, field.name)
        if values.ndim == 2:
            yield from ((f"{field.name}[{place}]", values[:, place]) for place in range(values.shape[1]))
        elif values.dtype == object:
            yield field.name, _codes(values)
        else:
            yield field.name, values


def code_of(value: Enum | None) -> int:
    """Return the number that stands for a reason or a regime in a column, 0 for None."""
    return 0 if value is None else _CODES[value]


def _codes(values: Objects) -> Ints:
    return np.array([0 if value is None else _CODES[value] for value in values.tolist()], dtype=np.int64)
