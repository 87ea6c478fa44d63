"""What an account may risk, on plain numbers, written once: protections, exposure and size.

Live code calls these functions as they are, with lists; bulk work calls what numba makes of them, with arrays
(`tracker.quant.compiled`). A guard is what an account remembers: `marks` (MARKS,), `locks`, `since` and `seen`
(S + 1, PROTECTIONS) with a row a symbol and the account's own behind them, `closed` (K, CLOSED_SIZE) the trades that
ended, in that order, and `counts` (1,) how many rows of it are filled. Money in quote currency, times in Unix seconds.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple, TypeAlias

# Something of numbers that can be written to: a list, or an array.
Numbers: TypeAlias = Any

# The limits, `p[LIMIT_RISK]` and so on; a share is one of equity, a time in seconds, and 0 turns a protection off.
LIMIT_RISK = 0
LIMIT_SHARE = 1
LIMIT_OPEN = 2
LIMIT_VOLUME_SHARE = 3
LIMIT_SLIP_RESERVE = 4
LIMIT_GROSS = 5
LIMIT_SYMBOL = 6
LIMIT_CLUSTER = 7
LIMIT_CORRELATION = 8
LIMIT_HOURS = 9
LIMIT_LEAST_HOURS = 10
SCALE_LEAST = 11
SCALE_MOST = 12
# Four each: for the volatility's third and for the regime, in the order of VOLATILITIES and REGIMES.
SCALE_VOLATILITY = 13
SCALE_REGIME = 17
CONFIDENCE_FROM = 21
CONFIDENCE_TO = 22
CONFIDENCE_LEAST = 23
CONFIDENCE_MOST = 24
CONFIDENCE_UNKNOWN = 25
FALL_FROM = 26
FALL_TO = 27
FALL_LEAST = 28
STREAK_TRADES = 29
STREAK_WINDOW = 30
STREAK_LOCK = 31
COOL_DOWN_LOCK = 32
LOW_TRADES = 33
LOW_WINDOW = 34
LOW_RETURN = 35
LOW_LOCK = 36
DAILY_LOSS = 37
REDUCE_AT = 38
REDUCE_LOCK = 39
HALT_AT = 40
HALT_LOCK = 41
# What a signal must have for the account; 0 asks for nothing.
ENTRY_STRENGTH = 42
ENTRY_CONFIRMATIONS = 43
ENTRY_CONFIDENCE = 44
LIMIT_PRICE_AGE = 45
LIMIT_SIZE = 46

# The protections, in the order in which they are named as the reason: the wider one first.
HALT = 0
DRAWDOWN = 1
DAILY = 2
COMMAND = 3
STREAK = 4
COOL_DOWN = 5
LOW_PROFIT = 6
PROTECTIONS = 7
UNLOCKED = -1

ACTIVE = 0
REDUCING = 1
HALTED = 2

MARK_EQUITY = 0
MARK_PEAK = 1
MARK_DAY = 2
MARK_DAY_EQUITY = 3
MARK_ARMED = 4
MARK_HALTED = 5
MARKS = 6

CLOSED_AT = 0
CLOSED_SYMBOL = 1
CLOSED_STOPPED = 2
CLOSED_PNL = 3
CLOSED_COST = 4
CLOSED_SIZE = 5

# What bounded a size.
BY_RISK = 0
BY_SHARE = 1
BY_GROSS = 2
BY_SYMBOL = 3
BY_CLUSTER = 4
BY_CASH = 5

# An account is marked, and its state decided, every quarter of an hour.
MARK_SECONDS = 900
DAY_SECONDS = 86_400
HOUR_SECONDS = 3600
# Quote currency that stays free: the ledger rounds each fee up.
ROUNDING_RESERVE = 0.01


class Guard(NamedTuple):
    """What an account remembers for its protections; see the module."""

    marks: Numbers
    locks: Numbers
    since: Numbers
    seen: Numbers
    closed: Numbers
    counts: Numbers


def lacks(p: Numbers, strength: float, confirmations: Any, confidence: float) -> int:
    """Return which of the ENTRY limits a signal stays under, the first of them, or 0; `confidence` may be NaN."""
    if strength < p[ENTRY_STRENGTH]:
        return ENTRY_STRENGTH
    if confirmations < p[ENTRY_CONFIRMATIONS]:
        return ENTRY_CONFIRMATIONS
    # An unknown probability is not above any.
    if p[ENTRY_CONFIDENCE] > 0.0 and not confidence >= p[ENTRY_CONFIDENCE]:
        return ENTRY_CONFIDENCE
    return 0


def mark(g: Guard, p: Numbers, minute: Any, equity: float) -> int:
    """Take in what the account is worth at `minute` and return its state from then on."""
    account, marks = len(g.locks) - 1, g.marks
    before = marks[MARK_EQUITY]
    marks[MARK_EQUITY] = equity
    # The mark at midnight is the last of the day that ends.
    day = (minute - 1) // DAY_SECONDS
    if day != marks[MARK_DAY]:
        marks[MARK_DAY], marks[MARK_DAY_EQUITY] = day, before
    if marks[MARK_HALTED] != 0.0 and minute >= g.locks[account][HALT]:
        # What was lost before a halt is not held against the account again.
        marks[MARK_HALTED], marks[MARK_PEAK], marks[MARK_ARMED] = 0.0, before, 1.0
    marks[MARK_PEAK] = max(marks[MARK_PEAK], equity)
    if marks[MARK_HALTED] == 0.0:
        _mark_fall(g, p, minute, fall_of(g, equity))
    loss = 1.0 - equity / marks[MARK_DAY_EQUITY] if marks[MARK_DAY_EQUITY] > 0.0 else 0.0
    midnight = (day + 1) * DAY_SECONDS
    if p[DAILY_LOSS] > 0.0 and loss >= p[DAILY_LOSS] and g.locks[account][DAILY] < midnight and minute < midnight:
        _lock(g, account, DAILY, minute, midnight, loss)
    return state_at(g, minute)


def state_at(g: Guard, minute: Any) -> int:
    """Return what the account may do at a moment: ACTIVE, REDUCING or HALTED."""
    locks = g.locks[len(g.locks) - 1]
    if locks[HALT] > minute:
        return HALTED
    for protection in range(DRAWDOWN, STREAK):
        if locks[protection] > minute:
            return REDUCING
    return ACTIVE


def stops_buying(g: Guard, minute: Any) -> bool:
    """Return whether at this very moment the account became one that buys nothing."""
    account = len(g.locks) - 1
    for protection in range(STREAK):
        if g.since[account][protection] == minute and g.locks[account][protection] > minute:
            return True
    return False


def fall_of(g: Guard, equity: float) -> float:
    """Return how far the equity lies under its peak, as a fraction."""
    peak = g.marks[MARK_PEAK]
    return max(1.0 - equity / peak, 0.0) if peak > 0.0 else 0.0


def note_close(
    g: Guard, p: Numbers, symbol: Any, minute: Any, ended_at: Any, stopped: bool, pnl: float, cost: float
) -> None:
    """Take in a trade that ended in the bar that closed at `minute`; `stopped` by a stop of any kind, `pnl` net."""
    row = g.closed[g.counts[0]]
    row[CLOSED_AT], row[CLOSED_SYMBOL], row[CLOSED_PNL], row[CLOSED_COST] = ended_at, symbol, pnl, cost
    row[CLOSED_STOPPED] = 1.0 if stopped and pnl < 0.0 else 0.0
    g.counts[0] += 1
    if p[COOL_DOWN_LOCK] > 0.0:
        _lock(g, symbol, COOL_DOWN, minute, ended_at + p[COOL_DOWN_LOCK], 1.0)
    _note_streak(g, p, minute)
    _note_low_profit(g, p, symbol, minute)


def locked_by(g: Guard, symbol: Any, minute: Any) -> int:
    """Return the protection that holds a new trade in a symbol back at a moment, or UNLOCKED."""
    account = len(g.locks) - 1
    for protection in range(PROTECTIONS):
        if g.locks[account][protection] > minute or g.locks[symbol][protection] > minute:
            return protection
    return UNLOCKED


def scale_of(p: Numbers, volatility: Any, regime: Any, confidence: float, fall: float) -> float:
    """Return by how much a size is scaled; `confidence` is NaN where no model spoke."""
    scale = p[SCALE_VOLATILITY + int(volatility)] * p[SCALE_REGIME + int(regime)]
    scale *= confidence_scale(p, confidence) * fall_scale(p, fall)
    return min(max(scale, p[SCALE_LEAST]), p[SCALE_MOST])


def confidence_scale(p: Numbers, confidence: float) -> float:
    """Return the part of the scale that the model's probability makes: linear between two of them."""
    if math.isnan(confidence):
        return p[CONFIDENCE_UNKNOWN]
    share = _between(confidence, p[CONFIDENCE_FROM], p[CONFIDENCE_TO])
    return p[CONFIDENCE_LEAST] + share * (p[CONFIDENCE_MOST] - p[CONFIDENCE_LEAST])


