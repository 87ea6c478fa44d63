"""What the views of schema dashboards promise: said, readable, cheap, and true to the tables."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import accumulate, pairwise
from pathlib import Path
from statistics import mean, stdev
from typing import Any, TypeAlias

import asyncpg
import pytest
from tracker.domain.clock import SystemClock
from tracker.testing.filled_database import Filled

Connection: TypeAlias = "asyncpg.Connection[Any]"
CONTRACT = Path(__file__).with_name("dashboard_contract.txt")
HUGE = ("ohlc_data", "ohlc_archive", "ml_features", "scan_history")
# Views that are to be asked with bounds, and how.
RECENT = "(SELECT max(closed_through) FROM dashboards.market_mode) - interval '1 day'"
ASKED: Mapping[str, str] = {
    "candles": f"symbol = 'ETH-USD' AND timeframe = '15m' AND ts >= {RECENT} AND ts < now()",
    "candles_recent": "symbol = 'ETH-USD' AND timeframe = '1m'",
    "indicators": "symbol = 'ETH-USD' AND timeframe = '15m' AND feature = 'rsi_14'",
    "why": f"symbol = 'ETH-USD' AND strategy = 'swing' AND decided_at > {RECENT}",
}
NOON = datetime(2024, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
async def reading(filled: tuple[str, Filled]) -> AsyncIterator[Connection]:
    """A connection with the rights of the page."""
    connection: Connection = await asyncpg.connect(filled[0])
    await connection.execute("SET ROLE tracker_dashboard")
    yield connection
    await connection.close()


@pytest.fixture
async def owning(filled: tuple[str, Filled]) -> AsyncIterator[Connection]:
    """A connection with all rights, to look at the tables themselves."""
    connection: Connection = await asyncpg.connect(filled[0])
    yield connection
    await connection.close()


async def views(connection: Connection) -> list[str]:
    """Return the names of all views."""
    return [row["view"] for row in await connection.fetch("SELECT view FROM dashboards.contract ORDER BY view")]


def promised_views() -> list[str]:
    """Return the names of the views of the contract."""
    return sorted({line.split(".")[0] for line in CONTRACT.read_text().splitlines() if not line.startswith("#")})


def question(view: str) -> str:
    """Return how a view is asked."""
    return f"SELECT * FROM dashboards.{view}" + (f" WHERE {ASKED[view]}" if view in ASKED else "")


async def test_every_view_says_what_it_answers_and_asks_with_the_readers_own_rights(owning: Connection) -> None:
    found = await owning.fetch(
        "SELECT c.relname, obj_description(c.oid, 'pg_class') AS said,"
        " coalesce(c.reloptions @> '{security_invoker=true}', false) AS invoker,"
        " has_table_privilege('tracker_reader', c.oid, 'SELECT') AS readable"
        " FROM pg_class c WHERE c.relnamespace = 'dashboards'::regnamespace AND c.relkind = 'v'"
    )
    assert len(found) > 50
    assert [row["relname"] for row in found if not (row["said"] and row["invoker"] and row["readable"])] == []


async def test_the_page_may_read_every_view_and_finds_rows_in_those_of_a_filled_database(reading: Connection) -> None:
    found = {view: len(await reading.fetch(question(view))) for view in await views(reading)}
    assert [view for view in promised_views() if not found[view]] == []


async def test_no_view_walks_over_a_large_table_or_through_months_that_were_not_asked_for(reading: Connection) -> None:
    scans: dict[str, list[str]] = {}
    for view in await views(reading):
        plan = json.loads(await reading.fetchval(f"EXPLAIN (ANALYZE, FORMAT JSON) {question(view)}"))
        for node in nodes(plan[0]["Plan"]):
            name = node.get("Relation Name", "")
            read = node["Actual Loops"] and node["Actual Rows"] + node.get("Rows Removed by Filter", 0)
            if name.startswith(HUGE) and read and ("Seq" in node["Node Type"] or is_old(name)):
                scans.setdefault(view, []).append(f"{node['Node Type']} on {name}")
    assert scans == {}


async def test_the_bars_of_a_symbol_are_found_by_the_key_of_the_months_asked_for(reading: Connection) -> None:
    since = SystemClock().now() - timedelta(days=1)
    plan = json.loads(await reading.fetchval(
        "EXPLAIN (ANALYZE, FORMAT JSON) SELECT * FROM dashboards.candles"
        " WHERE symbol = 'BTC-USD' AND timeframe = '1m' AND ts >= $1 AND ts < $2", since, since + timedelta(hours=3),
    ))  # fmt: skip
    bars = [each for each in nodes(plan[0]["Plan"]) if each.get("Relation Name", "").startswith("ohlc_")]
    assert {each["Relation Name"] for each in bars} <= {f"ohlc_data_{at:%Y_%m}" for at in (since, SystemClock().now())}
    for each in bars:
        assert each["Node Type"] in ("Index Scan", "Bitmap Heap Scan")
        condition = each.get("Index Cond") or each["Recheck Cond"]
        assert all(word in condition for word in ("symbol_id = ", "timeframe", "ts >= ", "ts < "))


async def test_archived_bars_are_found_where_they_lie(reading: Connection, filled: tuple[str, Filled]) -> None:
    archived = filled[1].archived
    span = (archived, archived + timedelta(days=32))
    found = await reading.fetch(
        "SELECT ts FROM dashboards.candles WHERE symbol = 'BTC-USD' AND timeframe = '1h' AND ts >= $1 AND ts < $2"
        " ORDER BY ts", *span,
    )  # fmt: skip
    assert {after["ts"] - before["ts"] for before, after in pairwise(found)} == {timedelta(hours=1)}
    assert {row["ts"].month for row in found} == {archived.month, span[1].month}
    places = await reading.fetch("SELECT month, place, clustered FROM dashboards.partitions ORDER BY month LIMIT 3")
    assert [(row["place"], row["clustered"]) for row in places] == [
        ("ohlc_archive", False), ("ohlc_data", True), ("ohlc_data", False),
    ]  # fmt: skip


async def test_views_only_gain_columns(owning: Connection) -> None:
    rows = await owning.fetch("SELECT view, unnest(columns) AS column FROM dashboards.contract ORDER BY view")
    found = {f"{row['view']}.{row['column']}" for row in rows}
    promised = {line for line in CONTRACT.read_text().splitlines() if line and not line.startswith("#")}
    assert sorted(promised - found) == [], "a column was dropped, renamed or retyped: give the view a new name"


async def test_equity_and_drawdown_are_those_of_the_curve(reading: Connection, owning: Connection) -> None:
    for account in ("paper", "aggressive"):
        curve = await owning.fetch(
            "SELECT ts, equity FROM tracker.equity_curve WHERE account = $1 ORDER BY ts", account
        )
        equity = [row["equity"] for row in curve]
        peaks = list(accumulate((max(equity[0], Decimal(10_000)), *equity[1:]), max))
        falls = [float(1 - value / peak) for value, peak in zip(equity, peaks, strict=True)]
        shown = await reading.fetch("SELECT * FROM dashboards.equity WHERE account = $1 ORDER BY ts", account)
        assert [row["ts"] for row in shown] == [row["ts"] for row in curve]
        assert [row["drawdown"] for row in shown] == pytest.approx(falls, abs=1e-9)
        hours = await reading.fetch("SELECT * FROM dashboards.equity_hourly WHERE account = $1", account)
        assert max(row["worst_drawdown"] for row in hours) == pytest.approx(max(falls), abs=1e-3)
        days = await reading.fetch("SELECT * FROM dashboards.equity_daily WHERE account = $1 ORDER BY day", account)
        assert sum(row["pnl"] for row in days) == equity[-1] - 10_000
        assert (days[0]["open"], days[-1]["close"]) == (equity[0], equity[-1])
        now = await reading.fetchrow("SELECT * FROM dashboards.accounts WHERE account = $1", account)
        assert now is not None
        assert (now["equity"], now["gain"], now["pnl_today"]) == (equity[-1], equity[-1] - 10_000, days[-1]["pnl"])
        assert now["drawdown"] == pytest.approx(falls[-1], abs=1e-9)


async def test_positions_are_worth_what_the_curve_says(reading: Connection) -> None:
    held = await reading.fetch(
        "SELECT a.account, a.positions_value, sum(p.value) AS value, sum(p.unrealised_pnl) AS pnl, a.unrealised_pnl"
        " FROM dashboards.accounts a JOIN dashboards.positions p USING (account) WHERE p.status = 'open'"
        " GROUP BY a.account, a.positions_value, a.unrealised_pnl"
    )
    assert held
    for row in held:
        assert row["value"] == pytest.approx(float(row["positions_value"]), abs=1e-4)
        assert row["pnl"] == pytest.approx(float(row["unrealised_pnl"]), abs=1e-4)


async def test_figures_of_a_strategy_are_those_of_its_trades(reading: Connection, owning: Connection) -> None:
    for row in await reading.fetch("SELECT * FROM dashboards.strategy_performance"):
        trades = await owning.fetch(
            "SELECT * FROM tracker.trade_logs WHERE account = $1 AND strategy = $2", row["account"], row["strategy"]
        )
        pnl = [each["pnl"] for each in trades]
        returns = [float(each["pnl"] / (each["entry_price"] * each["quantity"])) for each in trades]
        lost = -sum(each for each in pnl if each < 0)
        assert row["trades"] == len(trades)
        assert row["pnl"] == sum(pnl)
        assert row["profit_factor"] == pytest.approx(float(sum(each for each in pnl if each > 0) / lost))
        assert row["t_statistic"] == pytest.approx(mean(returns) / (stdev(returns) / len(returns) ** 0.5))
        parts = await reading.fetch(
            "SELECT * FROM dashboards.symbol_performance WHERE account = $1 AND strategy = $2", row["account"],
            row["strategy"],
        )  # fmt: skip
        assert sum(each["pnl"] for each in parts) == row["pnl"]
        assert sum(each["trades"] for each in parts) == row["trades"]


async def test_money_paid_in_is_no_gain_whether_or_not_the_aggregate_is_fresh(database_url: str) -> None:
    connection: Connection = await asyncpg.connect(database_url)
    await connection.execute(
        "INSERT INTO tracker.accounts (account, currency, start_cash, opened_at, cash)"
        " VALUES ('a', 'USD', 1000, $1, 1000)", NOON,
    )  # fmt: skip
    await connection.execute("INSERT INTO tracker.paper_cursor (account, started_at, processed_through)"
                             " VALUES ('a', $1, $2)", NOON, NOON + timedelta(hours=30))  # fmt: skip
    moved = ((0, "open", 1000), (90, "deposit", 500), (1500, "withdraw", -300))
    for minute, kind, amount in moved:
        await connection.execute(
            "INSERT INTO tracker.account_events (account, ts, kind, amount, outcome, note)"
            " VALUES ('a', $1, $2, $3, 'done', '')", NOON + timedelta(minutes=minute), kind, Decimal(amount),
        )  # fmt: skip
    # Minute, gain: a profit of 100 that falls to -50 after the deposit, and recovers in part after the withdrawal.
    for minute, gain in ((1, 0), (60, 100), (90, 100), (91, 100), (200, -50), (1499, -50), (1501, 25), (1800, 25)):
        paid = sum(amount for at, _, amount in moved if at < minute)
        await connection.execute(
            "INSERT INTO tracker.equity_curve VALUES ('a', $1, $2, 0, $2, 0, 0, 0, 0)",
            NOON + timedelta(minutes=minute), Decimal(paid + gain),
        )  # fmt: skip
    for refreshed in (False, True):
        if refreshed:
            await connection.execute("REFRESH MATERIALIZED VIEW tracker.equity_hours")
        points = await connection.fetch("SELECT gain, drawdown FROM dashboards.equity ORDER BY ts")
        assert [int(row["gain"]) for row in points] == [0, 100, 100, 100, -50, -50, 25, 25]
        days = await connection.fetch("SELECT * FROM dashboards.equity_daily ORDER BY day")
        assert [int(row["pnl"]) for row in days] == [-50, 75]
        assert [float(row["net_return"]) for row in days] == pytest.approx([-50 / 1500, 75 / 1150])
        falls = [float(row["drawdown"]) for row in points]
        assert [falls[3], falls[4], falls[7]] == pytest.approx([0.0, 150 / 1600, 75 / 1300])
        assert max(row["worst_drawdown"] for row in days) == pytest.approx(150 / 1600)
    await connection.close()


def nodes(plan: dict[str, Any]) -> list[dict[str, Any]]:
    """Return a node of a plan and all below it."""
    return [plan, *(each for child in plan.get("Plans", ()) for each in nodes(child))]


def is_old(name: str) -> bool:
    """Tell whether a table is that of a month that nobody asked for."""
    month = name.removeprefix("ohlc_data_")
    first = f"{SystemClock().now() - timedelta(days=9):%Y_%m}"
    return name.startswith("ohlc_archive_") or (month[:4].isdigit() and month < first)
