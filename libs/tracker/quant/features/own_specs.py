"""Features of a symbol's own bars: names, formulas and warm-ups, readable without any indicator library."""

from __future__ import annotations

from tracker.quant.features.spec import FeatureSpec

CHANNEL_BARS = 48

TREND_SPECS = (
    FeatureSpec("ema_9_distance", "100 (c / EMA(c, 9) - 1)", "TA-Lib EMA", "percent", 18),
    FeatureSpec("ema_21_distance", "100 (c / EMA(c, 21) - 1)", "TA-Lib EMA", "percent", 42),
    FeatureSpec("ema_50_distance", "100 (c / EMA(c, 50) - 1)", "TA-Lib EMA", "percent", 100),
    FeatureSpec("ema_100_distance", "100 (c / EMA(c, 100) - 1)", "TA-Lib EMA", "percent", 200),
    FeatureSpec("ema_9_21_spread", "100 (EMA(c, 9) / EMA(c, 21) - 1)", "TA-Lib EMA", "percent", 42),
    FeatureSpec("adx_14", "ADX(h, l, c, 14)", "TA-Lib ADX", "0..100", 48),
    FeatureSpec("plus_di_14", "+DI(h, l, c, 14)", "TA-Lib PLUS_DI", "0..100", 42),
    FeatureSpec("minus_di_14", "-DI(h, l, c, 14)", "TA-Lib MINUS_DI", "0..100", 42),
    FeatureSpec("macd_hist_pct", "100 histogram of MACD(c, 12, 26, 9) / c", "TA-Lib MACD", "percent", 50),
    FeatureSpec("macd_pct", "100 line of MACD(c, 12, 26, 9) / c", "TA-Lib MACD", "percent", 50),
    FeatureSpec("aroon_osc_25", "Aroon up - Aroon down over 25 bars", "TA-Lib AROONOSC", "-100..100", 25),
    FeatureSpec(
        "linreg_48_position",
        "place of c in the channel of 2 residual deviations around the least-squares line of 48 closes: "
        "0 lower edge, 1 upper edge, 0.5 without any width; clipped to -2..3",
        "TA-Lib LINEARREG, LINEARREG_SLOPE, VAR",
        "ratio",
        47,
    ),
    FeatureSpec(
        "linreg_48_slope_pct",
        "100 slope of that line per bar / c",
        "TA-Lib LINEARREG_SLOPE",
        "percent per bar",
        47,
    ),
    FeatureSpec(
        "linreg_48_r2", "share of the 48 closes' variance that the line explains", "TA-Lib VAR", "0..1", 47
    ),
    FeatureSpec("linreg_48_half_width_pct", "100 (2 residual deviations) / c", "TA-Lib VAR", "percent", 47),
    FeatureSpec(
        "efficiency_20",
        "|c - c 20 bars ago| / sum of 20 |c - c before|, 0 where nothing moved",
        "TA-Lib SUM",
        "0..1",
        20,
    ),
)

MOMENTUM_SPECS = (
    FeatureSpec("rsi_14", "RSI(c, 14), 50 where 15 closes are the same", "TA-Lib RSI", "0..100", 42),
    FeatureSpec("rsi_7", "RSI(c, 7), 50 where 8 closes are the same", "TA-Lib RSI", "0..100", 21),
    FeatureSpec(
        "stoch_k_14",
        "mean of 3 of 100 (c - min l) / (max h - min l) over 14 bars",
        "TA-Lib WILLR",
        "0..100",
        16,
    ),
    FeatureSpec("stoch_d_14", "mean of 3 of stoch_k_14", "own", "0..100", 18),
    FeatureSpec(
        "willr_14", "Williams %R over 14 bars, -50 where they have no range", "TA-Lib WILLR", "-100..0", 14
    ),
    FeatureSpec(
        "cci_20", "CCI(h, l, c, 20), 0 where 20 typical prices are the same", "TA-Lib CCI", "index", 20
    ),
    FeatureSpec(
        "mfi_14",
        "MFI(h, l, c, v, 14), 50 where no money flowed in either direction",
        "TA-Lib MFI",
        "0..100",
        15,
    ),
    FeatureSpec("roc_12", "100 (c / c 12 bars ago - 1)", "TA-Lib ROC", "percent", 12),
    FeatureSpec("log_return_1", "100 ln(c / c 1 bar ago)", "TA-Lib LN", "percent", 1),
    FeatureSpec("log_return_4", "100 ln(c / c 4 bars ago)", "TA-Lib LN", "percent", 4),
    FeatureSpec("log_return_16", "100 ln(c / c 16 bars ago)", "TA-Lib LN", "percent", 16),
    FeatureSpec("log_return_96", "100 ln(c / c 96 bars ago)", "TA-Lib LN", "percent", 96),
)

