"""The rules, one row at a time: which setups signal, what holds a row back, and prices always in order."""

from __future__ import annotations

import math
import re
import tomllib
from dataclasses import fields, replace
from pathlib import Path
from typing import get_args, get_type_hints

import numpy as np
import pytest
from annotated_types import Ge, Gt, Lt
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError
from quant_builders import CONFIGS, START, default_params
from tracker.domain.errors import ConfigError
from tracker.domain.signal import Regime, SkipReason, Strategy
from tracker.quant.frame import FeatureFrame
from tracker.quant.regime import VOLATILITY_FEATURE
from tracker.quant.strategies import RULES, Proposals
from tracker.runtime.strategies import load_strategy

# A textbook setup of each strategy at a close of 100; everything else is a variation of these.
IDEAL: dict[Strategy, dict[str, float]] = {
    Strategy("dca"): {
        "drawdown_96": -4.0,
        "natr_14": 0.5,
        "rsi_14": 24.0,
        "volume_trend_20_96": 1.4,
        "volume_ratio_20": 2.0,
        "bb_20_percent_b": -0.05,
        "mfi_14": 20.0,
        "lower_wick_share": 0.5,
        "h1_rsi_14": 35.0,
        "h1_plus_di_14": 15.0,
        "h1_minus_di_14": 25.0,
        "h1_adx_14": 22.0,
        "h1_linreg_48_slope_pct": -0.05,
    },
    Strategy("swing"): {
        "breakout_20_distance": 0.2,
        "ema_9_21_spread": 0.3,
        "ema_21_distance": 0.8,
        "ema_100_distance": 1.5,
        "log_return_1": 0.3,
        "natr_14": 0.5,
        "adx_14": 28.0,
        "rsi_14": 64.0,
        "volume_ratio_20": 2.0,
        "obv_slope_20": 0.4,
        "h1_ema_21_distance": 1.0,
        "h1_plus_di_14": 35.0,
        "h1_minus_di_14": 12.0,
        "h1_adx_14": 32.0,
        "h1_linreg_48_r2": 0.8,
        "h1_linreg_48_slope_pct": 0.1,
    },
    Strategy("channel"): {
        "linreg_48_position": 0.08,
        "linreg_48_slope_pct": 0.005,
        "linreg_48_half_width_pct": 1.5,
        "drawdown_96": -1.5,
        "rally_96": 0.4,
        "natr_14": 0.5,
        "rsi_14": 36.0,
        "stoch_k_14": 25.0,
        "stoch_d_14": 18.0,
        "mfi_14": 30.0,
        "lower_wick_share": 0.4,
        "volume_ratio_20": 1.2,
        "h1_linreg_48_position": 0.35,
        "h1_adx_14": 15.0,
        "h1_linreg_48_slope_pct": 0.01,
    },
}


# What a rule's frame holds beside the features that it requires.
BESIDE = {VOLATILITY_FEATURE: 0.5, "d1_ema_9_distance": 1.2}


def frame_of_row(strategy: Strategy, **changes: float) -> FeatureFrame:
    row = {**IDEAL[strategy], **BESIDE, **changes}
    columns = {name: np.array([value]) for name, value in row.items()}
    return FeatureFrame(
        close=np.array([100.0]), decided_at=np.array([START], dtype=np.int64), columns=columns
    )


def look(strategy: Strategy, **changes: float) -> Proposals:
    return RULES[strategy].evaluate(frame_of_row(strategy, **changes), default_params(strategy))


