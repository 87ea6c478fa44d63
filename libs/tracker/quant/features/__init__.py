"""Unitless features of bars: ratios, percentages and oscillators, never prices.

`matrix` computes them and needs TA-Lib; what only reads features imports this package and stays small.
"""

from tracker.quant.features.catalogue import FEATURE_SET, FEATURE_SPECS, LONGEST_WARMUP_BARS
from tracker.quant.features.spec import FeatureSpec

__all__ = ["FEATURE_SET", "FEATURE_SPECS", "LONGEST_WARMUP_BARS", "FeatureSpec"]
