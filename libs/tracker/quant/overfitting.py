"""Whether a Sharpe ratio is more than luck and the number of tries.

Every Sharpe ratio is per period, not annualised; kurtosis is that of the fourth moment itself, 3 for a normal
distribution. After Bailey and Lopez de Prado.
"""

from __future__ import annotations

import math
from statistics import NormalDist

from numpy.typing import ArrayLike

from tracker.domain.errors import InputError
from tracker.quant.cross_validation import CrossValidation, cross_validate
from tracker.quant.series import require_finite

__all__ = [
    "CrossValidation",
    "cross_validate",
    "deflated_sharpe_ratio",
    "expected_maximum_sharpe",
    "minimum_track_record_length",
    "probabilistic_sharpe_ratio",
    "probability_of_backtest_overfitting",
]

EULER_MASCHERONI = 0.5772156649015329

_NORMAL = NormalDist()


def probabilistic_sharpe_ratio(
    sharpe: float, benchmark: float, n_observations: float, skewness: float, kurtosis: float
) -> float:
    """Return the probability that the true Sharpe ratio exceeds the benchmark.

    Formula: PSR(SR*) = Phi((SR - SR*) * sqrt(T - 1) / sqrt(1 - skewness * SR + (kurtosis - 1) / 4 * SR^2)).
    Unit: a probability; Sharpe ratios per period.
    Edges: 0.5 where Sharpe and benchmark are equal.
    Source: Bailey and Lopez de Prado (2012), The Sharpe Ratio Efficient Frontier.
    Raises InputError where a value is not finite, `n_observations` is below 2, or no distribution has such moments.
    """
    require_finite(benchmark=benchmark, n_observations=n_observations)
    if n_observations < 2:
        raise InputError(f"n_observations is {n_observations}, below 2")
    spread = _sharpe_spread(sharpe, skewness, kurtosis)
    return _NORMAL.cdf((sharpe - benchmark) * math.sqrt(n_observations - 1) / math.sqrt(spread))


def expected_maximum_sharpe(sharpe_variance: float, n_trials: float) -> float:
    """Return the best Sharpe ratio to expect of so many independent trials without any skill.

    Formula: SR0 = sqrt(V) * ((1 - g) * Phi^-1(1 - 1/N) + g * Phi^-1(1 - 1/(N * e))), g = 0.5772...
    Unit: Sharpe ratio per period, as that whose variance V across the trials is given.
    Edges: 0 where the trials do not differ.
    Source: Bailey and Lopez de Prado (2014), The Deflated Sharpe Ratio.
    Raises InputError where a value is not finite, `sharpe_variance` is below 0 or `n_trials` below 2: of one trial
    nothing was chosen, and probabilistic_sharpe_ratio with benchmark 0 answers.
    """
    require_finite(sharpe_variance=sharpe_variance, n_trials=n_trials)
    if sharpe_variance < 0:
        raise InputError(f"sharpe_variance is {sharpe_variance}, below 0")
    if n_trials < 2:
        raise InputError(f"n_trials is {n_trials}, below 2: nothing was chosen among trials")
    # The upper quantile as minus the lower one, which keeps its digits for any number of trials.
    highest = -_NORMAL.inv_cdf(1.0 / n_trials)
    beyond = -_NORMAL.inv_cdf(1.0 / (n_trials * math.e))
    return math.sqrt(sharpe_variance) * ((1.0 - EULER_MASCHERONI) * highest + EULER_MASCHERONI * beyond)


def deflated_sharpe_ratio(
    sharpe: float,
    sharpe_variance: float,
    n_trials: float,
    n_observations: float,
    skewness: float,
    kurtosis: float,
) -> float:
    """Return the probability that the best of the trials has a true Sharpe ratio beyond what luck explains.

    Formula: DSR = PSR(SR0), SR0 = expected_maximum_sharpe(V, N).
    Unit: a probability; Sharpe ratio per period, V the variance of the trials' Sharpe ratios per period.
    Edges: PSR(0) where the trials do not differ.
    Source: Bailey and Lopez de Prado (2014), The Deflated Sharpe Ratio.
    Raises InputError as probabilistic_sharpe_ratio and expected_maximum_sharpe do.
    """
    benchmark = expected_maximum_sharpe(sharpe_variance, n_trials)
    return probabilistic_sharpe_ratio(sharpe, benchmark, n_observations, skewness, kurtosis)


def minimum_track_record_length(
    sharpe: float, benchmark: float, skewness: float, kurtosis: float, confidence: float = 0.95
) -> float:
    """Return how many observations it takes until the Sharpe ratio exceeds the benchmark with this confidence.

    Formula: MinTRL = 1 + (1 - skewness * SR + (kurtosis - 1) / 4 * SR^2) * (Phi^-1(confidence) / (SR - SR*))^2.
    Unit: observations, with fractions; divided by the periods a year it is years.
    Edges: infinity where the Sharpe ratio does not exceed the benchmark.
    Source: Bailey and Lopez de Prado (2012), The Sharpe Ratio Efficient Frontier.
    Raises InputError where a value is not finite, `confidence` is not from 0.5 to below 1, or no distribution has
    such moments.
    """
    require_finite(benchmark=benchmark, confidence=confidence)
    if not 0.5 <= confidence < 1.0:
        raise InputError(f"confidence is {confidence}, not from 0.5 to below 1")
    spread = _sharpe_spread(sharpe, skewness, kurtosis)
    if sharpe <= benchmark:
        return math.inf
    return 1.0 + spread * (_NORMAL.inv_cdf(confidence) / (sharpe - benchmark)) ** 2


def probability_of_backtest_overfitting(performance: ArrayLike, n_blocks: int = 16) -> float:
    """Return the PBO: how often the best in one half of the time is not above the median in the other.

    Formula: share of the C(S, S/2) splits with logit <= 0, as cross_validate finds them.
    Unit: a probability; `performance` (T periods, N trials) holds returns a period.
    Edges: as cross_validate.
    Source: Bailey, Borwein, Lopez de Prado and Zhu (2017), The Probability of Backtest Overfitting.
    Raises InputError as cross_validate does.
    """
    return cross_validate(performance, n_blocks).probability


def _sharpe_spread(sharpe: float, skewness: float, kurtosis: float) -> float:
    """Return the variance of the estimated Sharpe ratio, times T - 1."""
    require_finite(sharpe=sharpe, skewness=skewness, kurtosis=kurtosis)
    spread = 1.0 - skewness * sharpe + (kurtosis - 1.0) / 4.0 * sharpe**2
    if spread <= 0:
        raise InputError(
            f"kurtosis is {kurtosis}, too small for skewness {skewness} and sharpe {sharpe}: "
            "a distribution has at least 1 + skewness^2"
        )
    return spread
