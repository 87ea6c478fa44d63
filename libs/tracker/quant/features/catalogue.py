"""The features of the fleet, in the order in which a row holds them."""

from __future__ import annotations

from dataclasses import replace

from tracker.domain.feature_set import FeatureSet
from tracker.domain.timeframe import Timeframe
from tracker.quant.features.own_specs import CHANNEL_BARS, OWN_SPECS
from tracker.quant.features.spec import FeatureSpec, Origin

__all__ = [
    "BREADTH_OF",
    "CHANNEL_BARS",
    "CONTEXTS",
    "FEATURE_SET",
    "FEATURE_SPECS",
    "LONGEST_WARMUP_BARS",
    "OWN_NAMES",
    "RANKED",
    "REFERENCE_BARS",
    "Context",
    "context_of",
]


class Context:
    """What a row takes from the latest closed bar of a longer timeframe.

    `names` of the features of that bar, stored under `prefix`; unknown where the bar closed more than
    `max_age_seconds` before: a symbol that stopped trading has no present trend.
    """

    def __init__(self, origin: Origin, timeframe: Timeframe, prefix: str, names: tuple[str, ...]) -> None:
        """Take the named features of the bars of a timeframe."""
        self.origin = origin
        self.timeframe = timeframe
        self.prefix = prefix
        self.names = names
        self.max_age_seconds = 2 * timeframe.seconds

    @property
    def stored_names(self) -> tuple[str, ...]:
        """The names under which a row holds them."""
        return tuple(self.prefix + name for name in self.names)


CONTEXTS = (
    Context(
        Origin.HOUR,
        Timeframe.H1,
        "h1_",
        (
            "ema_21_distance", "ema_50_distance", "adx_14", "plus_di_14", "minus_di_14", "macd_hist_pct",
            "linreg_48_position", "linreg_48_slope_pct", "linreg_48_r2", "linreg_48_half_width_pct", "rsi_14",
            "natr_14", "natr_place_144", "donchian_96_position", "volume_ratio_20",
        ),
    ),
    Context(
        Origin.DAY,
        Timeframe.D1,
        "d1_",
        (
            "ema_9_distance", "ema_21_distance", "ema_50_distance", "adx_14", "rsi_14", "natr_14",
            "donchian_20_position", "log_return_1",
        ),
    ),
)

# Bars of which whole rows are kept, so that a strategy can decide on them.
DECISION_TIMEFRAMES = (Timeframe.M15, Timeframe.H1)
# Returns over which a symbol is compared with the reference.
REFERENCE_BARS = 96
# Feature of the market: the own feature whose rank, or whose sign's share, it is.
RANKED = {"return_rank_16": "log_return_16", "volume_rank": "volume_ratio_20", "volatility_rank": "natr_14"}
BREADTH_OF = {"breadth_ema_21": "ema_21_distance", "breadth_ema_100": "ema_100_distance"}

_OWN = {spec.name: spec for spec in OWN_SPECS}
_RANK = "place of {} among the symbols with a bar at the close: 0 lowest, 1 highest, the middle of equals, 0.5 alone"
_SHARE = "share of the symbols with a bar at the close whose {} is above 0"


def _rank(name: str) -> FeatureSpec:
    of = _OWN[RANKED[name]]
    return FeatureSpec(name, _RANK.format(of.name), "own", "0..1", of.warmup_bars, Origin.MARKET)


def _share(name: str) -> FeatureSpec:
    of = _OWN[BREADTH_OF[name]]
    return FeatureSpec(name, _SHARE.format(of.name), "own", "0..1", of.warmup_bars, Origin.MARKET)


MARKET_SPECS = (
    FeatureSpec(
        "btc_correlation_96",
        "correlation of 96 log returns with those of BTC; 0 where either did not move; 1 for BTC, and where the "
        "universe has none",
        "TA-Lib LN, CORREL",
        "-1..1",
        REFERENCE_BARS,
        Origin.MARKET,
    ),
    FeatureSpec(
        "btc_beta_96",
        "btc_correlation_96 times the ratio of the standard deviations: the slope of own returns on those of BTC; "
        "clipped to -20..20",
        "TA-Lib CORREL, STDDEV",
        "ratio",
        REFERENCE_BARS,
        Origin.MARKET,
    ),
    *(_share(name) for name in BREADTH_OF),
    FeatureSpec(
        "market_return_16",
        "mean of log_return_16 over the symbols with a bar at the close",
        "own",
        "percent",
        16,
        Origin.MARKET,
    ),
    FeatureSpec("relative_return_16", "log_return_16 - market_return_16", "own", "percent", 16, Origin.MARKET),
    *(_rank(name) for name in RANKED),
)

CLOCK_SPECS = (
    FeatureSpec("hour_sin", "sin of the share of the UTC day, 2 pi a day", "own", "-1..1", 0, Origin.CLOCK),
    FeatureSpec("hour_cos", "cos of the share of the UTC day, 2 pi a day", "own", "-1..1", 0, Origin.CLOCK),
    FeatureSpec("weekday_sin", "sin of the UTC weekday, Monday 0, 2 pi a week", "own", "-1..1", 0, Origin.CLOCK),
    FeatureSpec("weekday_cos", "cos of the UTC weekday, Monday 0, 2 pi a week", "own", "-1..1", 0, Origin.CLOCK),
)


def _context_specs(context: Context) -> tuple[FeatureSpec, ...]:
    return tuple(
        replace(
            _OWN[name], name=context.prefix + name, formula=f"{name} of that bar", origin=context.origin
        )
        for name in context.names
    )


FEATURE_SPECS = (
    *OWN_SPECS,
    *(spec for context in CONTEXTS for spec in _context_specs(context)),
    *MARKET_SPECS,
    *CLOCK_SPECS,
)
FEATURE_SET = FeatureSet(version="2", names=tuple(spec.name for spec in FEATURE_SPECS))
OWN_NAMES = tuple(spec.name for spec in OWN_SPECS)
LONGEST_WARMUP_BARS = max(spec.warmup_bars for spec in OWN_SPECS)


def context_of(origin: Origin) -> Context:
    """Return the context that a feature of this origin comes from."""
    return next(each for each in CONTEXTS if each.origin is origin)
