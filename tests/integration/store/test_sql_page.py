"""The queries of docs/sql.md, run as they stand there by somebody who may only read."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from itertools import pairwise
from typing import Any, TypeAlias

import asyncpg
import pytest
from tracker.runtime.settings import PROJECT_ROOT
from tracker.testing.filled_database import Filled

Connection: TypeAlias = "asyncpg.Connection[Any]"
PAGE = (PROJECT_ROOT / "docs" / "sql.md").read_text()
QUERIES = dict(re.findall(r"### (.+?)\n.*?```sql\n(.+?);\n```", PAGE, re.DOTALL))
COUNTED = {"Twenty": 20, "Twenty-two": 22, "Twenty-four": 24}
HUGE = ("ohlc_data", "ohlc_archive", "ml_features", "scan_history")


@pytest.fixture
async def reading(filled: tuple[str, Filled]) -> AsyncIterator[Connection]:
    """A connection with the rights of a reader."""
    connection: Connection = await asyncpg.connect(filled[0])
    await connection.execute("SET ROLE tracker_reader; SET default_transaction_read_only = on")
    yield connection
    await connection.close()


def test_there_are_as_many_as_the_page_says() -> None:
    found = re.search(r"## ([\w-]+) questions", PAGE)
    assert found is not None
    assert len(QUERIES) == PAGE.count("```sql\n") == COUNTED[found[1]]


@pytest.mark.parametrize("question", QUERIES)
async def test_a_question_is_answered_from_the_views_alone(reading: Connection, question: str) -> None:
    sql = QUERIES[question]
    ours = set(re.findall(r"(?:FROM|JOIN)\s+(\w+)\.", re.sub(r"extract\(\w+ FROM [^)]*\)", "", sql)))
    assert ours == {"dashboards"}
    assert await reading.fetch(sql)
    plan = json.loads(await reading.fetchval(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}"))
    assert [name for name in walked(plan[0]["Plan"]) if name.startswith(HUGE)] == []


async def test_the_edges_interval_holds_the_mean(reading: Connection) -> None:
    for row in await reading.fetch(QUERIES["Is the edge real?"]):
        assert row["low"] < row["mean_return"] < row["high"]
        assert 0 <= row["share_above_0"] <= 1


async def test_drawdowns_do_not_overlap_and_the_deepest_is_the_curves(reading: Connection) -> None:
    found = await reading.fetch(QUERIES["The worst drawdowns"])
    for account in ("paper", "aggressive"):
        mine = sorted((row for row in found if row["account"] == account), key=lambda row: row["began_at"])
        assert all(before["recovered_at"] <= after["began_at"] for before, after in pairwise(mine))
        worst = await reading.fetchval(
            "SELECT max(worst_drawdown) FROM dashboards.equity_hourly WHERE account = $1", account
        )
        assert max(row["depth"] for row in mine) == worst


async def test_what_is_at_risk_is_what_accounts_hold(reading: Connection) -> None:
    found = await reading.fetch(QUERIES["What is at risk now?"])
    for account in ("paper", "aggressive"):
        held = await reading.fetchval("SELECT positions_value FROM dashboards.accounts WHERE account = $1", account)
        assert sum(row["value"] for row in found if row["account"] == account) == pytest.approx(float(held), abs=1e-4)


async def test_one_row_a_signal_and_account(reading: Connection) -> None:
    found = await reading.fetch(QUERIES["From signal to outcome in one row"])
    signals = await reading.fetchval(
        "SELECT count(*) FROM dashboards.signals"
        " WHERE decided_at > (SELECT closed_through FROM dashboards.market_mode) - interval '2 days'"
    )
    keys = {(row["decided_at"], row["strategy"], row["symbol"], row["account"]) for row in found}
    assert len(keys) == len(found)
    assert len({key[:3] for key in keys}) == signals
    assert all(row["probability"] is not None for row in found)


def walked(plan: dict[str, Any]) -> list[str]:
    """Return the tables that a plan reads from end to end."""
    read = plan["Actual Loops"] and plan["Actual Rows"] + plan.get("Rows Removed by Filter", 0)
    mine = [plan["Relation Name"]] if "Seq" in plan["Node Type"] and "Relation Name" in plan and read else []
    return mine + [name for child in plan.get("Plans", ()) for name in walked(child)]
