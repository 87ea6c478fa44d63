"""What a rule may know at a close, and the regime it sees."""

from __future__ import annotations

import numpy as np
import pytest
from tracker.domain.errors import InputError
from tracker.domain.signal import Regime, Volatility
from tracker.quant.frame import FeatureFrame, feature_frame
from tracker.quant.regime import VOLATILITY_FEATURE, market_regime, volatility_tercile

NAMES = ("rsi_14", "h1_rsi_14")


def test_a_frame_has_the_rows_of_the_database_by_name() -> None:
    values = np.array([[50.1, 49.2], [np.nan, 1.0]], dtype=np.float32)
    frame = feature_frame(close=np.array([1.0, 2.0]), decided_at=np.array([900, 1800]), values=values, names=NAMES)
    np.testing.assert_array_equal(frame["h1_rsi_14"], values[:, 1])
    assert frame["rsi_14"].dtype == np.float64
    assert frame.known(NAMES).tolist() == [True, False]
    assert frame.take(np.array([1]))["h1_rsi_14"].tolist() == [1.0]


@pytest.mark.parametrize("spoiled", ["values", "decided_at"])
def test_shapes_that_do_not_fit_are_refused(spoiled: str) -> None:
    parts = {"values": np.zeros((3, 2), dtype=np.float32), "decided_at": np.arange(3)}
    parts[spoiled] = parts[spoiled][:-1]
    with pytest.raises(InputError, match=spoiled):
        feature_frame(close=np.ones(3), names=NAMES, **parts)


def test_a_missing_feature_is_named() -> None:
    frame = FeatureFrame(close=np.ones(1), decided_at=np.zeros(1, dtype=np.int64), columns={})
    with pytest.raises(InputError, match="rsi_14"):
        frame["rsi_14"]


@pytest.mark.parametrize(
    ("adx", "slope", "expected"),
    [
        (25.0, 0.1, Regime.TREND_UP),
        (60.0, 0.0001, Regime.TREND_UP),
        (25.0, -0.1, Regime.TREND_DOWN),
        (24.9, 0.1, Regime.RANGE),
        (24.9, -0.1, Regime.RANGE),
        (40.0, 0.0, Regime.RANGE),
        (np.nan, 0.1, Regime.UNKNOWN),
        (40.0, np.nan, Regime.UNKNOWN),
    ],
)
def test_regime_by_hourly_trend(adx: float, slope: float, expected: Regime) -> None:
    columns = {"h1_adx_14": np.array([adx]), "h1_linreg_48_slope_pct": np.array([slope])}
    frame = FeatureFrame(close=np.ones(1), decided_at=np.zeros(1, dtype=np.int64), columns=columns)
    assert market_regime(frame).tolist() == [expected]


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        (0.0, Volatility.LOW),
        (0.3333, Volatility.LOW),
        (0.3334, Volatility.MID),
        (0.5, Volatility.MID),
        (0.6666, Volatility.MID),
        (0.6667, Volatility.HIGH),
        (1.0, Volatility.HIGH),
        (np.nan, Volatility.UNKNOWN),
    ],
)
def test_volatility_by_its_place_among_the_last_days(place: float, expected: Volatility) -> None:
    columns = {VOLATILITY_FEATURE: np.array([place])}
    frame = FeatureFrame(close=np.ones(1), decided_at=np.zeros(1, dtype=np.int64), columns=columns)
    assert volatility_tercile(frame).tolist() == [expected]
