"""What a rule may know at a close, and the regime it sees."""

from __future__ import annotations

import numpy as np
import pytest
from quant_builders import H1, M15, START, walk
from tracker.domain.errors import InputError
from tracker.domain.signal import Regime
from tracker.quant.features import FEATURE_SET
from tracker.quant.features.matrix import feature_matrix
from tracker.quant.frame import FeatureFrame, closed_context, feature_frame
from tracker.quant.regime import market_regime

# Three hourly bars, the third missing, then one more; each row of the context carries its own number.
HOURS = np.array([START, START + H1, START + 3 * H1], dtype=np.int64)
NUMBERED = np.array([[0.0], [1.0], [3.0]])


@pytest.mark.parametrize(
    ("minutes", "expected"),
    [
        (0, np.nan),
        (59, np.nan),
        (60, 0.0),
        (75, 0.0),
        (119, 0.0),
        (120, 1.0),
        (180, 1.0),
        (239, 1.0),
        (240, 3.0),
        (360, 3.0),
        (361, np.nan),
    ],
)
def test_context_is_the_latest_closed_hour(minutes: int, expected: float) -> None:
    decided_at = np.array([START + minutes * 60], dtype=np.int64)
    context = closed_context(decided_at=decided_at, context_ts=HOURS, context=NUMBERED)
    np.testing.assert_array_equal(context, [[expected]])


def test_no_hour_at_all_is_unknown() -> None:
    decided_at = np.array([START], dtype=np.int64)
    context = closed_context(decided_at=decided_at, context_ts=HOURS[:0], context=np.empty((0, 4)))
    assert np.isnan(context).all()
    assert context.shape == (1, 4)


def test_features_are_what_the_database_would_return() -> None:
    bars = walk(300)
    matrix = feature_matrix(bars)
    frame = feature_frame(close=bars.close, decided_at=bars.ts + M15, base=matrix, context=matrix[::-1])
    stored = matrix.astype(np.float32)
    np.testing.assert_array_equal(frame["rsi_14"], stored[:, FEATURE_SET.names.index("rsi_14")])
    np.testing.assert_array_equal(frame["h1_rsi_14"], frame["rsi_14"][::-1])
    assert frame["rsi_14"].dtype == np.float64
    np.testing.assert_array_equal(frame.close, bars.close)


@pytest.mark.parametrize("spoiled", ["base", "context", "decided_at"])
def test_shapes_that_do_not_fit_are_refused(spoiled: str) -> None:
    bars = walk(60)
    parts = {"decided_at": bars.ts, "base": feature_matrix(bars), "context": feature_matrix(bars)}
    parts[spoiled] = parts[spoiled][:-1]
    with pytest.raises(InputError, match=spoiled):
        feature_frame(close=bars.close, **parts)


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
