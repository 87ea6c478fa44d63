"""What becomes of signals in bulk trading, and with how much: the judgement of `tracker.quant.risk` on plain arrays."""

from __future__ import annotations

import math
from typing import Any, TypeAlias

from tracker.quant.bars import Floats, Ints
from tracker.quant.bulk.desk import (
    ALREADY_OPEN,
    BASE,
    BELOW_MIN_NOTIONAL,
    LIVE,
    LOCKED,
    NO_CASH,
    NO_EQUITY,
    PLAN_BREAK_EVEN,
    PLAN_CONFIDENCE,
    PLAN_CONFIRMATIONS,
    PLAN_ENTRY,
    PLAN_EXPIRES_AT,
    PLAN_FRACTION,
    PLAN_REGIME,
    PLAN_STOP,
    PLAN_STRENGTH,
    PLAN_TARGET,
    PLAN_TRAIL,
    PLAN_VOLATILITY,
    SLOT_NEWS,
    SLOT_NEXT,
    SLOT_OWNER,
    SLOT_RANK,
    SLOT_SYMBOL,
    SLOT_WIDTH,
    STALE_PRICE,
    SUM_CASH,
    SUM_EQUITY,
    SUM_FREE,
    SYMBOL_ENTRY_SECONDS,
    SYMBOL_LOT,
    SYMBOL_MIN_NOTIONAL,
    TAKEN,
    TOO_EXPOSED,
    TOO_EXPOSED_CLUSTER,
    TOO_EXPOSED_SYMBOL,
    TOO_MANY_POSITIONS,
    TOO_WEAK,
    UPCOMING,
    VALUE_ENTRY,
    VALUE_FLOW,
    VALUE_LAST,
    VALUE_RESERVE,
    Desk,
    Market,
    Plans,
    Record,
)
from tracker.quant.kernel import (
    BAR_TS,
    BOUGHT,
    BREAK_EVEN_COST,
    BREAK_EVEN_DISTANCE,
    COST,
    ENTRY_REST,
    ENTRY_UNTIL,
    EXPIRES_AT,
    HELD,
    HIGHEST,
    LEAVING,
    LEFT_BY_STOP,
    LOWEST,
    MAKER_FEE,
    OPENS_FROM,
    RUNG_PRICE,
    RUNG_REST,
    STAYING,
    STEP,
    STOP,
    STOP_REASON,
    TAKER_FEE,
    TARGET,
    TARGET_FRACTION,
    TRAIL_DISTANCE,
)
from tracker.quant.pricing import (
    floor_to_step,
    round_trip_cost,
)
from tracker.quant.risk_rules import (
    BY_CASH,
    BY_CLUSTER,
    BY_GROSS,
    BY_SYMBOL,
    DAILY_LOSS,
    FALL_LEAST,
    HALT_AT,
    HOUR_SECONDS,
    LIMIT_CLUSTER,
    LIMIT_GROSS,
    LIMIT_OPEN,
    LIMIT_PRICE_AGE,
    LIMIT_SLIP_RESERVE,
    LIMIT_SYMBOL,
    REDUCE_AT,
    ROUNDING_RESERVE,
    UNLOCKED,
    fall_of,
    in_cluster,
    lacks,
    locked_by,
    risked_quantity,
    scale_of,
    within,
)

# A number out of an array of integers, which the type checker takes for an array.
Integer: TypeAlias = Any

# As in the ledger: how many digits a quantity has.
QUANTITY_DIGITS = 12


def take_signals(
    plans: Plans, market: Market, desk: Desk, limits: Floats, rules: Floats, minute: int, record: Record
) -> None:
    """Decide on the signals of a minute, one after the other."""
    if desk.counters[UPCOMING] == len(plans.times) or plans.times[desk.counters[UPCOMING]] != minute:
        return
    desk.sums[SUM_EQUITY], desk.sums[SUM_FREE] = worth(desk), desk.sums[SUM_CASH]
    for place in range(desk.counters[LIVE]):
        desk.sums[SUM_FREE] -= reserved_cash(desk, desk.order[place], rules)
    while desk.counters[UPCOMING] < len(plans.times) and plans.times[desk.counters[UPCOMING]] == minute:
        signal = desk.counters[UPCOMING]
        desk.counters[UPCOMING] += 1
        record.verdicts[signal] = _decide(plans, market, desk, limits, rules, signal)


