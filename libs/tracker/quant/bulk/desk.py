"""The arrays that bulk trading works on: signals and bars to read, a desk to work at, a record to write."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from tracker.quant import kernel, risk_rules
from tracker.quant.bars import Floats, Ints
from tracker.quant.risk_rules import Guard

# A signal's numbers, a row of `plans`; PLAN_FRACTION is NaN where the target does not follow the average price.
PLAN_ENTRY = 0
PLAN_STOP = 1
PLAN_TARGET = 2
PLAN_FRACTION = 3
PLAN_TRAIL = 4
PLAN_EXPIRES_AT = 5
PLAN_BREAK_EVEN = 6
# The model's probability, NaN where none spoke; volatility and regime as `tracker.quant.sizing` numbers them.
PLAN_CONFIDENCE = 7
PLAN_VOLATILITY = 8
PLAN_REGIME = 9
PLAN_STRENGTH = 10
PLAN_CONFIRMATIONS = 11
PLAN_SIZE = 12

# What is known of a symbol, a row of `symbols`; an entry is given up after SYMBOL_ENTRY_SECONDS; its
# bars open at multiples of SYMBOL_BAR_SECONDS.
SYMBOL_LOT = 0
SYMBOL_MIN_NOTIONAL = 1
SYMBOL_ENTRY_SECONDS = 2
SYMBOL_BAR_SECONDS = 3
SYMBOL_SIZE = 4

# Running sums, `desk.sums[SUM_CASH]`; POOL is what entries of the minute in work may cost.
SUM_CASH = 0
SUM_POOL = 1
SUM_EQUITY = 2
SUM_FREE = 3
SUM_SIZE = 4

# Counters, `desk.counters[LIVE]`. BASE is how many signals earlier calls were given, REACHED the last minute in work,
# UNMARKED is 1 where there were fills since the account was last looked at.
LIVE = 0
FILLED = 1
UPCOMING = 2
ENDED = 3
BASE = 4
REACHED = 5
UNMARKED = 6
COUNTERS = 7

# What a slot knows of its trade beside the kernel's numbers, a row of `slots`: the symbol's row, the strategy's place,
# how many rungs, the symbol's next bar, and when the first bar closes that is news to the trade (0: not known yet).
SLOT_OWNER = 0
SLOT_SYMBOL = 1
SLOT_RANK = 2
SLOT_WIDTH = 3
SLOT_NEXT = 4
SLOT_NEWS = 5
SLOT_SIZE = 6

# Money of a slot's trade, a row of `values`: the last close, the price its entry was decided at, what a unit of the
# entry ties up, and the cash its fills have moved; and when the last of them was.
VALUE_LAST = 0
VALUE_ENTRY = 1
VALUE_RESERVE = 2
VALUE_FLOW = 3
VALUE_FILLED_AT = 4
VALUE_SIZE = 5

# What became of a signal.
UNSEEN = -1
TAKEN = 0
ALREADY_OPEN = 1
TOO_MANY_POSITIONS = 2
NO_EQUITY = 3
NO_CASH = 4
BELOW_MIN_NOTIONAL = 5
TOO_EXPOSED = 6
TOO_EXPOSED_SYMBOL = 7
TOO_EXPOSED_CLUSTER = 8
TOO_WEAK = 9
# And from here on one for each protection of `tracker.quant.risk_rules`, in its order.
LOCKED = 10
STALE_PRICE = LOCKED + risk_rules.PROTECTIONS

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

# How a trade stood at its end, a row of `ends`; END_LIVE says that the bars ended before it did.
END_SIGNAL = 0
END_LOWEST = 1
END_HIGHEST = 2
END_STOP = 3
END_TARGET = 4
END_HELD = 5
END_LIVE = 6
END_SIZE = 7


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
    `offsets` int64 (S + 1,); `closes` int64 (m,) says when each closes. `hours` (S, H) are the symbols' hourly closes
    from hour `first_hour` int64 (1,) (since 1970) on, NaN where there is none.
    """

    symbols: Floats
    bars: Floats
    closes: Ints
    offsets: Ints
    hours: Floats
    first_hour: Ints


class Desk(NamedTuple):
    """The trades in work, in L slots; `order` lists the slots, the live ones first, by symbol and rank.

    `trades` (L, TRADE_SIZE), `rungs` (L, R, 2), `out` (R + 2, OUT_SIZE) for one bar's fills, `slots` int64
    (L, SLOT_SIZE) and `values` (L, VALUE_SIZE), `used` (S,) the quantity that traded in the minute in work, `guard`
    what the account remembers for its protections. Nothing in it refers to the signals of an earlier call, so that it
    can be carried on with new ones: see `carry_on`.
    """

    trades: Floats
    rungs: Floats
    out: Floats
    slots: Ints
    values: Floats
    order: Ints
    used: Floats
    sums: Floats
    counters: Ints
    guard: Guard


