"""What orders fill in a bar, by hand: a few rows of prices, and what must have been traded.

Every case runs through the plain rules, as live code calls them, and through the compiled ones of backtests.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from tracker.domain.candle import Candle
from tracker.domain.order import ExitReason, OrderKind
from tracker.quant import compiled, kernel
from tracker.quant.execution import REASONS, ExecutionParams, numbers_of, volume_budget, walk_bar
from tracker.quant.trade import Trade
from tracker.testing.trades import COSTLY, make_candles, make_rules, make_trade

Row = tuple[float, ...]
# Bar, leg, quantity, price.
Expected = tuple[int, str, float, float]
# What is changed of the usual trade (10 bought at 100, stop 90, target 110), the bars, the fills.
Cases = dict[str, tuple[dict[str, Any], list[Row], list[Expected]]]
Walk = Callable[[Trade, list[Candle], ExecutionParams, float], list[Expected]]

FLAT: Row = (100, 101, 99, 100)
DCA: dict[str, Any] = {"rungs": [(95, 10), (92, 20)], "target_fraction": 0.02, "target": 102.0}


def walk_plain(trade: Trade, bars: list[Candle], rules: ExecutionParams, cash: float) -> list[Expected]:
    """Walk the bars with the rules as they are written."""
    fills: list[Expected] = []
    for index, bar in enumerate(bars):
        for each in walk_bar(trade, bar, rules, volume_budget(bar, rules), cash):
            leg = {OrderKind.ENTRY: "entry", OrderKind.RUNG: f"rung{each.rung + 1}"}.get(
                each.kind, str(each.reason)
            )
            fills.append((index, leg, each.quantity, each.price))
    return fills


def walk_compiled(trade: Trade, bars: list[Candle], rules: ExecutionParams, cash: float) -> list[Expected]:
    """Walk the bars with machine code."""
    plain, rungs = numbers_of(trade, 0.0, cash)
    numbers, ladder = np.array(plain), np.array(rungs).reshape(-1, 2)
    out = np.zeros((len(rungs) + 2, kernel.OUT_SIZE))
    fills: list[Expected] = []
    for index, bar in enumerate(bars):
        numbers[kernel.BUDGET], numbers[kernel.CASH] = volume_budget(bar, rules), cash
        count = compiled.walk(numbers, ladder, np.array(bar, dtype=np.float64), np.array(rules.numbers()), out)
        for row in out[:count]:
            leg = int(row[kernel.OUT_LEG])
            names = {kernel.LEG_ENTRY: "entry", kernel.LEG_EXIT: str(REASONS[int(row[kernel.OUT_REASON])])}
            fills.append(
                (index, names.get(leg, f"rung{leg + 1}"), float(row[kernel.OUT_QUANTITY]), float(row[kernel.OUT_PRICE]))
            )
    return fills


def walk(with_rules: Walk, trade: Trade, rows: list[Row], rules: ExecutionParams, cash: float = 1e12) -> list[Expected]:
    """Return every fill, rounded to what was written by hand."""
    found = with_rules(trade, make_candles(rows), rules, cash)
    return [(bar, leg, round(quantity, 9), round(price, 9)) for bar, leg, quantity, price in found]


both_ways = pytest.mark.parametrize("with_rules", [walk_plain, walk_compiled])

ENTRY: Expected = (0, "entry", 10, 100)

ENTRIES: Cases = {
    "entry at the next open": ({}, [FLAT], [ENTRY]),
    "entry at a gapped open": ({}, [(104, 105, 103, 104)], [(0, "entry", 10, 104)]),
    "bars before the decision are not ours": (
        {"opens_from": 60},
        [(90, 91, 80, 90), FLAT],
        [(1, "entry", 10, 100)],
    ),
    "entry given up in time": ({"entry_until": 60, "opens_from": 0}, [(100, 101, 99, 100, 0), FLAT], []),
    "no volume, no entry": ({}, [(100, 101, 99, 100, 0)], []),
    "entry waits for volume": ({}, [(100, 101, 99, 100, 0), (103, 104, 102, 103)], [(1, "entry", 10, 103)]),
    "entry after its time-out never happens": ({"expires_at": 0}, [FLAT, FLAT], []),
}

STOPS: Cases = {
    "stop within the bar": ({}, [FLAT, (100, 101, 88, 95)], [ENTRY, (1, "stop", 10, 90)]),
    "stop touched exactly": ({}, [FLAT, (100, 101, 90, 95)], [ENTRY, (1, "stop", 10, 90)]),
    "stop missed by a hair": ({}, [FLAT, (100, 101, 90.001, 95)], [ENTRY]),
    "gap through the stop fills at the open": ({}, [FLAT, (85, 95, 84, 94)], [ENTRY, (1, "stop", 10, 85)]),
    "gap to the very stop": ({}, [FLAT, (90, 95, 89, 94)], [ENTRY, (1, "stop", 10, 90)]),
    "stop in the bar of the entry": ({}, [(100, 101, 89, 100)], [ENTRY, (0, "stop", 10, 90)]),
    "entry opens under the stop": ({}, [(85, 86, 84, 85)], [(0, "entry", 10, 85), (0, "stop", 10, 85)]),
    "nothing after the stop": (
        {},
        [FLAT, (100, 101, 88, 95), (95, 120, 80, 95)],
        [ENTRY, (1, "stop", 10, 90)],
    ),
}

TARGETS: Cases = {
    "target within the bar": ({}, [FLAT, (100, 112, 99, 105)], [ENTRY, (1, "target", 10, 110)]),
    "target touched exactly": ({}, [FLAT, (100, 110, 99, 105)], [ENTRY, (1, "target", 10, 110)]),
    "target missed by a hair": ({}, [FLAT, (100, 109.999, 99, 105)], [ENTRY]),
    "gap above the target fills at the open": (
        {},
        [FLAT, (115, 116, 114, 115)],
        [ENTRY, (1, "target", 10, 115)],
    ),
    "target in the bar of the entry": ({}, [(100, 111, 99, 100)], [ENTRY, (0, "target", 10, 110)]),
    "entry opens above the target": (
        {},
        [(112, 113, 111, 112)],
        [(0, "entry", 10, 112), (0, "target", 10, 112)],
    ),
}

BOTH: Cases = {
    "stop and target in one bar: the stop": ({}, [FLAT, (100, 115, 85, 112)], [ENTRY, (1, "stop", 10, 90)]),
    "stop and target in the bar of the entry": ({}, [(100, 115, 85, 112)], [ENTRY, (0, "stop", 10, 90)]),
    "gap above the target, then the stop": ({}, [FLAT, (115, 116, 85, 90)], [ENTRY, (1, "target", 10, 115)]),
    "gap under the stop, then the target": ({}, [FLAT, (85, 115, 84, 112)], [ENTRY, (1, "stop", 10, 85)]),
}

TRAILING: Cases = {
    "trailing stop follows closed bars only": (
        {"trail_distance": 5.0},
        [FLAT, (100, 108, 97, 107), (107, 107, 102, 104)],
        [ENTRY, (2, "trailing", 10, 103)],
    ),
    "the bar's own high does not raise its stop": (
        {"trail_distance": 5.0},
        [FLAT, (100, 109, 97, 98)],
        [ENTRY],
    ),
    "trailing stop above the close gaps at the open": (
        {"trail_distance": 5.0},
        [FLAT, (100, 109, 97, 98), (98, 99, 97, 98)],
        [ENTRY, (2, "trailing", 10, 98)],
    ),
    "trailing never lowers the stop": (
        {"trail_distance": 50.0},
        [FLAT, FLAT, (100, 101, 89, 95)],
        [ENTRY, (2, "stop", 10, 90)],
    ),
    "trailing and target in one bar: the stop": (
        {"trail_distance": 5.0},
        [FLAT, (100, 108, 97, 107), (107, 111, 102, 110)],
        [ENTRY, (2, "trailing", 10, 103)],
    ),
    "the entry bar's high counts afterwards": (
        {"trail_distance": 2.0},
        [(100, 104, 99.5, 103), (103, 103, 101, 102)],
        [ENTRY, (1, "trailing", 10, 102)],
    ),
}

# Fees of 2 percent a round trip: a trade from 100 breaks even at 102.
SECURED: dict[str, Any] = {"break_even_distance": 4.0, "break_even_cost": 0.02}
BREAK_EVEN: Cases = {
    "the stop goes to what the trade cost": (
        SECURED,
        [FLAT, (100, 104, 100, 103), (103, 103.5, 101, 102)],
        [ENTRY, (2, "break_even", 10, 102)],
    ),
    "a high short of the distance raises nothing": (
        SECURED,
        [FLAT, (100, 103.999, 100, 103), (103, 103.5, 89, 95)],
        [ENTRY, (2, "stop", 10, 90)],
    ),
    "the bar's own high does not secure it": (SECURED, [FLAT, (103, 104, 97, 98)], [ENTRY]),
    "a break-even stop above the close gaps at the open": (
        SECURED,
        [FLAT, (103, 104, 97, 98), (98, 99, 97, 98)],
        [ENTRY, (2, "break_even", 10, 98)],
    ),
    "it stays when the price falls back": (
        SECURED,
        [FLAT, (100, 105, 100, 104), (104, 104, 102.5, 103), (103, 103, 101, 101)],
        [ENTRY, (3, "break_even", 10, 102)],
    ),
    "the entry bar's high secures it too": (
        SECURED,
        [(100, 104, 99.5, 103), (103, 103, 101, 102)],
        [ENTRY, (1, "break_even", 10, 102)],
    ),
    "break even and target in one bar: the stop": (
        SECURED,
        [FLAT, (100, 104, 100, 103), (103, 111, 101, 110)],
        [ENTRY, (2, "break_even", 10, 102)],
    ),
    "break even at the time-out's open": (
        {**SECURED, "expires_at": 120},
        [FLAT, (100, 104, 100, 103), (101, 102, 100, 101)],
        [ENTRY, (2, "break_even", 10, 101)],
    ),
    "a trailing stop that is higher counts": (
        {**SECURED, "trail_distance": 1.0},
        [FLAT, (101, 104, 100.5, 103.5), (103.5, 103.5, 101, 102)],
        [ENTRY, (2, "trailing", 10, 103)],
    ),
    "a trailing stop that is lower does not": (
        {**SECURED, "trail_distance": 8.0},
        [FLAT, (100, 104, 100, 103), (103, 103, 101, 102)],
        [ENTRY, (2, "break_even", 10, 102)],
    ),
    "a trailing stop takes over": (
        {**SECURED, "trail_distance": 3.0},
        [FLAT, (100, 104, 100, 103), (103, 107, 103, 106), (106, 106, 103, 104)],
        [ENTRY, (3, "trailing", 10, 104)],
    ),
    # 10 at 100 and 10 at 95: average 97.5, secured from 101.5 on at 99.45
    "a rung moves what it takes": (
        {**SECURED, "rungs": [(95, 10)]},
        [FLAT, (98, 99, 94, 96), (97, 101.5, 97, 101), (101, 101, 99, 100)],
        [ENTRY, (1, "rung1", 10, 95), (3, "break_even", 20, 99.45)],
    ),
    "a high from before the rung does not count": (
        {**SECURED, "rungs": [(95, 10)]},
        [FLAT, (100, 103, 99, 100), (98, 99, 94, 96), (96, 97, 95, 96)],
        [ENTRY, (2, "rung1", 10, 95)],
    ),
    "the high of the rung's own bar is uncertain": (
        {**SECURED, "rungs": [(95, 10)]},
        [FLAT, (98, 102, 94, 97), (97, 98, 96, 97)],
        [ENTRY, (1, "rung1", 10, 95)],
    ),
    "the close of the rung's own bar is certain": (
        {**SECURED, "rungs": [(95, 10)]},
        [FLAT, (98, 102, 94, 101.5), (101, 101, 99, 100)],
        [ENTRY, (1, "rung1", 10, 95), (2, "break_even", 20, 99.45)],
    ),
    "a rung under a break-even stop is dead": (
        {**SECURED, "rungs": [(95, 10)]},
        [FLAT, (100, 104, 100, 103), (103, 103, 94, 96)],
        [ENTRY, (2, "break_even", 10, 102)],
    ),
}

# A sale at the market that was asked for from outside, before the first of the bars.
FLATTENED: dict[str, Any] = {"leaving": ExitReason.FLATTEN, "entry_rest": 0.0}
FLATTENING: Cases = {
    "a flattened trade is sold at the next open": (
        {**FLATTENED, "held": 10.0, "bought": 10.0, "cost": 1_000.0},
        [(97, 120, 80, 100)],
        [(0, "flatten", 10, 97)],
    ),
    "a flattened trade under its stop is still a flattened one": (
        {**FLATTENED, "held": 10.0, "bought": 10.0, "cost": 1_000.0},
        [(85, 120, 80, 100)],
        [(0, "flatten", 10, 85)],
    ),
    "flattening goes on at the following opens": (
        {**FLATTENED, "held": 10.0, "bought": 10.0, "cost": 1_000.0, "max_volume_share": 0.1},
        [(97, 98, 96, 97, 40), (95, 112, 94, 95, 900)],
        [(0, "flatten", 4, 97), (1, "flatten", 6, 95)],
    ),
    "nothing is bought after flattening": (
        {**FLATTENED, "held": 10.0, "bought": 10.0, "cost": 1_000.0, "rungs": [(95, 0)]},
        [(97, 98, 90, 97, 0), (95, 112, 94, 95)],
        [(1, "flatten", 10, 95)],
    ),
}

TIME_OUTS: Cases = {
    "time-out at the open": (
        {"expires_at": 120},
        [FLAT, FLAT, (101, 102, 100, 101)],
        [ENTRY, (2, "timeout", 10, 101)],
    ),
    "time-out at the first bar after a hole": (
        {"expires_at": 90},
        [FLAT, FLAT, (97, 98, 96, 97)],
        [ENTRY, (2, "timeout", 10, 97)],
    ),
    "time-out before the target of its bar": (
        {"expires_at": 60},
        [FLAT, (100, 115, 99, 100)],
        [ENTRY, (1, "timeout", 10, 100)],
    ),
    "time-out under the stop is a stop": (
        {"expires_at": 60},
        [FLAT, (85, 86, 84, 85)],
        [ENTRY, (1, "stop", 10, 85)],
    ),
    "stop in the last bar before the time-out": (
        {"expires_at": 120},
        [FLAT, (100, 101, 89, 95), FLAT],
        [ENTRY, (1, "stop", 10, 90)],
    ),
    "no rung fills at the time-out": (
        {**DCA, "expires_at": 60},
        [FLAT, (94, 95, 93, 94)],
        [ENTRY, (1, "timeout", 10, 94)],
    ),
}

LADDERS: Cases = {
    "a rung fills at its price": (DCA, [FLAT, (98, 99, 94, 96)], [ENTRY, (1, "rung1", 10, 95)]),
    "a rung touched exactly": (DCA, [FLAT, (98, 99, 95, 96)], [ENTRY, (1, "rung1", 10, 95)]),
    "a gap below a rung fills at the open": (DCA, [FLAT, (94, 94.5, 93, 94)], [ENTRY, (1, "rung1", 10, 94)]),
    "two rungs in one bar": (
        DCA,
        [FLAT, (98, 99, 91, 93)],
        [ENTRY, (1, "rung1", 10, 95), (1, "rung2", 20, 92)],
    ),
    "all rungs, then the stop": (
        DCA,
        [FLAT, (98, 99, 89, 93)],
        [ENTRY, (1, "rung1", 10, 95), (1, "rung2", 20, 92), (1, "stop", 40, 90)],
    ),
    "a gap under everything": (
        DCA,
        [FLAT, (85, 86, 84, 85)],
        [ENTRY, (1, "rung1", 10, 85), (1, "rung2", 20, 85), (1, "stop", 40, 85)],
    ),
    # 10 at 100 and 10 at 95: average 97.5, target 97.5 * 1.02 = 99.45
    "a rung moves the target": (
        DCA,
        [FLAT, (98, 99, 94, 96), (96, 100, 96, 99)],
        [ENTRY, (1, "rung1", 10, 95), (2, "target", 20, 99.45)],
    ),
    "a moved target is uncertain in its own bar": (
        DCA,
        [FLAT, (98, 101, 94, 96)],
        [ENTRY, (1, "rung1", 10, 95)],
    ),
    "a moved target is certain where the bar closes above": (
        DCA,
        [FLAT, (98, 101, 94, 100)],
        [ENTRY, (1, "rung1", 10, 95), (1, "target", 20, 99.45)],
    ),
    "the old target is uncertain in a rung's bar": (
        DCA,
        [FLAT, (98, 103, 94, 97)],
        [ENTRY, (1, "rung1", 10, 95)],
    ),
    # 10 at 100 and 10 at 94 (gap): average 97, target 98.94, known before the rest of the bar
    "a rung at the open moves the target for its bar": (
        DCA,
        [FLAT, (94, 99, 93, 95)],
        [ENTRY, (1, "rung1", 10, 94), (1, "target", 20, 98.94)],
    ),
    "an open above the moved target does not count": (
        DCA,
        [FLAT, (99.8, 101, 94, 99.5)],
        [ENTRY, (1, "rung1", 10, 95), (1, "target", 20, 99.45)],
    ),
    "the target follows the real entry": (
        {"target_fraction": 0.02, "target": 102.0},
        [(103, 104, 102, 103), (103, 106, 103, 105)],
        [(0, "entry", 10, 103), (1, "target", 10, 105.06)],
    ),
    "no rung after the target": (
        DCA,
        [FLAT, (100, 103, 99, 101), (98, 99, 90.5, 93)],
        [ENTRY, (1, "target", 10, 102)],
    ),
    "no rung without an entry": ({**DCA, "entry_rest": 0.0}, [(98, 99, 91, 93)], []),
    "a rung under a trailed stop is dead": (
        {"rungs": [(95, 10)], "trail_distance": 3.0},
        [(100, 101, 99, 100), (100, 100, 94, 96)],
        [ENTRY, (1, "trailing", 10, 98)],
    ),
}

PARTIAL: Cases = {
    "an entry is spread over bars": (
        {},
        [(100, 101, 99, 100, 40), (101, 102, 100, 101, 60), (99, 100, 98, 99, 900)],
        [(0, "entry", 4, 100), (1, "entry", 6, 101)],
    ),
    "the entry's rest is given up": (
        {},
        [(100, 101, 99, 100, 10)] * 5,
        [(0, "entry", 1, 100), (1, "entry", 1, 100), (2, "entry", 1, 100)],
    ),
    "a stop goes on at the following opens": (
        {},
        [(100, 101, 99, 100, 900), (100, 101, 88, 95, 40), (93, 120, 92, 100, 30), (80, 81, 79, 80, 900)],
        [ENTRY, (1, "stop", 4, 90), (2, "stop", 3, 93), (3, "stop", 3, 80)],
    ),
    "a stop without volume goes on at the next open": (
        {},
        [(100, 101, 99, 100, 900), (100, 101, 88, 95, 0), (94, 95, 93, 94, 900)],
        [ENTRY, (2, "stop", 10, 94)],
    ),
    "a target's rest keeps resting": (
        {},
        [
            (100, 101, 99, 100, 900),
            (100, 111, 99, 105, 40),
            (105, 109, 104, 105, 900),
            (105, 111, 104, 105, 900),
        ],
        [ENTRY, (1, "target", 4, 110), (3, "target", 6, 110)],
    ),
    "a target's rest may still be stopped": (
        {},
        [(100, 101, 99, 100, 900), (100, 111, 99, 105, 40), (105, 106, 89, 95, 900)],
        [ENTRY, (1, "target", 4, 110), (2, "stop", 6, 90)],
    ),
    "a target's rest may time out": (
        {"expires_at": 120},
        [(100, 101, 99, 100, 900), (100, 111, 99, 105, 40), (104, 106, 103, 105, 900)],
        [ENTRY, (1, "target", 4, 110), (2, "timeout", 6, 104)],
    ),
    "a rung fills in parts": (
        {"rungs": [(95, 10)]},
        [(100, 101, 99, 100, 900), (98, 99, 94, 96, 60), (96, 97, 94, 95, 900)],
        [ENTRY, (1, "rung1", 6, 95), (2, "rung1", 4, 95)],
    ),
    "rung and stop share the bar's volume": (
        {"rungs": [(95, 10)]},
        [(100, 101, 99, 100, 900), (98, 99, 89, 96, 120), (96, 97, 94, 95, 900)],
        [ENTRY, (1, "rung1", 10, 95), (1, "stop", 2, 90), (2, "stop", 18, 96)],
    ),
    "the entry's rest ends with the exit": (
        {},
        [(100, 101, 99, 100, 40), (100, 111, 99, 105, 900)],
        [(0, "entry", 4, 100), (1, "entry", 6, 100), (1, "target", 10, 110)],
    ),
    "the entry's rest is not bought after a stop": (
        {},
        [(100, 101, 89, 95, 40), (95, 96, 94, 95, 900)],
        [(0, "entry", 4, 100), (1, "stop", 4, 95)],
    ),
    "less than a lot is nothing": (
        {"step": 1.0},
        [(100, 101, 99, 100, 5), (100, 101, 99, 100, 25)],
        [(1, "entry", 2, 100)],
    ),
    "a time-out goes on at the following opens": (
        {"expires_at": 60},
        [(100, 101, 99, 100, 900), (98, 99, 97, 98, 40), (96, 97, 95, 96, 900)],
        [ENTRY, (1, "timeout", 4, 98), (2, "timeout", 6, 96)],
    ),
    "a trailing stop goes on at the following opens": (
        {"trail_distance": 5.0},
        [(100, 101, 99, 100, 900), (100, 108, 97, 107, 900), (107, 107, 102, 104, 40), (101, 102, 100, 101, 900)],
        [ENTRY, (2, "trailing", 4, 103), (3, "trailing", 6, 101)],
    ),
    "a gap over the target sells at every open that is over it": (
        {},
        [(100, 101, 99, 100, 900), (115, 116, 114, 115, 40), (112, 113, 109, 110, 900)],
        [ENTRY, (1, "target", 4, 115), (2, "target", 6, 112)],
    ),
    "rungs are filled from the top while there is volume": (
        DCA,
        [(100, 101, 99, 100, 900), (98, 99, 91, 93, 150), (93, 94, 91.5, 93, 900)],
        [ENTRY, (1, "rung1", 10, 95), (1, "rung2", 5, 92), (2, "rung2", 15, 92)],
    ),
}

SLIPPED: Cases = {
    # 10 of 1,000: 5 + 100 * 0.01 = 6 bps
    "entry and stop slip": (
        {},
        [FLAT, (100, 101, 88, 95)],
        [(0, "entry", 10, 100.06), (1, "stop", 10, 89.946)],
    ),
    "a buy pays at most the high": ({}, [(100, 100.01, 99, 100)], [(0, "entry", 10, 100.01)]),
    "a sell gets at least the low": (
        {},
        [FLAT, (100, 101, 89.99, 95)],
        [(0, "entry", 10, 100.06), (1, "stop", 10, 89.99)],
    ),
    "a target does not slip": (
        {},
        [FLAT, (100, 112, 99, 105)],
        [(0, "entry", 10, 100.06), (1, "target", 10, 110)],
    ),
    "a rung does not slip": (
        {"rungs": [(95, 10)]},
        [FLAT, (98, 99, 94, 96)],
        [(0, "entry", 10, 100.06), (1, "rung1", 10, 95)],
    ),
    "a time-out slips": (
        {"expires_at": 60},
        [FLAT, FLAT],
        [(0, "entry", 10, 100.06), (1, "timeout", 10, 99.94)],
    ),
    # 10 of 100: 5 + 100 * 0.1 = 15 bps
    "slippage grows with the share of the volume": (
        {},
        [(100, 101, 99, 100, 100)],
        [(0, "entry", 10, 100.15)],
    ),
}

FREE = [ENTRIES, STOPS, TARGETS, BOTH, TRAILING, BREAK_EVEN, TIME_OUTS, LADDERS]


@both_ways
@pytest.mark.parametrize(("changes", "rows", "expected"), [
    pytest.param(*case, id=name) for cases in FREE for name, case in cases.items()
])
def test_fills_without_cost(
    with_rules: Walk, changes: dict[str, Any], rows: list[Row], expected: list[Expected]
) -> None:
    assert walk(with_rules, make_trade(**changes), rows, make_rules()) == expected


@both_ways
@pytest.mark.parametrize("name", FLATTENING)
def test_fills_of_a_flattened_trade(name: str, with_rules: Walk) -> None:
    changes, rows, expected = FLATTENING[name]
    share = changes.get("max_volume_share", 1)
    trade = make_trade(**{key: value for key, value in changes.items() if key != "max_volume_share"})
    assert walk(with_rules, trade, rows, make_rules(max_volume_share=share)) == expected


@both_ways
@pytest.mark.parametrize("name", PARTIAL)
def test_fills_of_a_tenth_of_the_volume(name: str, with_rules: Walk) -> None:
    changes, rows, expected = PARTIAL[name]
    assert walk(with_rules, make_trade(**changes), rows, make_rules(max_volume_share=0.1)) == expected


@both_ways
@pytest.mark.parametrize("name", SLIPPED)
def test_fills_with_slippage(name: str, with_rules: Walk) -> None:
    changes, rows, expected = SLIPPED[name]
    assert walk(with_rules, make_trade(**changes), rows, COSTLY) == expected


@both_ways
def test_slippage_is_capped(with_rules: Walk) -> None:
    rules = make_rules(COSTLY, slippage_cap_bps=8, max_volume_share=1)
    assert walk(with_rules, make_trade(), [(100, 101, 99, 100, 20)], rules) == [(0, "entry", 10, 100.08)]


@both_ways
def test_entry_buys_what_the_cash_allows(with_rules: Walk) -> None:
    rules = make_rules(taker_fee_bps=100)
    assert walk(with_rules, make_trade(), [FLAT], rules, cash=506.0) == [(0, "entry", 5.009, 100)]


@both_ways
def test_entry_without_cash_waits_and_expires(with_rules: Walk) -> None:
    assert walk(with_rules, make_trade(), [FLAT, FLAT, FLAT, FLAT], make_rules(), cash=0.0) == []


def test_there_are_cases_of_every_kind() -> None:
    kinds = [*FREE, FLATTENING, PARTIAL, SLIPPED]
    assert min(len(each) for each in kinds) >= 4
    assert sum(len(each) for each in kinds) == len({name for each in kinds for name in each}) >= 40
