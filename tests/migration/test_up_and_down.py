"""Every migration goes up and down, on the newest bundled Postgres and on the oldest, and the manifest guards it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from tracker.domain.errors import DatabaseSetupError
from tracker.quant.features import FEATURE_SET
from tracker.store.embedded import EmbeddedPostgres
from tracker.store.migrate import MIGRATIONS, TABLE, migrate, verify_manifest, write_manifest

DBMATE = Path(sys.executable).parent / "dbmate"
NAMES = sorted(path.name for path in MIGRATIONS.glob("*.sql"))
OURS = "n.nspname IN ('tracker', 'dashboards')"
CATALOGUE = (
    f"SELECT 'relation', c.oid::regclass, c.relkind::text, c.relrowsecurity, c.relacl::text, c.reloptions::text,"
    f" obj_description(c.oid) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE {OURS}",
    # Their order and not their numbers: a column that was dropped keeps its own.
    f"SELECT 'column', a.attrelid::regclass, row_number() OVER (PARTITION BY a.attrelid ORDER BY a.attnum), a.attname,"
    f" format_type(a.atttypid, a.atttypmod), a.attnotnull"
    f" FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace"
    f" WHERE a.attnum > 0 AND NOT a.attisdropped AND {OURS}",
    f"SELECT 'constraint', c.conrelid::regclass, c.conname, pg_get_constraintdef(c.oid) FROM pg_constraint c"
    f" JOIN pg_namespace n ON n.oid = c.connamespace WHERE {OURS}",
    "SELECT 'index', indexdef FROM pg_indexes WHERE schemaname IN ('tracker', 'dashboards')",
    "SELECT 'policy', tablename, policyname, roles::text, cmd, qual, with_check FROM pg_policies",
    f"SELECT 'function', p.oid::regprocedure, p.prosrc, p.proacl::text, p.proconfig::text FROM pg_proc p"
    f" JOIN pg_namespace n ON n.oid = p.pronamespace WHERE {OURS}",
    f"SELECT 'type', t.oid::regtype, t.typtype::text FROM pg_type t"
    f" JOIN pg_namespace n ON n.oid = t.typnamespace WHERE {OURS}",
    f"SELECT 'schema', n.nspname, n.nspacl::text FROM pg_namespace n WHERE {OURS}",
)


@pytest.fixture
async def empty_url(postgres: EmbeddedPostgres) -> str:
    """Connection string of a database without anything in it."""
    connection = await asyncpg.connect(postgres.url)
    await connection.execute("DROP DATABASE IF EXISTS empty WITH (FORCE)")
    await connection.execute("CREATE DATABASE empty")
    await connection.close()
    return postgres.url.replace("@/tracker?", "@/empty?")


async def test_up_on_an_empty_database_names_what_it_applied(empty_url: str) -> None:
    assert migrate(empty_url) == NAMES
    assert migrate(empty_url) == []


@pytest.mark.timeout(300)
async def test_every_migration_goes_down_and_up_again(empty_url: str) -> None:
    migrate(empty_url)
    whole = await catalogue(empty_url)
    for count in range(1, len(NAMES) + 1):
        for _ in range(count):
            dbmate(empty_url, "rollback")
        left = await rows(empty_url, "SELECT version FROM tracker.schema_migrations")
        assert len(left) == len(NAMES) - count
        assert migrate(empty_url) == NAMES[-count:]
        assert await catalogue(empty_url) == whole


async def test_all_the_way_down_nothing_of_ours_is_left(empty_url: str) -> None:
    migrate(empty_url)
    for _ in NAMES:
        dbmate(empty_url, "rollback")
    names = {entry[1] for entry in await catalogue(empty_url) if entry[0] == "relation"}
    assert {name.removeprefix("tracker.") for name in names} == {"schema_migrations", "schema_migrations_pkey"}


async def test_the_older_postgres_and_an_owner_without_superuser_do(older_url: str) -> None:
    assert migrate(older_url) == NAMES
    version = (await rows(older_url, "SHOW server_version_num"))[0]["server_version_num"]
    assert version.startswith("16")
    connection = await asyncpg.connect(older_url)
    await connection.execute("BEGIN; SET LOCAL ROLE tracker_data_collector")
    await connection.execute("INSERT INTO tracker.symbols (symbol) VALUES ('BTC-USD')")
    await connection.execute("SELECT tracker.ensure_bar_partitions('2024-01-05Z', '2024-03-01Z')")
    await connection.execute("COMMIT")
    await connection.execute(
        "INSERT INTO tracker.ohlc_data (symbol_id, timeframe, ts, open, high, low, close, volume, source)"
        " SELECT 1, '1m', ts, 1, 2, 1, 1, 1, 'stream' FROM generate_series('2024-01-05Z'::timestamptz, '2024-02-20Z',"
        " '1 hour') ts; INSERT INTO tracker.bar_watermarks VALUES ('1m', '2024-01-05Z', '2024-03-01Z')"
    )
    for month, purpose in (("2024-01-01Z", "archive"), ("2024-02-01Z", "cluster")):
        for step in (f"begin_rewrite('{month}', '{purpose}')", f"copy_next_symbol('{month}')",
                     f"copy_next_symbol('{month}')", f"seal_rewrite('{month}')", f"swap_rewrite('{month}', '2 s')"):
            await connection.execute("BEGIN; SET LOCAL ROLE tracker_data_scheduler")
            done = await connection.fetchval(f"SELECT tracker.{step}")
            await connection.execute("COMMIT")
        assert done is True
    await connection.execute("BEGIN; SET LOCAL ROLE tracker_data_scheduler")
    for name in ("symbol_hours", "symbol_days", "strategy_hours", "pnl_days"):
        await connection.execute(f"SELECT tracker.refresh_aggregate('{name}')")
    await connection.execute("SELECT tracker.analyze_table('ohlc_data')")
    await connection.execute("SELECT tracker.forget_rows('scan_history', now(), 5)")
    await connection.execute("COMMIT")
    assert await connection.fetchval("SELECT count(*) FROM tracker.ohlc_archive") == 648
    await connection.close()
    # What lies in the archive comes back on the way down.
    downward = len(NAMES) - NAMES.index("0008_archive_and_aggregates.sql")
    for _ in range(downward):
        dbmate(older_url, "rollback")
    left = await rows(older_url, "SELECT count(*) AS bars FROM tracker.ohlc_data")
    assert left == [{"bars": 46 * 24 + 1}]
    for _ in NAMES[:-downward]:
        dbmate(older_url, "rollback")


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """A copy of the migrations, to be spoiled."""
    return Path(shutil.copytree(MIGRATIONS, tmp_path / "migrations"))


def test_a_changed_migration_is_named(copied: Path) -> None:
    verify_manifest(copied)
    with (copied / NAMES[1]).open("a") as file:
        file.write("-- a word more\n")
    with pytest.raises(DatabaseSetupError, match=f"migrations/{NAMES[1]} does not match"):
        verify_manifest(copied)
    write_manifest(copied)
    verify_manifest(copied)


@pytest.mark.parametrize("change", ["added", "removed"])
def test_an_added_or_removed_migration_is_named(copied: Path, change: str) -> None:
    name = "9999_new.sql" if change == "added" else NAMES[0]
    (copied / name).write_text("") if change == "added" else (copied / name).unlink()
    with pytest.raises(DatabaseSetupError, match=name):
        verify_manifest(copied)


def test_a_missing_manifest_is_one_sentence(copied: Path) -> None:
    (copied / "manifest.sha256").unlink()
    with pytest.raises(DatabaseSetupError, match=r"manifest\.sha256 cannot be read: No such file"):
        verify_manifest(copied)


def test_a_server_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(DatabaseSetupError, match="could not be migrated") as caught:
        migrate(f"postgres://tracker@/tracker?host={tmp_path}&port=5432")
    assert "\n" not in str(caught.value)


async def test_the_named_view_follows_the_set(database_url: str) -> None:
    sets = {1: ["a", "Ärger"], 2: list(FEATURE_SET.names), 3: ["b; DROP TABLE x", "a"]}
    await rows(database_url, "INSERT INTO tracker.symbols (symbol) VALUES ('BTC-USD')")
    for number, names in sets.items():
        await rows(
            database_url, "INSERT INTO tracker.feature_sets (version, names, hash) VALUES ('x', $1, $2)", names,
            str(number),
        )
        await rows(
            database_url,
            "INSERT INTO tracker.ml_features (ts, timeframe, symbol_id, feature_set, values)"
            " VALUES ('2024-03-01Z', '15m', 1, $1, $2)",
            number,
            [float(index) for index in range(len(names))],
        )
    for number in (1, 1, 2, 3, 2):
        await rows(database_url, "SELECT tracker.name_features($1)", number)
        named = await rows(database_url, "SELECT * FROM tracker.ml_features_named")
        assert [list(row.items())[4:] for row in named] == [
            [(name, float(index)) for index, name in enumerate(sets[number])]
        ]
    readable = "SELECT has_table_privilege('tracker_reader', 'tracker.ml_features_named', 'SELECT') AS may"
    assert (await rows(database_url, readable)) == [{"may": True}]
    for role, may in (("feature_calculator", True), ("reader", False)):
        query = "SELECT has_function_privilege($1, 'tracker.name_features(smallint)', 'EXECUTE') AS may"
        assert await rows(database_url, query, f"tracker_{role}") == [{"may": may}]


def dbmate(url: str, command: str) -> None:
    """Run one dbmate command on the shipped migrations."""
    done = subprocess.run(
        [
            DBMATE, "--url", f"{url}&sslmode=disable", "--migrations-dir", MIGRATIONS, "--migrations-table", TABLE,
            "--no-dump-schema", command,
        ],
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


async def catalogue(url: str) -> set[tuple[str, ...]]:
    """Return every table, column, constraint, index, policy, function, type and grant of ours."""
    found: set[tuple[str, ...]] = set()
    for query in CATALOGUE:
        found |= {tuple(str(value) for value in row.values()) for row in await rows(url, query)}
    return found


async def rows(url: str, query: str, *arguments: object) -> list[dict[str, Any]]:
    """Return what the owner sees."""
    connection = await asyncpg.connect(url)
    try:
        return [dict(row) for row in await connection.fetch(query, *arguments)]
    finally:
        await connection.close()