@st.composite
def frames(draw: st.DrawFn, strategy: Strategy) -> FeatureFrame:
    """Draw rows around the ideal one: some near, some absurd, some with unknown features."""
    n = draw(st.integers(1, 40))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    spread = draw(st.sampled_from([0.05, 0.3, 3.0, 100.0]))
    unknown = draw(st.sampled_from([0.0, 0.02]))
    columns: dict[str, np.ndarray] = {name: rng.normal(size=n) for name in BESIDE}
    for name, value in IDEAL[strategy].items():
        values = value + abs(value) * spread * rng.normal(size=n)
        values[rng.random(n) < unknown] = np.nan
        columns[name] = np.abs(values) if name == "natr_14" else values
    close = np.exp(rng.uniform(-15, 12, n))
    decided_at = START + 900 * np.arange(n, dtype=np.int64)
    return FeatureFrame(close=close, decided_at=decided_at, columns=columns)


STRATEGIES = list(RULES)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_the_ideal_setup_signals(strategy: Strategy) -> None:
    result = look(strategy)
    assert result.reason.tolist() == [None]
    assert result.is_signal.tolist() == [True]
    assert result.confirmations.tolist() == [5]
    assert 0.8 < result.strength[0] <= 1.0


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_ideal_rows_name_exactly_what_the_rule_reads(strategy: Strategy) -> None:
    assert set(IDEAL[strategy]) == set(RULES[strategy].required_features)
    assert RULES[strategy].name == strategy


@pytest.mark.parametrize(
    ("strategy", "changes", "reason"),
    [
        (Strategy("dca"), {"drawdown_96": -2.9}, SkipReason.NO_SETUP),
        (Strategy("dca"), {"drawdown_96": -1.4, "natr_14": 0.15}, SkipReason.NO_SETUP),
        (Strategy("dca"), {"rsi_14": 39.0}, SkipReason.NO_SETUP),
        (Strategy("dca"), {"natr_14": 0.09}, SkipReason.VOLATILITY_OUT_OF_RANGE),
        (Strategy("dca"), {"natr_14": 3.1, "drawdown_96": -30.0}, SkipReason.VOLATILITY_OUT_OF_RANGE),
        (Strategy("dca"), {"volume_trend_20_96": 0.4}, SkipReason.VOLUME_TOO_LOW),
        (Strategy("dca"), {"h1_adx_14": 50.0}, SkipReason.TREND_AGAINST),
        (
            Strategy("dca"),
            {"bb_20_percent_b": 0.2, "mfi_14": 50.0, "volume_ratio_20": 1.0, "lower_wick_share": 0.1},
            SkipReason.TOO_FEW_CONFIRMATIONS,
        ),
        (
            Strategy("dca"),
            {"drawdown_96": -3.0, "rsi_14": 37.0, "volume_trend_20_96": 0.6},
            SkipReason.STRENGTH_TOO_LOW,
        ),
        (Strategy("swing"), {"breakout_20_distance": -0.1}, SkipReason.NO_SETUP),
        (Strategy("swing"), {"ema_21_distance": 2.1}, SkipReason.NO_SETUP),
        (
            Strategy("swing"),
            {"breakout_20_distance": -0.5, "ema_21_distance": 0.1, "log_return_1": -0.1},
            SkipReason.NO_SETUP,
        ),
        (Strategy("swing"), {"natr_14": 5.0}, SkipReason.VOLATILITY_OUT_OF_RANGE),
        (Strategy("swing"), {"h1_ema_21_distance": -0.1}, SkipReason.TREND_AGAINST),
        (Strategy("swing"), {"h1_minus_di_14": 36.0}, SkipReason.TREND_AGAINST),
        (Strategy("swing"), {"h1_adx_14": 15.0}, SkipReason.TREND_AGAINST),
        (Strategy("swing"), {"d1_ema_9_distance": -0.1}, SkipReason.TREND_AGAINST),
        (Strategy("swing"), {"ema_100_distance": -0.1}, SkipReason.TREND_AGAINST),
        (Strategy("swing"), {"volume_ratio_20": 0.5}, SkipReason.VOLUME_TOO_LOW),
        (
            Strategy("swing"),
            {"adx_14": 15.0, "rsi_14": 80.0, "volume_ratio_20": 1.2, "obv_slope_20": 0.0},
            SkipReason.TOO_FEW_CONFIRMATIONS,
        ),
        (
            Strategy("swing"),
            {"h1_adx_14": 19.0, "h1_plus_di_14": 14.0, "volume_ratio_20": 0.8},
            SkipReason.STRENGTH_TOO_LOW,
        ),
        (Strategy("channel"), {"linreg_48_position": 0.3}, SkipReason.NO_SETUP),
        (Strategy("channel"), {"linreg_48_position": -0.15}, SkipReason.NO_SETUP),
        (Strategy("channel"), {"linreg_48_half_width_pct": 0.7}, SkipReason.NO_SETUP),
        (Strategy("channel"), {"linreg_48_slope_pct": -0.07}, SkipReason.NO_SETUP),
        (Strategy("channel"), {"rally_96": 2.8}, SkipReason.CHANNEL_BROKEN),
        (Strategy("channel"), {"drawdown_96": -5.0}, SkipReason.CHANNEL_BROKEN),
        (Strategy("channel"), {"natr_14": 0.07}, SkipReason.VOLATILITY_OUT_OF_RANGE),
        (Strategy("channel"), {"h1_adx_14": 33.0}, SkipReason.TREND_AGAINST),
        (Strategy("channel"), {"h1_linreg_48_position": -0.1}, SkipReason.TREND_AGAINST),
        (Strategy("channel"), {"volume_ratio_20": 3.5}, SkipReason.VOLUME_TOO_HIGH),
        (
            Strategy("channel"),
            {"rsi_14": 50.0, "stoch_k_14": 10.0, "lower_wick_share": 0.1, "mfi_14": 50.0},
            SkipReason.TOO_FEW_CONFIRMATIONS,
        ),
        (
            Strategy("channel"),
            {"linreg_48_position": 0.24, "h1_adx_14": 31.0, "linreg_48_slope_pct": 0.055},
            SkipReason.STRENGTH_TOO_LOW,
        ),
    ],
)
def test_one_flaw_holds_the_setup_back(
    strategy: Strategy, changes: dict[str, float], reason: SkipReason
) -> None:
    result = look(strategy, **changes)
    assert result.reason.tolist() == [reason]
    assert np.isnan([*result.entry, *result.stop, *result.target, *result.trail_distance]).all()
    assert np.isnan(result.ladder).all()
    assert result.expires_at.tolist() == [0]
    assert np.isfinite(result.strength).all()