def _decide(plans: Plans, market: Market, desk: Desk, limits: Floats, rules: Floats, signal: int) -> int:
    first = next_bar(market, plans.symbol_of[signal], plans.times[signal])
    verdict = _refusal(plans, market, desk, limits, signal, first)
    if verdict != TAKEN:
        return verdict
    symbol, rank, live = plans.symbol_of[signal], plans.rank_of[signal], desk.counters[LIVE]
    slot, place = desk.order[live], 0
    verdict = _size(plans, market, desk, slot, limits, rules, signal)
    if verdict != TAKEN:
        return verdict
    while place < live and _is_before(desk.slots[desk.order[place]], symbol, rank):
        place += 1
    desk.slots[slot, SLOT_OWNER] = desk.counters[BASE] + signal
    desk.slots[slot, SLOT_SYMBOL], desk.slots[slot, SLOT_RANK] = symbol, rank
    desk.values[slot, VALUE_LAST] = desk.values[slot, VALUE_FLOW] = 0.0
    desk.slots[slot, SLOT_NEXT], desk.slots[slot, SLOT_NEWS] = first, 0
    let_entry_live(desk.trades[slot], market, first, market.offsets[symbol + 1])
    desk.sums[SUM_FREE] -= reserved_cash(desk, slot, rules)
    for later in range(live, place, -1):
        desk.order[later] = desk.order[later - 1]
    desk.order[place] = slot
    desk.counters[LIVE] += 1
    return TAKEN


def _refusal(plans: Plans, market: Market, desk: Desk, limits: Floats, signal: int, first: Integer) -> int:
    """Return why a signal may not be traded whatever its size, or TAKEN; `first` is the symbol's next bar."""
    plan, symbol, rank = plans.plans[signal], plans.symbol_of[signal], plans.rank_of[signal]
    if lacks(limits, plan[PLAN_STRENGTH], plan[PLAN_CONFIRMATIONS], plan[PLAN_CONFIDENCE]) != 0:
        return TOO_WEAK
    if is_old(market, symbol, first, plans.times[signal], limits[LIMIT_PRICE_AGE]):
        return STALE_PRICE
    for place in range(desk.counters[LIVE]):
        mine = desk.slots[desk.order[place]]
        if mine[SLOT_SYMBOL] == symbol and mine[SLOT_RANK] == rank:
            return ALREADY_OPEN
    lock = locked_by(desk.guard, symbol, plans.times[signal])
    if lock != UNLOCKED:
        return LOCKED + lock
    if desk.counters[LIVE] >= limits[LIMIT_OPEN]:
        return TOO_MANY_POSITIONS
    return NO_EQUITY if desk.sums[SUM_EQUITY] <= 0.0 else TAKEN


def _is_before(slot: Ints, symbol: Integer, rank: Integer) -> bool:
    """Return whether a slot's trade is worked on before one of a symbol and rank."""
    return slot[SLOT_SYMBOL] < symbol or (slot[SLOT_SYMBOL] == symbol and slot[SLOT_RANK] < rank)


def _size(plans: Plans, market: Market, desk: Desk, slot: Integer, limits: Floats, rules: Floats, signal: int) -> int:
    """Lay a signal's trade out in a free slot, as `tracker.quant.sizing.AdaptivePositionSizer` sizes it."""
    plan, weights, ladder = plans.plans[signal], plans.weights[signal], plans.ladders[signal]
    symbol = market.symbols[plans.symbol_of[signal]]
    width = desk.slots[slot, SLOT_WIDTH] = rungs_of(ladder)
    reserve = plan[PLAN_ENTRY] * (1.0 + limits[LIMIT_SLIP_RESERVE]) * (1.0 + rules[TAKER_FEE])
    desk.values[slot, VALUE_ENTRY], desk.values[slot, VALUE_RESERVE] = plan[PLAN_ENTRY], reserve
    average, unit_cost = plan[PLAN_ENTRY] * weights[0], reserve * weights[0]
    for index in range(width):
        average += ladder[index] * weights[index + 1]
        unit_cost += ladder[index] * (1.0 + rules[MAKER_FEE]) * weights[index + 1]
    fall = fall_of(desk.guard, desk.sums[SUM_EQUITY])
    scale = scale_of(limits, plan[PLAN_VOLATILITY], plan[PLAN_REGIME], plan[PLAN_CONFIDENCE], fall)
    total, by = risked_quantity(limits, desk.sums[SUM_EQUITY], average, plan[PLAN_STOP], scale)
    total, by = _within_exposures(plans, market, desk, limits, signal, total, by, average)
    total, by = within(total, by, desk.sums[SUM_FREE] - ROUNDING_RESERVE, unit_cost, BY_CASH)
    if total <= 0.0:
        return _too_little(by)
    smallest = lay_out(plans, signal, symbol, total, rules, desk.trades[slot], desk.rungs[slot])
    return _too_little(by) if smallest <= 0.0 or smallest < symbol[SYMBOL_MIN_NOTIONAL] else TAKEN


