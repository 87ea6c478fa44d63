"""The engine's walk over years on plain arrays.

What `tracker.quant.portfolio.engine` does minute for minute, from one event to the next; only the ledger's rounding
(prices to 12 digits, fees up to 1e-8) is left out. Everything here can run as it is, and is compiled by
`tracker.quant.compiled`.
"""

from __future__ import annotations

import math
from typing import Any, TypeAlias

from tracker.quant.bars import Floats, Ints
from tracker.quant.bulk.desk import (
    ALREADY_OPEN,
    BASE,
    BELOW_MIN_NOTIONAL,
    END_HELD,
    END_HIGHEST,
    END_LIVE,
    END_LOWEST,
    END_SIGNAL,
    END_STOP,
    END_TARGET,
    ENDED,
    FILL_BAR_TS,
    FILL_CLOSE,
    FILL_FEE,
    FILL_LEG,
    FILL_SIGNAL,
    FILLED,
    LIMIT_OPEN,
    LIMIT_RISK,
    LIMIT_SHARE,
    LIMIT_SLIP_RESERVE,
    LIMIT_VOLUME_SHARE,
    LIVE,
    NO_CASH,
    NO_EQUITY,
    PLAN_BREAK_EVEN,
    PLAN_ENTRY,
    PLAN_EXPIRES_AT,
    PLAN_FRACTION,
    PLAN_STOP,
    PLAN_TARGET,
    PLAN_TRAIL,
    REACHED,
    SLOT_NEWS,
    SLOT_NEXT,
    SLOT_OWNER,
    SLOT_RANK,
    SLOT_SYMBOL,
    SLOT_WIDTH,
    SUM_CASH,
    SUM_EQUITY,
    SUM_FREE,
    SUM_POOL,
    SYMBOL_ENTRY_SECONDS,
    SYMBOL_LOT,
    SYMBOL_MIN_NOTIONAL,
    TAKEN,
    TOO_MANY_POSITIONS,
    UPCOMING,
    VALUE_ENTRY,
    VALUE_LAST,
    VALUE_RESERVE,
    Desk,
    Market,
    Plans,
    Record,
)
from tracker.quant.kernel import (
    BAR_CLOSE,
    BAR_TS,
    BAR_VOLUME,
    BOUGHT,
    BREAK_EVEN_COST,
    BREAK_EVEN_DISTANCE,
    BUDGET,
    CASH,
    COST,
    ENTRY_REST,
    ENTRY_UNTIL,
    EXPIRES_AT,
    HELD,
    HIGHEST,
    LEAVING,
    LEFT_BY_STOP,
    LEG_ENTRY,
    LEG_EXIT,
    LOWEST,
    MAKER_FEE,
    OPENS_FROM,
    OUT_LEG,
    OUT_MAKER,
    OUT_PRICE,
    OUT_QUANTITY,
    OUT_SIZE,
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
    is_done,
    is_quiet,
    observe,
    walk,
)
from tracker.quant.pricing import floor_to_step, round_trip_cost

# A number out of an array of integers, which the type checker takes for an array.
Integer: TypeAlias = Any

# As in the ledger: what stays free for the rounding of fees, and how many digits a quantity has.
ROUNDING_RESERVE = 0.01
QUANTITY_DIGITS = 12


def trade_all(
    plans: Plans, market: Market, desk: Desk, limits: Floats, rules: Floats, until: int, record: Record
) -> int:
    """Trade the signals over the bars that close by `until` (Unix seconds) and return how many fills there were.

    -1 where the record has too few rows for them. `limits` (LIMIT_SIZE,), `rules` (RULES_SIZE,) of the kernel.
    """
    while True:
        minute = _next_minute(plans, market, desk, until)
        if minute > until:
            break
        desk.counters[REACHED] = minute
        _begin_minute(desk, rules)
        if not _fill(market, desk, limits, rules, minute, record):
            return -1
        _take(plans, market, desk, limits, rules, minute, record)
    desk.counters[REACHED] = until
    return desk.counters[FILLED]


