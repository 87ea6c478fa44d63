"""`tracker orders`, `tracker order` and `tracker flatten` beside a paper trader."""

from __future__ import annotations

import asyncio
import sys
from decimal import Decimal
from typing import Any

import orjson
import pytest
from paper_desk import Desk
from tracker.domain.instrument import Instrument
from tracker.domain.signal import Strategy
from tracker.runtime.settings import environment
from tracker.testing.paper_world import minutes
from tracker.testing.trades import NOON, make_signal


async def typed(database_url: str, *arguments: str) -> tuple[int, Any, str]:
    """Type a command; return its exit code, its document and what it complained of."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "services.control", *arguments, "--json",
        env={**environment(), "DATABASE_URL": database_url, "TRACKER_USER": "ada"},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, err = await process.communicate()
    return process.returncode or 0, orjson.loads(out) if out else None, err.decode()


@pytest.fixture
async def ladder(desk: Desk) -> Desk:
    """A trade with two rungs under it."""
    ids = await desk.world.list_symbols(Instrument(symbol_id=0, symbol="BTC-USD", lot_step=Decimal("0.001")))
    signal = make_signal(
        strategy=Strategy("dca"),
        symbol_id=ids["BTC-USD"],
        decided_at=NOON,
        ladder=(98.0, 97.0),
        size_weights=(0.5, 0.25, 0.25),
        target_fraction=0.1,
    )
    await desk.world.signals([signal])
    await desk.world.bars("BTC-USD", [(100, 101, 99, 100)] * 5)
    await desk.world.scanned(NOON)
    await desk.catch_up(desk.trader(strategies="dca"))
    return desk


async def test_resting_orders_are_listed_and_changed_by_their_keys(ladder: Desk, database_url: str) -> None:
    code, listed, _ = await typed(database_url, "orders", "--account", "paper")
    assert code == 0
    keys = ["paper/dca/BTC-USD/rung1", "paper/dca/BTC-USD/rung2"]
    assert [each["key"] for each in listed["orders"]] == keys
    assert {each["last_bar_at"] for each in listed["orders"]} == {(NOON + minutes(5)).isoformat()}
    code, waiting, _ = await typed(database_url, "order", "replace", keys[0], "--price", "98.5", "--quantity", "4")
    assert (code, waiting["outcome"]) == (0, "waiting")
    assert waiting["arguments"]["decided_at"] == NOON.isoformat()
    await typed(database_url, "order", "replace", "paper/dca/BTC-USD/stop", "--price", "96")
    await typed(database_url, "order", "cancel", keys[1])
    await ladder.catch_up(ladder.trader(strategies="dca"))
    _, listed, _ = await typed(database_url, "orders")
    assert [(each["key"], each["limit_price"]) for each in listed["orders"] if each["account"] == "paper"] == [
        ("paper/dca/BTC-USD/rung1.1", 98.5)
    ]
    positions = await ladder.rows("SELECT stop_price FROM tracker.positions WHERE account = 'paper'")
    assert positions == [{"stop_price": 96}]
    await typed(database_url, "flatten", "paper")
    await ladder.catch_up(ladder.trader(strategies="dca"))
    _, listed, _ = await typed(database_url, "orders", "--account", "paper")
    assert [each["key"] for each in listed["orders"]] == ["paper/dca/BTC-USD/flatten"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("order", "cancel", "rung1"), "KEY = 'rung1' is not ACCOUNT/STRATEGY/SYMBOL/LEG"),
        (("order", "cancel", "paper/dca/BTC-USD/rung7"), "no rung7 of dca in BTC-USD rests in account 'paper'"),
        (("orders", "--account", "nobody"), "'nobody' is not open"),
    ],
)
async def test_what_is_not_there_is_one_sentence(
    ladder: Desk, database_url: str, arguments: tuple[str, ...], words: str
) -> None:
    code, _, complaint = await typed(database_url, *arguments)
    assert code == 2
    assert words in complaint
    assert "Traceback" not in complaint