def rungs_of(ladder: Floats) -> int:
    """Return how many rungs a ladder has."""
    width = 0
    while width < len(ladder) and not math.isnan(ladder[width]):
        width += 1
    return width


def lay_out(
    plans: Plans, signal: int, symbol: Floats, total: float, rules: Floats, trade: Floats, rungs: Floats
) -> float:
    """Lay a signal's trade of a quantity in all out; return what its smallest order is worth.

    `symbol` is a row of the market's symbols.
    """
    plan, weights, ladder = plans.plans[signal], plans.weights[signal], plans.ladders[signal]
    step = _step(symbol[SYMBOL_LOT], total)
    trade[ENTRY_REST] = floor_to_step(total * weights[0], step)
    smallest = trade[ENTRY_REST] * plan[PLAN_ENTRY]
    for index in range(rungs_of(ladder)):
        rungs[index, RUNG_PRICE] = ladder[index]
        rungs[index, RUNG_REST] = floor_to_step(total * weights[index + 1], step)
        smallest = min(smallest, ladder[index] * rungs[index, RUNG_REST])
    trade[STEP] = step
    trade[OPENS_FROM] = plans.times[signal]
    trade[ENTRY_UNTIL] = plans.times[signal] + symbol[SYMBOL_ENTRY_SECONDS]
    trade[EXPIRES_AT] = plan[PLAN_EXPIRES_AT]
    trade[STOP], trade[STOP_REASON] = plan[PLAN_STOP], LEFT_BY_STOP
    trade[TARGET], trade[TARGET_FRACTION] = plan[PLAN_TARGET], plan[PLAN_FRACTION]
    trade[TRAIL_DISTANCE], trade[BREAK_EVEN_DISTANCE] = plan[PLAN_TRAIL], plan[PLAN_BREAK_EVEN]
    trade[BREAK_EVEN_COST] = round_trip_cost(rules[TAKER_FEE])
    trade[HELD] = trade[BOUGHT] = trade[COST] = 0.0
    trade[HIGHEST], trade[LOWEST], trade[LEAVING] = -math.inf, math.inf, STAYING
    return smallest


def let_entry_live(trade: Floats, market: Market, first: Integer, end: Integer) -> None:
    """Let an entry live until its first bar closes, where only longer bars are left of the past.

    Rows [first, end) of the market's bars are those that are news to the trade.
    """
    if first < end and market.bars[first, BAR_TS] < trade[ENTRY_UNTIL]:
        trade[ENTRY_UNTIL] = max(trade[ENTRY_UNTIL], market.closes[first])


def _within_exposures(
    plans: Plans,
    market: Market,
    desk: Desk,
    limits: Floats,
    signal: int,
    total: float,
    by: int,
    average: float,
) -> tuple[float, int]:
    """Cut a quantity down to what the exposure in all, in its symbol, and in what moves with it leaves room for."""
    symbol, equity, gross, own = plans.symbol_of[signal], desk.sums[SUM_EQUITY], 0.0, 0.0
    for place in range(desk.counters[LIVE]):
        slot = desk.order[place]
        gross += _exposure(desk, slot)
        own += _exposure(desk, slot) if desk.slots[slot, SLOT_SYMBOL] == symbol else 0.0
    total, by = within(total, by, limits[LIMIT_GROSS] * equity - gross, average, BY_GROSS)
    total, by = within(total, by, limits[LIMIT_SYMBOL] * equity - own, average, BY_SYMBOL)
    most = limits[LIMIT_CLUSTER] * equity
    if gross + total * average > most:
        last, cluster = plans.times[signal] // HOUR_SECONDS - market.first_hour[0], 0.0
        for place in range(desk.counters[LIVE]):
            slot = desk.order[place]
            other = desk.slots[slot, SLOT_SYMBOL]
            if other == symbol or in_cluster(limits, market.hours[symbol], market.hours[other], last):
                cluster += _exposure(desk, slot)
        total, by = within(total, by, most - cluster, average, BY_CLUSTER)
    return total, by


