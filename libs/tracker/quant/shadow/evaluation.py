"""Many variations of a rule at once: its own evaluate, on rows repeated and parameters as columns.

A rule reads its parameters as numbers; where they only enter arithmetic and comparisons, a column of them, one value a
row, does as well. Whether that holds for a rule is not assumed: it is tried, and compared bit for bit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from tracker.quant.bars import Bools, Ints
from tracker.quant.frame import FeatureFrame
from tracker.quant.strategies.base import Proposals, StrategyRule
from tracker.quant.strategies.inputs import WithIndicators

# Rows worked on at once: few enough for the processor's cache, many enough for NumPy's overhead to vanish.
ROWS_AT_ONCE = 12_000
SAMPLE_ROWS = 256
SAMPLE_VARIATIONS = 6
SAMPLE_SIGNALS = 12

FrameOf = Callable[[Any], FeatureFrame]


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The signals of many variations, by variation and then by row; (n,) and the proposals' n rows."""

    variation: Ints
    row: Ints
    proposals: Proposals

    def __len__(self) -> int:
        """Return the number of signals."""
        return int(self.variation.shape[0])


class BlockRule:
    """A rule with the parameters of n variations.

    `one_by_one` tells whether the rule has to be asked once a variation; `apart` names the parameters that must be the
    same within a block, since the rule does more with them than arithmetic. Both are known after the first evaluation.
    """

    def __init__(self, rule: StrategyRule[Any], params: Sequence[Any]) -> None:
        """Nothing is tried yet."""
        self.one_by_one = isinstance(rule, WithIndicators)
        self.apart: tuple[str, ...] = ()
        self._rule = rule
        self._params = list(params)
        self._columns = {each.name: _column(self._params, each.name) for each in fields(rule.params)}
        self._blocks: list[Ints] | None = None
        self._seen_signals = False

    def evaluate(self, frame_of: FrameOf) -> Found:
        """Return the signals of all variations in a frame; `frame_of` returns the frame for some parameters.

        The frame is the same for all of them, unless the rule has indicators of its own.
        """
        if not self._params:
            raise ValueError("there are no variations")
        if self.one_by_one:
            return self._singly(frame_of)
        frame = frame_of(self._params[0])
        if len(frame) == 0:
            return nothing_found()
        if self._blocks is None:
            self._try(frame)
        if self.one_by_one:
            return self._singly(frame_of)
        found = self._in_blocks(frame)
        if not self._seen_signals and len(found):
            self._seen_signals = True
            if not self._signals_agree(frame, found):
                self.one_by_one = True
                return self._singly(frame_of)
        return found

    def _singly(self, frame_of: FrameOf) -> Found:
        parts: list[Found] = []
        for number, params in enumerate(self._params):
            proposals = self._rule.evaluate(frame_of(params), params)
            rows = np.flatnonzero(proposals.is_signal)
            parts.append(_found(np.full(len(rows), number, dtype=np.int64), rows, proposals.take(rows)))
        return _joined(parts)

    def _in_blocks(self, frame: FeatureFrame) -> Found:
        parts: list[Found] = []
        n = len(frame)
        for block in self._blocks or ():
            size = max(1, ROWS_AT_ONCE // max(n, 1))
            wide = _repeated(frame, min(size, len(block)))
            for at in range(0, len(block), size):
                chosen = block[at : at + size]
                proposals = self._together(wide, chosen, n)
                rows = np.flatnonzero(proposals.is_signal)
                parts.append(_found(chosen[rows // n], rows % n, proposals.take(rows)))
        return _joined(parts)

    def _together(self, wide: FeatureFrame, chosen: Ints, n: int) -> Proposals:
        rows = len(chosen) * n
        frame = wide if len(wide) == rows else wide.take(np.arange(rows))
        return self._rule.evaluate(frame, self._params_of(chosen, n))

    def _params_of(self, chosen: Ints, n: int) -> Any:
        """Return parameters whose values are columns where the chosen variations differ; each was checked before."""
        made = copy(self._params[0])
        for name, column in self._columns.items():
            values = column[chosen]
            same = bool((values == values[0]).all())
            value = getattr(self._params[int(chosen[0])], name) if same else np.repeat(values, n)
            object.__setattr__(made, name, value)
        return made

    def _try(self, frame: FeatureFrame) -> None:
        """Find out how much can be evaluated at once."""
        sample = frame.take(np.arange(min(len(frame), SAMPLE_ROWS)))
        everything = np.arange(len(self._params), dtype=np.int64)
        if self._agree(sample, _spread(everything)):
            self._blocks = [everything]
            return
        self.apart = tuple(name for name in self._columns if not self._may_vary(sample, name))
        self._blocks = self._same_in(self.apart)
        # Parameters that may vary one at a time must also do so together.
        for block in self._blocks:
            if len(block) > 1:
                self.one_by_one = not self._agree(sample, _spread(block))
                return
        self.one_by_one = True

    def _may_vary(self, sample: FeatureFrame, name: str) -> bool:
        """Tell whether a block in which only this parameter varies says what its members say."""
        column = self._columns[name]
        if column.dtype == object:
            return bool((column == column[0]).all())
        _, first = np.unique(column, return_index=True)
        if len(first) == 1:
            return True
        # All others as in the first variation: they are not checked together, which arithmetic does not need.
        base = self._params[0]
        singles: list[Any] = []
        for number in _spread(first).tolist():
            made = copy(base)
            object.__setattr__(made, name, getattr(self._params[number], name))
            singles.append(made)
        return BlockRule(self._rule, singles)._agree(sample, np.arange(len(singles), dtype=np.int64))

    def _same_in(self, names: Sequence[str]) -> list[Ints]:
        groups: dict[tuple[Any, ...], list[int]] = {}
        for number, params in enumerate(self._params):
            groups.setdefault(tuple(getattr(params, name) for name in names), []).append(number)
        return [np.array(each, dtype=np.int64) for each in groups.values()]

    def _agree(self, sample: FeatureFrame, chosen: Ints) -> bool:
        """Tell whether a block says bit for bit what its variations say one by one."""
        n = len(sample)
        try:
            block = self._together(_repeated(sample, len(chosen)), chosen, n)
        # A rule of one's own may do anything with its parameters; whatever it raises says that a column is no number.
        except Exception:
            return False
        return all(
            _same(block, np.arange(place * n, (place + 1) * n), self._rule.evaluate(sample, self._params[int(number)]))
            for place, number in enumerate(chosen)
        )

    def _signals_agree(self, frame: FeatureFrame, found: Found) -> bool:
        """Tell whether some of the signals are those that their variations give on their row alone."""
        some = np.unique(np.linspace(0, len(found) - 1, SAMPLE_SIGNALS).astype(np.int64))
        return all(
            _same(
                found.proposals,
                np.array([place]),
                self._rule.evaluate(frame.take(found.row[place : place + 1]), self._params[found.variation[place]]),
            )
            for place in some.tolist()
        )


def _spread(numbers: Ints) -> Ints:
    """Return some of the numbers, the first and the last among them."""
    places = np.linspace(0, len(numbers) - 1, SAMPLE_VARIATIONS).astype(np.int64)
    return numbers[np.unique(places)]


def nothing_found() -> Found:
    """Return no signals."""
    none = np.empty(0, dtype=np.int64)
    columns: dict[str, Any] = {each.name: np.empty(0) for each in fields(Proposals)}
    columns |= {"ladder": np.empty((0, 0)), "size_weights": np.empty((0, 1))}
    return Found(variation=none, row=none, proposals=Proposals(**columns))


def _column(params: Sequence[Any], name: str) -> Any:
    values = [getattr(each, name) for each in params]
    if all(type(each) is int for each in values):
        return np.array(values, dtype=np.int64)
    if all(type(each) in (int, float) for each in values):
        return np.array(values, dtype=np.float64)
    column = np.empty(len(values), dtype=object)
    column[:] = values
    return column


def _repeated(frame: FeatureFrame, times: int) -> FeatureFrame:
    """Return the frame's rows again and again."""
    if times == 1:
        return frame
    columns: Mapping[str, Any] = {name: np.tile(values, times) for name, values in frame.columns.items()}
    return FeatureFrame(
        close=np.tile(frame.close, times), decided_at=np.tile(frame.decided_at, times), columns=columns
    )


def _same(many: Proposals, rows: Ints, one: Proposals) -> bool:
    """Tell whether rows of proposals are those of another, bit for bit; NaN beyond a ladder's rungs do not count."""
    return all(_equal(getattr(many, each.name)[rows], getattr(one, each.name)) for each in fields(Proposals))


def _equal(one: Any, other: Any) -> bool:
    if one.ndim == 2 and other.ndim == 2 and one.shape[1] != other.shape[1]:
        width = max(one.shape[1], other.shape[1])
        one, other = _padded(one, width), _padded(other, width)
    if one.shape != other.shape or one.dtype != other.dtype:
        return False
    if one.dtype == object:
        same: Bools = one == other
        return bool(same.all())
    return bool(np.array_equal(one, other, equal_nan=one.dtype == np.float64))


def _padded(values: Any, width: int) -> Any:
    missing = width - values.shape[1]
    return np.pad(values, ((0, 0), (0, missing)), constant_values=np.nan) if missing else values


def _found(variation: Ints, row: Ints, proposals: Proposals) -> Found:
    return Found(variation=variation, row=row, proposals=proposals)


def _joined(parts: Sequence[Found]) -> Found:
    """Return all parts in the order of variations and rows, their ladders as wide as the widest."""
    width = max(each.proposals.ladder.shape[1] for each in parts)
    variation = np.concatenate([each.variation for each in parts])
    row = np.concatenate([each.row for each in parts])
    order = np.lexsort((row, variation))
    columns = dict(_columns_of(parts, width))
    proposals = Proposals(**{name: values[order] for name, values in columns.items()})
    return Found(variation=variation[order], row=row[order], proposals=proposals)


def _columns_of(parts: Sequence[Found], width: int) -> Iterator[tuple[str, Any]]:
    for each in fields(Proposals):
        values = [getattr(part.proposals, each.name) for part in parts]
        if each.name == "ladder":
            values = [_padded(value, width) for value in values]
        elif each.name == "size_weights":
            values = [_padded(value, width + 1) for value in values]
        yield each.name, np.concatenate(values)
