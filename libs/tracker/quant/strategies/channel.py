"""Buy near the lower edge of a price channel that holds, and sell higher inside it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
from annotated_types import Ge, Gt, Le

from tracker.domain.signal import SkipReason, Strategy
from tracker.quant.bars import Bools, Floats, Ints
from tracker.quant.features.catalogue import CHANNEL_BARS
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
class ChannelParams(SharedParams):
    """Parameters of the channel rule; units and reasons stand in configs/strategies/channel.toml."""

    min_position: Annotated[float, Ge(-1), Le(0.5)]
    max_position: Annotated[float, Gt(0), Le(0.5)]
    min_width_atr: Annotated[float, Gt(0), Le(50)]
    full_width_atr: Annotated[float, Gt(0), Le(100)]
    max_tilt: Annotated[float, Gt(0), Le(5)]
    max_break: Annotated[float, Ge(0), Le(10)]
    max_h1_adx: Annotated[float, Gt(0), Le(100)]
    min_h1_position: Annotated[float, Ge(-2), Le(1)]
    max_volume_ratio: Annotated[float, Gt(0), Le(20)]
    confirm_rsi: Annotated[float, Ge(0), Le(100)]
    confirm_lower_wick: Annotated[float, Ge(0), Le(1)]
    confirm_mfi: Annotated[float, Ge(0), Le(100)]
    target_position: Annotated[float, Gt(0), Le(1)]
    stop_position: Annotated[float, Gt(0), Le(5)]
    min_stop_atr: Annotated[float, Gt(0), Le(20)]
    min_target_pct: Annotated[float, Gt(0), Le(50)]
    min_reward_risk: Annotated[float, Ge(0), Le(20)]

    def __post_init__(self) -> None:
        """Refuse bounds and scores whose ends are the wrong way round."""
        SharedParams.__post_init__(self)
        if self.min_position >= self.max_position:
            raise ValueError(
                f"min_position {self.min_position} must be below max_position {self.max_position}"
            )
        if self.full_width_atr <= self.min_width_atr:
            raise ValueError(f"full_width_atr {self.full_width_atr} must be above {self.min_width_atr}")
        if self.target_position <= self.max_position:
            raise ValueError(f"target_position {self.target_position} must be above {self.max_position}")


@dataclass(frozen=True, slots=True)
class ChannelRule:
    """The channel rule, long only.

    The channel is the 48-bar regression line with two residual deviations on either side. Setup: the close
    lies near its lower edge, the channel is wide against the ATR and not steeper than `max_tilt` of its own
    width over its length, and the way to the target pays for the way to the stop. It has held where the 96
    bars, twice those that it is fitted to, did not reach further than `max_break` widths beyond either edge, and it
    holds while the hourly ADX is low and the close is inside the hourly channel too. Strength is the mean of four
    scores: nearness to the edge (0 at the middle, 1 at the edge), width (0 at 0, 1 at `full_width_atr`), calm (hourly
    ADX, 1 at 0, 0 at twice its limit), and level (tilt, 1 at 0, 0 at twice its limit). Confirmations, up to 5: RSI
    low, stochastic turning up, a rejection wick, money flow out, the hourly channel not falling.
    """

    name: ClassVar[Strategy] = Strategy("channel")
    params: ClassVar[type[ChannelParams]] = ChannelParams
    required_features: ClassVar[tuple[str, ...]] = (
        "linreg_48_position",
        "linreg_48_slope_pct",
        "linreg_48_half_width_pct",
        "drawdown_96",
        "rally_96",
        "natr_14",
        "rsi_14",
        "stoch_k_14",
        "stoch_d_14",
        "mfi_14",
        "lower_wick_share",
        "volume_ratio_20",
        "h1_linreg_48_position",
        *TREND_FEATURES,
    )

    def evaluate(self, frame: FeatureFrame, params: ChannelParams) -> Proposals:
        """Return one proposal a row; raises InputError where a column is missing."""
        width = 2.0 * frame["linreg_48_half_width_pct"]
        # A symbol that does not move has neither width nor ATR; its ratios must be defined, the gates hold it
        # back.
        tilt = np.abs(frame["linreg_48_slope_pct"]) * CHANNEL_BARS / np.maximum(width, 1e-9)
        width_atr = width / np.maximum(frame["natr_14"], 1e-9)
        strength = mean_of(
            (
                ramp(frame["linreg_48_position"], 0.5, 0.0),
                ramp(width_atr, 0.0, params.full_width_atr),
                1.0 - ramp(frame["h1_adx_14"], 0.0, 2.0 * params.max_h1_adx),
                1.0 - ramp(tilt, 0.0, 2.0 * params.max_tilt),
            )
        )
        plan = _plan(frame, params)
        confirmations = _confirmations(frame, params)
        gates = _gates(frame, params, tilt=tilt, width_atr=width_atr, plan=plan)
        return conclude(
            frame,
            known=frame.known(self.required_features),
            gates=[*gates, *score_gates(strength, confirmations, params)],
            strength=strength,
            confirmations=confirmations,
            plan=plan,
            params=params,
        )


def _gates(
    frame: FeatureFrame, params: ChannelParams, *, tilt: Floats, width_atr: Floats, plan: Plan
) -> list[Gate]:
    position = frame["linreg_48_position"]
    gain, loss = plan.target - frame.close, frame.close - plan.stop
    setup: Bools = (
        (position >= params.min_position)
        & (position <= params.max_position)
        & (width_atr >= params.min_width_atr)
        & (tilt <= params.max_tilt)
        & (gain >= frame.close * params.min_target_pct / 100.0)
        & (gain >= params.min_reward_risk * loss)
    )
    calm = (frame["h1_adx_14"] <= params.max_h1_adx) & (
        frame["h1_linreg_48_position"] >= params.min_h1_position
    )
    return [
        (setup, SkipReason.NO_SETUP),
        volatility_gate(frame["natr_14"], params),
        (_has_held(frame, params), SkipReason.CHANNEL_BROKEN),
        (calm, SkipReason.TREND_AGAINST),
        (frame["volume_ratio_20"] <= params.max_volume_ratio, SkipReason.VOLUME_TOO_HIGH),
    ]


def _has_held(frame: FeatureFrame, params: ChannelParams) -> Bools:
    # The highest and the lowest price of 96 bars as positions in the channel, where 1 is its width.
    width = np.maximum(2.0 * frame["linreg_48_half_width_pct"], 1e-9)
    to_highest = 100.0 / (1.0 + frame["drawdown_96"] / 100.0) - 100.0
    to_lowest = 100.0 - 100.0 / (1.0 + frame["rally_96"] / 100.0)
    highest = frame["linreg_48_position"] + to_highest / width
    lowest = frame["linreg_48_position"] - to_lowest / width
    return (highest <= 1.0 + params.max_break) & (lowest >= -params.max_break)


def _confirmations(frame: FeatureFrame, params: ChannelParams) -> Ints:
    return count_met(
        (
            frame["rsi_14"] <= params.confirm_rsi,
            frame["stoch_k_14"] > frame["stoch_d_14"],
            frame["lower_wick_share"] >= params.confirm_lower_wick,
            frame["mfi_14"] <= params.confirm_mfi,
            frame["h1_linreg_48_slope_pct"] >= 0,
        )
    )


def _plan(frame: FeatureFrame, params: ChannelParams) -> Plan:
    close = frame.close
    width = close * 2.0 * frame["linreg_48_half_width_pct"] / 100.0
    lower_edge = close - frame["linreg_48_position"] * width
    nearest_stop = close * (1.0 - params.min_stop_atr * frame["natr_14"] / 100.0)
    return single_entry(
        stop=np.minimum(lower_edge - params.stop_position * width, nearest_stop),
        target=lower_edge + params.target_position * width,
    )


RULE = ChannelRule()
