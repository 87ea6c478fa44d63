"""Buy a deep, oversold drop in steps, and sell the whole at a small gain on the average price."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import numpy as np
from annotated_types import Ge, Gt, Le, Lt

from tracker.domain.signal import SkipReason, Strategy
from tracker.quant.bars import Floats
from tracker.quant.condition import Condition, any_of, at_least, at_most, below, rising
from tracker.quant.frame import FeatureFrame
from tracker.quant.regime import TREND_FEATURES
from tracker.quant.strategies.base import Proposals
from tracker.quant.strategies.verdict import Plan, SharedParams, volatility_gate, weigh


@dataclass(frozen=True, slots=True, kw_only=True)
class DcaParams(SharedParams):
    """Parameters of the DCA rule; units and reasons stand in configs/strategies/dca.toml."""

    min_drop_pct: Annotated[float, Gt(0), Le(90)]
    drop_atr: Annotated[float, Gt(0), Le(50)]
    full_drop_ratio: Annotated[float, Gt(1), Le(10)]
    max_rsi: Annotated[float, Gt(0), Le(50)]
    full_rsi: Annotated[float, Ge(0), Lt(50)]
    min_volume_trend: Annotated[float, Ge(0), Lt(4.8)]
    full_volume_trend: Annotated[float, Gt(0), Le(4.8)]
    knife_adx: Annotated[float, Gt(0), Le(100)]
    confirm_percent_b: Annotated[float, Ge(-1), Le(2)]
    confirm_mfi: Annotated[float, Ge(0), Le(100)]
    confirm_volume_ratio: Annotated[float, Ge(0), Le(20)]
    confirm_lower_wick: Annotated[float, Ge(0), Le(1)]
    confirm_h1_rsi: Annotated[float, Ge(0), Le(100)]
    rungs: Annotated[int, Ge(1), Le(8)]
    spacing_atr: Annotated[float, Gt(0), Le(20)]
    spacing_growth: Annotated[float, Ge(1), Le(5)]
    size_growth: Annotated[float, Ge(1), Le(5)]
    stop_atr: Annotated[float, Gt(0), Le(20)]
    target_atr: Annotated[float, Gt(0), Le(20)]
    min_target_pct: Annotated[float, Gt(0), Le(50)]

    def __post_init__(self) -> None:
        """Refuse scores whose best lies on the wrong side of their worst."""
        SharedParams.__post_init__(self)
        if self.full_rsi > self.max_rsi:
            raise ValueError(f"full_rsi {self.full_rsi} must not be above max_rsi {self.max_rsi}")
        if self.full_volume_trend <= self.min_volume_trend:
            raise ValueError(
                f"full_volume_trend {self.full_volume_trend} must be above {self.min_volume_trend}"
            )


@dataclass(frozen=True, slots=True)
class DcaRule:
    """The DCA rule, long only.

    Setup: the fall from the 96-bar high exceeds both a fixed and a volatility-scaled threshold, and RSI is
    low. Held back where volume has collapsed or the hourly downtrend is still accelerating. Strength is the
    mean of three scores: depth of the drop (0 without one, 1 at `full_drop_ratio` thresholds), RSI (0 at 50,
    1 at `full_rsi`), and volume trend (0 at the minimum, 1 at `full_volume_trend`). Confirmations, up to 5:
    stretched below the Bollinger band, money flow out, high volume, a rejection wick, hourly RSI low.
    """

    name: ClassVar[Strategy] = Strategy("dca")
    params: ClassVar[type[DcaParams]] = DcaParams
    required_features: ClassVar[tuple[str, ...]] = (
        "drawdown_96",
        "natr_14",
        "rsi_14",
        "volume_trend_20_96",
        "volume_ratio_20",
        "bb_20_percent_b",
        "mfi_14",
        "lower_wick_share",
        "h1_rsi_14",
        "h1_plus_di_14",
        "h1_minus_di_14",
        *TREND_FEATURES,
    )

    def evaluate(self, frame: FeatureFrame, params: DcaParams) -> Proposals:
        """Return one proposal a row, with `rungs` further buys; raises InputError on a missing column."""
        threshold = np.maximum(params.min_drop_pct, params.drop_atr * frame["natr_14"])
        depth = -frame["drawdown_96"] / threshold
        trend, least, full = frame["volume_trend_20_96"], params.min_volume_trend, params.full_volume_trend
        return weigh(
            frame,
            required=self.required_features,
            gates=_gates(frame, params, depth),
            scores=(
                rising("drop in thresholds", depth, worst=0.0, best=params.full_drop_ratio),
                rising("rsi_14", frame["rsi_14"], worst=50.0, best=params.full_rsi),
                rising("volume_trend_20_96", trend, worst=least, best=full),
            ),
            confirmations=_confirmations(frame, params),
            plan=_plan(frame, params),
            params=params,
        )


def _gates(frame: FeatureFrame, params: DcaParams, depth: Floats) -> Iterator[Condition]:
    none, low = SkipReason.NO_SETUP, SkipReason.VOLUME_TOO_LOW
    trend, least = frame["volume_trend_20_96"], params.min_volume_trend
    yield at_least("drop in thresholds", depth, 1.0, none, of="min_drop_pct or drop_atr")
    yield at_most("rsi_14", frame["rsi_14"], params.max_rsi, none, of="max_rsi")
    yield volatility_gate(frame["natr_14"], params)
    yield at_least("volume_trend_20_96", trend, least, low, of="min_volume_trend")
    yield any_of(
        "no falling knife",
        below("h1_adx_14", frame["h1_adx_14"], params.knife_adx, of="knife_adx"),
        at_most("h1_minus_di_14", frame["h1_minus_di_14"], frame["h1_plus_di_14"], of="h1_plus_di_14"),
        reason=SkipReason.TREND_AGAINST,
    )


def _confirmations(frame: FeatureFrame, params: DcaParams) -> list[Condition]:
    volume, most = frame["volume_ratio_20"], params.confirm_volume_ratio
    return [
        at_most("bb_20_percent_b", frame["bb_20_percent_b"], params.confirm_percent_b, of="confirm_percent_b"),
        at_most("mfi_14", frame["mfi_14"], params.confirm_mfi, of="confirm_mfi"),
        at_least("volume_ratio_20", volume, most, of="confirm_volume_ratio"),
        at_least("lower_wick_share", frame["lower_wick_share"], params.confirm_lower_wick, of="confirm_lower_wick"),
        at_most("h1_rsi_14", frame["h1_rsi_14"], params.confirm_h1_rsi, of="confirm_h1_rsi"),
    ]


def _plan(frame: FeatureFrame, params: DcaParams) -> Plan:
    close, atr_share = frame.close, frame["natr_14"] / 100.0
    n = len(frame)
    ladder = np.empty((n, params.rungs))
    distance = np.zeros(n)
    gap = params.spacing_atr
    weights: list[Any] = [1.0]
    # Multiplied up and not raised to a power, which NumPy rounds otherwise than Python does.
    for rung in range(params.rungs):
        distance = distance + gap * atr_share
        ladder[:, rung] = close * (1.0 - distance)
        gap = gap * params.spacing_growth
        weights.append(weights[-1] * params.size_growth)
    total = sum(weights)
    target_fraction = np.maximum(params.min_target_pct / 100.0, params.target_atr * atr_share)
    return Plan(
        stop=ladder[:, -1] * (1.0 - params.stop_atr * atr_share),
        target=close * (1.0 + target_fraction),
        ladder=ladder,
        weights=np.column_stack([np.broadcast_to(each / total, n) for each in weights]),
        target_fraction=target_fraction,
        trail_distance=np.zeros(n),
    )


RULE = DcaRule()
