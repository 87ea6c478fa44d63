"""What a person may do to orders that rest, and what follows in the bars to come."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from tracker.domain.account import Account
from tracker.domain.candle import Candle
from tracker.domain.command import Command, CommandKind, Outcome
from tracker.domain.instrument import Instrument
from tracker.domain.order import Order, OrderStatus
from tracker.domain.position import PositionStatus
from tracker.domain.signal import Signal, Strategy
from tracker.domain.timeframe import Timeframe
from tracker.quant.bars import BarArrays
from tracker.quant.paper import AccountParams, PaperConfig, TradingRules
from tracker.quant.portfolio.book import Book, seconds_of
from tracker.quant.portfolio.engine import Engine
from tracker.quant.portfolio.series import CandleSeries
from tracker.quant.portfolio.walk import Walk
from tracker.quant.risk import RiskConfig, RiskLimits
from tracker.quant.sizing import SizingParams
from tracker.testing.trades import FREE, NOON, make_signal

Row = tuple[float, ...]
BEGIN = seconds_of(NOON)
FLAT: Row = (100, 101, 99, 100)
RULES = TradingRules(
    paper=PaperConfig(account=AccountParams(name="paper", currency="USD", start_cash=10_000), execution=FREE),
    risk=RiskConfig(
        sizing=SizingParams(risk_per_trade=0.02, size_multiplier=1.5, max_position_share=0.1975),
        limits=RiskLimits(max_open_positions=5),
    ),
)
# 20 in all: 10 at 100, 5 at 98, 5 at 97, stop 95.
LADDER = make_signal(
    strategy=Strategy("dca"), ladder=(98.0, 97.0), size_weights=(0.5, 0.25, 0.25), target_fraction=0.1
)


@dataclass(slots=True)
class Floor:
    """An engine that is fed one bar a step."""

    signal: Signal = LADDER
    timeframe: Timeframe = Timeframe.M1
    cash: int = 10_000
    engine: Engine = field(init=False)
    minute: int = field(init=False, default=BEGIN)

    def __post_init__(self) -> None:
        """Take the signal; its entry fills in the first bar."""
        instrument = Instrument(
            symbol_id=1, symbol="BTC-USD", base_timeframe=self.timeframe, lot_step=Decimal("0.001")
        )
        cash = Decimal(self.cash)
        account = Account(account="paper", currency="USD", start_cash=cash, opened_at=NOON, cash=cash)
        self.engine = Engine(Book(account, (), (), [instrument]), RULES, "rules", [self.signal])
        self.engine.step(BEGIN)

    def bars(self, *rows: Row) -> None:
        """Walk through bars, one a timeframe."""
        for open_, high, low, close in rows:
            ts = self.minute
            self.minute += self.timeframe.seconds
            self.engine.load(1, {self.minute: Candle(ts, open_, high, low, close, 1e6)})
            self.engine.step(self.minute)

    def ask(self, kind: CommandKind, **arguments: Any) -> str:
        """Give a command at the last close, and return the answer's note with '! ' before a refusal."""
        named = {"strategy": "dca", "symbol": "BTC-USD", **arguments}
        at = NOON + timedelta(seconds=self.minute - BEGIN)
        self.engine.obey(Command(account="paper", kind=kind, arguments=named), at)
        return self.answer()

    def answer(self) -> str:
        """Return the newest answer."""
        answer = self.engine.events[-1].answer
        return ("! " if answer.outcome is Outcome.REFUSED else "") + answer.note

    def orders(self) -> dict[str, Order]:
        """Return every order so far by its leg."""
        return {each.key.leg: each for each in self.engine.book.changes().new_orders}

    def fills(self) -> list[tuple[str, float, float]]:
        """Return the fills: leg, quantity, price."""
        return [(each.order.leg, float(each.quantity), float(each.price)) for each in self.engine.book.fills]


def test_a_replaced_rung_fills_at_its_new_price_from_the_next_bar_on() -> None:
    floor = Floor()
    floor.bars(FLAT)
    assert floor.ask(CommandKind.REPLACE, leg="rung1", price="98.5", quantity="4") == (
        "dca BTC-USD rung1: replaced by rung1.1, 4 at 98.5 instead of 5 at 98"
    )
    floor.bars((99, 99.5, 98.4, 99))
    assert floor.fills() == [("entry", 10, 100), ("rung1.1", 4, 98.5)]
    orders = floor.orders()
    assert (orders["rung1"].status, orders["rung1"].note) == (
        OrderStatus.CANCELLED, "sized by position_share; replaced by rung1.1",
    )
    assert orders["rung1.1"].note == "replaces rung1 on request"
    assert orders["rung1.1"].placed_at == NOON + timedelta(minutes=1)


