"""Whether two backtesters made the same trades, and where not, by which rule of theirs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence, Set
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from tracker.testing.ema_cross import NEVER, TradeList

from benchmarks.peers.series import Series

Trade = tuple[int, int, float, float]


class Cause(StrEnum):
    """A rule by which a peer trades differently from us in a bar that we can point at."""

    STOP_FIRST = "the bar opens over the target and falls to the stop: we are out at its open, the peer at the stop"
    STOP_AT_GAP = "the bar opens under the stop and rises over it: we are out at its open, the peer at the stop"
    BLIND_ENTRY_BAR = "stop or target in the bar of the entry: the peer looks from the next bar on"
    UNDER_STOP = "the entry opens at or under the stop: we are out at once, the peer sets no stop or a later one"
    ROUNDING = "the bar ends within the peer's rounding of stop or target"
    LAST_BAR = "an entry in the last bar: the peer makes none"


FOLLOWED = "a trade of one while the other was still in one of the above"


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """How many trades are the same, how many differ by which cause, and those that nothing explains."""

    same: int
    causes: Counter[str]
    unexplained: Sequence[str]


def compare(
    ours: TradeList, theirs: TradeList, series: Sequence[Series], allowed: Set[Cause], rtol: float
) -> Agreement:
    """Compare trade by trade: the bars of entry and exit exactly, prices to a fraction `rtol`.

    A difference is explained by one of the `allowed` causes only, and only if its bar shows it.
    """
    same, causes, unexplained = 0, Counter[str](), list[str]()
    mine, others = _by_symbol(ours, len(series)), _by_symbol(theirs, len(series))
    for each, one, other in zip(series, mine, others, strict=True):
        differing: list[Trade] = []
        for entry in sorted(one.keys() | other.keys()):
            a, b = one.get(entry), other.get(entry)
            if a is not None and b is not None:
                if _equal(a, b, rtol):
                    same += 1
                    continue
                cause = _cause(each, a, b, allowed, rtol)
                differing += [a, b]
            else:
                cause = _missing(each, entry, differing, allowed)
                differing += [found for found in (a, b) if found is not None]
            if cause is None:
                unexplained.append(f"{each.name} {entry}: ours {a}, theirs {b}")
            else:
                causes[cause] += 1
    return Agreement(same=same, causes=causes, unexplained=unexplained)


def _by_symbol(trades: TradeList, count: int) -> list[dict[int, Trade]]:
    found: list[dict[int, Trade]] = [{} for _ in range(count)]
    for symbol, entry, left, bought, sold in zip(
        trades.symbol.tolist(), trades.entry.tolist(), trades.exit.tolist(), trades.entry_price.tolist(),
        trades.exit_price.tolist(), strict=True,
    ):
        found[symbol][entry] = (entry, left, bought, sold)
    return found


def _equal(a: Trade, b: Trade, rtol: float) -> bool:
    return a[:2] == b[:2] and _close(a[2], b[2], rtol) and (a[1] == NEVER or _close(a[3], b[3], rtol))


def _close(a: float, b: float, rtol: float) -> bool:
    return abs(a - b) <= rtol * abs(b)


def _cause(series: Series, ours: Trade, theirs: Trade, allowed: Set[Cause], rtol: float) -> str | None:
    """Return the first allowed cause that the bar of the earlier exit shows."""
    bars = series.bars
    entry, row = np.searchsorted(bars.ts, (ours[0], min(ours[1], theirs[1])))
    if not _close(ours[2], theirs[2], rtol) or row == len(bars):
        return None
    stop, target = float(series.entries.stop[entry - 1]), float(series.entries.target[entry - 1])
    opened, high, low = float(bars.open[row]), float(bars.high[row]), float(bars.low[row])
    same_bar = ours[1] == theirs[1]
    at_open = ours[1] == bars.ts[row] and _close(ours[3], opened, 0.0)
    shown = {
        Cause.STOP_FIRST: same_bar and at_open and opened >= target and low <= stop and _close(theirs[3], stop, rtol),
        Cause.STOP_AT_GAP: same_bar and at_open and opened <= stop <= high and _close(theirs[3], stop, rtol),
        Cause.UNDER_STOP: ours[1] == ours[0] and at_open and opened <= stop,
        Cause.BLIND_ENTRY_BAR: ours[1] == ours[0] and theirs[1] > ours[1],
        Cause.ROUNDING: not same_bar and (_close(low, stop, rtol) or _close(high, target, rtol)),
    }
    return next((str(cause) for cause, is_shown in shown.items() if is_shown and cause in allowed), None)


def _missing(series: Series, entry: int, differing: Sequence[Trade], allowed: Set[Cause]) -> str | None:
    """Return why only one of the two entered: the other was in a trade at the decision."""
    if any(other[0] < entry <= other[1] for other in differing):
        return FOLLOWED
    if Cause.LAST_BAR in allowed and entry == int(series.bars.ts[-1]):
        return str(Cause.LAST_BAR)
    return None