@pytest.mark.parametrize(
    ("strategy", "name"), [(s, name) for s in STRATEGIES for name in RULES[s].required_features]
)
def test_an_unknown_feature_is_warming_up(strategy: Strategy, name: str) -> None:
    result = look(strategy, **{name: np.nan})
    assert result.reason.tolist() == [SkipReason.WARMING_UP]
    assert np.isnan(result.strength).all()
    assert result.confirmations.tolist() == [0]


def test_dca_plan_by_hand() -> None:
    # ATR 0.5: rungs 0.8, 1.76 and 2.912 under the entry; the stop 1.25 percent under the last.
    result = look(Strategy("dca"))
    np.testing.assert_allclose(result.ladder, [[99.2, 98.24, 97.088]])
    np.testing.assert_allclose(result.stop, [97.088 * 0.9875])
    np.testing.assert_allclose(result.target_fraction, [0.0125])
    np.testing.assert_allclose(result.target, [101.25])
    np.testing.assert_allclose(result.size_weights, np.array([[1, 1.25, 1.5625, 1.953125]]) / 5.765625)
    assert result.expires_at.tolist() == [START + 2880 * 60]
    assert result.trail_distance.tolist() == [0.0]


def test_dca_target_covers_the_fees_in_quiet_markets() -> None:
    result = look(Strategy("dca"), natr_14=0.2)
    np.testing.assert_allclose(result.target_fraction, [0.008])


