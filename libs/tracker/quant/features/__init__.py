"""Unitless features of bars: ratios, percentages and oscillators, never prices.

`matrix`, `market` and the modules of formulas compute them and need TA-Lib; what only reads features imports this
package and stays small.
"""

from tracker.quant.features.catalogue import CONTEXTS, FEATURE_SET, FEATURE_SPECS, LONGEST_WARMUP_BARS, OWN_NAMES
from tracker.quant.features.own_specs import OWN_SPECS
from tracker.quant.features.spec import FeatureSpec, Origin

__all__ = [
    "CONTEXTS",
    "FEATURE_SET",
    "FEATURE_SPECS",
    "LONGEST_WARMUP_BARS",
    "OWN_NAMES",
    "OWN_SPECS",
    "FeatureSpec",
    "Origin",
]
