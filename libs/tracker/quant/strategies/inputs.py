"""What a rule reads at a close: features, its symbol's bars, and indicators of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

import numpy as np

from tracker.domain.errors import InputError
from tracker.quant.bars import PRICE_FIELDS, BarArrays, Floats
from tracker.quant.regime import REGIME_FEATURES
from tracker.quant.strategies.base import StrategyRule

BAR_COLUMNS = (*PRICE_FIELDS, "volume")
# A bar to ask a rule for the names of its indicators with.
_ONE = np.ones(1)
_ONE_BAR = BarArrays(ts=np.zeros(1, dtype=np.int64), open=_ONE, high=_ONE, low=_ONE, close=_ONE, volume=_ONE)


@runtime_checkable
class WithIndicators(Protocol):
    """A rule that computes indicators of its own from its symbol's bars."""

    def indicators(self, bars: BarArrays, params: Any) -> Mapping[str, Floats]:
        """Return columns (n,), one value a bar, NaN where not yet known.

        A value may use bars up to its own only, and of those the last 1000 at most; plain arithmetic and TA-Lib round
        alike however many bars follow, which NumPy's own sums and logarithms do not.
        """
        ...


def features_read(rule: StrategyRule[Any]) -> tuple[str, ...]:
    """Return the features that a rule's frame holds: those that it names, and those that tell the regime."""
    optional: tuple[str, ...] = getattr(rule, "optional_features", ())
    return tuple(dict.fromkeys((*rule.required_features, *optional, *REGIME_FEATURES)))


def own_columns(
    rule: StrategyRule[Any], params: Any, bars: BarArrays, timeframe_seconds: int, first_ts: int
) -> dict[str, Floats]:
    """Return the bars' own columns and the rule's indicators for the bars with ts >= first_ts.

    For a rule with indicators `bars` must reach back to `anchor_seconds(first_ts)`, or to the symbol's first bar: each
    value is computed in its own anchored window, so it does not depend on what else is in the batch. Raises InputError
    where an indicator is not one value a bar.
    """
    begin = int(np.searchsorted(bars.ts, first_ts))
    columns: dict[str, Floats] = {name: getattr(bars, name)[begin:] for name in BAR_COLUMNS}
    if not isinstance(rule, WithIndicators):
        return columns
    # TA-Lib comes with it, which a rule on features alone can spare.
    from tracker.quant.windows import windows_of

    parts: dict[str, list[Floats]] = {}
    for window in windows_of(bars, timeframe_seconds, first_ts):
        inside = bars.slice(window.anchor, window.stop)
        for name, values in rule.indicators(inside, params).items():
            if name in BAR_COLUMNS or values.shape != inside.ts.shape:
                raise InputError(f"{rule.name}: indicator {name!r} is not a column of its own with one value a bar")
            parts.setdefault(name, []).append(values[window.begin - window.anchor :])
    if not parts:
        return columns | {name: np.empty(0) for name in rule.indicators(_ONE_BAR, params)}
    return columns | {name: np.concatenate(values) for name, values in parts.items()}
