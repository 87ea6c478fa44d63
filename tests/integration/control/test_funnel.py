"""`tracker funnel` and the views for SQL count the same, stop reasons and all, and read no more than they must."""

from __future__ import annotations

import io
import json
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from rich.console import Console
from tracker.domain.errors import InputError
from tracker.domain.funnel import LAST_STEP, FunnelStep
from tracker.domain.signal import SkipReason, Strategy
from tracker.domain.timeframe import Timeframe
from tracker.store.database import Database

from services.control.funnel import FunnelRequest, read_funnel
from services.control.funnel_view import funnel_view

NOON = datetime(2024, 3, 1, 12, tzinfo=UTC)
TIMEFRAMES = {Strategy(name): Timeframe.M15 for name in ("dca", "swing", "channel")}
# A signal each: what its entry order and its position look like, and what the funnel makes of it.
SIGNALS: Mapping[int, tuple[str | None, str | None, str, str | None]] = {
    1: (None, None, "scored", "not_offered"),
    2: ("refused", None, "scored", "already_open"),
    3: ("pending", "pending", "approved", "waiting"),
    4: ("expired", "void", "approved", "expired"),
    5: ("cancelled", "void", "approved", "cancelled"),
    6: ("filled", "open", "filled", "still_open"),
    7: ("filled", "closed", "closed", None),
    # Beyond the cursor.
    9: (None, None, "scored", "not_reached"),
}
THROUGH = NOON + 8 * timedelta(minutes=15)
END = NOON + 9 * timedelta(minutes=15)


def close(number: int) -> datetime:
    return NOON + number * timedelta(minutes=15)


async def run(database: Database, *statements: str) -> list[dict[str, Any]]:
    async with database.transaction() as transaction:
        rows: list[dict[str, Any]] = []
        for statement in statements:
            rows = [dict(row) for row in await transaction.connection.fetch(statement)]
        await transaction.commit()
        return rows


def scan(symbol: int, at: datetime, reason: str, strategy: str = "dca", strength: float = 0.5) -> str:
    decision = "SIGNAL" if reason == "setup" else "SKIP"
    return (
        "INSERT INTO tracker.scan_history (decided_at, strategy, timeframe, symbol_id, decision, reason, market_regime,"
        f" volatility, signal_strength, config_hash, metadata) VALUES ('{at.isoformat()}', '{strategy}', '15m',"
        f" {symbol}, '{decision}', '{reason}', 'range', 'mid', {strength}, 'h', '{{\"confirmations\": 3}}')"
    )


def order(at: datetime, status: str) -> str:
    live, refused = status == "pending", status == "refused"
    return (
        "INSERT INTO tracker.orders (account, strategy, symbol_id, decided_at, leg, kind, side, status, reason, note,"
        " quantity, filled_quantity, reference_price, placed_at, ended_at, config_hash, rules_hash) VALUES"
        f" ('paper', 'dca', 1, '{at.isoformat()}', 'entry', 'entry', 'buy', '{status}',"
        f" {repr('already_open') if refused else 'NULL'}, 'a note', 1, {int(status == 'filled')}, 100,"
        f" '{at.isoformat()}', {'NULL' if live else repr(at.isoformat())}, 'h', 'r')"
    )


def position(at: datetime, status: str) -> str:
    bought, held = int(status in ("open", "closed")), int(status == "open")
    closed = repr(at.isoformat()) if status == "closed" else "NULL"
    return (
        "INSERT INTO tracker.positions (account, strategy, symbol_id, decided_at, config_hash, rules_hash, side,"
        " status, quantity_step, quantity, cost, bought_quantity, bought_cost, proceeds, realised_pnl, fees,"
        " stop_price, initial_stop_price, target_price, trail_distance, expires_at, entry_until, closed_at) VALUES"
        f" ('paper', 'dca', 1, '{at.isoformat()}', 'h', 'r', 'long', '{status}', 1, {held}, 0, {bought}, 0, 0, 0, 0,"
        f" 90, 90, 110, 0, '{at.isoformat()}', '{at.isoformat()}', {closed})"
    )


