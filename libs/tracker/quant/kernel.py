"""What one bar does to one trade, on plain numbers: the fill rules, written once.

Live code and backtests call these functions as they are, with lists; bulk work calls what numba makes of them, with
arrays (`tracker.quant.compiled`). So there is nothing here but indices, floats and branches.

Order within a bar, which only ever assumes what is certain or what is worse for us:

1. At the open: the rest of an exit that has begun; the time-out; the market entry; ladder rungs and the stop that the
   open has jumped; the target that it has jumped.
2. The adverse side: the remaining rungs from the top, each only while it lies above the stop, then the stop.
3. The favourable side: the target, not if the stop was touched. A rung filled in step 2 moves the average and the
   target, and whether the price came back up to it is certain only where the bar closes there.
4. At the close, from the highs of closed bars and for the bars to come: the trailing stop; the break-even stop, which
   counts only highs that are certain to have come after the last purchase.

Long only. Prices are in quote currency, quantities in base currency, times in Unix seconds.
"""

from __future__ import annotations

import math
from typing import Any, TypeAlias

from tracker.quant.pricing import (
    floor_to_step,
    limit_buy,
    limit_sell,
    market_buy,
    market_sell,
    secured_stop,
    slippage,
    stop_reference,
    trailed_stop,
)

# A sequence of floats that can be written to: a list, or a float64 array.
Numbers: TypeAlias = Any

# A trade: `t[STEP]` and so on. TARGET_FRACTION is NaN where the target does not follow the average price. STOP_REASON
# is what a touched stop would be: LEFT_BY_STOP, or what raised it. BREAK_EVEN_DISTANCE is in price above the average
# (0 for none), BREAK_EVEN_COST what a round trip costs as a fraction of the price.
STEP = 0
OPENS_FROM = 1
ENTRY_UNTIL = 2
EXPIRES_AT = 3
ENTRY_REST = 4
STOP = 5
TARGET = 6
STOP_REASON = 7
TARGET_FRACTION = 8
TRAIL_DISTANCE = 9
HELD = 10
BOUGHT = 11
COST = 12
HIGHEST = 13
LOWEST = 14
LEAVING = 15
# What is left, within the bar in work, of the quantity that may trade, and the cash that an entry may cost.
BUDGET = 16
CASH = 17
BREAK_EVEN_DISTANCE = 18
BREAK_EVEN_COST = 19
TRADE_SIZE = 20

# Why a trade is left, in LEAVING.
STAYING = 0
LEFT_BY_STOP = 1
LEFT_BY_TRAILING = 2
LEFT_BY_TARGET = 3
LEFT_BY_TIMEOUT = 4
LEFT_BY_BREAK_EVEN = 5
LEFT_BY_FLATTEN = 6

# A bar: `b[BAR_TS]` is its open.
BAR_TS = 0
BAR_OPEN = 1
BAR_HIGH = 2
BAR_LOW = 3
BAR_CLOSE = 4
BAR_VOLUME = 5

# A rung: its limit price and the quantity still to fill.
RUNG_PRICE = 0
RUNG_REST = 1

# The rules: fees as fractions, slippage in bps.
MAKER_FEE = 0
TAKER_FEE = 1
SLIP_BASE = 2
SLIP_IMPACT = 3
SLIP_CAP = 4
RULES_SIZE = 5

# A fill: OUT_LEG is the rung's number, or one of these.
OUT_LEG = 0
OUT_QUANTITY = 1
OUT_PRICE = 2
OUT_REFERENCE = 3
OUT_MAKER = 4
OUT_AT_OPEN = 5
OUT_REASON = 6
OUT_SIZE = 7
LEG_ENTRY = -1
LEG_EXIT = -2

# Room for the rounding of price and fee in the ledger, after the cash was counted in floats.
CASH_MARGIN = 1e-9
FEE_MARGIN = 1e-7


def walk(t: Numbers, rungs: Numbers, b: Numbers, r: Numbers, out: Numbers) -> int:
    """Apply bar `b` to trade `t` with its `rungs` (R, 2); write its fills to `out` and return how many there are.

    `out` has a row (OUT_SIZE) for each order: R + 2 at most. The caller sets t[BUDGET] and t[CASH] before.
    """
    if b[BAR_TS] < t[OPENS_FROM]:
        return 0
    if b[BAR_TS] >= t[ENTRY_UNTIL]:
        t[ENTRY_REST] = 0.0
    count = _at_open(t, rungs, b, r, out)
    before = count
    count = _on_the_way_down(t, rungs, b, r, out, count)
    deep = count > before and out[before][OUT_LEG] >= 0
    count = _on_the_way_up(t, rungs, b, out, count, deep)
    if t[HELD] > 0.0:
        # A rung filled after the open: whether the high came before it or after is not known, the close came after.
        _take_in(t, b, b[BAR_CLOSE] if deep else b[BAR_HIGH])
    return count


