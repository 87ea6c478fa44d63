"""Unitless features of bars: ratios, percentages and oscillators, never prices."""

from tracker.quant.features.matrix import FEATURE_SET, FEATURE_SPECS, LONGEST_WARMUP_BARS, feature_matrix
from tracker.quant.features.spec import FeatureSpec

__all__ = ["FEATURE_SET", "FEATURE_SPECS", "LONGEST_WARMUP_BARS", "FeatureSpec", "feature_matrix"]