def test_a_successor_can_be_replaced_too_and_the_old_leg_is_gone() -> None:
    floor = Floor()
    floor.bars(FLAT)
    floor.ask(CommandKind.REPLACE, leg="rung2", price="96.5")
    assert "rung2.2, 5 at 96" in floor.ask(CommandKind.REPLACE, leg="rung2.1", price="96")
    assert floor.ask(CommandKind.REPLACE, leg="rung2", price="96.1") == (
        "! dca BTC-USD has no resting order 'rung2'; its resting orders: rung1, rung2.2"
    )


def test_the_rest_of_a_rung_is_replaced_and_what_was_filled_stays() -> None:
    floor = Floor()
    floor.bars(FLAT)
    live = floor.engine.book.live[0]
    floor.minute += 60
    floor.engine.load(1, {floor.minute: Candle(floor.minute - 60, 98, 98, 97.5, 98, 3.0)})
    floor.engine.step(floor.minute)
    assert "2 at 97.5 instead of 2 at 98" in floor.ask(CommandKind.REPLACE, leg="rung1", price="97.5")
    orders = floor.orders()
    assert orders["rung1"].filled_quantity == 3
    assert (live.orders["rung1.1"].quantity, orders["rung1"].status) == (2, OrderStatus.CANCELLED)


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "under the stop": ({"leg": "rung1", "price": "95"}, "price = 95 must lie above the stop, 95"),
    "over the entry": ({"leg": "rung1", "price": "100"}, "price = 100 must lie below the average entry, 100"),
    "no number": ({"leg": "rung1", "price": "cheap"}, "price = 'cheap' is not a number"),
    "below nothing": ({"leg": "rung1", "price": "-3"}, "price = -3 is not a number above 0"),
    "too many digits": ({"leg": "rung1", "price": "97.00000000001"}, "price = 97.00000000001 has more than 12 digits"),
    "off the lot step": ({"leg": "rung1", "quantity": "1.0005"}, "quantity = 1.0005 is not a multiple of 0.001"),
    "worth too little": ({"leg": "rung1", "quantity": "0.1"}, "0.1 at 98 is worth 9.8, less than 10"),
    "more than there is cash": ({"leg": "rung1", "quantity": "200"}, "it ties up 19110.00 more, and 8025.00 is free"),
    "more than a trade may be": (
        {"leg": "rung1", "quantity": "6"},
        "exposure of the trade would be 2073.00, and 1975.00 is the most",
    ),
    "an entry that is filled": (
        {"leg": "entry", "price": "99"},
        "dca BTC-USD has no resting order 'entry'; its resting orders: rung1, rung2",
    ),
    "no leg": ({"price": "99"}, "leg is missing"),
    "another strategy": (
        {"strategy": "swing", "leg": "rung1", "price": "97"}, "there is no live trade of swing BTC-USD",
    ),
    "a trade of before": (
        {"decided_at": "2024-01-01T00:00:00+00:00", "leg": "rung1", "price": "97"},
        "there is no live trade of dca BTC-USD 2024-01-01T00:00:00+00:00",
    ),
    "a lower stop": ({"leg": "stop", "price": "94"}, "stop = 94 must lie above the stop as it is, 95"),
    "a stop over a rung": ({"leg": "stop", "price": "97.5"}, "stop = 97.5 must lie below rung2, 97"),
    "a target under the price": (
        {"leg": "target", "price": "99.5"}, "target = 99.5 must lie above the last price, 100",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_may_not_be_replaced_is_said_and_changes_nothing(name: str) -> None:
    arguments, words = REFUSED[name]
    floor = Floor()
    floor.bars(FLAT)
    before = floor.engine.book.changes()
    assert floor.ask(CommandKind.REPLACE, **arguments) == f"! {words}"
    assert floor.engine.book.changes() == before


def test_the_stop_of_a_trade_is_moved_up() -> None:
    floor = Floor()
    floor.bars(FLAT)
    assert floor.ask(CommandKind.REPLACE, leg="stop", price="96.5") == "dca BTC-USD stop: 96.5 instead of 95"
    floor.bars((100, 101, 96.4, 97))
    assert floor.fills()[1:] == [("rung1", 5, 98), ("rung2", 5, 97), ("stop", 20, 96.5)]


def test_a_stop_above_every_rung_needs_them_cancelled_first() -> None:
    floor = Floor()
    floor.bars(FLAT)
    assert floor.ask(CommandKind.CANCEL, leg="rung1") == "dca BTC-USD rung1: cancelled with 0 filled"
    assert floor.ask(CommandKind.CANCEL, leg="rung2") == "dca BTC-USD rung2: cancelled with 0 filled"
    floor.ask(CommandKind.REPLACE, leg="stop", price="99.5")
    floor.bars((100, 101, 96, 97))
    assert floor.fills()[1:] == [("stop", 10, 99.5)]


def test_a_target_that_was_put_somewhere_stays_there() -> None:
    floor = Floor()
    floor.bars(FLAT)
    floor.ask(CommandKind.REPLACE, leg="target", price="103")
    floor.bars((99, 100, 98, 99), (99, 104, 99, 103))
    assert floor.fills()[1:] == [("rung1", 5, 98), ("target", 15, 103)]
    assert floor.engine.book.trades[0].take_profit_price == 103


def test_an_entry_that_waits_is_cancelled_and_the_trade_is_void() -> None:
    floor = Floor()
    assert floor.ask(CommandKind.REPLACE, leg="entry", price="99") == (
        "! dca BTC-USD entry is a market order: it can be cancelled, not replaced"
    )
    assert floor.ask(CommandKind.CANCEL, leg="entry") == "dca BTC-USD entry: cancelled with 0 filled"
    assert floor.engine.book.live == []
    floor.bars(FLAT)
    assert floor.fills() == []
    assert {each.status for each in floor.orders().values()} == {OrderStatus.CANCELLED}
    assert floor.engine.book.changes().new_positions[0].status is PositionStatus.VOID


def test_flattening_sells_at_the_next_open_and_cancels_the_rest() -> None:
    floor = Floor()
    floor.bars(FLAT)
    assert floor.ask(CommandKind.FLATTEN) == "selling dca BTC-USD"
    sale = floor.orders()["flatten"]
    assert (sale.status, sale.quantity, sale.reference_price) == (OrderStatus.PENDING, 10, 100)
    assert floor.ask(CommandKind.FLATTEN) == "! dca BTC-USD: being sold at the market already"
    assert floor.ask(CommandKind.CANCEL, leg="flatten") == (
        "! dca BTC-USD is being left by flatten: a sale that has begun goes on"
    )
    assert floor.ask(CommandKind.REPLACE, leg="stop", price="99") == (
        "! dca BTC-USD is being left by flatten: nothing of it can be replaced"
    )
    floor.bars((97, 120, 90, 97))
    assert floor.fills()[1:] == [("flatten", 10, 97)]
    assert {leg: each.status for leg, each in floor.orders().items() if leg != "flatten"} == {
        "entry": OrderStatus.FILLED, "rung1": OrderStatus.CANCELLED, "rung2": OrderStatus.CANCELLED,
    }
    assert floor.engine.book.trades[0].exit_reason == "flatten"


def test_flattening_everything_voids_what_waits() -> None:
    floor = Floor()
    assert floor.ask(CommandKind.FLATTEN, strategy="", symbol="") == "took back dca BTC-USD"
    assert floor.engine.book.live == []
    assert floor.ask(CommandKind.FLATTEN, strategy="", symbol="") == "! nothing is held and no order rests"


def test_a_command_waits_for_the_bar_that_is_open() -> None:
    floor = Floor(timeframe=Timeframe.M5)
    floor.bars(FLAT)
    at = NOON + timedelta(minutes=7)
    arguments = {"strategy": "dca", "symbol": "BTC-USD", "leg": "stop", "price": "96.5"}
    floor.engine.obey(Command(account="paper", kind=CommandKind.REPLACE, arguments=arguments), at)
    assert floor.engine.events == []
    floor.bars((100, 100, 97.5, 99))
    assert floor.answer() == "dca BTC-USD stop: 96.5 instead of 95"
    assert floor.engine.events[0].ts == NOON + timedelta(minutes=10)


def test_commands_obeyed_again_leave_the_same_book() -> None:
    """As the check of a ledger does: known commands, and only the minutes in which something happens."""
    rows = [FLAT, FLAT, (99, 99.5, 98.6, 99), (99, 99.2, 98.4, 99), (99, 100, 98.9, 99.5), (99.5, 99.6, 98.8, 99)]
    live = Floor()
    live.bars(*rows[:2])
    live.ask(CommandKind.REPLACE, leg="rung1", price="98.5", quantity="4.5")
    live.bars(*rows[2:4])
    live.ask(CommandKind.CANCEL, leg="rung2")
    live.ask(CommandKind.REPLACE, leg="stop", price="98.85")
    live.bars(*rows[4:])
    again = Floor()
    again.engine.expect(live.engine.events)
    columns = np.array([(BEGIN + 60 * index, *row, 1e6) for index, row in enumerate(rows)]).T
    bars = BarArrays(
        ts=columns[0].astype(np.int64),
        open=columns[1],
        high=columns[2],
        low=columns[3],
        close=columns[4],
        volume=columns[5],
    )
    Walk(again.engine, {1: CandleSeries(bars, bars.ts + 60)}).run(BEGIN, BEGIN + 60 * len(rows))
    assert live.fills() == [("entry", 10, 100), ("rung1.1", 4.5, 98.5), ("stop", 14.5, 98.85)]
    assert again.engine.book.changes() == live.engine.book.changes()
    assert again.engine.events == live.engine.events
