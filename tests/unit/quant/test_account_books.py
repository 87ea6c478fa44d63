"""Which signals an account takes at all, and how its books are closed."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from tracker.domain.account import Account
from tracker.domain.candle import Candle
from tracker.domain.command import Command, CommandKind
from tracker.domain.instrument import Instrument
from tracker.domain.order import ExitReason, OrderStatus, RefusalReason
from tracker.domain.position import PositionStatus
from tracker.domain.signal import Signal
from tracker.domain.timeframe import Timeframe
from tracker.quant.entry import EntryParams, below_threshold
from tracker.quant.paper import AccountParams, PaperConfig, TradingRules
from tracker.quant.portfolio.book import Book, seconds_of
from tracker.quant.portfolio.engine import Engine
from tracker.quant.risk import RiskConfig, RiskLimits
from tracker.quant.sizing import SizingParams
from tracker.testing.trades import FREE, NOON, make_signal

BEGIN = seconds_of(NOON)
RULES = TradingRules(
    paper=PaperConfig(
        account=AccountParams(name="paper", currency="USD", start_cash=10_000),
        execution=replace(FREE, taker_fee_bps=10.0, slippage_base_bps=5.0, slippage_cap_bps=50.0),
    ),
    risk=RiskConfig(
        sizing=SizingParams(risk_per_trade=0.02, size_multiplier=1.5, max_position_share=0.2),
        limits=RiskLimits(max_open_positions=5),
    ),
)

TAKEN = (
    (EntryParams(), make_signal(strength=0.0, confirmations=0), None),
    (EntryParams(min_strength=0.6), make_signal(strength=0.6), None),
    (EntryParams(min_strength=0.6), make_signal(strength=0.5999), "strength 0.5999, this account asks for 0.6"),
    (EntryParams(min_confirmations=3), make_signal(confirmations=3), None),
    (EntryParams(min_confirmations=3), make_signal(confirmations=2), "confirmations 2, this account asks for 3"),
    (EntryParams(min_confidence=0.5), replace(make_signal(), confidence=0.5), None),
    (
        EntryParams(min_confidence=0.5),
        replace(make_signal(), confidence=0.4),
        "confidence 0.4, this account asks for 0.5",
    ),
    (EntryParams(min_confidence=0.5), make_signal(), "confidence unknown, this account asks for 0.5"),
)


@pytest.mark.parametrize(("params", "signal", "note"), TAKEN)
def test_an_account_may_be_pickier_than_the_scanner(params: EntryParams, signal: Signal, note: str | None) -> None:
    refused = below_threshold(signal, replace(RULES, entry=params).numbers())
    if note is None:
        assert refused is None
    else:
        assert refused is not None
        assert (refused.reason, refused.note) == (RefusalReason.BELOW_ACCOUNT_THRESHOLD, note)


def engine_at(timeframe: Timeframe = Timeframe.M1) -> Engine:
    """Return an engine that has taken a signal at noon."""
    instrument = Instrument(symbol_id=1, symbol="BTC-USD", base_timeframe=timeframe, lot_step=Decimal("0.001"))
    cash = Decimal(10_000)
    account = Account(account="paper", currency="USD", start_cash=cash, opened_at=NOON, cash=cash)
    signal = make_signal(entry=100.0, stop=95.0, target=120.0)
    engine = Engine(Book(account, (), (), [instrument]), RULES, "rules", [signal])
    engine.step(BEGIN)
    return engine


def reset(engine: Engine, minute: int, **arguments: str) -> None:
    """Ask for new books a number of minutes after noon."""
    engine.obey(
        Command(account="paper", kind=CommandKind.RESET, arguments=arguments), NOON + timedelta(minutes=minute)
    )


def test_what_is_held_is_sold_at_the_last_close_with_what_a_sale_costs() -> None:
    engine = engine_at()
    engine.load(1, {BEGIN + 60: Candle(BEGIN, 100.0, 111.0, 99.0, 110.0, 1e6)})
    engine.step(BEGIN + 60)
    assert engine.book.live
    reset(engine, 1, cash="500")
    book = engine.book
    (trade,), sale = book.trades, book.fills[-1]
    assert (trade.exit_reason, trade.exit_time) == (ExitReason.FLATTEN, NOON + timedelta(minutes=1))
    assert sale.price == Decimal("109.945")
    assert sale.fee == Decimal("0.001") * sale.price * sale.quantity
    assert sale.realised_pnl == sale.price * sale.quantity - sale.cost == trade.gross_pnl
    assert book.live == []
    assert book.account.cash == 500
    assert book.account.realised_pnl == trade.gross_pnl
    (event,) = engine.events
    assert event.answer.amount is not None
    assert 500 - event.answer.amount == 10_000 + trade.pnl
    assert "1 trades ended at their last closes, books closed with" in event.answer.note
    assert book.guard.fall(500.0) == 0.0


def test_what_only_waits_is_taken_back_and_was_no_trade() -> None:
    engine = engine_at()
    reset(engine, 0)
    book = engine.book
    changes = book.changes()
    assert [each.status for each in changes.new_orders] == [OrderStatus.CANCELLED]
    assert [each.status for each in changes.new_positions] == [PositionStatus.VOID]
    assert (book.trades, book.fills, book.live) == ([], [], [])
    assert engine.events[0].answer.amount == 0
    assert book.account.cash == 10_000


def test_a_bar_that_is_open_is_waited_for() -> None:
    engine = engine_at(Timeframe.M5)
    reset(engine, 2, cash="700")
    for minute in (3, 4):
        engine.step(BEGIN + 60 * minute)
        assert engine.events == []
    engine.load(1, {BEGIN + 300: Candle(BEGIN, 100.0, 101.0, 99.0, 100.0, 1e6)})
    engine.step(BEGIN + 300)
    (event,) = engine.events
    assert event.ts == NOON + timedelta(minutes=5)
    assert engine.book.account.cash == 700
    assert len(engine.book.trades) == 1


@pytest.mark.parametrize("cash", ["0", "-1", "much", "1e-9"])
def test_books_cannot_begin_with_nothing(cash: str) -> None:
    engine = engine_at()
    reset(engine, 0, cash=cash)
    assert engine.events[0].answer.note.startswith("cash = ")
    assert engine.book.live
    assert engine.book.account.cash == 10_000
