"""Proposals of the rule as scan rows and signals, and what is said of symbols without a bar."""

from __future__ import annotations

import math
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray
from tracker.domain.signal import Decision, Regime, SkipReason, Volatility
from tracker.quant.strategies import Proposals
from tracker.runtime.strategies import StrategyConfig
from tracker.store.scans import Scan

SIGNAL_REASON = "setup"
# A symbol without a bar for longer does not trade yet or any more; that is the health monitor's matter.
QUIET_LIMIT = timedelta(days=7)


def look(config: StrategyConfig, symbol_id: int, decided_at: datetime, close: float, p: Proposals, row: int) -> Scan:
    """Return the scan row of one proposal."""
    is_signal = bool(p.is_signal[row])
    strength = float(p.strength[row])
    return Scan(
        strategy=config.strategy,
        symbol_id=symbol_id,
        decided_at=decided_at,
        decision=Decision.SIGNAL if is_signal else Decision.SKIP,
        reason=SIGNAL_REASON if is_signal else SkipReason(p.reason[row]).value,
        regime=Regime(p.regime[row]),
        volatility=Volatility(p.volatility[row]),
        strength=strength if math.isfinite(strength) else 0.0,
        confidence=None,
        config_hash=config.hash,
        metadata={"close": close, "confirmations": int(p.confirmations[row]), "decided_by": "rule"},
    )


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
