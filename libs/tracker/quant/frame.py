"""What is known at a bar close, in the shape that the rules read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from tracker.domain.errors import InputError
from tracker.quant.bars import Bools, Floats, Ints, Singles
from tracker.quant.condition import Judgement


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureFrame:
    """What is known at n bar closes, of one symbol over time or of many symbols; every row stands alone.

    `close` float64 (n,) in quote currency; `decided_at` int64 (n,), Unix seconds of the bar's CLOSE;
    `columns` maps a feature's name to float64 (n,), the features of the latest closed 1h and 1d bars under the
    prefixes `h1_` and `d1_`, the bar's own open, high, low, close and volume, and what indicators the rule has of its
    own. NaN: not yet known. A `witness` is told by which conditions a rule decided on the frame.
    """

    close: Floats
    decided_at: Ints
    columns: Mapping[str, Floats]
    witness: Callable[[Judgement], None] | None = None

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
        return replace(self, close=self.close[rows], decided_at=self.decided_at[rows], columns=columns)


def feature_frame(
    *,
    close: Floats,
    decided_at: Ints,
    values: Singles,
    names: Sequence[str],
    own: Mapping[str, Floats] | None = None,
) -> FeatureFrame:
    """Return the frame of n rows of the named features, (n, F), as rows of the database hold them.

    `close` float64 (n,), `decided_at` int64 (n,) bar close in Unix seconds; `own` the further columns, float64 (n,).
    Raises InputError where a shape does not fit or a further column has the name of a feature.
    """
    n = close.shape[0]
    expected = (n, len(names))
    if values.shape != expected:
        raise InputError(f"values has shape {values.shape} where {expected} is needed")
    if decided_at.shape != (n,):
        raise InputError(f"decided_at has shape {decided_at.shape} where {(n,)} is needed")
    columns = {name: values[:, place].astype(np.float64) for place, name in enumerate(names)}
    for name, column in (own or {}).items():
        if name in columns or column.shape != (n,):
            raise InputError(f"column {name!r} of shape {column.shape} is a feature already or not {(n,)}")
        columns[name] = column
    return FeatureFrame(close=close, decided_at=decided_at, columns=columns)