def _exposure(desk: Desk, slot: Integer) -> float:
    """Return what a trade holds at the last close and what its waiting buys would cost, without fees."""
    trade, values = desk.trades[slot], desk.values[slot]
    total = trade[HELD] * values[VALUE_LAST] + trade[ENTRY_REST] * values[VALUE_ENTRY]
    for index in range(desk.slots[slot, SLOT_WIDTH]):
        total += desk.rungs[slot, index, RUNG_PRICE] * desk.rungs[slot, index, RUNG_REST]
    return total


def _too_little(by: int) -> int:
    """Return the verdict on a size that is too small for what bounded it."""
    if by == BY_CASH:
        return NO_CASH
    if by == BY_GROSS:
        return TOO_EXPOSED
    if by == BY_SYMBOL:
        return TOO_EXPOSED_SYMBOL
    return TOO_EXPOSED_CLUSTER if by == BY_CLUSTER else BELOW_MIN_NOTIONAL


def worth(desk: Desk) -> float:
    """Return what the account is worth at the last closes."""
    total = desk.sums[SUM_CASH]
    for place in range(desk.counters[LIVE]):
        slot = desk.order[place]
        total += desk.trades[slot, HELD] * desk.values[slot, VALUE_LAST]
    return total


def is_marking(limits: Floats) -> bool:
    """Return whether the account's worth has to be looked at every MARK_SECONDS."""
    return limits[DAILY_LOSS] > 0.0 or limits[REDUCE_AT] > 0.0 or limits[HALT_AT] > 0.0 or limits[FALL_LEAST] < 1.0


def _step(lot: float, quantity: float) -> float:
    """Return the lot, or ten, a hundred.. times that where a quantity would have more than 12 significant digits."""
    finest = 10.0 ** (math.floor(math.log10(quantity)) - QUANTITY_DIGITS + 1)
    step = lot
    while step < finest * (1.0 - 1e-9):
        step *= 10.0
    return step


def reserved_cash(desk: Desk, slot: Integer, rules: Floats) -> float:
    """Return the cash that a trade's waiting buys tie up."""
    total = desk.values[slot, VALUE_RESERVE] * desk.trades[slot, ENTRY_REST]
    for index in range(desk.slots[slot, SLOT_WIDTH]):
        rung = desk.rungs[slot, index]
        total += rung[RUNG_PRICE] * (1.0 + rules[MAKER_FEE]) * rung[RUNG_REST]
    return total


def next_bar(market: Market, symbol: Integer, minute: Integer) -> Integer:
    """Return the row of a symbol's first bar that closes after `minute`."""
    begin, end = market.offsets[symbol], market.offsets[symbol + 1]
    return begin + _first_after(market.closes[begin:end], minute)


def is_old(market: Market, symbol: Integer, first: Integer, minute: Integer, age: float) -> bool:
    """Return whether the last bar before row `first` closed more than `age` seconds before `minute`."""
    return first > market.offsets[symbol] and minute - market.closes[first - 1] > age


def is_stale(market: Market, symbol: Integer, at: Integer, trade: Floats, age: float) -> bool:
    """Return whether an entry waits on a price that was too old when bar `at` opened."""
    before = trade[OPENS_FROM]
    if at > market.offsets[symbol]:
        before = max(before, market.closes[at - 1])
    return trade[ENTRY_REST] > 0.0 and market.bars[at, BAR_TS] - before > age


def _first_after(closes: Ints, minute: int) -> int:
    """Return the index of the first of the ascending closes that is later than `minute`."""
    low, high = 0, len(closes)
    while low < high:
        middle = (low + high) // 2
        if closes[middle] <= minute:
            low = middle + 1
        else:
            high = middle
    return low