@pytest.fixture
async def owner(open_database: Callable[[str | None], Awaitable[Database]]) -> Database:
    """A database with a skipped look of each reason, a signal of each fate, and a second account that began late."""
    database = await open_database(None)
    # Two live trades of one symbol cannot be, so the index that says so goes for this test.
    await run(
        database,
        "DROP INDEX tracker.positions_live",
        "INSERT INTO tracker.symbols (symbol) VALUES ('A-USD'), ('B-USD')",
        f"INSERT INTO tracker.bar_watermarks VALUES ('15m', '2024-03-01Z', '{END.isoformat()}')",
        f"INSERT INTO tracker.feature_watermarks VALUES ('15m', '{END.isoformat()}')",
        f"INSERT INTO tracker.scan_watermarks VALUES ('dca', '15m', '{END.isoformat()}'),"
        f" ('swing', '15m', '{close(5).isoformat()}')",
        "INSERT INTO tracker.accounts (account, currency, start_cash, opened_at, cash) VALUES"
        " ('paper', 'USD', 1, '2024-03-01Z', 1), ('young', 'USD', 1, '2024-03-02Z', 1)",
        f"INSERT INTO tracker.paper_cursor VALUES ('paper', '2024-03-01Z', '{THROUGH.isoformat()}'),"
        " ('young', '2024-03-02Z', '2024-03-03Z')",
        *(
            scan(2, close(place % 8 + 1) - timedelta(hours=2 * (place // 8)), each.value)
            for place, each in enumerate(SkipReason)
        ),
        *(scan(1, close(number), "setup") for number in SIGNALS),
        *(order(close(number), status) for number, (status, *_) in SIGNALS.items() if status),
        *(position(close(number), status) for number, (_, status, *_) in SIGNALS.items() if status),
        scan(1, close(2), "strength_too_low", "swing", 0.59),
        scan(1, close(3), "no_setup", "swing", 0.7),
    )
    return database


def request(**changes: Any) -> FunnelRequest:
    plain: dict[str, Any] = {
        "hours": 24, "until": None, "strategy": None, "account": None, "symbols": (), "replay": False,
    }  # fmt: skip
    return FunnelRequest(**(plain | changes))


async def ask(url: str, **changes: Any) -> dict[str, Any]:
    return await read_funnel(url, request(**changes), TIMEFRAMES, tuple(TIMEFRAMES))


def block(report: dict[str, Any], strategy: str, account: str = "paper") -> dict[str, Any]:
    (found,) = [
        each for each in report["strategies"] if (each["strategy"], each["account"]) == (strategy, account)
    ]
    return found


async def test_each_look_stops_where_it_should_and_all_add_up(owner: Database, database_url: str) -> None:
    rows = await run(owner, "SELECT * FROM dashboards.why ORDER BY account, decided_at")
    skips = {row["reason"]: row["last_step"] for row in rows if row["decision"] == "SKIP" and row["strategy"] == "dca"}
    assert skips == {each.value: step.value for each, step in LAST_STEP.items()}
    assert [row["stopped_by"] == row["reason"] for row in rows if row["decision"] == "SKIP"] == [True] * len(skips) + [
        True
    ] * 2
    paper = [row for row in rows if row["account"] == "paper"]
    assert [(row["last_step"], row["stopped_by"]) for row in paper] == [each[2:] for each in SIGNALS.values()]
    assert {row["stopped_by"] for row in rows if row["account"] == "young"} == {"before_account"}

    steps = block(await ask(database_url), "dca")["steps"]
    assert [each["step"] for each in steps] == [each.value for each in FunnelStep]
    assert [each["count"] for each in steps] == [11 + 8, 3 + 8, 8, 5, 2, 1]
    assert [each["fell_out"] for each in steps] == [8, 3, 3, 3, 1, 0]
    assert {each["reason"] for each in steps[2]["reasons"]} == {"not_offered", "already_open", "not_reached"}


async def test_the_views_for_sql_say_the_same(owner: Database, database_url: str) -> None:
    report = await ask(database_url)
    for each in report["strategies"]:
        if each["strategy"] == "channel":
            continue
        where = f"WHERE strategy = '{each['strategy']}' AND account = '{each['account']}'"
        counts = await run(
            owner, f"SELECT step, sum(count)::int AS count FROM dashboards.funnel {where} GROUP BY place, step"
            " ORDER BY place",
        )  # fmt: skip
        assert [(row["step"], row["count"]) for row in counts] == [
            (step["step"], step["count"]) for step in each["steps"]
        ]
        reasons = await run(
            owner, f"SELECT step, reason, sum(count)::int AS count FROM dashboards.funnel_reasons {where} GROUP BY 1, 2"
        )
        assert {(row["step"], row["reason"], row["count"]) for row in reasons} == {
            (step["step"], reason["reason"], reason["count"]) for step in each["steps"] for reason in step["reasons"]
        }


async def test_who_stands_still_and_what_came_nearest_is_said(owner: Database, database_url: str) -> None:
    report = await ask(database_url)
    swing, channel, dca = (block(report, name) for name in ("swing", "channel", "dca"))
    assert (dca["closes_not_scanned"], dca["behind"]) == (0, None)
    assert (swing["closes_not_scanned"], swing["behind"]["where"]) == (4, "scan")
    assert swing["behind"]["says"] == (
        "swing has looked at the market through 2024-03-01 13:15 UTC only; nothing was ever heard of"
        " strategy_scanner_swing"
    )
    assert channel["behind"]["says"].startswith("channel has never looked at the market; nothing was ever heard of")
    assert channel["closes_not_scanned"] == 57
    # What passed the gates is nearer than what did not, however strong that was; a signal is nearer than either.
    assert [(each["step"], each["reason"]) for each in dca["nearest"]] == [
        ("filled", "still_open"), ("approved", "cancelled"), ("approved", "expired"),
    ]  # fmt: skip
    assert [each["reason"] for each in swing["nearest"]] == ["strength_too_low", "no_setup"]
    assert (swing["waiting"], block(report, "dca", "young")["waiting"]) == (None, None)
    assert dca["waiting"] == (
        "the paper trader has acted on the minutes to 2024-03-01 14:00 UTC only;"
        " nothing was ever heard of paper_trader; it waits until channel and swing have looked"
    )
    out = io.StringIO()
    Console(file=out, width=200).print(funnel_view(report))
    text = out.getvalue()
    assert "(4 closes were not looked at)" in text
    assert "Nearest to a trade: A-USD at 2024-03-01 12:30, strength_too_low after setups, strength 0.59" in text
    assert "1 already_open, 1 not_offered, 1 not_reached" in text


async def test_span_symbols_and_account_narrow_it(owner: Database, database_url: str) -> None:
    report = await ask(database_url, strategy=Strategy("dca"), account="paper", symbols=("A-USD",), until=close(3))
    (only,) = report["strategies"]
    assert [each["count"] for each in only["steps"]] == [3, 3, 3, 1, 0, 0]
    assert report["until"] == "2024-03-01T12:45:00+00:00"
    assert json.loads(json.dumps(report)) == report


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"account": "nobody"}, "--account: there is no 'nobody'; known are paper, young"),
        ({"symbols": ("Z-USD",)}, "--symbols: 'Z-USD' is not in the database"),
        ({"strategy": Strategy("nope")}, "--strategy: there is no nope; known are channel, dca, swing"),
        ({"hours": 0}, "--hours: 0 is not above 0"),
    ],
)
async def test_a_mistake_is_one_sentence(
    owner: Database, database_url: str, changes: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(InputError) as caught:
        await ask(database_url, **changes)
    assert str(caught.value) == sentence


async def test_without_an_account_looks_are_counted_all_the_same(
    open_database: Callable[[str | None], Awaitable[Database]], database_url: str
) -> None:
    database = await open_database(None)
    assert [each["account"] for each in (await ask(database_url))["strategies"]] == [None] * 3
    await run(
        database, "INSERT INTO tracker.symbols (symbol) VALUES ('A-USD')",
        f"INSERT INTO tracker.scan_watermarks VALUES ('dca', '15m', '{END.isoformat()}')",
        scan(1, close(1), "setup"), scan(1, close(2), "no_setup"),
    )  # fmt: skip
    (found,) = [each for each in (await ask(database_url))["strategies"] if each["strategy"] == "dca"]
    assert [each["count"] for each in found["steps"]] == [2, 1, 1, 0, 0, 0]
    assert found["steps"][2]["reasons"] == [{"reason": "no_account", "count": 1}]
    sql = await run(database, "SELECT step, sum(count)::int AS count FROM dashboards.funnel GROUP BY place, step"
                    " ORDER BY place")  # fmt: skip
    assert [row["count"] for row in sql] == [2, 1, 1, 0, 0, 0]


DAY = (
    "SELECT * FROM dashboards.funnel WHERE hour >= '2024-03-19Z'",
    "SELECT * FROM dashboards.why WHERE decided_at > '2024-03-19Z'",
    "SELECT last_step, count(*) FROM tracker.looks WHERE decided_at > '2024-03-19Z' GROUP BY 1",
)


async def test_a_day_is_found_by_the_key_whatever_else_is_stored(
    open_database: Callable[[str | None], Awaitable[Database]],
) -> None:
    """20 days of 90 symbols: a look at one day reads no more of scan_history than that day."""
    database = await open_database(None)
    await run(
        database,
        "INSERT INTO tracker.symbols (symbol) SELECT 'S' || i || '-USD' FROM generate_series(1, 90) i",
        "INSERT INTO tracker.scan_watermarks VALUES ('dca', '15m', '2024-03-20Z')",
        "INSERT INTO tracker.scan_history (decided_at, strategy, timeframe, symbol_id, decision, reason, market_regime,"
        " volatility, signal_strength, config_hash)"
        " SELECT t, 'dca', '15m', i, 'SKIP', 'no_setup', 'range', 'mid', 0, 'h' FROM"
        " generate_series('2024-02-29Z'::timestamptz, '2024-03-20Z', '15 minutes') t, generate_series(1, 90) i",
        "ANALYZE",
    )
    for query in DAY:
        [plan] = await run(database, f"EXPLAIN (ANALYZE, FORMAT JSON) {query}")
        nodes = [each for each in walked(json.loads(plan["QUERY PLAN"])[0]["Plan"]) if is_history(each)]
        assert nodes, query
        assert {each["Node Type"] for each in nodes} <= {"Index Scan", "Bitmap Heap Scan", "Bitmap Index Scan"}, query
        read = max(
            (each["Actual Rows"] + each.get("Rows Removed by Filter", 0)) * each["Actual Loops"] for each in nodes
        )
        assert read <= 90 * 97, query


def walked(node: dict[str, Any]) -> list[dict[str, Any]]:
    return [node, *(each for child in node.get("Plans", ()) for each in walked(child))]


def is_history(node: dict[str, Any]) -> bool:
    return node.get("Relation Name") == "scan_history" or node.get("Index Name", "").startswith("scan_history")