def fall_scale(p: Numbers, fall: float) -> float:
    """Return the part of the scale that the account's fall from its peak makes: 1, then linearly less."""
    return 1.0 + _between(fall, p[FALL_FROM], p[FALL_TO]) * (p[FALL_LEAST] - 1.0)


def risked_quantity(p: Numbers, equity: float, average: float, stop: float, scale: float) -> tuple[float, int]:
    """Return the quantity that risk and scale allow, and what bounded it.

    The scale works on what either bound allows, and never lifts the size over the largest share.
    """
    by_risk, by_share = equity * p[LIMIT_RISK] / (average - stop), equity * p[LIMIT_SHARE] / average
    quantity, by = (by_risk, BY_RISK) if by_risk < by_share else (by_share, BY_SHARE)
    quantity *= scale
    return (quantity, by) if quantity <= by_share else (by_share, BY_SHARE)


def within(quantity: float, by: int, room: float, average: float, other: int) -> tuple[float, int]:
    """Return a quantity cut down to the money there is `room` for, and what bounds it then."""
    most = room / average
    return (most, other) if most < quantity else (quantity, by)


def correlation(one: Numbers, other: Numbers, begin: Any, end: Any, least: float) -> float:
    """Return the correlation of the hourly log returns of two rows of closes in (begin, end]; NaN where fewer than
    `least` hours have both, or one of them never moved. Closes are NaN where there is none."""
    count, sum_one, sum_other = 0, 0.0, 0.0
    for at in range(begin + 1, end + 1):
        x, y = _log_return(one, at), _log_return(other, at)
        if not math.isnan(x + y):
            count, sum_one, sum_other = count + 1, sum_one + x, sum_other + y
    if count < least or count < 2:
        return math.nan
    mean_one, mean_other = sum_one / count, sum_other / count
    both, own, others = 0.0, 0.0, 0.0
    for at in range(begin + 1, end + 1):
        x, y = _log_return(one, at), _log_return(other, at)
        if not math.isnan(x + y):
            both += (x - mean_one) * (y - mean_other)
            own += (x - mean_one) ** 2
            others += (y - mean_other) ** 2
    if own <= 0.0 or others <= 0.0:
        return math.nan
    return both / math.sqrt(own * others)


