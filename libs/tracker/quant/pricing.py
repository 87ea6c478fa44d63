"""At which price a bar fills an order, if at all.

Scalars in, scalars out, so that the same functions serve a live minute and a compiled loop over years.
NaN means: not filled. All rules are for a long trade: buys to get in, sells to get out.
"""

from __future__ import annotations

import math

BPS = 1e-4
BPS_PER_UNIT = 10_000.0
# Lots are counted in floats: a quantity this close under a whole lot is that lot. Where lots are so many that floats
# know them less well, as close as a few roundings of that many, but never closer to the next one.
LOT_TOLERANCE = 1e-6
COUNT_TOLERANCE = 1e-15
MOST_TOLERANCE = 0.25


def slippage(quantity: float, volume: float, base_bps: float, impact_bps: float, cap_bps: float) -> float:
    """Return the price concession of a market order as a fraction of the price.

    `base_bps` is paid by any size, `impact_bps` on top by one that takes the whole bar's `volume`, in
    proportion; never more than `cap_bps`.
    """
    share = min(quantity / volume, 1.0) if volume > 0 else 1.0
    return min(base_bps + impact_bps * share, cap_bps) * BPS


def market_buy(reference: float, high: float, slip: float) -> float:
    """Return what a market buy pays: the reference and the slippage, at most the bar's high."""
    return min(reference * (1.0 + slip), high)


def market_sell(reference: float, low: float, slip: float) -> float:
    """Return what a market sell gets: the reference less the slippage, at least the bar's low."""
    return max(reference * (1.0 - slip), low)


def limit_buy(limit: float, open_: float, low: float) -> float:
    """Return the price at which a resting buy fills: the open where the bar gaps below it, else the limit."""
    if open_ <= limit:
        return open_
    return limit if low <= limit else math.nan


def limit_sell(limit: float, open_: float, high: float) -> float:
    """Return the price at which a resting sell fills: the open where the bar gaps over it, else the limit."""
    if open_ >= limit:
        return open_
    return limit if high >= limit else math.nan


def stop_reference(stop: float, open_: float, low: float) -> float:
    """Return the price at which a stop sets off, before slippage: the open where the bar gaps through it."""
    if open_ <= stop:
        return open_
    return stop if low <= stop else math.nan


def trailed_stop(stop: float, highest: float, distance: float) -> float:
    """Return the stop raised to `distance` below the highest price of closed bars; it never falls."""
    return max(stop, highest - distance) if distance > 0 else stop


def secured_stop(average: float, seen: float, distance: float, cost: float) -> float:
    """Return the stop at which a trade breaks even, NaN until the price has been seen `distance` above the average.

    `cost` is what a round trip costs as a fraction of the price; a distance of 0 is none.
    """
    return average * (1.0 + cost) if distance > 0 and seen >= average + distance else math.nan


def round_trip_cost(fee: float) -> float:
    """Return how far a price must rise, as a fraction, to pay for a buy and a sale at `fee`, a fraction as well."""
    return (1.0 + fee) / (1.0 - fee) - 1.0


def floor_to_step(quantity: float, step: float) -> float:
    """Return the largest multiple of `step` that is not above `quantity`."""
    lots = quantity / step
    return math.floor(lots + min(max(LOT_TOLERANCE, lots * COUNT_TOLERANCE), MOST_TOLERANCE)) * step