def is_quiet(t: Numbers, rungs: Numbers, b: Numbers) -> bool:
    """Return whether a bar fills nothing, so that `observe` is all it does to the trade."""
    if t[HELD] <= 0.0 or t[ENTRY_REST] > 0.0 or t[LEAVING] != STAYING or b[BAR_TS] >= t[EXPIRES_AT]:
        return False
    if b[BAR_LOW] <= t[STOP] or b[BAR_HIGH] >= t[TARGET]:
        return False
    for index in range(len(rungs)):
        if rungs[index][RUNG_REST] > 0.0 and b[BAR_LOW] <= rungs[index][RUNG_PRICE]:
            return False
    return True


def observe(t: Numbers, b: Numbers) -> None:
    """Take a quiet bar's extremes in; the stop follows them for the bars to come."""
    _take_in(t, b, b[BAR_HIGH])


def flatten(t: Numbers, rungs: Numbers) -> None:
    """Begin a sale at the market that was asked for from outside; nothing more is bought.

    It goes on at the opens of the bars to come. A trade that holds nothing is done; one that is already being sold at
    the market keeps its reason.
    """
    if t[LEAVING] == STAYING or t[LEAVING] == LEFT_BY_TARGET:
        _leave(t, rungs, LEFT_BY_FLATTEN)


def is_done(t: Numbers) -> bool:
    """Return whether nothing is held and nothing more will be bought."""
    return t[HELD] == 0.0 and (t[ENTRY_REST] == 0.0 or t[LEAVING] != STAYING)


def _take_in(t: Numbers, b: Numbers, seen: float) -> None:
    """Take a closed bar in; `seen` is its highest price after the last purchase."""
    t[HIGHEST] = max(t[HIGHEST], b[BAR_HIGH])
    t[LOWEST] = min(t[LOWEST], b[BAR_LOW])
    trailed = trailed_stop(t[STOP], t[HIGHEST], t[TRAIL_DISTANCE])
    if trailed > t[STOP]:
        t[STOP], t[STOP_REASON] = trailed, LEFT_BY_TRAILING
    if t[BREAK_EVEN_DISTANCE] > 0.0:
        secured = secured_stop(t[COST] / t[BOUGHT], seen, t[BREAK_EVEN_DISTANCE], t[BREAK_EVEN_COST])
        if secured > t[STOP]:
            t[STOP], t[STOP_REASON] = secured, LEFT_BY_BREAK_EVEN


def _at_open(t: Numbers, rungs: Numbers, b: Numbers, r: Numbers, out: Numbers) -> int:
    count = 0
    if t[LEAVING] != STAYING and t[LEAVING] != LEFT_BY_TARGET:
        return _sell_at_market(t, b, r, b[BAR_OPEN], True, out, count)
    if b[BAR_TS] >= t[EXPIRES_AT]:
        _leave(t, rungs, t[STOP_REASON] if b[BAR_OPEN] <= t[STOP] else LEFT_BY_TIMEOUT)
        return _sell_at_market(t, b, r, b[BAR_OPEN], True, out, count)
    count = _enter(t, b, r, out, count)
    count = _fill_rungs(t, rungs, b, True, out, count)
    if t[HELD] > 0.0 and b[BAR_OPEN] <= t[STOP]:
        _leave(t, rungs, t[STOP_REASON])
        count = _sell_at_market(t, b, r, b[BAR_OPEN], True, out, count)
    elif t[HELD] > 0.0 and b[BAR_OPEN] >= t[TARGET]:
        count = _sell_at_target(t, rungs, b[BAR_OPEN], True, out, count)
    return count


def _on_the_way_down(t: Numbers, rungs: Numbers, b: Numbers, r: Numbers, out: Numbers, count: int) -> int:
    """Fill rungs at an unknown moment of the bar, then the stop."""
    if t[HELD] <= 0.0 or (t[LEAVING] != STAYING and t[LEAVING] != LEFT_BY_TARGET):
        return count
    count = _fill_rungs(t, rungs, b, False, out, count)
    reference = stop_reference(t[STOP], b[BAR_OPEN], b[BAR_LOW])
    if not math.isnan(reference):
        _leave(t, rungs, t[STOP_REASON])
        count = _sell_at_market(t, b, r, reference, False, out, count)
    return count


def _on_the_way_up(t: Numbers, rungs: Numbers, b: Numbers, out: Numbers, count: int, deep: bool) -> int:
    if t[HELD] <= 0.0 or (t[LEAVING] != STAYING and t[LEAVING] != LEFT_BY_TARGET):
        return count
    price = limit_sell(t[TARGET], b[BAR_OPEN], b[BAR_HIGH])
    if not math.isnan(price) and (not deep or b[BAR_CLOSE] >= t[TARGET]):
        t[LOWEST] = min(t[LOWEST], b[BAR_LOW])
        # A rung filled after the open: the opening price, if above the new target, was there before it.
        count = _sell_at_target(t, rungs, t[TARGET] if deep else price, False, out, count)
    return count