def _next_minute(plans: Plans, market: Market, desk: Desk, until: int) -> Integer:
    """Return when something happens next: a signal, news for a live trade, or the end of its entry.

    Until then, what the live trades' bars do is taken in.
    """
    upcoming = desk.counters[UPCOMING]
    minute = plans.times[upcoming] if upcoming < len(plans.times) else until + 1
    for place in range(desk.counters[LIVE]):
        slot = desk.order[place]
        if desk.trades[slot, ENTRY_REST] > 0.0:
            minute = min(minute, int(desk.trades[slot, ENTRY_UNTIL]))
    horizon = min(minute, until)
    for place in range(desk.counters[LIVE]):
        slot = desk.order[place]
        if desk.slots[slot, SLOT_NEWS] == 0:
            _look_ahead(market, desk, slot, horizon)
        if desk.slots[slot, SLOT_NEWS] != 0:
            minute = min(minute, desk.slots[slot, SLOT_NEWS])
    return minute


def _look_ahead(market: Market, desk: Desk, slot: Integer, horizon: int) -> None:
    """Take in a trade's quiet bars that close by `horizon`, up to one that is news."""
    trade, rungs = desk.trades[slot], desk.rungs[slot][: desk.slots[slot, SLOT_WIDTH]]
    at, end = desk.slots[slot, SLOT_NEXT], market.offsets[desk.slots[slot, SLOT_SYMBOL] + 1]
    first = at
    while at < end and market.closes[at] <= horizon:
        bar = market.bars[at]
        if not is_quiet(trade, rungs, bar):
            desk.slots[slot, SLOT_NEWS] = market.closes[at]
            break
        observe(trade, bar)
        at += 1
    if at > first:
        desk.values[slot, VALUE_LAST] = market.bars[at - 1, BAR_CLOSE]
    desk.slots[slot, SLOT_NEXT] = at


def _begin_minute(desk: Desk, rules: Floats) -> None:
    """Count what entries may cost: what was free before, since a sale within a bar cannot pay for its open."""
    pool = desk.sums[SUM_CASH]
    for place in range(desk.counters[LIVE]):
        slot = desk.order[place]
        pool -= _reserved(desk, slot, rules)
        desk.used[desk.slots[slot, SLOT_SYMBOL]] = 0.0
    desk.sums[SUM_POOL] = pool


def _fill(market: Market, desk: Desk, limits: Floats, rules: Floats, minute: int, record: Record) -> bool:
    """Apply the bars that close at `minute` to the trades they are news for; False where the record is full."""
    place = 0
    while place < desk.counters[LIVE]:
        slot = desk.order[place]
        if desk.slots[slot, SLOT_NEWS] == minute:
            if not _apply(market.bars[desk.slots[slot, SLOT_NEXT]], desk, slot, limits, rules, minute, record):
                return False
            desk.slots[slot, SLOT_NEWS] = 0
            desk.slots[slot, SLOT_NEXT] += 1
        trade = desk.trades[slot]
        if trade[ENTRY_REST] > 0.0 and minute >= trade[ENTRY_UNTIL]:
            trade[ENTRY_REST] = 0.0
            # What was news to a waiting entry need not be to the trade.
            desk.slots[slot, SLOT_NEWS] = 0
        if is_done(trade):
            _end(desk, slot, record)
            _clear(desk, place)
        else:
            place += 1
    return True


def _apply(
    bar: Floats, desk: Desk, slot: Integer, limits: Floats, rules: Floats, minute: int, record: Record
) -> bool:
    trade, rungs = desk.trades[slot], desk.rungs[slot][: desk.slots[slot, SLOT_WIDTH]]
    symbol = desk.slots[slot, SLOT_SYMBOL]
    claim = desk.values[slot, VALUE_RESERVE] * trade[ENTRY_REST]
    trade[BUDGET] = bar[BAR_VOLUME] * limits[LIMIT_VOLUME_SHARE] - desk.used[symbol]
    trade[CASH] = desk.sums[SUM_POOL] + claim
    count = walk(trade, rungs, bar, rules, desk.out)
    if desk.counters[FILLED] + count > len(record.fills):
        return False
    if count > 0 or trade[BOUGHT] > 0.0:
        desk.values[slot, VALUE_LAST] = bar[BAR_CLOSE]
    spent = 0.0
    for index in range(count):
        spent += _book(desk, desk.out[index], slot, symbol, rules, bar[BAR_TS], minute, record)
    if spent > 0.0:
        desk.sums[SUM_POOL] += claim - spent - desk.values[slot, VALUE_RESERVE] * trade[ENTRY_REST]
    return True


