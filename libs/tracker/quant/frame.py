"""What is known at a bar close, in the shape that the rules read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from tracker.domain.errors import InputError
from tracker.quant.bars import Bools, Floats, Ints
from tracker.quant.features import FEATURE_SET

CONTEXT_PREFIX = "h1_"


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureFrame:
    """What is known at n bar closes, of one symbol over time or of many symbols; every row stands alone.

    `close` float64 (n,) in quote currency; `decided_at` int64 (n,), Unix seconds of the bar's CLOSE;
    `columns` maps a feature's name to float64 (n,), the features of the latest closed 1h bar under the prefix
    `h1_`. NaN: not yet known.
    """

    close: Floats
    decided_at: Ints
    columns: Mapping[str, Floats]

    def __len__(self) -> int:
        """Return the number of rows."""
        return int(self.close.shape[0])

    def __getitem__(self, name: str) -> Floats:
        """Return one feature (n,); raises InputError where the frame does not have it."""
        try:
            return self.columns[name]
        except KeyError:
            raise InputError(f"the frame has no feature {name!r}") from None

    def known(self, names: Iterable[str]) -> Bools:
        """Return the rows (n,) in which the close and all the named features are finite numbers."""
        result = np.isfinite(self.close)
        for name in names:
            result &= np.isfinite(self[name])
        return result

    def take(self, rows: Ints | Bools) -> FeatureFrame:
        """Return the given rows, by index or by mask."""
        columns = {name: values[rows] for name, values in self.columns.items()}
        return FeatureFrame(close=self.close[rows], decided_at=self.decided_at[rows], columns=columns)


def feature_frame(*, close: Floats, decided_at: Ints, base: Floats, context: Floats) -> FeatureFrame:
    """Return the frame of n rows: their own features and those of the latest closed 1h bar, both (n, F).

    Features are rounded to float32 first: the database stores them so, and a decision must be the same
    whether they come from there or straight from the bars. `close` float64 (n,), `decided_at` int64 (n,) bar
    close in Unix seconds. Raises InputError where a shape does not fit.
    """
    n = close.shape[0]
    expected = (n, len(FEATURE_SET.names))
    for label, matrix in (("base", base), ("context", context)):
        if matrix.shape != expected:
            raise InputError(f"{label} has shape {matrix.shape} where {expected} is needed")
    if decided_at.shape != (n,):
        raise InputError(f"decided_at has shape {decided_at.shape} where {(n,)} is needed")
    columns = dict(zip(FEATURE_SET.names, _stored(base), strict=True))
    for name, values in zip(FEATURE_SET.names, _stored(context), strict=True):
        columns[CONTEXT_PREFIX + name] = values
    return FeatureFrame(close=close, decided_at=decided_at, columns=columns)


def closed_context(
    *,
    decided_at: Ints,
    context_ts: Ints,
    context: Floats,
    context_seconds: int = 3600,
    max_age_seconds: int = 7200,
) -> Floats:
    """Return for each decision (n,) the features (n, F) of the latest context bar that had closed by then.

    `context_ts` int64 (m,) ascending, bar OPEN; `context` (m, F). NaN where no bar had closed yet or the
    latest closed more than `max_age_seconds` before: a symbol that stopped trading has no present trend.
    """
    closes = context_ts + context_seconds
    index = np.searchsorted(closes, decided_at, side="right") - 1
    result = np.full((decided_at.shape[0], context.shape[1]), np.nan)
    some = index >= 0
    some[some] = decided_at[some] - closes[index[some]] <= max_age_seconds
    result[some] = context[index[some]]
    return result


def _stored(matrix: Floats) -> Floats:
    return np.ascontiguousarray(matrix.T).astype(np.float32).astype(np.float64)