def in_cluster(p: Numbers, one: Numbers, other: Numbers, last: Any) -> bool:
    """Return whether two symbols move together over the hours up to the row `last`; unknown counts as yes."""
    begin = max(last - int(p[LIMIT_HOURS]), 0)
    if last >= len(one) or last >= len(other):
        return True
    found = correlation(one, other, begin, last, p[LIMIT_LEAST_HOURS])
    return math.isnan(found) or found >= p[LIMIT_CORRELATION]


def _mark_fall(g: Guard, p: Numbers, minute: Any, fall: float) -> None:
    account = len(g.locks) - 1
    if p[HALT_AT] > 0.0 and fall >= p[HALT_AT]:
        g.marks[MARK_HALTED] = 1.0
        _lock(g, account, HALT, minute, minute + p[HALT_LOCK], fall)
    elif p[REDUCE_AT] <= 0.0 or fall < p[REDUCE_AT]:
        g.marks[MARK_ARMED] = 1.0
    elif g.marks[MARK_ARMED] != 0.0:
        g.marks[MARK_ARMED] = 0.0
        _lock(g, account, DRAWDOWN, minute, minute + p[REDUCE_LOCK], fall)


def _note_streak(g: Guard, p: Numbers, minute: Any) -> None:
    """Lock the account where its last trades, all since it was last locked so, all ended in a losing stop."""
    wanted = int(p[STREAK_TRADES])
    if wanted <= 0 or g.counts[0] < wanted:
        return
    account = len(g.locks) - 1
    after = max(minute - p[STREAK_WINDOW], g.since[account][STREAK])
    for back in range(1, wanted + 1):
        row = g.closed[g.counts[0] - back]
        if row[CLOSED_STOPPED] == 0.0 or row[CLOSED_AT] <= after:
            return
    _lock(g, account, STREAK, minute, minute + p[STREAK_LOCK], wanted)


def _note_low_profit(g: Guard, p: Numbers, symbol: Any, minute: Any) -> None:
    """Lock a symbol whose trades of the window, all since it was last locked so, returned too little together."""
    if p[LOW_TRADES] <= 0.0:
        return
    after = max(minute - p[LOW_WINDOW], g.since[symbol][LOW_PROFIT])
    trades, pnl, cost = 0, 0.0, 0.0
    for back in range(1, g.counts[0] + 1):
        row = g.closed[g.counts[0] - back]
        # A trade that left at a bar's open is noted at its close: rows are in order to within a bar.
        if row[CLOSED_AT] <= after - DAY_SECONDS:
            break
        if row[CLOSED_AT] > after and row[CLOSED_SYMBOL] == symbol:
            trades, pnl, cost = trades + 1, pnl + row[CLOSED_PNL], cost + row[CLOSED_COST]
    if trades >= p[LOW_TRADES] and pnl < p[LOW_RETURN] * cost:
        _lock(g, symbol, LOW_PROFIT, minute, minute + p[LOW_LOCK], pnl / cost)


def _lock(g: Guard, row: Any, protection: int, minute: Any, until: Any, seen: float) -> None:
    g.locks[row][protection] = until
    g.since[row][protection] = minute
    g.seen[row][protection] = seen


def _between(value: float, low: float, high: float) -> float:
    """Return where a value lies between two others, from 0 to 1."""
    if value <= low:
        return 0.0
    return 1.0 if value >= high else (value - low) / (high - low)


def _log_return(closes: Numbers, at: Any) -> float:
    before, after = closes[at - 1], closes[at]
    return math.log(after / before) if before > 0.0 and after > 0.0 else math.nan
