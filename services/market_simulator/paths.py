"""Daily log-price paths: the factor all coins share and each coin's own part."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.market_simulator.bars import Floats
from services.market_simulator.parameters import MarketParameters, Profile

# A shock of more than this many daily volatilities is cut: fat tails, but no price that jumps to zero.
_LARGEST_SHOCK = 6.0


@dataclass(frozen=True, slots=True)
class FactorPath:
    """The market factor at the start of each day (one more than there are days) and each day's regime."""

    level: Floats
    volatility: Floats
    volume_factor: Floats


def generator(seed: int, label: str, day: int = 0) -> np.random.Generator:
    """Return the random numbers of one label and day, the same whatever was drawn before."""
    entropy = np.random.SeedSequence((seed, zlib.crc32(label.encode()), day))
    return np.random.Generator(np.random.SFC64(entropy))


def factor_path(parameters: MarketParameters) -> FactorPath:
    """Return the shared factor over all days."""
    market = parameters.market
    random = generator(parameters.seed, "factor")
    regimes = list(parameters.regime.values())
    state = _regime_chain(parameters, random)
    volatility = market.volatility * np.array([each.volatility_factor for each in regimes])[state]
    drift = np.array([each.drift for each in regimes])[state]
    shock = _shocks(random, market.tail_degrees, parameters.days)
    return FactorPath(
        level=_drawn_back(drift + volatility * shock, market.half_life_days),
        volatility=volatility,
        volume_factor=np.array([each.volume_factor for each in regimes])[state],
    )


def own_path(parameters: MarketParameters, symbol: str, profile: Profile) -> Floats:
    """Return a symbol's own log price at the start of each day (one more than there are days)."""
    random = generator(parameters.seed, f"own:{symbol}")
    shock = _shocks(random, parameters.market.tail_degrees, parameters.days)
    return _drawn_back(profile.volatility * shock, profile.half_life_days)


def _regime_chain(parameters: MarketParameters, random: np.random.Generator) -> NDArray[np.intp]:
    names = list(parameters.regime)
    odds = [[regime.next.get(name, 0.0) for name in names] for regime in parameters.regime.values()]
    cumulative = np.cumsum(np.array(odds), axis=1)
    draws = random.random(parameters.days)
    state, states = 0, np.empty(parameters.days, dtype=np.intp)
    for day, draw in enumerate(draws):
        states[day] = state
        state = min(int(np.searchsorted(cumulative[state], draw, side="right")), len(names) - 1)
    return states


def _shocks(random: np.random.Generator, degrees: float, count: int) -> Floats:
    scale = ((degrees - 2) / degrees) ** 0.5
    return np.clip(random.standard_t(degrees, count) * scale, -_LARGEST_SHOCK, _LARGEST_SHOCK)


def _drawn_back(steps: Floats, half_life_days: float) -> Floats:
    keep = 0.5 ** (1 / half_life_days)
    level, levels = 0.0, np.empty(len(steps) + 1)
    levels[0] = level
    for day, step in enumerate(steps.tolist(), start=1):
        level = keep * level + step
        levels[day] = level
    return levels