class Record(NamedTuple):
    """What one call writes: `verdicts` int64 (n,), `fills` (F, FILL_SIZE), `ends` (F, END_SIZE) of trades that ended.

    Fills and ends name signals by their number over all calls: BASE and the signal's place in this one.
    """

    verdicts: Ints
    fills: Floats
    ends: Floats


def new_desk(slots: int, rungs: int, symbols: int, cash: float, trades: int) -> Desk:
    """Return an empty desk with its cash; `trades` is how many may be taken in its first call."""
    desk = Desk(
        trades=np.zeros((slots, kernel.TRADE_SIZE)),
        rungs=np.zeros((slots, rungs, 2)),
        out=np.zeros((rungs + 2, kernel.OUT_SIZE)),
        slots=np.zeros((slots, SLOT_SIZE), dtype=np.int64),
        values=np.zeros((slots, VALUE_SIZE)),
        order=np.arange(slots, dtype=np.int64),
        used=np.zeros(symbols),
        sums=np.zeros(SUM_SIZE),
        counters=np.zeros(COUNTERS, dtype=np.int64),
        guard=_new_guard(symbols, cash, trades + slots),
    )
    desk.sums[SUM_CASH] = cash
    return desk


def carry_on(desk: Desk, market: Market, limits: Floats, before: int, trades: int) -> Desk:
    """Return the desk made ready for its next call, with the bars of `market` that close after the minute reached.

    `before` is how many signals the last call was given, `trades` how many the next one will be. The symbols are the
    same, in the same order.
    """
    desk.counters[BASE] += before
    desk.counters[UPCOMING] = desk.counters[FILLED] = desk.counters[ENDED] = 0
    for slot in desk.order[: desk.counters[LIVE]]:
        symbol = int(desk.slots[slot, SLOT_SYMBOL])
        begin, end = int(market.offsets[symbol]), int(market.offsets[symbol + 1])
        later = int(np.count_nonzero(market.closes[begin:end] <= desk.counters[REACHED]))
        desk.slots[slot, SLOT_NEXT] = begin + later
        desk.slots[slot, SLOT_NEWS] = 0
    return desk._replace(guard=_with_room(desk, limits, trades))


def _new_guard(symbols: int, cash: float, trades: int) -> Guard:
    guard = Guard(
        marks=np.zeros(risk_rules.MARKS),
        locks=np.zeros((symbols + 1, risk_rules.PROTECTIONS)),
        since=np.zeros((symbols + 1, risk_rules.PROTECTIONS)),
        seen=np.zeros((symbols + 1, risk_rules.PROTECTIONS)),
        closed=np.zeros((trades, risk_rules.CLOSED_SIZE)),
        counts=np.zeros(1, dtype=np.int64),
    )
    for each in (risk_rules.MARK_EQUITY, risk_rules.MARK_PEAK, risk_rules.MARK_DAY_EQUITY):
        guard.marks[each] = cash
    guard.marks[risk_rules.MARK_DAY], guard.marks[risk_rules.MARK_ARMED] = -1.0, 1.0
    return guard


def _with_room(desk: Desk, limits: Floats, trades: int) -> Guard:
    """Return the guard with the closed trades that still count, and room for those to come."""
    guard = desk.guard
    window = max(limits[risk_rules.STREAK_WINDOW], limits[risk_rules.LOW_WINDOW]) + risk_rules.DAY_SECONDS
    closed = guard.closed[: guard.counts[0]]
    kept = closed[closed[:, risk_rules.CLOSED_AT] > desk.counters[REACHED] - window]
    room = np.zeros((len(kept) + trades + len(desk.order), risk_rules.CLOSED_SIZE))
    room[: len(kept)] = kept
    guard.counts[0] = len(kept)
    return guard._replace(closed=room)


def new_record(signals: int, fills: int) -> Record:
    """Return a record with room for so many signals and fills."""
    return Record(
        verdicts=np.full(signals, UNSEEN, dtype=np.int64),
        fills=np.zeros((fills, FILL_SIZE)),
        ends=np.full((fills, END_SIZE), np.nan),
    )


def still_live(desk: Desk) -> Floats:
    """Return how the live trades stand, as rows of `ends`; those that have bought nothing yet as well."""
    ends = np.full((int(desk.counters[LIVE]), END_SIZE), np.nan)
    for end, slot in zip(ends, desk.order, strict=False):
        trade = desk.trades[slot]
        end[END_SIGNAL] = desk.slots[slot, SLOT_OWNER]
        end[END_LOWEST], end[END_HIGHEST] = trade[kernel.LOWEST], trade[kernel.HIGHEST]
        end[END_STOP], end[END_TARGET] = trade[kernel.STOP], trade[kernel.TARGET]
        end[END_HELD], end[END_LIVE] = trade[kernel.HELD], 1.0
    return ends
