"""The features' contract: warm-up, prefix stability, scale, finite whatever the market does."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from quant_builders import M15, bars_from, column, hostile_bars, read_candles, rolled, walk
from tracker.domain.errors import InputError
from tracker.quant.bars import BarArrays
from tracker.quant.features import FEATURE_SET, FEATURE_SPECS, LONGEST_WARMUP_BARS, OWN_NAMES, OWN_SPECS
from tracker.quant.features.matrix import feature_matrix

BOUNDS = {
    "rsi_14": (0, 100),
    "adx_14": (0, 100),
    "stoch_k_14": (0, 100),
    "stoch_d_14": (0, 100),
    "willr_14": (-100, 0),
    "mfi_14": (0, 100),
    "aroon_osc_25": (-100, 100),
    "donchian_20_position": (0, 1),
    "linreg_48_r2": (0, 1),
    "linreg_48_half_width_pct": (0, np.inf),
    "drawdown_96": (-100, 0),
    "volume_ratio_20": (0, 20),
    "volume_trend_20_96": (0, 4.8),
    "lower_wick_share": (0, 1),
    "upper_wick_share": (0, 1),
    "body_share": (-1, 1),
    "rsi_7": (0, 100),
    "efficiency_20": (0, 1),
    "vol_ratio_20_96": (0, 2.2),
    "natr_place_144": (0, 1),
    "donchian_96_position": (0, 1),
    "rally_96": (0, np.inf),
    "close_location": (0, 1),
    "money_flow_20": (-1, 1),
}


def same(left: np.ndarray, right: np.ndarray) -> bool:
    return left.shape == right.shape and left.tobytes() == right.tobytes()


def test_the_set_names_every_column_once() -> None:
    assert FEATURE_SET.names == tuple(spec.name for spec in FEATURE_SPECS)
    assert len(set(FEATURE_SET.names)) == len(FEATURE_SET.names) >= 60
    assert all(spec.formula and spec.source and spec.unit for spec in FEATURE_SPECS)


def test_warm_ups_stay_short() -> None:
    assert LONGEST_WARMUP_BARS <= 200
    assert sum(spec.warmup_bars <= 100 for spec in OWN_SPECS) > len(OWN_SPECS) * 0.9


@pytest.mark.parametrize("index", range(len(OWN_SPECS)), ids=OWN_NAMES)
def test_a_feature_is_unknown_until_its_warm_up_and_known_after(index: int) -> None:
    values = feature_matrix(walk(400))[:, index]
    warmup = OWN_SPECS[index].warmup_bars
    assert np.isnan(values[:warmup]).all()
    assert np.isfinite(values[warmup:]).all()


@given(bars=hostile_bars())
@settings(max_examples=60, deadline=None)
def test_every_value_is_defined_and_within_its_bounds(bars: BarArrays) -> None:
    matrix = feature_matrix(bars)
    assert matrix.shape == (len(bars), len(OWN_SPECS))
    for index, spec in enumerate(OWN_SPECS):
        known = matrix[spec.warmup_bars :, index]
        assert np.isfinite(known).all(), spec.name
        low, high = BOUNDS.get(spec.name, (-np.inf, np.inf))
        assert ((known >= low - 1e-9) & (known <= high + 1e-9)).all(), spec.name
        with np.errstate(over="raise"):
            known.astype(np.float32)


@given(bars=hostile_bars(), data=st.data())
@settings(max_examples=60, deadline=None)
def test_a_prefix_has_the_features_of_the_whole(bars: BarArrays, data: st.DataObject) -> None:
    k = data.draw(st.integers(0, len(bars)))
    assert same(feature_matrix(bars.slice(0, k)), feature_matrix(bars)[:k])


@pytest.mark.parametrize("name", ["BTC-PERP_1m_2022-01", "ADA-BTC_5m_2018-01", "ALT-BTC_1m_2017-11_gaps"])
def test_a_prefix_of_real_candles_has_the_features_of_the_whole(shared_candles: Path, name: str) -> None:
    bars = rolled(read_candles(shared_candles / f"{name}.csv"), M15)
    whole = feature_matrix(bars)
    for k in (*range(1, 220, 7), *range(220, len(bars), 61)):
        assert same(feature_matrix(bars.slice(0, k)), whole[:k]), k


@given(bars=hostile_bars(), names=st.lists(st.sampled_from(OWN_NAMES), unique=True, min_size=1))
@settings(max_examples=40, deadline=None)
def test_some_features_are_those_of_the_whole_set(bars: BarArrays, names: list[str]) -> None:
    places = [OWN_NAMES.index(name) for name in names]
    assert same(feature_matrix(bars, names), feature_matrix(bars)[:, places])


def test_no_bar_means_no_row() -> None:
    assert feature_matrix(walk(5).slice(0, 0)).shape == (0, len(OWN_SPECS))


@given(bars=hostile_bars(min_size=100), power=st.integers(-20, 20))
@settings(max_examples=40, deadline=None)
def test_the_unit_of_the_price_does_not_matter(bars: BarArrays, power: int) -> None:
    factor = 2.0**power
    scaled = replace(
        bars,
        open=bars.open * factor,
        high=bars.high * factor,
        low=bars.low * factor,
        close=bars.close * factor,
    )
    assert same(feature_matrix(scaled), feature_matrix(bars))


def test_a_coin_priced_in_millionths_has_volatility() -> None:
    dear, cheap = walk(300, price=1000.0), walk(300, price=1e-6)
    np.testing.assert_allclose(feature_matrix(cheap), feature_matrix(dear), rtol=1e-6, atol=1e-6)
    assert (column(cheap, "bb_20_width")[19:] > 0).all()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("open", np.nan),
        ("high", np.inf),
        ("low", 0.0),
        ("close", -1.0),
        ("close", np.nan),
        ("volume", np.nan),
        ("volume", -0.5),
        ("volume", np.inf),
    ],
)
def test_a_value_that_cannot_be_is_named(field: str, value: float) -> None:
    bars = walk(60)
    values = getattr(bars, field).copy()
    values[37] = value
    with pytest.raises(InputError, match=rf"{field}\[37\]"):
        feature_matrix(replace(bars, **{field: values}))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("rsi_14", 50.0),
        ("stoch_k_14", 50.0),
        ("stoch_d_14", 50.0),
        ("willr_14", -50.0),
        ("cci_20", 0.0),
        ("mfi_14", 50.0),
        ("bb_20_width", 0.0),
        ("bb_20_percent_b", 0.5),
        ("donchian_20_position", 0.5),
        ("linreg_48_position", 0.5),
        ("linreg_48_slope_pct", 0.0),
        ("linreg_48_r2", 0.0),
        ("realised_vol_20", 0.0),
        ("drawdown_96", 0.0),
        ("volume_ratio_20", 0.0),
        ("volume_trend_20_96", 0.0),
        ("obv_slope_20", 0.0),
        ("body_share", 0.0),
        ("rsi_7", 50.0),
        ("macd_pct", 0.0),
        ("efficiency_20", 0.0),
        ("log_return_96", 0.0),
        ("realised_vol_96", 0.0),
        ("vol_ratio_20_96", 1.0),
        ("donchian_96_position", 0.5),
        ("rally_96", 0.0),
        ("close_location", 0.5),
        ("range_pct", 0.0),
        ("gap_pct", 0.0),
        ("money_flow_20", 0.0),
        ("vwap_20_distance", 0.0),
    ],
)
def test_a_dead_market_reads_neutral(name: str, expected: float) -> None:
    # Alive first, then dead for longer than any window: what TA-Lib's running sums keep must not show.
    live = walk(300)
    price = np.concatenate([live.close, np.full(700, live.close[-1])])
    volume = np.concatenate([live.volume, np.zeros(700)])
    wick = np.concatenate([np.full(300, 0.001), np.zeros(700)])
    assert column(bars_from(price, volume, wick=wick), name)[-1] == pytest.approx(expected, abs=1e-9)


def test_the_last_bars_of_a_straight_line_lie_on_its_channel() -> None:
    bars = bars_from(np.linspace(100.0, 150.0, 101), 1.0)
    assert column(bars, "linreg_48_r2")[-1] == pytest.approx(1.0)
    assert column(bars, "linreg_48_slope_pct")[-1] == pytest.approx(100 * 0.5 / 150.0)


def test_columns_of_different_length_are_refused() -> None:
    bars = walk(10)
    with pytest.raises(InputError, match="low has 9 values where ts has 10"):
        replace(bars, low=bars.low[:-1])


def test_time_must_ascend() -> None:
    bars = walk(10)
    ts = bars.ts.copy()
    ts[4] = ts[3]
    with pytest.raises(InputError, match="index 4"):
        replace(bars, ts=ts)
