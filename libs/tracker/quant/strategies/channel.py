"""Buy near the lower edge of a price channel that holds, and sell higher inside it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Annotated, ClassVar

import numpy as np
from annotated_types import Ge, Gt, Le

from tracker.domain.signal import SkipReason, Strategy
from tracker.quant.bars import Floats
from tracker.quant.condition import Condition, above, at_least, at_most, fading, rising
from tracker.quant.features.catalogue import CHANNEL_BARS
from tracker.quant.frame import FeatureFrame
from tracker.quant.regime import TREND_FEATURES
from tracker.quant.strategies.base import Proposals
from tracker.quant.strategies.verdict import Plan, SharedParams, single_entry, volatility_gate, weigh


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
    break_even_r: Annotated[float, Ge(0), Le(100)] = 0.0

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
        plan = _plan(frame, params)
        return weigh(
            frame,
            required=self.required_features,
            gates=chain(
                _setup(frame, params, tilt=tilt, width_atr=width_atr, plan=plan),
                [volatility_gate(frame["natr_14"], params)],
                _has_held(frame, params),
                _is_calm(frame, params),
            ),
            scores=(
                rising("linreg_48_position", frame["linreg_48_position"], worst=0.5, best=0.0),
                rising("width_atr", width_atr, worst=0.0, best=params.full_width_atr),
                fading("h1_adx_14", frame["h1_adx_14"], best=0.0, worst=2.0 * params.max_h1_adx),
                fading("tilt", tilt, best=0.0, worst=2.0 * params.max_tilt),
            ),
            confirmations=_confirmations(frame, params),
            plan=plan,
            params=params,
        )


def _setup(
    frame: FeatureFrame, params: ChannelParams, *, tilt: Floats, width_atr: Floats, plan: Plan
) -> Iterator[Condition]:
    position, none = frame["linreg_48_position"], SkipReason.NO_SETUP
    gain, loss = plan.target - frame.close, frame.close - plan.stop
    least_gain = frame.close * params.min_target_pct / 100.0
    yield at_least("linreg_48_position", position, params.min_position, none, of="min_position")
    yield at_most("linreg_48_position", position, params.max_position, none, of="max_position")
    yield at_least("width_atr", width_atr, params.min_width_atr, none, of="min_width_atr")
    yield at_most("tilt", tilt, params.max_tilt, none, of="max_tilt")
    yield at_least("way to target", gain, least_gain, none, of="min_target_pct of the close")
    yield at_least("way to target", gain, params.min_reward_risk * loss, none, of="min_reward_risk x way to stop")


def _has_held(frame: FeatureFrame, params: ChannelParams) -> Iterator[Condition]:
    # The highest and the lowest price of 96 bars as positions in the channel, where 1 is its width.
    width = np.maximum(2.0 * frame["linreg_48_half_width_pct"], 1e-9)
    to_highest = 100.0 / (1.0 + frame["drawdown_96"] / 100.0) - 100.0
    to_lowest = 100.0 - 100.0 / (1.0 + frame["rally_96"] / 100.0)
    highest = frame["linreg_48_position"] + to_highest / width
    lowest = frame["linreg_48_position"] - to_lowest / width
    broken = SkipReason.CHANNEL_BROKEN
    yield at_most("highest position of 96 bars", highest, 1.0 + params.max_break, broken, of="1 + max_break")
    yield at_least("lowest position of 96 bars", lowest, -params.max_break, broken, of="-max_break")


def _is_calm(frame: FeatureFrame, params: ChannelParams) -> Iterator[Condition]:
    against, high = SkipReason.TREND_AGAINST, SkipReason.VOLUME_TOO_HIGH
    position, least = frame["h1_linreg_48_position"], params.min_h1_position
    yield at_most("h1_adx_14", frame["h1_adx_14"], params.max_h1_adx, against, of="max_h1_adx")
    yield at_least("h1_linreg_48_position", position, least, against, of="min_h1_position")
    yield at_most("volume_ratio_20", frame["volume_ratio_20"], params.max_volume_ratio, high, of="max_volume_ratio")


def _confirmations(frame: FeatureFrame, params: ChannelParams) -> list[Condition]:
    return [
        at_most("rsi_14", frame["rsi_14"], params.confirm_rsi, of="confirm_rsi"),
        above("stoch_k_14", frame["stoch_k_14"], frame["stoch_d_14"], of="stoch_d_14"),
        at_least("lower_wick_share", frame["lower_wick_share"], params.confirm_lower_wick, of="confirm_lower_wick"),
        at_most("mfi_14", frame["mfi_14"], params.confirm_mfi, of="confirm_mfi"),
        at_least("h1_linreg_48_slope_pct", frame["h1_linreg_48_slope_pct"], 0.0),
    ]


def _plan(frame: FeatureFrame, params: ChannelParams) -> Plan:
    close = frame.close
    width = close * 2.0 * frame["linreg_48_half_width_pct"] / 100.0
    lower_edge = close - frame["linreg_48_position"] * width
    nearest_stop = close * (1.0 - params.min_stop_atr * frame["natr_14"] / 100.0)
    stop = np.minimum(lower_edge - params.stop_position * width, nearest_stop)
    return single_entry(
        stop=stop,
        target=lower_edge + params.target_position * width,
        break_even_distance=params.break_even_r * (close - stop),
    )


RULE = ChannelRule()