def _enter(t: Numbers, b: Numbers, r: Numbers, out: Numbers, count: int) -> int:
    wanted = min(t[ENTRY_REST], t[BUDGET])
    if t[LEAVING] != STAYING or wanted <= 0.0:
        return count
    dearest = _buy_price(wanted, b, r) * (1.0 + r[TAKER_FEE])
    spendable = t[CASH] * (1.0 - CASH_MARGIN) - FEE_MARGIN
    quantity = floor_to_step(min(wanted, spendable / dearest), t[STEP])
    if quantity <= 0.0:
        return count
    t[ENTRY_REST] = _less(t[ENTRY_REST], quantity, t[STEP])
    price = _buy_price(quantity, b, r)
    return _bought(t, LEG_ENTRY, quantity, price, b[BAR_OPEN], False, True, out, count)


def _fill_rungs(t: Numbers, rungs: Numbers, b: Numbers, at_open: bool, out: Numbers, count: int) -> int:
    if t[BOUGHT] <= 0.0 or t[LEAVING] != STAYING:
        return count
    lowest_seen = b[BAR_OPEN] if at_open else b[BAR_LOW]
    for index in range(len(rungs)):
        price = limit_buy(rungs[index][RUNG_PRICE], b[BAR_OPEN], lowest_seen)
        # A stop that has trailed above a rung is touched before it.
        if math.isnan(price) or rungs[index][RUNG_PRICE] <= t[STOP]:
            continue
        quantity = floor_to_step(min(rungs[index][RUNG_REST], t[BUDGET]), t[STEP])
        if quantity <= 0.0:
            continue
        rungs[index][RUNG_REST] = _less(rungs[index][RUNG_REST], quantity, t[STEP])
        count = _bought(t, index, quantity, price, price, True, at_open, out, count)
    return count


def _bought(
    t: Numbers,
    leg: int,
    quantity: float,
    price: float,
    reference: float,
    maker: bool,
    at_open: bool,
    out: Numbers,
    count: int,
) -> int:
    t[BUDGET] -= quantity
    t[HELD] += quantity
    t[BOUGHT] += quantity
    t[COST] += quantity * price
    t[HIGHEST] = max(t[HIGHEST], price)
    t[LOWEST] = min(t[LOWEST], price)
    if not math.isnan(t[TARGET_FRACTION]):
        t[TARGET] = t[COST] / t[BOUGHT] * (1.0 + t[TARGET_FRACTION])
    return _write(out, count, leg, quantity, price, reference, maker, at_open, STAYING)


def _sell_at_market(
    t: Numbers, b: Numbers, r: Numbers, reference: float, at_open: bool, out: Numbers, count: int
) -> int:
    quantity = floor_to_step(min(t[HELD], t[BUDGET]), t[STEP])
    slip = slippage(quantity, b[BAR_VOLUME], r[SLIP_BASE], r[SLIP_IMPACT], r[SLIP_CAP])
    price = market_sell(reference, b[BAR_LOW], slip)
    return _sold(t, quantity, price, reference, False, at_open, out, count)


def _sell_at_target(t: Numbers, rungs: Numbers, price: float, at_open: bool, out: Numbers, count: int) -> int:
    quantity = floor_to_step(min(t[HELD], t[BUDGET]), t[STEP])
    if quantity > 0.0:
        _leave(t, rungs, LEFT_BY_TARGET)
    return _sold(t, quantity, price, price, True, at_open, out, count)


def _sold(
    t: Numbers, quantity: float, price: float, reference: float, maker: bool, at_open: bool, out: Numbers, count: int
) -> int:
    if quantity <= 0.0:
        return count
    t[BUDGET] -= quantity
    t[HELD] = _less(t[HELD], quantity, t[STEP])
    t[HIGHEST] = max(t[HIGHEST], price)
    t[LOWEST] = min(t[LOWEST], price)
    return _write(out, count, LEG_EXIT, quantity, price, reference, maker, at_open, t[LEAVING])


def _write(
    out: Numbers,
    count: int,
    leg: int,
    quantity: float,
    price: float,
    reference: float,
    maker: bool,
    at_open: bool,
    reason: float,
) -> int:
    row = out[count]
    row[OUT_LEG] = leg
    row[OUT_QUANTITY] = quantity
    row[OUT_PRICE] = price
    row[OUT_REFERENCE] = reference
    row[OUT_MAKER] = maker
    row[OUT_AT_OPEN] = at_open
    row[OUT_REASON] = reason
    return count + 1


def _leave(t: Numbers, rungs: Numbers, reason: float) -> None:
    """Begin an exit: from here on nothing is bought."""
    t[LEAVING] = reason
    t[ENTRY_REST] = 0.0
    for index in range(len(rungs)):
        rungs[index][RUNG_REST] = 0.0


def _buy_price(quantity: float, b: Numbers, r: Numbers) -> float:
    slip = slippage(quantity, b[BAR_VOLUME], r[SLIP_BASE], r[SLIP_IMPACT], r[SLIP_CAP])
    return market_buy(b[BAR_OPEN], b[BAR_HIGH], slip)


def _less(quantity: float, taken: float, step: float) -> float:
    """Subtract, to the nearest whole lot: a lot less a crumb of float arithmetic could never be sold."""
    return max(math.floor((quantity - taken) / step + 0.5), 0) * step
