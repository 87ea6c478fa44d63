"""From a signal to a closed trade, on a real database."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from paper_desk import Desk, cheap
from tracker.domain.errors import SchemaError
from tracker.domain.instrument import Instrument
from tracker.domain.signal import Side, Strategy
from tracker.domain.timeframe import Timeframe
from tracker.runtime.settings import load_settings
from tracker.runtime.trading_rules import load_trading_rules
from tracker.store.paper import ledger_check, paper_summary
from tracker.testing.paper_world import minutes
from tracker.testing.trades import NOON, make_signal

from services.paper_trader.settings import PaperTraderSettings

FLAT = (100.0, 100.5, 99.5, 100.0)
QUARTER = NOON + minutes(15)
RULES = cheap(load_trading_rules(load_settings(PaperTraderSettings).config_dir))


async def market(desk: Desk, rows: list[tuple[float, ...]], **changes: Any) -> dict[str, int]:
    """List BTC-USD, quiet for a quarter of an hour, then `rows`; with a swing signal at its end."""
    ids = await desk.world.list_symbols(Instrument(symbol_id=0, symbol="BTC-USD"))
    await desk.world.bars("BTC-USD", [*[FLAT] * 15, *rows])
    await desk.world.signals([make_signal(**{"symbol_id": ids["BTC-USD"], "decided_at": QUARTER, **changes})])
    await desk.world.scanned(NOON + minutes(60))
    return ids


async def test_a_signal_becomes_a_trade(desk: Desk) -> None:
    await market(desk, [FLAT, (100, 111, 99.5, 110)])
    await desk.catch_up(desk.trader(rules=RULES))
    # 10,000 * 0.02 * 1.5 / 5 = 60 units by risk, 10,000 * 0.2 / 100 = 20 by the share of equity
    orders = await desk.rows(
        "SELECT leg, status, quantity, filled_quantity, note FROM tracker.orders ORDER BY order_id"
    )
    assert orders == [
        {
            "leg": "entry",
            "status": "filled",
            "quantity": 20,
            "filled_quantity": 20,
            "note": "sized by position_share",
        },
        {"leg": "target", "status": "filled", "quantity": 20, "filled_quantity": 20, "note": ""},
    ]
    fills = await desk.rows("SELECT bar_ts, filled_at, side, price FROM tracker.fills ORDER BY fill_id")
    assert fills == [
        {"bar_ts": QUARTER, "filled_at": QUARTER, "side": "buy", "price": 100},
        {"bar_ts": QUARTER + minutes(1), "filled_at": QUARTER + minutes(2), "side": "sell", "price": 110},
    ]
    (trade,) = await desk.rows("SELECT * FROM tracker.trade_logs")
    assert (trade["pnl"], trade["exit_reason"], trade["stop_loss_price"]) == (200, "target", 95)
    assert (trade["mae"], trade["mfe"]) == (pytest.approx(-0.005), pytest.approx(0.1))
    async with desk.database.transaction() as transaction:
        summary = await paper_summary(transaction)
        assert summary is not None
        assert (summary.final_equity, summary.closed_trades, summary.open_positions) == (10_200, 1, 0)
        assert (summary.orders, summary.refused, summary.fills) == (2, 0, 2)
        assert (await ledger_check(transaction)).ok


async def test_equity_at_quarters_and_fills_only(desk: Desk) -> None:
    await market(desk, [FLAT] * 20)
    await desk.catch_up(desk.trader(rules=RULES))
    points = await desk.rows("SELECT ts, equity, open_positions FROM tracker.equity_curve ORDER BY ts")
    assert [(point["ts"] - NOON, point["open_positions"]) for point in points] == [
        (minutes(0), 0),
        (minutes(15), 0),
        (minutes(16), 1),
        (minutes(30), 1),
    ]


async def test_costs_are_taken_and_the_ledger_still_adds_up(desk: Desk) -> None:
    await market(desk, [(100.1, 100.7, 99.3, 100.123), (100, 101, 94, 95.5)])
    await desk.catch_up(desk.trader())
    (trade,) = await desk.rows("SELECT * FROM tracker.trade_logs")
    assert trade["pnl"] == trade["gross_pnl"] - trade["fees"]
    assert trade["fees"] > 0
    assert trade["entry_price"] > Decimal("100.1")
    assert trade["exit_price"] < 95
    async with desk.database.transaction() as transaction:
        check = await ledger_check(transaction)
        assert check.ok, check.findings
        summary = await paper_summary(transaction)
        assert summary is not None
        assert summary.final_equity == 10_000 + summary.realised_pnl - summary.fees


async def test_a_ladder_with_partial_fills(desk: Desk) -> None:
    ladder: dict[str, Any] = {
        "strategy": Strategy("swing"),
        "ladder": (98.0, 96.5),
        "size_weights": (0.2, 0.3, 0.5),
        "stop": 95.0,
        "target": 101.0,
        "target_fraction": 0.01,
    }
    await market(
        desk,
        [
            (100, 100.5, 99.5, 100, 30),
            (100, 100.5, 97.5, 98, 1e6),
            (98, 98.2, 96, 97, 20),
            (97, 97.5, 96.4, 97, 1e6),
            (97, 99.5, 97, 99, 1e6),
        ],
        **ladder,
    )
    await desk.catch_up(desk.trader(rules=RULES))
    legs = await desk.rows(
        "SELECT o.leg, i.quantity, i.price FROM tracker.fills i JOIN tracker.orders o USING (order_id) "
        "ORDER BY fill_id"
    )
    assert [(row["leg"], float(row["price"])) for row in legs][:5] == [
        ("entry", 100),
        ("entry", 100),
        ("rung1", 98),
        ("rung2", 96.5),
        ("rung2", 96.5),
    ]
    assert legs[0]["quantity"] == 3
    assert legs[3]["quantity"] == 2
    (trade,) = await desk.rows("SELECT * FROM tracker.trade_logs")
    assert trade["exit_reason"] == "target"
    async with desk.database.transaction() as transaction:
        check = await ledger_check(transaction)
        assert check.ok, check.findings


async def test_an_unfilled_entry_expires_and_leaves_no_position(desk: Desk) -> None:
    ladder: dict[str, Any] = {"ladder": (98.0,), "size_weights": (0.5, 0.5)}
    await market(desk, [(100, 100.5, 99.5, 100, 0)] * 6, **ladder)
    await desk.catch_up(desk.trader(rules=RULES))
    rows = await desk.rows("SELECT leg, status, ended_at FROM tracker.orders ORDER BY order_id")
    assert [(row["leg"], row["status"]) for row in rows] == [("entry", "expired"), ("rung1", "cancelled")]
    assert rows[0]["ended_at"] == QUARTER + minutes(3)
    (position,) = await desk.rows("SELECT status FROM tracker.positions")
    assert position["status"] == "void"


async def test_an_entry_expires_where_no_bars_come(desk: Desk) -> None:
    await market(desk, [])
    await desk.world.complete(QUARTER + minutes(10))
    await desk.catch_up(desk.trader(rules=RULES))
    (order,) = await desk.rows("SELECT status, ended_at FROM tracker.orders")
    assert order == {"status": "expired", "ended_at": QUARTER + minutes(3)}


async def test_a_symbol_whose_finest_bars_are_five_minutes(desk: Desk) -> None:
    ids = await desk.world.list_symbols(
        Instrument(symbol_id=0, symbol="BTC-USD"),
        Instrument(symbol_id=0, symbol="OLD-USD", base_timeframe=Timeframe.M5),
    )
    await desk.world.bars("BTC-USD", [FLAT] * 30)
    await desk.world.bars(
        "OLD-USD", [*[FLAT] * 3, (101, 102, 100, 101), (101, 112, 100, 111)], timeframe=Timeframe.M5
    )
    await desk.world.signals([make_signal(symbol_id=ids["OLD-USD"], decided_at=QUARTER)])
    await desk.world.scanned(QUARTER + minutes(15))
    await desk.catch_up(desk.trader(rules=RULES))
    fills = await desk.rows("SELECT bar_ts, filled_at, price FROM tracker.fills ORDER BY fill_id")
    assert fills == [
        {"bar_ts": QUARTER, "filled_at": QUARTER, "price": 101},
        {"bar_ts": QUARTER + minutes(5), "filled_at": QUARTER + minutes(10), "price": 110},
    ]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"side": Side.SHORT}, "side_not_supported"),
        ({"stop": 101.0}, "invalid_signal"),
        ({"expires_at": QUARTER}, "invalid_signal"),
    ],
)
async def test_an_unusable_signal_is_refused_with_a_row(
    desk: Desk, changes: dict[str, Any], reason: str
) -> None:
    await market(desk, [FLAT], **changes)
    await desk.catch_up(desk.trader(rules=RULES))
    (order,) = await desk.rows("SELECT status, reason, quantity, note FROM tracker.orders")
    assert (order["status"], order["reason"], order["quantity"]) == ("refused", reason, 0)
    assert order["note"]


async def test_no_more_than_five_positions(desk: Desk) -> None:
    names = [f"C{index}-USD" for index in range(7)]
    ids = await desk.world.list_symbols(*(Instrument(symbol_id=0, symbol=name) for name in names))
    for name in names:
        await desk.world.bars(name, [FLAT] * 30)
    small = replace(
        RULES, risk=replace(RULES.risk, sizing=replace(RULES.risk.sizing, max_position_share=0.1))
    )
    await desk.world.signals(
        [make_signal(symbol_id=ids[name], decided_at=QUARTER) for name in reversed(names)]
    )
    await desk.world.signals([make_signal(symbol_id=ids["C0-USD"], decided_at=QUARTER + minutes(15))])
    await desk.world.complete(NOON + minutes(40))
    await desk.world.scanned(NOON + minutes(60))
    await desk.catch_up(desk.trader(rules=small))
    rows = await desk.rows(
        "SELECT s.symbol, o.reason FROM tracker.orders o JOIN tracker.symbols s USING (symbol_id) "
        "WHERE o.status = 'refused' ORDER BY o.decided_at, s.symbol"
    )
    assert [(row["symbol"], row["reason"]) for row in rows] == [
        ("C5-USD", "too_many_positions"),
        ("C6-USD", "too_many_positions"),
        ("C0-USD", "already_open"),
    ]


async def test_a_halted_symbol_and_an_old_price_are_not_traded(desk: Desk) -> None:
    ids = await desk.world.list_symbols(
        Instrument(symbol_id=0, symbol="HALTED-USD"),
        Instrument(symbol_id=0, symbol="QUIET-USD"),
        Instrument(symbol_id=0, symbol="TRADED-USD"),
    )
    await desk.execute("UPDATE tracker.symbols SET status = 'paused' WHERE symbol = 'HALTED-USD'")
    await desk.world.bars("HALTED-USD", [FLAT] * 16)
    await desk.world.bars("QUIET-USD", [FLAT] * 9)
    await desk.world.bars("TRADED-USD", [FLAT] * 11)
    await desk.world.signals([make_signal(symbol_id=number, decided_at=QUARTER) for number in ids.values()])
    await desk.world.complete(NOON + minutes(40))
    await desk.world.scanned(NOON + minutes(60))
    await desk.catch_up(desk.trader())
    rows = await desk.rows(
        "SELECT s.symbol, o.status, o.reason, o.note, o.ended_at FROM tracker.orders o "
        "JOIN tracker.symbols s USING (symbol_id) ORDER BY s.symbol"
    )
    assert [(row["symbol"], row["status"], row["reason"]) for row in rows] == [
        ("HALTED-USD", "refused", "symbol_halted"),
        ("QUIET-USD", "refused", "stale_price"),
        ("TRADED-USD", "expired", None),
    ]
    assert [row["note"] for row in rows[:2]] == [
        "HALTED-USD is paused",
        "the last bar had closed 6 min before, at most 5 may pass",
    ]


async def test_a_position_without_bars_rests_and_tells_how_old_its_price_is(desk: Desk) -> None:
    ids = await desk.world.list_symbols(Instrument(symbol_id=0, symbol="BTC-USD"))
    await desk.world.bars("BTC-USD", [FLAT] * 20)
    await desk.world.signals([make_signal(symbol_id=ids["BTC-USD"], decided_at=QUARTER)])
    await desk.world.complete(NOON + minutes(90))
    await desk.world.scanned(NOON + minutes(90))
    await desk.catch_up(desk.trader())
    (position,) = await desk.rows("SELECT status, last_price, last_bar_at FROM tracker.positions")
    assert position == {"status": "open", "last_price": 100, "last_bar_at": NOON + minutes(20)}
    (point,) = await desk.rows("SELECT positions_value > 0 AS held FROM tracker.equity_curve ORDER BY ts DESC LIMIT 1")
    assert point == {"held": True}


async def test_cash_runs_out(desk: Desk) -> None:
    names = [f"C{index}-USD" for index in range(3)]
    ids = await desk.world.list_symbols(*(Instrument(symbol_id=0, symbol=name) for name in names))
    for name in names:
        await desk.world.bars(name, [FLAT] * 20)
    whole = replace(
        RULES, risk=replace(RULES.risk, sizing=replace(RULES.risk.sizing, max_position_share=0.55))
    )
    await desk.world.signals([make_signal(symbol_id=ids[name], decided_at=QUARTER) for name in names])
    await desk.world.scanned(NOON + minutes(60))
    await desk.catch_up(desk.trader(rules=whole))
    rows = await desk.rows("SELECT status, reason, note FROM tracker.orders ORDER BY order_id")
    assert [(row["status"], row["reason"]) for row in rows] == [
        ("filled", None),
        ("filled", None),
        ("refused", "no_cash"),
    ]
    assert rows[1]["note"] == "sized by cash"
    (account,) = await desk.rows("SELECT cash FROM tracker.accounts")
    assert account["cash"] >= 0


async def test_the_role_may_not_write_what_others_own(desk: Desk) -> None:
    with pytest.raises(SchemaError, match="permission denied for table signals"):
        async with desk.database.transaction() as transaction:
            await transaction.connection.execute("DELETE FROM tracker.signals")
