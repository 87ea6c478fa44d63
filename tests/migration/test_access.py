"""Who may do what in a migrated database: one writer a table, nothing for anybody else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import asyncpg
import pytest

# Which service writes a table, as the design says.
WRITERS: Mapping[str, str] = {
    "symbols": "data_collector",
    "ohlc_data": "data_collector",
    "latest_bar": "data_collector",
    "bar_watermarks": "data_collector",
    "bar_revisions": "data_collector",
    "rejected_bars": "data_collector",
    "backfill_chunks": "data_collector",
    "data_gaps": "data_collector",
    "feature_sets": "feature_calculator",
    "ml_features": "feature_calculator",
    "feature_watermarks": "feature_calculator",
    "scan_history": "strategy_scanner",
    "signals": "strategy_scanner",
    "scan_watermarks": "strategy_scanner",
    "accounts": "paper_trader",
    "orders": "paper_trader",
    "fills": "paper_trader",
    "positions": "paper_trader",
    "trade_logs": "paper_trader",
    "equity_curve": "paper_trader",
    "paper_cursor": "paper_trader",
    "health_checks": "health_monitor",
}
# Each service writes its own row; dbmate's own table is nobody's.
SHARED = {"service_heartbeats", "service_leases"}
NOBODYS = {"schema_migrations"}
SERVICES = (
    "data_collector", "feature_calculator", "strategy_scanner", "paper_trader", "shadow_tester", "ml_retrainer",
    "data_scheduler", "health_monitor", "slack_reporter", "dashboard",
)  # fmt: skip
PRIVILEGES = ("INSERT", "UPDATE", "DELETE")
OURS = "('tracker', 'dashboards')"


@pytest.fixture
async def partitioned_url(database_url: str) -> str:
    """A migrated database with partitions for bars, which are made when they are needed."""
    await rows(database_url, "SELECT tracker.ensure_bar_partitions('2023-12-31 23:59Z', '2024-02-01Z')")
    return database_url


async def tables(url: str) -> list[str]:
    """Return the names of all tables of ours but partitions."""
    found = await rows(
        url,
        "SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        f" WHERE n.nspname IN {OURS} AND c.relkind IN ('r', 'p') AND NOT c.relispartition",
    )
    return [row["relname"] for row in found]


async def test_every_table_has_exactly_the_writer_of_the_design(database_url: str) -> None:
    granted = await rows(
        database_url,
        "SELECT table_name, grantee, privilege_type FROM information_schema.role_table_grants"
        " WHERE table_schema = 'tracker' AND grantee LIKE 'tracker\\_%' AND privilege_type <> 'SELECT'",
    )
    writers: dict[str, set[tuple[str, str]]] = {name: set() for name in await tables(database_url)}
    for row in granted:
        writers[row["table_name"]].add((row["grantee"].removeprefix("tracker_"), row["privilege_type"]))
    for name in NOBODYS:
        assert writers.pop(name) == set()
    for name in SHARED:
        assert {grantee for grantee, _ in writers.pop(name)} == {"reader"}
    # A table may be of a later day than this test, but never without a stated writer.
    assert writers == {name: {(WRITERS[name], each) for each in PRIVILEGES} for name in writers}


async def test_row_level_security_is_on_everywhere(partitioned_url: str) -> None:
    found = await rows(
        partitioned_url,
        "SELECT c.relname, c.relrowsecurity FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        f" WHERE n.nspname IN {OURS} AND c.relkind IN ('r', 'p')",
    )
    assert [row["relname"] for row in found if not row["relrowsecurity"]] == []
    partitions = sorted(row["relname"] for row in found if row["relname"].startswith("ohlc_data_"))
    assert partitions == ["ohlc_data_2023_12", "ohlc_data_2024_01", "ohlc_data_2024_02"]


async def test_nothing_of_ours_is_in_public(partitioned_url: str) -> None:
    for query in (
        "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace",
        "SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace",
        "SELECT typname FROM pg_type WHERE typnamespace = 'public'::regnamespace",
    ):
        assert await rows(partitioned_url, query) == []


async def test_the_advisor_finds_nothing(partitioned_url: str) -> None:
    definer_views = (
        "SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        f" WHERE n.nspname IN {OURS} AND c.relkind = 'v'"
        " AND NOT coalesce(c.reloptions @> '{security_invoker=true}', false)"
    )
    readable_materialized_views = (
        "SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        f" WHERE n.nspname IN {OURS} AND c.relkind = 'm' AND c.relacl::text ~ '(anon|authenticated|^{{=)'"
    )
    mutable_search_paths = (
        "SELECT p.proname FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace"
        f" WHERE n.nspname IN {OURS}"
        " AND NOT EXISTS (SELECT FROM unnest(p.proconfig) setting WHERE setting LIKE 'search_path=%')"
    )
    policies_without_rls = (
        "SELECT p.tablename FROM pg_policies p JOIN pg_tables t USING (schemaname, tablename) WHERE NOT t.rowsecurity"
    )
    for lint in (definer_views, readable_materialized_views, mutable_search_paths, policies_without_rls):
        assert await rows(partitioned_url, lint) == []


async def test_the_public_may_nothing(partitioned_url: str) -> None:
    await rows(partitioned_url, "DROP ROLE IF EXISTS a_stranger")
    await rows(partitioned_url, "CREATE ROLE a_stranger")
    allowed = await rows(
        partitioned_url,
        "SELECT c.oid::regclass AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        f" WHERE n.nspname IN {OURS} AND c.relkind IN ('r', 'p', 'v', 'm')"
        " AND has_table_privilege('a_stranger', c.oid, 'SELECT')"
        f" UNION ALL SELECT n.nspname::regclass FROM pg_namespace n WHERE n.nspname IN {OURS}"
        " AND has_schema_privilege('a_stranger', n.oid, 'USAGE')",
    )
    await rows(partitioned_url, "DROP ROLE a_stranger")
    assert allowed == []


async def test_a_function_with_its_owners_rights_is_for_its_roles_alone(database_url: str) -> None:
    found = await rows(
        database_url,
        "SELECT p.proname, r.rolname FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace"
        " JOIN pg_roles r ON r.rolname LIKE 'tracker\\_%' AND has_function_privilege(r.oid, p.oid, 'EXECUTE')"
        f" WHERE n.nspname IN {OURS} AND p.prosecdef",
    )
    roles: dict[str, set[str]] = {}
    for row in found:
        roles.setdefault(row["proname"], set()).add(row["rolname"])
    assert roles == {"ensure_bar_partitions": {"tracker_data_collector", "tracker_data_scheduler"}}


async def test_partitions_for_half_a_century_are_refused(database_url: str) -> None:
    with pytest.raises(asyncpg.RaiseError, match="more than 40 years"):
        await rows(database_url, "SELECT tracker.ensure_bar_partitions('1970-01-01Z', '2026-01-01Z')")


@pytest.mark.parametrize("service", SERVICES)
async def test_a_service_reads_everything_and_writes_its_own(database_url: str, service: str) -> None:
    connection = await asyncpg.connect(database_url)
    refused: set[str] = set()
    try:
        names = set(await tables(database_url)) - NOBODYS
        for name in sorted(names):
            await connection.execute(f"BEGIN; SET LOCAL ROLE tracker_{service}")
            await connection.fetch(f"SELECT * FROM tracker.{name}")
            try:
                await connection.execute(f"DELETE FROM tracker.{name}")
            except asyncpg.InsufficientPrivilegeError:
                refused.add(name)
            await connection.execute("ROLLBACK")
    finally:
        await connection.close()
    own = {name for name, writer in WRITERS.items() if writer == service}
    assert refused == names - own - {"service_leases"}


async def test_a_partition_cannot_be_read_past_its_table(partitioned_url: str) -> None:
    connection = await asyncpg.connect(partitioned_url)
    await connection.execute("SET ROLE tracker_data_collector")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await connection.fetch("SELECT * FROM tracker.ohlc_data_2024_01")
    await connection.close()


@pytest.mark.parametrize(
    ("service", "row", "allowed"),
    [
        ("paper_trader", "paper_trader", True),
        ("paper_trader", "data_collector", False),
        ("strategy_scanner", "strategy_scanner_dca", True),
        ("dashboard", "strategy_scanner_dca", False),
        ("data_collector", "data", False),
    ],
)
async def test_a_heartbeat_or_a_lease_is_its_services_own(
    database_url: str, service: str, row: str, allowed: bool
) -> None:
    beat = (
        "INSERT INTO tracker.service_heartbeats (service, instance, pid, started_at, beat_at, status, rss_bytes)"
        " VALUES ($1, 'i', 1, now(), now(), 'pass', 1)"
    )
    lease = "INSERT INTO tracker.service_leases VALUES ('l', $1, 'h', now(), now())"
    connection = await asyncpg.connect(database_url)
    try:
        for statement in (beat, lease):
            await connection.execute(f"BEGIN; SET LOCAL ROLE tracker_{service}")
            if allowed:
                await connection.execute(statement, row)
            else:
                with pytest.raises(asyncpg.InsufficientPrivilegeError, match="row-level security"):
                    await connection.execute(statement, row)
            await connection.execute("ROLLBACK")
        for statement in (beat, lease):
            await connection.execute(statement, row)
        await connection.execute(f"SET ROLE tracker_{service}")
        for change in ("service_heartbeats SET instance = 'j'", "service_leases SET holder = 'j'"):
            assert await connection.execute(f"UPDATE tracker.{change}") == f"UPDATE {int(allowed)}"
    finally:
        await connection.close()


@pytest.mark.parametrize(
    ("column", "value"), [("high", "NaN"), ("high", "Infinity"), ("close", "NaN"), ("volume", "NaN"), ("low", "0")]
)
async def test_a_bar_that_is_no_number_is_refused(database_url: str, column: str, value: str) -> None:
    await rows(database_url, "SELECT tracker.ensure_bar_partitions('2024-01-01Z', '2024-01-01Z')")
    await rows(database_url, "INSERT INTO tracker.symbols (symbol) VALUES ('BTC-USD')")
    bar: dict[str, Any] = {"open": "1", "high": "2", "low": "1", "close": "1", "volume": "5"} | {column: value}
    figures = ", ".join(f"'{bar[name]}'" for name in ("open", "high", "low", "close", "volume"))
    with pytest.raises(asyncpg.CheckViolationError):
        await rows(
            database_url,
            "INSERT INTO tracker.ohlc_data (ts, timeframe, source, symbol_id, open, high, low, close, volume)"
            f" VALUES ('2024-01-01Z', '1m', 'stream', 1, {figures})",
        )


async def rows(url: str, query: str, *arguments: object) -> list[dict[str, Any]]:
    """Return what the owner sees."""
    connection = await asyncpg.connect(url)
    try:
        return [dict(row) for row in await connection.fetch(query, *arguments)]
    finally:
        await connection.close()
