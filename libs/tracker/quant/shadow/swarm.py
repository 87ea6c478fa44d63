"""Many desks traded one after the other on the same bars, for numba to compile."""

from __future__ import annotations

from typing import NamedTuple

from tracker.quant.bars import Floats, Ints
from tracker.quant.bulk.deciding import worth
from tracker.quant.bulk.desk import (
    BASE,
    END_SIGNAL,
    ENDED,
    FILL_SIZE,
    FILLED,
    LIVE,
    REACHED,
    SLOT_NEWS,
    SLOT_NEXT,
    SLOT_SYMBOL,
    UPCOMING,
    Desk,
    Market,
    Plans,
    Record,
)
from tracker.quant.bulk.trading import trade_all
from tracker.quant.risk_rules import Guard


class Work(NamedTuple):
    """V desks side by side, each field of Desk with an axis for them, and what each of them may do.

    `out`, `used` and the guard's `seen` are scratch that they share; `limits` (V, LIMIT_SIZE), `rules` (V, RULES_SIZE);
    the signals of desk
    v are those from begins[v] on up to begins[v + 1], `begins` int64 (V + 1,).
    """

    desks: Desk
    limits: Floats
    rules: Floats
    begins: Ints


class Written(NamedTuple):
    """What many desks write: `scratch` of one desk, rows of its fills and ends with whose they are, and `equity` (V,).

    `fill_of` int64 (F,) and `fills` (F, FILL_SIZE); `end_of` int64 (E,) and `end_signals` int64 (E,).
    """

    scratch: Record
    fill_of: Ints
    fills: Floats
    end_of: Ints
    end_signals: Ints
    equity: Floats
    counts: Ints


def resume(work: Work, market: Market) -> None:
    """Make all desks ready for new signals and for the bars that close after the minute they have reached."""
    desks = work.desks
    for v in range(len(work.limits)):
        counters, slots = desks.counters[v], desks.slots[v]
        counters[BASE] += counters[UPCOMING]
        counters[UPCOMING] = counters[FILLED] = counters[ENDED] = 0
        for place in range(counters[LIVE]):
            slot = slots[desks.order[v, place]]
            begin, end = market.offsets[slot[SLOT_SYMBOL]], market.offsets[slot[SLOT_SYMBOL] + 1]
            slot[SLOT_NEXT] = begin + count_until(market.closes[begin:end], counters[REACHED])
            slot[SLOT_NEWS] = 0


def trade_many(plans: Plans, market: Market, work: Work, until: int, to: Written) -> bool:
    """Trade all desks over the bars that close by `until`; False where a record is full and all must be done again.

    `to.counts` are numbers of fills and of ends.
    """
    fills, ends = 0, 0
    for v in range(len(work.limits)):
        desk = desk_of(work.desks, v)
        begin, end = work.begins[v], work.begins[v + 1]
        own = Plans(
            plans.times[begin:end],
            plans.symbol_of[begin:end],
            plans.rank_of[begin:end],
            plans.plans[begin:end],
            plans.ladders[begin:end],
            plans.weights[begin:end],
        )
        record = Record(to.scratch.verdicts[begin:end], to.scratch.fills, to.scratch.ends)
        if trade_all(own, market, desk, work.limits[v], work.rules[v], until, record) < 0:
            return False
        filled, ended = desk.counters[FILLED], desk.counters[ENDED]
        if fills + filled > len(to.fills) or ends + ended > len(to.end_of):
            return False
        for row in range(filled):
            to.fill_of[fills] = v
            for column in range(FILL_SIZE):
                to.fills[fills, column] = record.fills[row, column]
            fills += 1
        for row in range(ended):
            to.end_of[ends] = v
            to.end_signals[ends] = int(record.ends[row, END_SIGNAL])
            ends += 1
        desk.counters[FILLED] = desk.counters[ENDED] = 0
        to.equity[v] = worth(desk)
    to.counts[0] = fills
    to.counts[1] = ends
    return True


def desk_of(desks: Desk, v: int) -> Desk:
    """Return one of many desks, as a view."""
    return Desk(
        desks.trades[v],
        desks.rungs[v],
        desks.out,
        desks.slots[v],
        desks.values[v],
        desks.order[v],
        desks.used,
        desks.sums[v],
        desks.counters[v],
        Guard(
            desks.guard.marks[v],
            desks.guard.locks[v],
            desks.guard.since[v],
            desks.guard.seen,
            desks.guard.closed[v],
            desks.guard.counts[v],
        ),
    )


def count_until(closes: Ints, minute: int) -> int:
    """Return how many of the ascending closes are not later than `minute`."""
    low, high = 0, len(closes)
    while low < high:
        middle = (low + high) // 2
        if closes[middle] <= minute:
            low = middle + 1
        else:
            high = middle
    return low
