"""The minutes of one day, bridged between the day's open and close."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from services.market_simulator.bars import (
    CLOSE,
    HIGH,
    LOW,
    OPEN,
    TRADES,
    TS,
    VOLUME,
    VWAP,
    Bars,
    Floats,
    rounded,
)
from services.market_simulator.parameters import Profile

MINUTES = 1440
_SLOTS = 48  # an intraday regime lasts a number of half hours
_ACTIVITY = np.array([0.55, 0.9, 1.3, 2.4])
_ACTIVITY_ODDS = np.array([0.35, 0.8, 0.96])  # cumulative
_PERSISTENCE = np.array([-0.25, 0.0, 0.25])
_MINUTE = np.arange(MINUTES)
# Crypto is busiest when Europe and America are both awake (about 15:00 UTC), quietest about 05:00 UTC.
_SEASON = 1.0 + 0.35 * np.sin(2 * np.pi * (_MINUTE - 9.5 * 60) / MINUTES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Instrument:
    """What turns log prices into a symbol's prices, volumes and trades.

    Prices have `decimals` decimals. `volume_step` is a power of two in base currency, so that sums of
    volumes are exact in whatever order they are added: a roll-up is right to the last bit.
    """

    profile: Profile
    reference_price: float
    decimals: int
    volume_step: float

    @classmethod
    def of(cls, profile: Profile, reference_price: float) -> Instrument:
        """Derive a sensible tick (five to six figures of the price) and volume step (at most some 10 USD)."""
        magnitude = int(np.floor(np.log10(reference_price)))
        step = 2.0 ** np.clip(np.floor(np.log2(10 / reference_price)), -10, 0)
        return cls(
            profile=profile, reference_price=reference_price,
            decimals=max(1, 5 - magnitude), volume_step=float(step),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class DayPath:
    """A log path at 1,441 minute ends and how lively each of its 1,440 minutes is (mean square 1)."""

    level: Floats
    activity: Floats


def day_path(random: np.random.Generator, volatility: float, start: float, end: float) -> DayPath:
    """Walk from `start` to `end` in a day of the given volatility."""
    activity = _activity(random)
    steps = np.clip(random.standard_t(4, MINUTES), -9, 9) * (activity * (volatility / np.sqrt(2 * MINUTES)))
    steps[1:] += np.repeat(_PERSISTENCE[random.integers(0, 3, _SLOTS)], 30)[1:] * steps[:-1]
    walk = np.cumsum(steps)
    share = np.cumsum(activity * activity) / MINUTES
    level = np.empty(MINUTES + 1)
    level[0] = start
    level[1:] = start + walk + (end - start - walk[-1]) * share
    return DayPath(level=level, activity=activity)


def _activity(random: np.random.Generator) -> Floats:
    draws = random.random((2, _SLOTS))
    changes = draws[0] < 0.25
    changes[0] = True
    last_change = np.maximum.accumulate(np.where(changes, np.arange(_SLOTS), 0))
    state = np.searchsorted(_ACTIVITY_ODDS, draws[1][last_change])
    lively = np.repeat(_ACTIVITY[state], MINUTES // _SLOTS) * _SEASON
    return lively / np.sqrt(np.mean(lively * lively))


def day_bars(
    random: np.random.Generator, instrument: Instrument, *, day: int, market: DayPath, own: DayPath,
    market_volatility: float, volume_factor: float,
) -> Bars:
    """Return a symbol's bars of one day (days since the epoch); quiet minutes have none."""
    profile = instrument.profile
    prices = instrument.reference_price * np.exp(profile.beta * market.level + own.level)
    minute_volatility = np.sqrt(
        (profile.beta * market_volatility * market.activity) ** 2 + (profile.volatility * own.activity) ** 2
    ) / np.sqrt(MINUTES)
    noise = random.standard_normal((5, MINUTES))
    table = np.empty((8, MINUTES))
    table[TS] = day * 86_400 + _MINUTE * 60
    _fill_prices(table, prices, minute_volatility, noise, instrument.decimals)
    _fill_volumes(table, minute_volatility, noise, instrument, volume_factor, own.activity)
    if profile.quiet > 0:
        traded = random.random(MINUTES) >= profile.quiet * (2 - _SEASON)
        traded[0] |= not traded.any()
        table = np.ascontiguousarray(table[:, traded])
    return Bars(table)


def _fill_prices(
    table: Floats, prices: Floats, volatility: Floats, noise: Floats, decimals: int
) -> None:
    opened = prices[:-1] * (1 + 0.08 * volatility * noise[0])
    closed = prices[1:]
    reach = 1 + 0.45 * volatility * np.abs(noise[1:3])
    table[OPEN] = opened
    table[CLOSE] = closed
    table[HIGH] = np.maximum(opened, closed) * reach[0]
    table[LOW] = np.minimum(opened, closed) / reach[1]
    table[OPEN : CLOSE + 1] = rounded(table[OPEN : CLOSE + 1], decimals)
    # A mean of the bar's own prices lies within the bar, also after rounding to more decimals than they have.
    mean = (table[OPEN] + table[HIGH] + table[LOW] + 2 * table[CLOSE]) / 5
    table[VWAP] = rounded(mean, decimals + 2)


def _fill_volumes(
    table: Floats, volatility: Floats, noise: Floats, instrument: Instrument, factor: float, activity: Floats
) -> None:
    profile = instrument.profile
    moved = np.abs(table[CLOSE] / table[OPEN] - 1) / volatility
    dollars = (profile.dollar_volume / MINUTES * factor * 0.55) * activity * (0.6 + 0.5 * moved)
    dollars *= np.exp(0.6 * noise[3])
    step = instrument.volume_step
    table[VOLUME] = np.maximum(np.rint(dollars / table[CLOSE] / step), 1) * step
    table[TRADES] = np.maximum(np.rint(dollars / profile.trade_size * (1 + 0.2 * np.abs(noise[4]))), 1)
