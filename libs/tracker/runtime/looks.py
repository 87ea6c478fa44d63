"""A scanner's look: the features of symbols at closes as the rule reads them, and its proposals as rows."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from tracker.domain.signal import Decision, Regime, SkipReason, Volatility
from tracker.domain.timeframe import EPOCH
from tracker.quant.bars import BarArrays
from tracker.quant.features import FEATURE_SET
from tracker.quant.frame import FeatureFrame, feature_frame
from tracker.quant.strategies import Proposals
from tracker.quant.strategies.inputs import WithIndicators, own_columns
from tracker.runtime.strategies import StrategyConfig
from tracker.store.bars import BarTable
from tracker.store.features import FeatureTable
from tracker.store.scans import Scan

SIGNAL_REASON = "setup"


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanInputs:
    """One symbol at n closes: `decided_at` int64 (n,), `close` (n,), `values` float32 (n, F) of the feature set.

    `own` holds what the rule reads beside features: its bars and its indicators, float64 (n,).
    """

    symbol_id: int
    decided_at: NDArray[np.int64]
    close: NDArray[np.float64]
    values: NDArray[np.float32]
    own: Mapping[str, NDArray[np.float64]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Together:
    """All symbols' rows in one frame; `keys` holds (symbol id, close in Unix seconds) of each row."""

    keys: list[tuple[int, int]]
    frame: FeatureFrame


def reads_from(config: StrategyConfig, first: datetime) -> datetime:
    """Return from where on bars are needed: a rule with indicators of its own computes them from their anchor."""
    if not isinstance(config.rule, WithIndicators):
        return first
    # TA-Lib comes with it, which a rule on features alone can spare.
    from tracker.quant.windows import anchor_seconds

    return EPOCH + timedelta(seconds=anchor_seconds(int(first.timestamp()), config.timeframe.seconds))


def inputs_of(symbol_id: int, config: StrategyConfig, features: FeatureTable, bars: BarTable, first: int) -> ScanInputs:
    """Return one symbol's inputs at the closes of bars from `first` on for which it has both a bar and features.

    `first` in Unix seconds; `bars` reach back as own_columns needs them to.
    """
    timeframe = config.timeframe
    own = own_columns(config.rule, config.params, bar_arrays(bars), timeframe.seconds, first)
    opens = bars.ts[len(bars) - len(own["close"]) :]
    common, of_features, of_bars = np.intersect1d(features.ts, opens, assume_unique=True, return_indices=True)
    return ScanInputs(
        symbol_id=symbol_id,
        decided_at=common + timeframe.seconds,
        close=own["close"][of_bars],
        values=features.values[of_features],
        own={name: values[of_bars] for name, values in own.items()},
    )


def joined(inputs: Sequence[ScanInputs], names: Sequence[str]) -> Together:
    """Return all symbols' rows of the named features as one frame, symbol after symbol."""
    places = [FEATURE_SET.names.index(name) for name in names]
    return Together(
        keys=[(each.symbol_id, seconds) for each in inputs for seconds in each.decided_at.tolist()],
        frame=feature_frame(
            close=np.concatenate([each.close for each in inputs]),
            decided_at=np.concatenate([each.decided_at for each in inputs]),
            values=np.concatenate([each.values[:, places] for each in inputs]),
            names=names,
            own={name: np.concatenate([each.own[name] for each in inputs]) for name in inputs[0].own},
        ),
    )


def features_of(inputs: Sequence[ScanInputs], rows: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return the whole feature rows (k, F) of some rows of the inputs as they are joined."""
    begins = np.cumsum([0, *(len(each.decided_at) for each in inputs)])
    places = np.searchsorted(begins, rows, side="right") - 1
    found = np.empty((len(rows), len(FEATURE_SET.names)), dtype=np.float32)
    for place in np.unique(places):
        mine = places == place
        found[mine] = inputs[place].values[rows[mine] - begins[place]]
    return found


def look(
    config: StrategyConfig, symbol_id: int, decided_at: datetime, close: float, p: Proposals, row: int,
    model_id: int | None = None,
) -> Scan:  # fmt: skip
    """Return the scan row of one proposal; `model_id` is of the model that scored the proposals, if one did."""
    is_signal = bool(p.is_signal[row])
    strength, confidence = float(p.strength[row]), float(p.confidence[row])
    was_asked = math.isfinite(confidence)
    return Scan(
        strategy=config.strategy,
        symbol_id=symbol_id,
        decided_at=decided_at,
        decision=Decision.SIGNAL if is_signal else Decision.SKIP,
        reason=SIGNAL_REASON if is_signal else SkipReason(p.reason[row]).value,
        regime=Regime(p.regime[row]),
        volatility=Volatility(p.volatility[row]),
        strength=strength if math.isfinite(strength) else 0.0,
        confidence=confidence if was_asked else None,
        config_hash=config.hash,
        metadata={
            "close": close, "confirmations": int(p.confirmations[row]), "decided_by": "model" if was_asked else "rule",
        },
        model_id=model_id if was_asked else None,
    )  # fmt: skip


def bar_arrays(table: BarTable) -> BarArrays:
    """Return stored bars as the rules read them."""
    return BarArrays(
        ts=table.ts, open=table.open, high=table.high, low=table.low, close=table.close, volume=table.volume
    )
