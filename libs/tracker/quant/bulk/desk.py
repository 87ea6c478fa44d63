"""The arrays that bulk trading works on: signals and bars to read, a desk to work at, a record to write."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from tracker.quant import kernel
from tracker.quant.bars import Floats, Ints

# A signal's numbers, a row of `plans`; PLAN_FRACTION is NaN where the target does not follow the average price.
PLAN_ENTRY = 0
PLAN_STOP = 1
PLAN_TARGET = 2
PLAN_FRACTION = 3
PLAN_TRAIL = 4
PLAN_EXPIRES_AT = 5
PLAN_SIZE = 6

# What is known of a symbol, a row of `symbols`; an entry is given up after SYMBOL_ENTRY_SECONDS.
SYMBOL_LOT = 0
SYMBOL_MIN_NOTIONAL = 1
SYMBOL_ENTRY_SECONDS = 2
SYMBOL_SIZE = 3

# Limits: the share of equity at risk in a trade, and the largest share in one; SLIP_RESERVE as a fraction.
LIMIT_RISK = 0
LIMIT_SHARE = 1
LIMIT_OPEN = 2
LIMIT_VOLUME_SHARE = 3
LIMIT_SLIP_RESERVE = 4
LIMIT_SIZE = 5

# Running sums, `desk.sums[SUM_CASH]`; POOL is what entries of the minute in work may cost.
SUM_CASH = 0
SUM_POOL = 1
SUM_EQUITY = 2
SUM_FREE = 3
SUM_SIZE = 4

# Counters, `desk.counters[LIVE]`.
LIVE = 0
FILLED = 1
UPCOMING = 2
COUNTERS = 3

# What became of a signal.
UNSEEN = -1
TAKEN = 0
ALREADY_OPEN = 1
TOO_MANY_POSITIONS = 2
NO_EQUITY = 3
NO_CASH = 4
BELOW_MIN_NOTIONAL = 5

# A fill, a row of `fills`; its first numbers after the signal are those of the kernel.
FILL_SIGNAL = 0
FILL_LEG = 1
FILL_QUANTITY = 2
FILL_PRICE = 3
FILL_REFERENCE = 4
FILL_MAKER = 5
FILL_AT_OPEN = 6
FILL_REASON = 7
FILL_BAR_TS = 8
FILL_CLOSE = 9
FILL_FEE = 10
FILL_SIZE = 11

# How a trade stood at its end, or at the end of the bars; a row of `ends` a signal.
END_LOWEST = 0
END_HIGHEST = 1
END_STOP = 2
END_TARGET = 3
END_HELD = 4
END_LIVE = 5
END_SIZE = 6


class Plans(NamedTuple):
    """n signals in the order in which to act on them.

    `times` int64 (n,), ascending, of the decisions; `symbol_of` int64 (n,), a row of Market.symbols; `rank_of` int64
    (n,), the strategy's place among those of one symbol; `plans` (n, PLAN_SIZE); `ladders` (n, R) and `weights`
    (n, R + 1), NaN beyond a signal's rungs.
    """

    times: Ints
    symbol_of: Ints
    rank_of: Ints
    plans: Floats
    ladders: Floats
    weights: Floats


class Market(NamedTuple):
    """S symbols in the order of their names: `symbols` (S, SYMBOL_SIZE).

    `bars` (m, 6) in the kernel's order, symbol after symbol: those of symbol s are rows offsets[s] to offsets[s + 1],
    `offsets` int64 (S + 1,); `closes` int64 (m,) says when each closes.
    """

    symbols: Floats
    bars: Floats
    closes: Ints
    offsets: Ints


class Desk(NamedTuple):
    """The trades in work, in L slots; `order` lists the slots, the live ones first, by symbol and rank.

    `trades` (L, TRADE_SIZE), `rungs` (L, R, 2), `out` (R + 2, OUT_SIZE) for one bar's fills, `lasts` (L,) the last
    closes, `owner` int64 (L,) the signal, `widths` int64 (L,) how many rungs, `nexts` int64 (L,) the next bar,
    `used` (S,) the quantity that traded in the minute in work.
    """

    trades: Floats
    rungs: Floats
    out: Floats
    lasts: Floats
    owner: Ints
    widths: Ints
    nexts: Ints
    order: Ints
    used: Floats
    sums: Floats
    counters: Ints


class Record(NamedTuple):
    """What is written: `verdicts` int64 (n,), `fills` (F, FILL_SIZE), `ends` (n, END_SIZE)."""

    verdicts: Ints
    fills: Floats
    ends: Floats


def new_desk(slots: int, rungs: int, symbols: int, cash: float) -> Desk:
    """Return an empty desk with its cash."""
    desk = Desk(
        trades=np.zeros((slots, kernel.TRADE_SIZE)),
        rungs=np.zeros((slots, rungs, 2)),
        out=np.zeros((rungs + 2, kernel.OUT_SIZE)),
        lasts=np.zeros(slots),
        owner=np.zeros(slots, dtype=np.int64),
        widths=np.zeros(slots, dtype=np.int64),
        nexts=np.zeros(slots, dtype=np.int64),
        order=np.arange(slots, dtype=np.int64),
        used=np.zeros(symbols),
        sums=np.zeros(SUM_SIZE),
        counters=np.zeros(COUNTERS, dtype=np.int64),
    )
    desk.sums[SUM_CASH] = cash
    return desk


def new_record(signals: int, fills: int) -> Record:
    """Return a record with room for so many signals and fills."""
    return Record(
        verdicts=np.full(signals, UNSEEN, dtype=np.int64),
        fills=np.zeros((fills, FILL_SIZE)),
        ends=np.full((signals, END_SIZE), np.nan),
    )
