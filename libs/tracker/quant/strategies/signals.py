"""A row of proposals as the trade it proposes."""

from __future__ import annotations

import math
from datetime import timedelta

import numpy as np

from tracker.domain.signal import Regime, Side, Signal, Strategy, Volatility
from tracker.domain.timeframe import EPOCH
from tracker.quant.strategies.base import Proposals


def signal_of(strategy: Strategy, config_hash: str, symbol_id: int, seconds: int, p: Proposals, row: int) -> Signal:
    """Return the trade that one row proposes; `seconds` is the bar's close in Unix seconds."""
    fraction, confidence = float(p.target_fraction[row]), float(p.confidence[row])
    rungs = np.isfinite(p.ladder[row])
    weights = p.size_weights[row][np.concatenate(([True], rungs))]
    return Signal(
        strategy=strategy,
        symbol_id=symbol_id,
        decided_at=EPOCH + timedelta(seconds=seconds),
        side=Side.LONG,
        entry=float(p.entry[row]),
        stop=float(p.stop[row]),
        target=float(p.target[row]),
        expires_at=EPOCH + timedelta(seconds=int(p.expires_at[row])),
        strength=float(p.strength[row]),
        confirmations=int(p.confirmations[row]),
        ladder=tuple(float(price) for price in p.ladder[row][rungs]),
        size_weights=tuple(float(weight) for weight in weights),
        target_fraction=fraction if math.isfinite(fraction) else None,
        trail_distance=float(p.trail_distance[row]),
        break_even_distance=float(p.break_even_distance[row]),
        confidence=confidence if math.isfinite(confidence) else None,
        regime=Regime(p.regime[row]),
        volatility=Volatility(p.volatility[row]),
        config_hash=config_hash,
    )