def _book(
    desk: Desk, row: Floats, slot: Integer, symbol: Integer, rules: Floats, opened_at: float, minute: int, to: Record
) -> float:
    """Write a fill down and move its cash; return what it cost where it was an entry."""
    value = row[OUT_QUANTITY] * row[OUT_PRICE]
    fee = value * (rules[MAKER_FEE] if row[OUT_MAKER] != 0.0 else rules[TAKER_FEE])
    desk.sums[SUM_CASH] += (value if row[OUT_LEG] == LEG_EXIT else -value) - fee
    desk.used[symbol] += row[OUT_QUANTITY]
    fill = to.fills[desk.counters[FILLED]]
    fill[FILL_SIGNAL] = desk.slots[slot, SLOT_OWNER]
    for index in range(OUT_SIZE):
        fill[FILL_LEG + index] = row[index]
    fill[FILL_BAR_TS] = opened_at
    fill[FILL_CLOSE] = minute
    fill[FILL_FEE] = fee
    desk.counters[FILLED] += 1
    return value + fee if row[OUT_LEG] == LEG_ENTRY else 0.0


def _take(
    plans: Plans, market: Market, desk: Desk, limits: Floats, rules: Floats, minute: int, record: Record
) -> None:
    """Decide on the signals of a minute, one after the other."""
    if desk.counters[UPCOMING] == len(plans.times) or plans.times[desk.counters[UPCOMING]] != minute:
        return
    desk.sums[SUM_EQUITY] = desk.sums[SUM_FREE] = desk.sums[SUM_CASH]
    for place in range(desk.counters[LIVE]):
        slot = desk.order[place]
        desk.sums[SUM_EQUITY] += desk.trades[slot, HELD] * desk.values[slot, VALUE_LAST]
        desk.sums[SUM_FREE] -= _reserved(desk, slot, rules)
    while desk.counters[UPCOMING] < len(plans.times) and plans.times[desk.counters[UPCOMING]] == minute:
        signal = desk.counters[UPCOMING]
        desk.counters[UPCOMING] += 1
        record.verdicts[signal] = _decide(plans, market, desk, limits, rules, signal)


def _decide(plans: Plans, market: Market, desk: Desk, limits: Floats, rules: Floats, signal: int) -> int:
    symbol, rank, place = plans.symbol_of[signal], plans.rank_of[signal], 0
    live = desk.counters[LIVE]
    for other in range(live):
        mine = desk.slots[desk.order[other]]
        if mine[SLOT_SYMBOL] == symbol and mine[SLOT_RANK] == rank:
            return ALREADY_OPEN
        if mine[SLOT_SYMBOL] < symbol or (mine[SLOT_SYMBOL] == symbol and mine[SLOT_RANK] < rank):
            place = other + 1
    if live >= limits[LIMIT_OPEN]:
        return TOO_MANY_POSITIONS
    if desk.sums[SUM_EQUITY] <= 0.0:
        return NO_EQUITY
    slot = desk.order[live]
    verdict = _size(plans, market.symbols[symbol], desk, slot, limits, rules, signal)
    if verdict != TAKEN:
        return verdict
    begin, end = market.offsets[symbol], market.offsets[symbol + 1]
    desk.slots[slot, SLOT_OWNER] = desk.counters[BASE] + signal
    desk.slots[slot, SLOT_SYMBOL], desk.slots[slot, SLOT_RANK] = symbol, rank
    desk.values[slot, VALUE_LAST] = 0.0
    first = begin + _first_after(market.closes[begin:end], plans.times[signal])
    desk.slots[slot, SLOT_NEXT], desk.slots[slot, SLOT_NEWS] = first, 0
    # Where only longer bars are left of the past, the entry lives until the one that was open at its end closes.
    if first < end and market.bars[first, BAR_TS] < desk.trades[slot, ENTRY_UNTIL]:
        desk.trades[slot, ENTRY_UNTIL] = max(desk.trades[slot, ENTRY_UNTIL], market.closes[first])
    desk.sums[SUM_FREE] -= _reserved(desk, slot, rules)
    for later in range(live, place, -1):
        desk.order[later] = desk.order[later - 1]
    desk.order[place] = slot
    desk.counters[LIVE] += 1
    return TAKEN


