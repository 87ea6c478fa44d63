"""Trades of setups on plain arrays, each alone: no account, no cash, nothing else in its way.

Laid out as in bulk trading and walked by the same kernel, so that a trade that an account took with nothing beside it
went the same way. Everything here can run as it is, and is compiled by `tracker.quant.compiled`.
"""

from __future__ import annotations

import math
from typing import Any, TypeAlias

from tracker.quant.bars import Floats
from tracker.quant.bulk.deciding import is_old, is_stale, lay_out, let_entry_live, next_bar, rungs_of
from tracker.quant.bulk.desk import PLAN_ENTRY, Market, Plans
from tracker.quant.kernel import (
    BAR_TS,
    BAR_VOLUME,
    BUDGET,
    CASH,
    ENTRY_REST,
    ENTRY_UNTIL,
    HIGHEST,
    LEG_EXIT,
    LOWEST,
    MAKER_FEE,
    OPENS_FROM,
    OUT_AT_OPEN,
    OUT_LEG,
    OUT_MAKER,
    OUT_PRICE,
    OUT_QUANTITY,
    OUT_REASON,
    TAKER_FEE,
    is_done,
    is_quiet,
    observe,
    walk,
)

# A number out of an array of integers, which the type checker takes for an array.
Integer: TypeAlias = Any

# What became of a trade, a row of `results`: sums over its fills in quantities and quote currency, when the last fill
# was and why, the extremes while it was held, whether it goes on, and the close of the last bar it needed.
ALONE_BOUGHT = 0
ALONE_COST = 1
ALONE_SOLD = 2
ALONE_PROCEEDS = 3
ALONE_FEES = 4
ALONE_LAST_FILL = 5
ALONE_REASON = 6
ALONE_LOWEST = 7
ALONE_HIGHEST = 8
ALONE_LIVE = 9
ALONE_SEEN = 10
ALONE_SIZE = 11


def trade_alone(
    plans: Plans,
    market: Market,
    notional: float,
    share: float,
    age: float,
    rules: Floats,
    until: int,
    trade: Floats,
    rungs: Floats,
    out: Floats,
    results: Floats,
) -> None:
    """Take each plan's trade alone over the bars that close by `until`, and write what became of it to `results`.

    `notional` is what its whole ladder would cost, `share` that of a bar's volume that it may fill, `age` in seconds
    that of the oldest price that it may be entered on. `trade` (TRADE_SIZE,), `rungs` (R, 2) and `out`
    (R + 2, OUT_SIZE) are worked on; `results` (n, ALONE_SIZE).
    """
    for signal in range(len(plans.times)):
        plan, weights, ladder = plans.plans[signal], plans.weights[signal], plans.ladders[signal]
        width = rungs_of(ladder)
        average = plan[PLAN_ENTRY] * weights[0]
        for index in range(width):
            average += ladder[index] * weights[index + 1]
        symbol = plans.symbol_of[signal]
        lay_out(plans, signal, market.symbols[symbol], notional / average, rules, trade, rungs)
        trade[CASH] = math.inf
        _walk_alone(market, symbol, share, age, rules, until, trade, rungs[:width], out, results[signal])


def _walk_alone(
    market: Market,
    symbol: int,
    share: float,
    age: float,
    rules: Floats,
    until: int,
    trade: Floats,
    rungs: Floats,
    out: Floats,
    result: Floats,
) -> None:
    result[:] = 0.0
    end = market.offsets[symbol + 1]
    at = next_bar(market, symbol, int(trade[OPENS_FROM]))
    let_entry_live(trade, market, at, end)
    if is_old(market, symbol, at, int(trade[OPENS_FROM]), age):
        trade[ENTRY_REST] = 0.0
    while at < end and market.closes[at] <= until and not is_done(trade):
        if is_stale(market, symbol, at, trade, age):
            trade[ENTRY_REST] = 0.0
        bar = market.bars[at]
        if is_quiet(trade, rungs, bar):
            observe(trade, bar)
        else:
            trade[BUDGET] = bar[BAR_VOLUME] * share
            for index in range(walk(trade, rungs, bar, rules, out)):
                _count_fill(out[index], bar, market.closes[at], rules, result)
        if market.closes[at] >= trade[ENTRY_UNTIL]:
            trade[ENTRY_REST] = 0.0
        result[ALONE_SEEN] = market.closes[at]
        at += 1
    if until >= trade[ENTRY_UNTIL]:
        trade[ENTRY_REST] = 0.0
    result[ALONE_LIVE] = 0.0 if is_done(trade) else 1.0
    result[ALONE_LOWEST], result[ALONE_HIGHEST] = trade[LOWEST], trade[HIGHEST]


def _count_fill(row: Floats, bar: Floats, closes_at: Integer, rules: Floats, result: Floats) -> None:
    value = row[OUT_QUANTITY] * row[OUT_PRICE]
    result[ALONE_FEES] += value * (rules[MAKER_FEE] if row[OUT_MAKER] != 0.0 else rules[TAKER_FEE])
    result[ALONE_LAST_FILL] = bar[BAR_TS] if row[OUT_AT_OPEN] != 0.0 else closes_at
    if row[OUT_LEG] == LEG_EXIT:
        result[ALONE_SOLD] += row[OUT_QUANTITY]
        result[ALONE_PROCEEDS] += value
        result[ALONE_REASON] = row[OUT_REASON]
    else:
        result[ALONE_BOUGHT] += row[OUT_QUANTITY]
        result[ALONE_COST] += value
