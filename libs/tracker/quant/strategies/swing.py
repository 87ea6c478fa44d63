"""Buy strength: a breakout, or the end of a pause inside a trend that the hourly bars confirm."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
from annotated_types import Ge, Gt, Le

from tracker.domain.signal import SkipReason, Strategy
from tracker.quant.bars import Bools, Floats, Ints
from tracker.quant.frame import FeatureFrame
from tracker.quant.regime import TREND_FEATURES
from tracker.quant.strategies.base import Proposals
from tracker.quant.strategies.verdict import (
    Gate,
    Plan,
    SharedParams,
    conclude,
    count_met,
    mean_of,
    ramp,
    score_gates,
    single_entry,
    volatility_gate,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SwingParams(SharedParams):
    """Parameters of the swing rule; units and reasons stand in configs/strategies/swing.toml."""

    min_breakout_pct: Annotated[float, Ge(-10), Le(10)]
    pullback_atr: Annotated[float, Gt(0), Le(10)]
    max_extension_atr: Annotated[float, Gt(0), Le(50)]
    min_day_distance_pct: Annotated[float, Ge(-100), Le(100)]
    min_h1_adx: Annotated[float, Ge(0), Le(100)]
    full_h1_adx: Annotated[float, Gt(0), Le(100)]
    full_di_gap: Annotated[float, Gt(0), Le(100)]
    full_volume_ratio: Annotated[float, Gt(0), Le(20)]
    min_volume_ratio: Annotated[float, Ge(0), Le(20)]
    confirm_adx: Annotated[float, Ge(0), Le(100)]
    confirm_rsi_low: Annotated[float, Ge(0), Le(100)]
    confirm_rsi_high: Annotated[float, Ge(0), Le(100)]
    confirm_volume_ratio: Annotated[float, Ge(0), Le(20)]
    confirm_obv_slope: Annotated[float, Ge(-2), Le(2)]
    confirm_h1_r2: Annotated[float, Ge(0), Le(1)]
    stop_atr: Annotated[float, Gt(0), Le(20)]
    reward_multiple: Annotated[float, Gt(0), Le(100)]
    trail_atr: Annotated[float, Ge(0), Le(50)]

    def __post_init__(self) -> None:
        """Refuse scores whose best lies on the wrong side of their worst."""
        SharedParams.__post_init__(self)
        if self.full_h1_adx <= self.min_h1_adx:
            raise ValueError(f"full_h1_adx {self.full_h1_adx} must be above min_h1_adx {self.min_h1_adx}")
        if self.confirm_rsi_low >= self.confirm_rsi_high:
            raise ValueError(f"confirm_rsi_low {self.confirm_rsi_low} must be below {self.confirm_rsi_high}")


@dataclass(frozen=True, slots=True)
class SwingRule:
    """The swing rule, long only.

    Setup: a close above the highest high of the 20 bars before (breakout), or a close that turns up within
    `pullback_atr` of its 21-bar average while the 9-bar one is above it (continuation); never further than
    `max_extension_atr` above that average. The hour must agree: close above its 21-hour average, +DI above
    -DI, ADX high enough. So must the day: the last 1d bar closed far enough above its 9-day average, and the close lies
    above its own 100-bar average, which alone decides for a symbol too young to have the other. Strength is the mean
    of four scores: hourly ADX (0 at 0, 1 at `full_h1_adx`), hourly DI gap (0 at 0, 1 at `full_di_gap`), volume ratio
    (0 at 0, 1 at `full_volume_ratio`), and the room left (1 at the average, 0 at twice `max_extension_atr`).
    Confirmations, up to 5: ADX, RSI strong but not exhausted, high volume, volume on the buyers' side, a
    clean hourly rise.
    """

    name: ClassVar[Strategy] = Strategy("swing")
    params: ClassVar[type[SwingParams]] = SwingParams
    required_features: ClassVar[tuple[str, ...]] = (
        "breakout_20_distance",
        "ema_9_21_spread",
        "ema_21_distance",
        "ema_100_distance",
        "log_return_1",
        "natr_14",
        "adx_14",
        "rsi_14",
        "volume_ratio_20",
        "obv_slope_20",
        "h1_ema_21_distance",
        "h1_plus_di_14",
        "h1_minus_di_14",
        "h1_linreg_48_r2",
        *TREND_FEATURES,
    )
    optional_features: ClassVar[tuple[str, ...]] = ("d1_ema_9_distance",)

    def evaluate(self, frame: FeatureFrame, params: SwingParams) -> Proposals:
        """Return one proposal a row; raises InputError where a column is missing."""
        strength = mean_of(
            (
                ramp(frame["h1_adx_14"], 0.0, params.full_h1_adx),
                ramp(frame["h1_plus_di_14"] - frame["h1_minus_di_14"], 0.0, params.full_di_gap),
                ramp(frame["volume_ratio_20"], 0.0, params.full_volume_ratio),
                1.0 - ramp(frame["ema_21_distance"] / _atr(frame), 0.0, 2.0 * params.max_extension_atr),
            )
        )
        confirmations = _confirmations(frame, params)
        return conclude(
            frame,
            known=frame.known(self.required_features),
            gates=[*_gates(frame, params), *score_gates(strength, confirmations, params)],
            strength=strength,
            confirmations=confirmations,
            plan=_plan(frame, params),
            params=params,
        )


def _atr(frame: FeatureFrame) -> Floats:
    # A symbol that does not move has an ATR of 0; the volatility gate holds it back, a division must still be
    # defined.
    return np.maximum(frame["natr_14"], 1e-9)


def _gates(frame: FeatureFrame, params: SwingParams) -> list[Gate]:
    extension = frame["ema_21_distance"] / _atr(frame)
    breakout: Bools = frame["breakout_20_distance"] >= params.min_breakout_pct
    continuation: Bools = (
        (np.abs(extension) <= params.pullback_atr)
        & (frame["ema_9_21_spread"] > 0)
        & (frame["log_return_1"] > 0)
    )
    setup: Bools = (breakout | continuation) & (extension <= params.max_extension_atr)
    trend: Bools = (
        (frame["h1_ema_21_distance"] > 0)
        & (frame["h1_plus_di_14"] > frame["h1_minus_di_14"])
        & (frame["h1_adx_14"] >= params.min_h1_adx)
        & (frame["ema_100_distance"] > 0)
        & ~(frame["d1_ema_9_distance"] < params.min_day_distance_pct)
    )
    return [
        (setup, SkipReason.NO_SETUP),
        volatility_gate(frame["natr_14"], params),
        (trend, SkipReason.TREND_AGAINST),
        (frame["volume_ratio_20"] >= params.min_volume_ratio, SkipReason.VOLUME_TOO_LOW),
    ]


def _confirmations(frame: FeatureFrame, params: SwingParams) -> Ints:
    rsi = frame["rsi_14"]
    return count_met(
        (
            frame["adx_14"] >= params.confirm_adx,
            (rsi >= params.confirm_rsi_low) & (rsi <= params.confirm_rsi_high),
            frame["volume_ratio_20"] >= params.confirm_volume_ratio,
            frame["obv_slope_20"] >= params.confirm_obv_slope,
            (frame["h1_linreg_48_slope_pct"] > 0) & (frame["h1_linreg_48_r2"] >= params.confirm_h1_r2),
        )
    )


def _plan(frame: FeatureFrame, params: SwingParams) -> Plan:
    atr = frame.close * frame["natr_14"] / 100.0
    return single_entry(
        stop=frame.close - params.stop_atr * atr,
        target=frame.close + params.reward_multiple * params.stop_atr * atr,
        trail_distance=params.trail_atr * atr,
    )


RULE = SwingRule()
