"""Who may do what in a migrated database: one writer a table, nothing for anybody else."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from typing import Any

import asyncpg
import pytest
from tracker.store.embedded import EmbeddedPostgres
from tracker.store.migrate import migrate

# Which service writes a table, as the design says.
WRITERS: Mapping[str, str] = {
    "symbols": "data_collector",
    "ohlc_data": "data_collector",
    "latest_bar": "data_collector",
    "bar_watermarks": "data_collector",
    "bar_revisions": "data_collector",
    "rejected_bars": "data_collector",
    "backfill_chunks": "data_collector",
    "trials": "ml_retrainer",
    "models": "ml_retrainer",
    "model_performance": "ml_retrainer",
    "feature_importance": "ml_retrainer",
    "model_verdicts": "ml_retrainer",
    "model_events": "ml_retrainer",
    "data_gaps": "data_collector",
    "expected_spans": "data_collector",
    "feature_sets": "feature_calculator",
    "ml_features": "feature_calculator",
    "feature_watermarks": "feature_calculator",
    "scan_history": "strategy_scanner",
    "signals": "strategy_scanner",
    "scan_watermarks": "strategy_scanner",
    "predictions": "strategy_scanner",
    "scan_champions": "strategy_scanner",
    "accounts": "paper_trader",
    "orders": "paper_trader",
    "fills": "paper_trader",
    "positions": "paper_trader",
    "trade_logs": "paper_trader",
    "equity_curve": "paper_trader",
    "paper_cursor": "paper_trader",
    "protection_locks": "paper_trader",
    "risk_marks": "paper_trader",
    "account_events": "paper_trader",
    "commands": "control",
    "audit_log": "control",
    "health_checks": "health_monitor",
    "health_findings": "health_monitor",
    "monitor_looks": "health_monitor",
    "database_sizes": "health_monitor",
    "shadow_variations": "shadow_tester",
    "shadow_cursor": "shadow_tester",
    "shadow_state": "shadow_tester",
    "shadow_testing_scans": "shadow_tester",
    "shadow_testing_trades": "shadow_tester",
    "shadow_returns": "shadow_tester",
    "shadow_outcomes": "shadow_tester",
    "ohlc_archive": "data_scheduler",
    "bar_months": "data_scheduler",
    "maintenance_runs": "data_scheduler",
    "parity_reports": "data_scheduler",
    "parity_checkpoints": "data_scheduler",
    "config_versions": "control",
    "promotion_verdicts": "control",
    "label_configs": "ml_retrainer",
    "label_cursors": "ml_retrainer",
    "strategy_labels": "ml_retrainer",
    "pgqueuer": "ml_retrainer",
    "pgqueuer_log": "ml_retrainer",
    "job_requests": "control",
    "job_answers": "ml_retrainer",
    "job_runs": "ml_retrainer",
    "alerts": "slack_reporter",
    "slack_outbox": "slack_reporter",
    "reports": "slack_reporter",
    "report_cursor": "slack_reporter",
}
# Each service writes its own row; dbmate's own table is nobody's.
SHARED = {"service_heartbeats", "service_leases"}
NOBODYS = {"schema_migrations"}
SERVICES = (
    "data_collector", "feature_calculator", "strategy_scanner", "paper_trader", "shadow_tester", "ml_retrainer",
    "data_scheduler", "health_monitor", "slack_reporter", "dashboard", "control",
)  # fmt: skip
PRIVILEGES = ("INSERT", "UPDATE", "DELETE")
OURS = "('tracker', 'dashboards')"


@pytest.fixture(scope="module")
def url(postgres: EmbeddedPostgres) -> str:
    """A migrated database with partitions for bars, which are made when they are needed; no test leaves rows."""
    made = postgres.url.replace("@/tracker?", "@/looked_at?")
    asyncio.run(rows(postgres.url, "CREATE DATABASE looked_at"))
    migrate(made)
    asyncio.run(rows(made, "SELECT tracker.ensure_bar_partitions('2023-12-31 23:59Z', '2024-02-01Z')"))
    return made


async def tables(url: str) -> list[str]:
    """Return the names of all tables of ours but partitions."""
    found = await rows(
        url,
        "SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        f" WHERE n.nspname IN {OURS} AND c.relkind IN ('r', 'p') AND NOT c.relispartition",
    )
    return [row["relname"] for row in found]


async def test_every_table_has_exactly_the_writer_of_the_design(url: str) -> None:
    granted = await rows(
        url,
        "SELECT table_name, grantee, privilege_type FROM information_schema.role_table_grants"
        " WHERE table_schema = 'tracker' AND grantee LIKE 'tracker\\_%' AND privilege_type <> 'SELECT'",
    )
    writers: dict[str, set[tuple[str, str]]] = {name: set() for name in await tables(url)}
    for row in granted:
        writers[row["table_name"]].add((row["grantee"].removeprefix("tracker_"), row["privilege_type"]))
    for name in NOBODYS:
        assert writers.pop(name) == set()
    for name in SHARED:
        assert {grantee for grantee, _ in writers.pop(name)} == {"reader"}
    # A table may be of a later day than this test, but never without a stated writer.
    assert writers == {name: {(WRITERS[name], each) for each in PRIVILEGES} for name in writers}


async def test_row_level_security_is_on_everywhere(url: str) -> None:
    found = await rows(
        url,
        "SELECT c.relname, c.relrowsecurity FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        f" WHERE n.nspname IN {OURS} AND c.relkind IN ('r', 'p')",
    )
    assert [row["relname"] for row in found if not row["relrowsecurity"]] == []
    partitions = sorted(row["relname"] for row in found if row["relname"].startswith("ohlc_data_"))
    assert partitions == ["ohlc_data_2023_12", "ohlc_data_2024_01", "ohlc_data_2024_02"]


async def test_nothing_of_ours_is_in_public(url: str) -> None:
    for query in (
        "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace",
        "SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace",
        "SELECT typname FROM pg_type WHERE typnamespace = 'public'::regnamespace",
    ):
        assert await rows(url, query) == []


async def test_the_advisor_finds_nothing(url: str) -> None:
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
        assert await rows(url, lint) == []


async def test_the_public_may_nothing(url: str) -> None:
    await rows(url, "DROP ROLE IF EXISTS a_stranger")
    await rows(url, "CREATE ROLE a_stranger")
    allowed = await rows(
        url,
        "SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        f" WHERE n.nspname IN {OURS} AND c.relkind IN ('r', 'p', 'v', 'm')"
        " AND has_table_privilege('a_stranger', c.oid, 'SELECT')"
        f" UNION ALL SELECT n.nspname FROM pg_namespace n WHERE n.nspname IN {OURS}"
        " AND has_schema_privilege('a_stranger', n.oid, 'USAGE')",
    )
    await rows(url, "DROP ROLE a_stranger")
    assert allowed == []


async def test_a_function_with_its_owners_rights_is_for_its_roles_alone(url: str) -> None:
    found = await rows(
        url,
        "SELECT p.proname, r.rolname FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace"
        " JOIN pg_roles r ON r.rolname LIKE 'tracker\\_%' AND has_function_privilege(r.oid, p.oid, 'EXECUTE')"
        f" WHERE n.nspname IN {OURS} AND p.prosecdef",
    )
    roles: dict[str, set[str]] = {}
    for row in found:
        roles.setdefault(row["proname"], set()).add(row["rolname"])
    scheduler = "tracker_data_scheduler"
    features = {"name_features": {"tracker_feature_calculator"}}
    partitions = {"ensure_bar_partitions": {"tracker_data_collector", scheduler}}
    sessions = {"sessions": {"tracker_health_monitor"}}
    assert roles == partitions | features | sessions | {name: {scheduler} for name in (
        "begin_rewrite", "copy_next_symbol", "seal_rewrite", "swap_rewrite", "drop_rewrite", "forget_rows",
        "refresh_aggregate", "analyze_table", "forget_shadow_rows", "forget_labels",
        "forget_predictions",
    )}


async def test_partitions_for_half_a_century_are_refused(url: str) -> None:
    with pytest.raises(asyncpg.RaiseError, match="more than 40 years"):
        await rows(url, "SELECT tracker.ensure_bar_partitions('1970-01-01Z', '2026-01-01Z')")


async def test_a_service_reads_everything_and_writes_its_own(url: str) -> None:
    names = set(await tables(url)) - NOBODYS
    deletable: dict[str, set[str]] = {service: set() for service in SERVICES}
    connection = await asyncpg.connect(url)
    try:
        for service in SERVICES:
            for name in names:
                await connection.execute(f"BEGIN; SET LOCAL ROLE tracker_{service}")
                await connection.fetch(f"SELECT * FROM tracker.{name}")
                with contextlib.suppress(asyncpg.InsufficientPrivilegeError):
                    await connection.execute(f"DELETE FROM tracker.{name}")
                    deletable[service].add(name)
                await connection.execute("ROLLBACK")
    finally:
        await connection.close()
    for service in SERVICES:
        own = {name for name in names if WRITERS.get(name) == service}
        assert deletable[service] == own | SHARED, service


async def test_a_partition_cannot_be_read_past_its_table(url: str) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute("SET ROLE tracker_data_collector")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await connection.fetch("SELECT * FROM tracker.ohlc_data_2024_01")
    await connection.close()


async def test_a_heartbeat_or_a_lease_is_its_services_own(url: str) -> None:
    beat = (
        "INSERT INTO tracker.service_heartbeats (service, instance, pid, started_at, beat_at, status, rss_bytes)"
        " VALUES ($1, 'i', 1, now(), now(), 'pass', 1)"
    )
    lease = "INSERT INTO tracker.service_leases VALUES ('l', $1, 'h', now(), now())"
    connection = await asyncpg.connect(url)
    for service, row, allowed in (
        ("paper_trader", "paper_trader", True),
        ("paper_trader", "data_collector", False),
        ("strategy_scanner", "strategy_scanner_dca", True),
        ("dashboard", "strategy_scanner_dca", False),
        ("data_collector", "data", False),
    ):
        for statement in (beat, lease):
            await connection.execute(f"BEGIN; SET LOCAL ROLE tracker_{service}")
            if allowed:
                await connection.execute(statement, row)
            else:
                with pytest.raises(asyncpg.InsufficientPrivilegeError, match="row-level security"):
                    await connection.execute(statement, row)
            await connection.execute("ROLLBACK")
        await connection.execute("BEGIN")
        await connection.execute(beat, row)
        await connection.execute(lease, row)
        await connection.execute(f"SET LOCAL ROLE tracker_{service}")
        for change in ("service_heartbeats SET instance = 'j'", "service_leases SET holder = 'j'"):
            assert await connection.execute(f"UPDATE tracker.{change}") == f"UPDATE {int(allowed)}"
        await connection.execute("ROLLBACK")
    await connection.close()


async def test_a_bar_that_is_no_number_is_refused(url: str) -> None:
    await rows(url, "INSERT INTO tracker.symbols (symbol) VALUES ('BTC-USD')")
    good = {"open": "1", "high": "2", "low": "1", "close": "1", "volume": "5"}
    insert = (
        f"INSERT INTO tracker.ohlc_data (ts, timeframe, source, symbol_id, {', '.join(good)})"
        " VALUES ('2024-01-01Z', '1m', 'stream', 1, {})"
    )
    for column, value in (("high", "NaN"), ("high", "Infinity"), ("close", "NaN"), ("volume", "NaN"), ("low", "0")):
        bad = good | {column: value}
        with pytest.raises(asyncpg.CheckViolationError):
            await rows(url, insert.format(", ".join(f"'{figure}'" for figure in bad.values())))
    await rows(url, insert.format(", ".join(good.values())))
    for table in ("ohlc_data", "symbols"):
        await rows(url, f"DELETE FROM tracker.{table}")


async def rows(url: str, query: str, *arguments: object) -> list[dict[str, Any]]:
    """Return what the owner sees."""
    connection = await asyncpg.connect(url)
    try:
        return [dict(row) for row in await connection.fetch(query, *arguments)]
    finally:
        await connection.close()
