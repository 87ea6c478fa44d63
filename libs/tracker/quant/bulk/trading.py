"""The engine's walk over years on plain arrays.

What `tracker.quant.portfolio.engine` does minute for minute, from one event to the next; only the ledger's rounding
(prices to 12 digits, fees up to 1e-8) is left out. Everything here can run as it is, and is compiled by
`tracker.quant.compiled`.
"""

from __future__ import annotations

from typing import Any, TypeAlias

from tracker.quant.bars import Floats
from tracker.quant.bulk.deciding import (
    is_marking,
    is_stale,
    reserved_cash,
    take_signals,
    worth,
)
from tracker.quant.bulk.desk import (
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
    LIVE,
    REACHED,
    SLOT_NEWS,
    SLOT_NEXT,
    SLOT_OWNER,
    SLOT_SYMBOL,
    SLOT_WIDTH,
    SUM_CASH,
    SUM_POOL,
    SYMBOL_BAR_SECONDS,
    UNMARKED,
    UPCOMING,
    VALUE_FILLED_AT,
    VALUE_FLOW,
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
    BUDGET,
    CASH,
    COST,
    ENTRY_REST,
    ENTRY_UNTIL,
    HELD,
    HIGHEST,
    LEAVING,
    LEFT_BY_BREAK_EVEN,
    LEFT_BY_STOP,
    LEFT_BY_TRAILING,
    LEG_ENTRY,
    LEG_EXIT,
    LOWEST,
    MAKER_FEE,
    OUT_AT_OPEN,
    OUT_LEG,
    OUT_MAKER,
    OUT_PRICE,
    OUT_QUANTITY,
    OUT_SIZE,
    RUNG_REST,
    STOP,
    TAKER_FEE,
    TARGET,
    flatten,
    is_done,
    is_quiet,
    observe,
    walk,
)
from tracker.quant.risk_rules import (
    HALTED,
    LIMIT_PRICE_AGE,
    LIMIT_VOLUME_SHARE,
    MARK_SECONDS,
    mark,
    note_close,
    stops_buying,
)

# A number out of an array of integers, which the type checker takes for an array.
Integer: TypeAlias = Any


def trade_all(
    plans: Plans, market: Market, desk: Desk, limits: Floats, rules: Floats, until: int, record: Record
) -> int:
    """Trade the signals over the bars that close by `until` (Unix seconds) and return how many fills there were.

    -1 where the record has too few rows for them. `limits` (LIMIT_SIZE,), `rules` (RULES_SIZE,) of the kernel.
    """
    while True:
        minute = _next_minute(plans, market, desk, limits, until)
        if minute > until:
            break
        desk.counters[REACHED] = minute
        _begin_minute(desk, rules)
        if not _fill(market, desk, limits, rules, minute, record):
            return -1
        if is_marking(limits) and minute % MARK_SECONDS == 0:
            _mark_account(market, desk, limits, minute, record)
        take_signals(plans, market, desk, limits, rules, minute, record)
    desk.counters[REACHED] = until
    return desk.counters[FILLED]


