"""The features against the same formulas written with pandas, which shares no code with TA-Lib."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from quant_builders import column, walk
from tracker.quant.features import OWN_NAMES

BARS = walk(900, seed=3)
# Averages without end agree once the difference in how they are seeded has faded.
SETTLED = 600

Series = pd.Series
O, H, L, C, V = (pd.Series(getattr(BARS, name)) for name in ("open", "high", "low", "close", "volume"))  # noqa: E741


def wilder(values: Series, period: int) -> Series:
    return values.ewm(alpha=1 / period, adjust=False).mean()


def true_range() -> Series:
    return pd.concat([H - L, (H - C.shift()).abs(), (L - C.shift()).abs()], axis=1).max(axis=1)


def ema_distance(period: int) -> Series:
    return 100 * (C / C.ewm(span=period, adjust=False).mean() - 1)


def rsi(period: int) -> Series:
    change = C.diff()
    up, down = wilder(change.clip(lower=0), period), wilder(-change.clip(upper=0), period)
    return 100 - 100 / (1 + up / down)


def directional() -> tuple[Series, Series]:
    up, down = H.diff(), -L.diff()
    plus = up.where((up > down) & (up > 0), 0.0)
    minus = down.where((down > up) & (down > 0), 0.0)
    atr = wilder(true_range(), 14)
    return 100 * wilder(plus, 14) / atr, 100 * wilder(minus, 14) / atr


def adx() -> Series:
    plus, minus = directional()
    return wilder(100 * (plus - minus).abs() / (plus + minus), 14)


def macd_line() -> Series:
    return C.ewm(span=12, adjust=False).mean() - C.ewm(span=26, adjust=False).mean()


def macd_histogram() -> Series:
    return 100 * (macd_line() - macd_line().ewm(span=9, adjust=False).mean()) / C


def log_returns(bars: int = 1) -> Series:
    return 100 * np.log(C / C.shift(bars))


def place(period: int) -> Series:
    return (C - L.rolling(period).min()) / (H.rolling(period).max() - L.rolling(period).min())


def vwap() -> Series:
    return ((H + L + C) / 3 * V).rolling(20).sum() / V.rolling(20).sum()


def fast_k() -> Series:
    return 100 * (C - L.rolling(14).min()) / (H.rolling(14).max() - L.rolling(14).min())


def cci() -> Series:
    typical = (H + L + C) / 3
    deviation = typical.rolling(20).apply(lambda w: np.abs(w - w.mean()).mean(), raw=True)
    return (typical - typical.rolling(20).mean()) / (0.015 * deviation)


def mfi() -> Series:
    typical = (H + L + C) / 3
    flow, change = typical * V, typical.diff()
    positive = flow.where(change > 0, 0.0).rolling(14).sum()
    negative = flow.where(change < 0, 0.0).rolling(14).sum()
    return 100 * positive / (positive + negative)


def line(pick: Callable[[np.ndarray, float, float], float]) -> Series:
    def fitted(window: np.ndarray) -> float:
        slope, intercept = np.polyfit(np.arange(48.0), window, 1)
        return pick(window, float(slope), float(intercept))

    return C.rolling(48).apply(fitted, raw=True)


def residual_deviation(window: np.ndarray, slope: float, intercept: float) -> float:
    return float(np.std(window - (intercept + slope * np.arange(48.0))))


def channel_position(window: np.ndarray, slope: float, intercept: float) -> float:
    half = 2 * residual_deviation(window, slope, intercept)
    return (window[-1] - (intercept + slope * 47.0 - half)) / (2 * half)


def r_squared(window: np.ndarray, slope: float, intercept: float) -> float:
    return 1 - residual_deviation(window, slope, intercept) ** 2 / float(np.var(window))


def aroon_oscillator() -> Series:
    since_high = H.rolling(26).apply(lambda w: 25 - (25 - np.argmax(w[::-1])), raw=True)
    since_low = L.rolling(26).apply(lambda w: 25 - (25 - np.argmin(w[::-1])), raw=True)
    return 100 * (since_low - since_high) / 25


def obv_slope() -> Series:
    obv = (np.sign(C.diff().fillna(0)) * V).cumsum()
    slope = obv.rolling(20).apply(lambda w: float(np.polyfit(np.arange(20.0), w, 1)[0]), raw=True)
    return slope / V.rolling(20).mean()


def band_place() -> Series:
    middle, spread = C.rolling(20).mean(), 2 * C.rolling(20).std(ddof=0)
    return (C - (middle - spread)) / (2 * spread)


def natr_place() -> Series:
    natr = 100 * wilder(true_range(), 14) / C
    return natr.rolling(145).apply(lambda w: float(np.mean(w[:-1] < w[-1])), raw=True)


FORMULAS: dict[str, Callable[[], Series]] = {
    "ema_9_distance": lambda: ema_distance(9),
    "ema_21_distance": lambda: ema_distance(21),
    "ema_50_distance": lambda: ema_distance(50),
    "ema_100_distance": lambda: ema_distance(100),
    "ema_9_21_spread": lambda: (
        100 * (C.ewm(span=9, adjust=False).mean() / C.ewm(span=21, adjust=False).mean() - 1)
    ),
    "adx_14": adx,
    "plus_di_14": lambda: directional()[0],
    "minus_di_14": lambda: directional()[1],
    "macd_hist_pct": macd_histogram,
    "aroon_osc_25": aroon_oscillator,
    "linreg_48_position": lambda: line(channel_position),
    "linreg_48_slope_pct": lambda: 100 * line(lambda _w, slope, _i: slope) / C,
    "linreg_48_r2": lambda: line(r_squared),
    "linreg_48_half_width_pct": lambda: 200 * line(residual_deviation) / C,
    "rsi_14": lambda: rsi(14),
    "rsi_7": lambda: rsi(7),
    "stoch_k_14": lambda: fast_k().rolling(3).mean(),
    "stoch_d_14": lambda: fast_k().rolling(3).mean().rolling(3).mean(),
    "willr_14": lambda: fast_k() - 100,
    "cci_20": cci,
    "mfi_14": mfi,
    "roc_12": lambda: 100 * C.pct_change(12),
    "log_return_1": lambda: 100 * np.log(C / C.shift(1)),
    "log_return_4": lambda: 100 * np.log(C / C.shift(4)),
    "log_return_16": lambda: 100 * np.log(C / C.shift(16)),
    "natr_14": lambda: 100 * wilder(true_range(), 14) / C,
    "range_to_atr": lambda: true_range() / wilder(true_range(), 14),
    "realised_vol_20": lambda: 100 * np.log(C / C.shift(1)).rolling(20).std(ddof=0),
    "bb_20_width": lambda: 400 * C.rolling(20).std(ddof=0) / C.rolling(20).mean(),
    "bb_20_percent_b": band_place,
    "donchian_20_position": lambda: place(20),
    "donchian_96_position": lambda: place(96),
    "rally_96": lambda: 100 * (C / L.rolling(96).min() - 1),
    "macd_pct": lambda: 100 * macd_line() / C,
    "efficiency_20": lambda: (C - C.shift(20)).abs() / C.diff().abs().rolling(20).sum(),
    "log_return_96": lambda: log_returns(96),
    "realised_vol_96": lambda: log_returns().rolling(96).std(ddof=0),
    "natr_place_144": natr_place,
    "vol_ratio_20_96": lambda: log_returns().rolling(20).std(ddof=0) / log_returns().rolling(96).std(ddof=0),
    "close_location": lambda: (C - L) / (H - L),
    "range_pct": lambda: 100 * (H - L) / C,
    "gap_pct": lambda: 100 * (O / C.shift() - 1),
    "money_flow_20": lambda: (V * (2 * C - L - H) / (H - L)).rolling(20).sum() / V.rolling(20).sum(),
    "vwap_20_distance": lambda: 100 * (C / vwap() - 1),
    "breakout_20_distance": lambda: 100 * (C / H.rolling(20).max().shift(1) - 1),
    "drawdown_96": lambda: 100 * (C / H.rolling(96).max() - 1),
    "body_share": lambda: (C - O) / (H - L),
    "upper_wick_share": lambda: (H - np.maximum(O, C)) / (H - L),
    "lower_wick_share": lambda: (np.minimum(O, C) - L) / (H - L),
    "volume_ratio_20": lambda: V / V.rolling(20).mean(),
    "volume_trend_20_96": lambda: V.rolling(20).mean() / V.rolling(96).mean(),
    "obv_slope_20": obv_slope,
}


@pytest.mark.parametrize("name", FORMULAS)
def test_feature_follows_its_formula(name: str) -> None:
    expected = FORMULAS[name]().to_numpy()[SETTLED:]
    np.testing.assert_allclose(column(BARS, name)[SETTLED:], expected, rtol=2e-4, atol=2e-4)


def test_every_feature_has_a_formula_here() -> None:
    assert set(FORMULAS) == set(OWN_NAMES)
