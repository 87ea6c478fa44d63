"""Buy strength: a breakout, or the end of a pause inside a trend that the hourly bars confirm."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Annotated, ClassVar

import numpy as np
from annotated_types import Ge, Gt, Le

from tracker.domain.signal import SkipReason, Strategy
from tracker.quant.bars import Floats
from tracker.quant.condition import (
    Condition,
    above,
    all_of,
    any_of,
    at_least,
    at_most,
    fading,
    not_below,
    rising,
)
from tracker.quant.frame import FeatureFrame
from tracker.quant.regime import TREND_FEATURES
from tracker.quant.strategies.base import Proposals
from tracker.quant.strategies.verdict import Plan, SharedParams, single_entry, volatility_gate, weigh


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
    break_even_r: Annotated[float, Ge(0), Le(100)] = 0.0

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
        # A symbol that does not move has an ATR of 0; the volatility gate holds it back, a division must still be
        # defined.
        extension = frame["ema_21_distance"] / np.maximum(frame["natr_14"], 1e-9)
        volume = frame["volume_ratio_20"]
        least, low = params.min_volume_ratio, SkipReason.VOLUME_TOO_LOW
        return weigh(
            frame,
            required=self.required_features,
            gates=chain(
                _setup(frame, params, extension),
                [volatility_gate(frame["natr_14"], params)],
                _trend(frame, params),
                [at_least("volume_ratio_20", volume, least, low, of="min_volume_ratio")],
            ),
            scores=(
                rising("h1_adx_14", frame["h1_adx_14"], worst=0.0, best=params.full_h1_adx),
                rising(
                    "h1_plus_di_14 - h1_minus_di_14",
                    frame["h1_plus_di_14"] - frame["h1_minus_di_14"],
                    worst=0.0,
                    best=params.full_di_gap,
                ),
                rising("volume_ratio_20", volume, worst=0.0, best=params.full_volume_ratio),
                fading("extension_atr", extension, best=0.0, worst=2.0 * params.max_extension_atr),
            ),
            confirmations=_confirmations(frame, params),
            plan=_plan(frame, params),
            params=params,
        )


def _setup(frame: FeatureFrame, params: SwingParams, extension: Floats) -> Iterator[Condition]:
    breakout = frame["breakout_20_distance"]
    yield any_of(
        "breakout or continuation",
        at_least("breakout_20_distance", breakout, params.min_breakout_pct, of="min_breakout_pct"),
        all_of(
            "continuation",
            at_most("extension_atr, either way", np.abs(extension), params.pullback_atr, of="pullback_atr"),
            above("ema_9_21_spread", frame["ema_9_21_spread"], 0.0),
            above("log_return_1", frame["log_return_1"], 0.0),
        ),
        reason=SkipReason.NO_SETUP,
    )
    yield at_most("extension_atr", extension, params.max_extension_atr, SkipReason.NO_SETUP, of="max_extension_atr")


def _trend(frame: FeatureFrame, params: SwingParams) -> Iterator[Condition]:
    against = SkipReason.TREND_AGAINST
    day, least = frame["d1_ema_9_distance"], params.min_day_distance_pct
    yield above("h1_ema_21_distance", frame["h1_ema_21_distance"], 0.0, against)
    yield above("h1_plus_di_14", frame["h1_plus_di_14"], frame["h1_minus_di_14"], against, of="h1_minus_di_14")
    yield at_least("h1_adx_14", frame["h1_adx_14"], params.min_h1_adx, against, of="min_h1_adx")
    yield above("ema_100_distance", frame["ema_100_distance"], 0.0, against)
    yield not_below("d1_ema_9_distance", day, least, against, of="min_day_distance_pct")


def _confirmations(frame: FeatureFrame, params: SwingParams) -> list[Condition]:
    rsi, volume = frame["rsi_14"], frame["volume_ratio_20"]
    return [
        at_least("adx_14", frame["adx_14"], params.confirm_adx, of="confirm_adx"),
        all_of(
            "rsi_14 strong, not exhausted",
            at_least("rsi_14", rsi, params.confirm_rsi_low, of="confirm_rsi_low"),
            at_most("rsi_14", rsi, params.confirm_rsi_high, of="confirm_rsi_high"),
        ),
        at_least("volume_ratio_20", volume, params.confirm_volume_ratio, of="confirm_volume_ratio"),
        at_least("obv_slope_20", frame["obv_slope_20"], params.confirm_obv_slope, of="confirm_obv_slope"),
        all_of(
            "clean hourly rise",
            above("h1_linreg_48_slope_pct", frame["h1_linreg_48_slope_pct"], 0.0),
            at_least("h1_linreg_48_r2", frame["h1_linreg_48_r2"], params.confirm_h1_r2, of="confirm_h1_r2"),
        ),
    ]


def _plan(frame: FeatureFrame, params: SwingParams) -> Plan:
    atr = frame.close * frame["natr_14"] / 100.0
    return single_entry(
        stop=frame.close - params.stop_atr * atr,
        target=frame.close + params.reward_multiple * params.stop_atr * atr,
        trail_distance=params.trail_atr * atr,
        break_even_distance=params.break_even_r * params.stop_atr * atr,
    )


RULE = SwingRule()