def _next_minute(plans: Plans, market: Market, desk: Desk, limits: Floats, until: int) -> Integer:
    """Return when something happens next: a signal, a mark, news for a live trade, or the end of its entry.

    Until then, what the live trades' bars do is taken in.
    """
    upcoming = desk.counters[UPCOMING]
    minute = plans.times[upcoming] if upcoming < len(plans.times) else until + 1
    # While an account is flat it is worth what it was the last time.
    if is_marking(limits) and (desk.counters[LIVE] > 0 or desk.counters[UNMARKED] != 0):
        minute = min(minute, (desk.counters[REACHED] // MARK_SECONDS + 1) * MARK_SECONDS)
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


def _look_ahead(market: Market, desk: Desk, slot: Integer, horizon: Integer) -> None:
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
        pool -= reserved_cash(desk, slot, rules)
        desk.used[desk.slots[slot, SLOT_SYMBOL]] = 0.0
    desk.sums[SUM_POOL] = pool


def _fill(market: Market, desk: Desk, limits: Floats, rules: Floats, minute: int, record: Record) -> bool:
    """Apply the bars that close at `minute` to the trades they are news for; False where the record is full."""
    place, age = 0, limits[LIMIT_PRICE_AGE]
    while place < desk.counters[LIVE]:
        slot = desk.order[place]
        if desk.slots[slot, SLOT_NEWS] == minute:
            if is_stale(market, desk.slots[slot, SLOT_SYMBOL], desk.slots[slot, SLOT_NEXT], desk.trades[slot], age):
                desk.trades[slot, ENTRY_REST] = 0.0
            bar = market.bars[desk.slots[slot, SLOT_NEXT]]
            if not is_done(desk.trades[slot]) and not _apply(bar, desk, slot, limits, rules, minute, record):
                return False
            desk.slots[slot, SLOT_NEWS] = 0
            desk.slots[slot, SLOT_NEXT] += 1
        trade = desk.trades[slot]
        if trade[ENTRY_REST] > 0.0 and minute >= trade[ENTRY_UNTIL]:
            trade[ENTRY_REST] = 0.0
            # What was news to a waiting entry need not be to the trade.
            desk.slots[slot, SLOT_NEWS] = 0
        if is_done(trade):
            _end(desk, limits, slot, minute, record)
            _clear(desk, place)
        else:
            place += 1
    return True


def _apply(bar: Floats, desk: Desk, slot: Integer, limits: Floats, rules: Floats, minute: int, record: Record) -> bool:
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
    flow = (value if row[OUT_LEG] == LEG_EXIT else -value) - fee
    desk.sums[SUM_CASH] += flow
    desk.values[slot, VALUE_FLOW] += flow
    desk.values[slot, VALUE_FILLED_AT] = opened_at if row[OUT_AT_OPEN] != 0.0 else minute
    desk.used[symbol] += row[OUT_QUANTITY]
    desk.counters[UNMARKED] = 1
    fill = to.fills[desk.counters[FILLED]]
    fill[FILL_SIGNAL] = desk.slots[slot, SLOT_OWNER]
    for index in range(OUT_SIZE):
        fill[FILL_LEG + index] = row[index]
    fill[FILL_BAR_TS] = opened_at
    fill[FILL_CLOSE] = minute
    fill[FILL_FEE] = fee
    desk.counters[FILLED] += 1
    return value + fee if row[OUT_LEG] == LEG_ENTRY else 0.0


def _mark_account(market: Market, desk: Desk, limits: Floats, minute: Integer, record: Record) -> None:
    """Let the account's worth decide what it may do; withdraw, or sell, what it may not have."""
    desk.counters[UNMARKED] = 0
    halted = mark(desk.guard, limits, minute, worth(desk)) == HALTED
    stopping = stops_buying(desk.guard, minute)
    place = 0
    while (stopping or halted) and place < desk.counters[LIVE]:
        slot = desk.order[place]
        trade, rungs = desk.trades[slot], desk.rungs[slot][: desk.slots[slot, SLOT_WIDTH]]
        if stopping:
            trade[ENTRY_REST] = 0.0
            for index in range(len(rungs)):
                rungs[index, RUNG_REST] = 0.0
        # The open of a bar that is under way is a price of before.
        between = minute % market.symbols[desk.slots[slot, SLOT_SYMBOL], SYMBOL_BAR_SECONDS] == 0.0
        if halted and between and trade[HELD] > 0.0:
            flatten(trade, rungs)
        desk.slots[slot, SLOT_NEWS] = 0
        if is_done(trade):
            _end(desk, limits, slot, minute, record)
            _clear(desk, place)
        else:
            place += 1


def _end(desk: Desk, limits: Floats, slot: Integer, minute: Integer, record: Record) -> None:
    """Write down how a trade stood at its end; one that bought nothing leaves no trace."""
    trade, values = desk.trades[slot], desk.values[slot]
    if trade[BOUGHT] <= 0.0:
        return
    reason = trade[LEAVING]
    stopped = reason == LEFT_BY_STOP or reason == LEFT_BY_TRAILING or reason == LEFT_BY_BREAK_EVEN
    symbol = desk.slots[slot, SLOT_SYMBOL]
    note_close(desk.guard, limits, symbol, minute, values[VALUE_FILLED_AT], stopped, values[VALUE_FLOW], trade[COST])
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