def _size(
    plans: Plans, symbol: Floats, desk: Desk, slot: Integer, limits: Floats, rules: Floats, signal: int
) -> int:
    """Lay a signal's trade out in a free slot, as `tracker.quant.sizing.size_trade` sizes it."""
    plan, weights, ladder = plans.plans[signal], plans.weights[signal], plans.ladders[signal]
    width = 0
    while width < len(ladder) and not math.isnan(ladder[width]):
        width += 1
    desk.slots[slot, SLOT_WIDTH] = width
    reserve = plan[PLAN_ENTRY] * (1.0 + limits[LIMIT_SLIP_RESERVE]) * (1.0 + rules[TAKER_FEE])
    desk.values[slot, VALUE_ENTRY], desk.values[slot, VALUE_RESERVE] = plan[PLAN_ENTRY], reserve
    average, unit_cost = plan[PLAN_ENTRY] * weights[0], reserve * weights[0]
    for index in range(width):
        average += ladder[index] * weights[index + 1]
        unit_cost += ladder[index] * (1.0 + rules[MAKER_FEE]) * weights[index + 1]
    total = desk.sums[SUM_EQUITY] * limits[LIMIT_RISK] / (average - plan[PLAN_STOP])
    total = min(total, desk.sums[SUM_EQUITY] * limits[LIMIT_SHARE] / average)
    by_cash = (desk.sums[SUM_FREE] - ROUNDING_RESERVE) / unit_cost
    short = by_cash < total
    total = min(total, by_cash)
    if total <= 0.0:
        return NO_CASH
    step = _step(symbol[SYMBOL_LOT], total)
    trade, rungs = desk.trades[slot], desk.rungs[slot]
    trade[ENTRY_REST] = floor_to_step(total * weights[0], step)
    smallest = trade[ENTRY_REST] * plan[PLAN_ENTRY]
    for index in range(width):
        rungs[index, RUNG_PRICE] = ladder[index]
        rungs[index, RUNG_REST] = floor_to_step(total * weights[index + 1], step)
        smallest = min(smallest, ladder[index] * rungs[index, RUNG_REST])
    if smallest <= 0.0 or smallest < symbol[SYMBOL_MIN_NOTIONAL]:
        return NO_CASH if short else BELOW_MIN_NOTIONAL
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
    return TAKEN


def _step(lot: float, quantity: float) -> float:
    """Return the lot, or ten, a hundred.. times that where a quantity would have more than 12 significant digits."""
    finest = 10.0 ** (math.floor(math.log10(quantity)) - QUANTITY_DIGITS + 1)
    step = lot
    while step < finest * (1.0 - 1e-9):
        step *= 10.0
    return step


def _reserved(desk: Desk, slot: Integer, rules: Floats) -> float:
    """Return the cash that a trade's waiting buys tie up."""
    total = desk.values[slot, VALUE_RESERVE] * desk.trades[slot, ENTRY_REST]
    for index in range(desk.slots[slot, SLOT_WIDTH]):
        rung = desk.rungs[slot, index]
        total += rung[RUNG_PRICE] * (1.0 + rules[MAKER_FEE]) * rung[RUNG_REST]
    return total


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


def _end(desk: Desk, slot: Integer, record: Record) -> None:
    """Write down how a trade stood at its end; one that bought nothing leaves no trace."""
    trade = desk.trades[slot]
    if trade[BOUGHT] <= 0.0:
        return
    end = record.ends[desk.counters[ENDED]]
    desk.counters[ENDED] += 1
    end[END_SIGNAL] = desk.slots[slot, SLOT_OWNER]
    end[END_LOWEST], end[END_HIGHEST] = trade[LOWEST], trade[HIGHEST]
    end[END_STOP], end[END_TARGET] = trade[STOP], trade[TARGET]
    end[END_HELD], end[END_LIVE] = trade[HELD], 0.0


def _clear(desk: Desk, place: int) -> None:
    """Move a slot behind the live ones, where the next trade takes it."""
    slot = desk.order[place]
    for later in range(place, desk.counters[LIVE] - 1):
        desk.order[later] = desk.order[later + 1]
    desk.counters[LIVE] -= 1
    desk.order[desk.counters[LIVE]] = slot