VOLATILITY_SPECS = (
    FeatureSpec("natr_14", "100 ATR(h, l, c, 14) / c", "TA-Lib NATR", "percent", 42),
    FeatureSpec(
        "range_to_atr",
        "true range / ATR(14), 0 where the ATR is 0; clipped to 0..14",
        "TA-Lib TRANGE, ATR",
        "ratio",
        42,
    ),
    FeatureSpec(
        "realised_vol_20",
        "standard deviation of 20 log returns, in percent per bar",
        "TA-Lib STDDEV",
        "percent",
        20,
    ),
    FeatureSpec(
        "bb_20_width", "100 (upper - lower) / middle of BBANDS(c, 20, 2)", "TA-Lib BBANDS", "percent", 19
    ),
    FeatureSpec(
        "bb_20_percent_b",
        "(c - lower) / (upper - lower) of BBANDS(c, 20, 2), 0.5 without width; clipped to -1..2",
        "TA-Lib BBANDS",
        "ratio",
        19,
    ),
    FeatureSpec(
        "realised_vol_96",
        "standard deviation of 96 log returns, in percent per bar",
        "TA-Lib STDDEV",
        "percent",
        96,
    ),
    FeatureSpec(
        "vol_ratio_20_96",
        "realised_vol_20 / realised_vol_96, 1 where nothing moved; clipped to 0..2.2",
        "TA-Lib STDDEV",
        "ratio",
        96,
    ),
    FeatureSpec(
        "natr_place_144",
        "share of the natr_14 of the 144 bars before that lie below natr_14",
        "TA-Lib NATR",
        "0..1",
        186,
    ),
)

PLACE_SPECS = (
    FeatureSpec(
        "donchian_20_position",
        "(c - min l) / (max h - min l) over 20 bars, 0.5 without range",
        "TA-Lib MIN, MAX",
        "0..1",
        19,
    ),
    FeatureSpec(
        "breakout_20_distance",
        "100 (c / max h of the 20 bars before this one - 1)",
        "TA-Lib MAX",
        "percent",
        20,
    ),
    FeatureSpec("drawdown_96", "100 (c / max h over 96 bars - 1)", "TA-Lib MAX", "percent, at most 0", 95),
    FeatureSpec(
        "donchian_96_position",
        "(c - min l) / (max h - min l) over 96 bars, 0.5 without range",
        "TA-Lib MIN, MAX",
        "0..1",
        95,
    ),
    FeatureSpec("rally_96", "100 (c / min l over 96 bars - 1)", "TA-Lib MIN", "percent, at least 0", 95),
)

SHAPE_SPECS = (
    FeatureSpec("body_share", "(c - o) / (h - l), 0 without range", "own", "-1..1", 0),
    FeatureSpec("upper_wick_share", "(h - max(o, c)) / (h - l), 0 without range", "own", "0..1", 0),
    FeatureSpec("lower_wick_share", "(min(o, c) - l) / (h - l), 0 without range", "own", "0..1", 0),
    FeatureSpec("close_location", "(c - l) / (h - l), 0.5 without range", "own", "0..1", 0),
    FeatureSpec("range_pct", "100 (h - l) / c", "own", "percent", 0),
    FeatureSpec("gap_pct", "100 (o / c of the bar before - 1)", "own", "percent", 1),
)

VOLUME_SPECS = (
    FeatureSpec(
        "volume_ratio_20", "v / mean of v over 20 bars, 0 where nothing was traded", "TA-Lib SMA", "0..20", 19
    ),
    FeatureSpec(
        "volume_trend_20_96",
        "mean of v over 20 bars / over 96 bars, 0 where nothing was traded",
        "TA-Lib SMA",
        "0..4.8",
        95,
    ),
    FeatureSpec(
        "obv_slope_20",
        "least-squares slope of 20 values of OBV per bar / mean of v over 20 bars, 0 where nothing was "
        "traded; clipped to -2..2",
        "TA-Lib OBV, LINEARREG_SLOPE, SMA",
        "ratio",
        20,
    ),
    FeatureSpec(
        "money_flow_20",
        "mean over 20 bars of v ((c - l) - (h - c)) / (h - l) / mean of v over 20 bars (Chaikin), 0 where nothing was "
        "traded",
        "TA-Lib SMA",
        "-1..1",
        19,
    ),
    FeatureSpec(
        "vwap_20_distance",
        "100 (c / VWAP - 1), VWAP the mean of 20 typical prices weighted by v, 0 where nothing was traded",
        "TA-Lib TYPPRICE, SMA",
        "percent",
        19,
    ),
)

OWN_SPECS = (*TREND_SPECS, *MOMENTUM_SPECS, *VOLATILITY_SPECS, *PLACE_SPECS, *SHAPE_SPECS, *VOLUME_SPECS)