def test_swing_plan_by_hand() -> None:
    # ATR 0.5: stop 1.25 under the entry, target twice that above, trail 1.5.
    result = look(Strategy("swing"))
    np.testing.assert_allclose(result.stop, [98.75])
    np.testing.assert_allclose(result.target, [102.5])
    np.testing.assert_allclose(result.trail_distance, [1.5])
    assert np.isnan(result.target_fraction).all()
    assert result.ladder.shape == (1, 0)
    assert result.size_weights.tolist() == [[1.0]]
    assert result.regime.tolist() == [Regime.TREND_UP]


def test_swing_does_without_the_day_where_it_is_not_known_yet() -> None:
    assert look(Strategy("swing"), d1_ema_9_distance=np.nan).is_signal.tolist() == [True]


def test_swing_takes_a_pullback_that_turns_up() -> None:
    result = look(Strategy("swing"), breakout_20_distance=-0.6, ema_21_distance=0.1)
    assert result.is_signal.tolist() == [True]


def test_channel_plan_by_hand() -> None:
    # Channel 3 wide, the close 0.24 above its lower edge at 99.76: target 2.25 above that, stop 0.6 below.
    result = look(Strategy("channel"))
    np.testing.assert_allclose(result.target, [102.01])
    np.testing.assert_allclose(result.stop, [99.16])
    assert result.regime.tolist() == [Regime.RANGE]


def test_channel_stop_is_never_inside_one_bar() -> None:
    result = look(Strategy("channel"), linreg_48_position=-0.1)
    np.testing.assert_allclose(result.stop, [99.5])


@pytest.mark.parametrize("strategy", STRATEGIES)
@given(data=st.data())
@settings(max_examples=120, deadline=None)
def test_a_signal_is_a_trade_that_can_be_placed(strategy: Strategy, data: st.DataObject) -> None:
    frame = data.draw(frames(strategy))
    params = default_params(strategy)
    result = RULES[strategy].evaluate(frame, params)
    assert all(getattr(result, field.name).shape[0] == len(frame) for field in fields(result))
    assert [reason is None for reason in result.reason] == result.is_signal.tolist()
    signals = result.take(result.is_signal)
    assert (signals.entry == frame.close[result.is_signal]).all()
    falling = np.column_stack([signals.target, signals.entry, signals.ladder, signals.stop, 0 * signals.stop])
    assert (np.diff(falling, axis=1) < 0).all()
    np.testing.assert_allclose(signals.size_weights.sum(axis=1), 1.0)
    assert ((signals.strength >= params.min_strength) & (signals.strength <= 1)).all()
    assert ((signals.confirmations >= params.min_confirmations) & (signals.confirmations <= 5)).all()
    assert (signals.expires_at > frame.decided_at[result.is_signal]).all()
    assert (signals.trail_distance >= 0).all()


@pytest.mark.parametrize("strategy", STRATEGIES)
@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_rows_do_not_see_each_other(strategy: Strategy, data: st.DataObject) -> None:
    frame = data.draw(frames(strategy))
    rows = np.array(data.draw(st.lists(st.integers(0, len(frame) - 1), max_size=20)), dtype=np.int64)
    rule, params = RULES[strategy], default_params(strategy)
    together = rule.evaluate(frame, params).take(rows)
    alone = rule.evaluate(frame.take(rows), params)
    for field in fields(Proposals):
        assert getattr(together, field.name).tobytes() == getattr(alone, field.name).tobytes(), field.name


def test_distances_beyond_the_price_are_held_back() -> None:
    params = replace(default_params(Strategy("dca")), spacing_atr=400.0)
    result = RULES[Strategy("dca")].evaluate(frame_of_row(Strategy("dca")), params)
    assert result.reason.tolist() == [SkipReason.VOLATILITY_OUT_OF_RANGE]


