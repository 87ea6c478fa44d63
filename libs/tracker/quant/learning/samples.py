"""What a model learns from: setups with their features as of the decision, and how their trades ended."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from tracker.domain.errors import InputError
from tracker.quant.bars import Floats, Ints, Singles

DAY = 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class Samples:
    """Ended trades, the earliest decision first; columns have n rows each.

    `features` float32 (n, F) in the order of `names`, NaN where not known. `decided_at` and `exit_at` are Unix seconds;
    an outcome depends on nothing after its `exit_at`. `won` is 0 or 1, `net_return` a fraction after fees, `weight` the
    label's uniqueness. `symbol` and `regime` number their groups. Raises InputError where that does not hold.
    """

    names: tuple[str, ...]
    features: Singles
    decided_at: Ints
    exit_at: Ints
    symbol: Ints
    regime: Ints
    won: Floats
    net_return: Floats
    weight: Floats

    def __post_init__(self) -> None:
        """Refuse what cannot be learnt from."""
        n = self.decided_at.size
        for each in fields(self)[1:]:
            if getattr(self, each.name).shape[0] != n:
                raise InputError(f"{each.name} has {getattr(self, each.name).shape[0]} rows where there are {n}")
        if self.features.shape != (n, len(self.names)):
            raise InputError(f"features have shape {self.features.shape}, and there are {len(self.names)} names")
        if n and (np.diff(self.decided_at) < 0).any():
            raise InputError("decided_at does not ascend")
        if (self.exit_at < self.decided_at).any():
            raise InputError("exit_at lies before decided_at")
        if not np.isin(self.won, (0.0, 1.0)).all():
            raise InputError("won is neither 0 nor 1")
        if not (np.isfinite(self.weight).all() and np.isfinite(self.net_return).all() and (self.weight > 0).all()):
            raise InputError("a weight is not above 0, or a return not finite")

    def __len__(self) -> int:
        """How many there are."""
        return self.decided_at.size

    @property
    def days(self) -> Ints:
        """The day of each decision, counted from 1970."""
        return self.decided_at // DAY

    def take(self, rows: NDArray[np.int64] | NDArray[np.bool_]) -> Samples:
        """Return some of the rows, in their order."""
        return replace(self, **{each.name: getattr(self, each.name)[rows] for each in fields(self)[1:]})

    def base_rate(self) -> float:
        """Return the weighted share of won trades; NaN without any."""
        return float(np.average(self.won, weights=self.weight)) if len(self) else float("nan")


def effective_number(weight: Floats) -> float:
    """Return how many independent outcomes weights of uniqueness stand for.

    Formula: min(sum w, (sum w)^2 / sum w^2): overlap takes from the first, unequal weights from the second.
    Source: Kish (1965) for the second. Edges: 0 without any.
    """
    if not weight.size:
        return 0.0
    total = float(weight.sum())
    return min(total, total**2 / float((weight**2).sum()))


def by_day(days: Ints, values: Floats) -> Floats:
    """Return the sum of each day from the first to the last, 0 where there is nothing."""
    first = int(days.min())
    return np.bincount(days - first, values, int(days.max()) - first + 1).astype(np.float64)


def settled(samples: Samples) -> Samples:
    """Return the trades that were decided so early that any of them would have ended by now.

    Of the latest decisions only the quick trades have ended, and those are not like the others.
    """
    if not len(samples):
        return samples
    life = int((samples.exit_at - samples.decided_at).max())
    return samples.take(samples.decided_at <= int(samples.exit_at.max()) - life)
