"""What is said of symbols without a bar."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray
from tracker.domain.signal import Decision, Regime, SkipReason, Volatility
from tracker.runtime.strategies import StrategyConfig
from tracker.store.scans import Scan

# A symbol without a bar for longer does not trade yet or any more; that is the health monitor's matter.
QUIET_LIMIT = timedelta(days=7)


def missing(config: StrategyConfig, symbol_id: int, decided_at: datetime) -> Scan:
    """Return the scan row of a symbol that had no bar at this close."""
    return Scan(
        strategy=config.strategy, symbol_id=symbol_id, decided_at=decided_at, decision=Decision.SKIP,
        reason=SkipReason.NO_BAR.value, regime=Regime.UNKNOWN, volatility=Volatility.UNKNOWN, strength=0.0,
        confidence=None, config_hash=config.hash, metadata={},
    )


def quiet_closes(
    closes: NDArray[np.int64], looked: NDArray[np.int64], opens: NDArray[np.int64], bar_seconds: int
) -> list[int]:
    """Return the `closes` that are not among `looked` of a symbol that had a bar within QUIET_LIMIT before.

    All in Unix seconds, `closes` and `opens` (of the symbol's bars, from QUIET_LIMIT before the first close on)
    ascending. The answer for a close depends on the bars before it alone, not on what else is asked.
    """
    rest = np.setdiff1d(closes, looked)
    known = np.concatenate(([np.iinfo(np.int64).min // 2], opens))
    latest = known[np.searchsorted(known, rest - bar_seconds, side="right") - 1]
    return rest[latest >= rest - int(QUIET_LIMIT.total_seconds())].tolist()