UNITS = re.compile(
    r"score|conditions|percent|minutes|position|ATR|channel width|ADX|RSI|MFI|share|volume|thresholds|place in|"
    r"further buys|times the|[+]DI|distance|rise or fall|slope of OBV"
)
PARAMETERS = [(s, field.name) for s in STRATEGIES for field in fields(RULES[s].params)]


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_every_shipped_number_has_its_unit_beside_it(strategy: Strategy) -> None:
    text = (CONFIGS / f"{strategy}.toml").read_text()
    table = tomllib.loads(text)
    assert table["timeframe"] == "15m"
    assert set(table["params"]) == {name for each, name in PARAMETERS if each == strategy}
    assert (table["params"]["min_strength"], table["params"]["min_confirmations"]) == (0.60, 2)
    for name in table["params"]:
        (comment,) = re.findall(rf"^{name} = \S+ +# (.+)$", text, re.M)
        unit, semicolon, why = comment.partition("; ")
        assert UNITS.search(unit), (name, unit)
        assert semicolon or "scores" in unit, name
        assert len(unit + why) > 15


def bounds_of(strategy: Strategy, name: str) -> list[tuple[float, float]]:
    """Return of each bound of a parameter the number just outside, and on which side of the range it lies."""
    hints = get_type_hints(RULES[strategy].params, include_extras=True)
    kind, *limits = get_args(hints[name])
    found: list[tuple[float, float]] = []
    for limit in limits:
        (bound,) = (getattr(limit, each) for each in ("ge", "gt", "le", "lt") if hasattr(limit, each))
        out = -1 if isinstance(limit, Ge | Gt) else 1
        just = bound + out if kind is int else np.nextafter(bound, out * np.inf)
        found.append((kind(bound if isinstance(limit, Gt | Lt) else just), out))
    return found


@pytest.mark.parametrize(("strategy", "name"), PARAMETERS)
def test_every_number_has_two_bounds_and_both_hold(strategy: Strategy, name: str, tmp_path: Path) -> None:
    found = bounds_of(strategy, name)
    assert sorted(side for _, side in found) == [-1, 1]
    text = (CONFIGS / f"{strategy}.toml").read_text()
    path = tmp_path / "strategies" / f"{strategy}.toml"
    path.parent.mkdir()
    for value in (*(value for value, _ in found), math.nan, math.inf):
        changed, count = re.subn(rf"^{name} = \S+", f"{name} = {value!r}", text, flags=re.M)
        assert count == 1
        path.write_text(changed)
        shown = re.escape(f"{path}: params.{name} = {value!r}: ")
        with pytest.raises(ConfigError, match=f"^{shown}"):
            load_strategy(tmp_path, strategy)


@pytest.mark.parametrize(
    ("strategy", "name", "value"),
    [
        (Strategy("dca"), "rungs", 0),
        (Strategy("dca"), "rungs", 9),
        (Strategy("dca"), "rungs", 2.5),
        (Strategy("dca"), "min_strength", 1.1),
        (Strategy("dca"), "full_rsi", 50.0),
        (Strategy("dca"), "full_volume_trend", 0.4),
        (Strategy("dca"), "min_natr_pct", 9.0),
        (Strategy("swing"), "stop_atr", 0.0),
        (Strategy("swing"), "confirm_rsi_low", 90.0),
        (Strategy("swing"), "full_h1_adx", 10.0),
        (Strategy("swing"), "max_hold_minutes", "soon"),
        (Strategy("channel"), "target_position", 0.2),
        (Strategy("channel"), "min_position", 0.3),
        (Strategy("channel"), "full_width_atr", 2.0),
        (Strategy("channel"), "no_such_knob", 1.0),
    ],
)
def test_a_wrong_parameter_is_refused_by_name(strategy: Strategy, name: str, value: object) -> None:
    table = tomllib.loads((CONFIGS / f"{strategy}.toml").read_text())["params"]
    with pytest.raises(ValidationError, match=name):
        TypeAdapter(RULES[strategy].params).validate_python({**table, name: value})
