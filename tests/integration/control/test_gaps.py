"""`tracker gaps` on a database with a gap of each state."""

from __future__ import annotations

import io
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from rich.console import Console
from tracker.domain.errors import InputError
from tracker.store.database import Database
from tracker.store.gaps import GapState

from services.control.gaps import GapRequest, read_report, states_of
from services.control.gaps_view import gaps_view

FILLED = (
    "INSERT INTO tracker.symbols (symbol) VALUES ('A-USD'), ('B-USD')",
    "INSERT INTO tracker.bar_watermarks VALUES ('1m', '2026-03-01Z', '2026-03-01 01:00Z')",
    "INSERT INTO tracker.expected_spans SELECT '2026-03-01Z', NULL, symbol_id, '1m' FROM tracker.symbols",
    "SELECT tracker.ensure_bar_partitions('2026-03-01Z', '2026-03-01Z')",
    "INSERT INTO tracker.ohlc_data SELECT ts, 1, 1, 1, 1, 1, 1, now(), 1, '1m', 'stream', 1, 0"
    " FROM generate_series('2026-03-01Z'::timestamptz, '2026-03-01 00:49Z', '1 minute') ts",
    "INSERT INTO tracker.data_gaps (symbol_id, timeframe, starts_at, ends_at, cause, attempts, last_error)"
    " VALUES (1, '1m', '2026-03-01 00:50Z', '2026-03-01 01:00Z', 'rejected', 3, 'HTTP 500')",
    "INSERT INTO tracker.data_gaps (symbol_id, timeframe, starts_at, ends_at, cause, state, resolved_at)"
    " VALUES (2, '1m', '2026-03-01Z', '2026-03-01 00:30Z', 'not_sent', 'confirmed_empty', now()),"
    " (2, '1m', '2026-03-01 00:30Z', '2026-03-01 01:00Z', 'outage', 'healed', now())",
)


@pytest.fixture
async def filled(open_database: Callable[[str | None], Awaitable[Database]], database_url: str) -> str:
    """A database in which an hour is explained in every way there is."""
    owner = await open_database(None)
    async with owner.transaction() as transaction:
        for statement in FILLED:
            await transaction.connection.execute(statement)
        await transaction.commit()
    return database_url


def request(*symbols: str, state: str = "open", **span: Any) -> GapRequest:
    return GapRequest(**{"symbols": symbols, "states": states_of(state), "first": None, "end": None, **span})


def shown(report: dict[str, Any]) -> str:
    out = io.StringIO()
    Console(file=out, width=200).print(gaps_view(report))
    return out.getvalue()


async def test_open_gaps_are_listed_with_cause_and_error_and_everything_is_summed(filled: str) -> None:
    report = await read_report(filled, request())
    [gap] = report["gaps"]
    assert (gap["symbol"], gap["minutes"], gap["cause"], gap["attempts"]) == ("A-USD", 10, "rejected", 3)
    assert gap["last_error"] == "HTTP 500"
    summary = report["summary"]
    names = ("expected", "stored", "confirmed_empty", "open", "unexplained")
    assert [summary[f"{name}_minutes"] for name in names] == [120, 50, 60, 10, 0]
    assert summary["coverage"] == round(110 / 120, 6)
    text = shown(report)
    assert "A-USD" in text
    assert "120 minutes expected, 50 stored, 60 confirmed empty, 10 open, coverage 91.667%" in text


async def test_states_symbols_and_spans_narrow_the_list(filled: str) -> None:
    both = await read_report(filled, request(state="all"))
    assert {each["state"] for each in both["gaps"]} == set(GapState)
    healed = await read_report(filled, request("B-USD", state="healed"))
    assert [each["cause"] for each in healed["gaps"]] == ["outage"]
    assert set(healed["symbols"]) == {"B-USD"}
    early = request(state="all", first=datetime(2026, 3, 1, tzinfo=UTC), end=datetime(2026, 3, 1, 0, 20, tzinfo=UTC))
    found = await read_report(filled, early)
    assert [each["state"] for each in found["gaps"]] == ["confirmed_empty"]
    assert found["summary"]["expected_minutes"] == 40


async def test_an_unknown_symbol_is_named(filled: str) -> None:
    with pytest.raises(InputError, match=r"^--symbols: 'C-USD' is not in the database$"):
        await read_report(filled, request("C-USD"))


async def test_nothing_collected_is_said(database_url: str) -> None:
    text = shown(await read_report(database_url, request()))
    assert "No such gaps." in text
    assert "nothing was collected yet" in text


async def test_where_nothing_was_collected_yet_the_coverage_is_that_of_the_fetched_history(
    open_database: Callable[[str | None], Awaitable[Database]], database_url: str
) -> None:
    owner = await open_database(None)
    async with owner.transaction() as transaction:
        await transaction.connection.execute("INSERT INTO tracker.symbols (symbol) VALUES ('A-USD')")
        await transaction.connection.execute(
            "INSERT INTO tracker.backfill_chunks (symbol_id, timeframe, starts_at, ends_at, status)"
            " VALUES (1, '1m', '2026-02-01Z', '2026-03-01Z', 'done')"
        )
        await transaction.commit()
    summary = (await read_report(database_url, request()))["summary"]
    assert (summary["from"], summary["to"]) == ("2026-02-22T00:00:00+00:00", "2026-03-01T00:00:00+00:00")
    assert summary["expected_minutes"] == 7 * 1440
