"""A pool whose transactions act as one service's role; commit is explicit, leaving rolls back."""

from __future__ import annotations

import asyncio
import io
import os
from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Self, TypeAlias
from urllib.parse import urlsplit, urlunsplit

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from tracker.domain.errors import DatabaseUnavailableError, LeaseLostError, SchemaError
from tracker.store.failures import UNAVAILABLE, UNREACHABLE, unavailable
from tracker.store.fence import LEASE_LOST, Fence
from tracker.store.queries import sql

Row: TypeAlias = asyncpg.Record
Connection: TypeAlias = "asyncpg.Connection[Row] | PoolConnectionProxy[Row]"

TRANSACTION_POOLER_PORT = 6543
# A statement that keeps the database in order may take long; one that takes longer is lost.
LONGEST_SECONDS = 3_600.0


class Transaction:
    """One open transaction; every statement is a named query."""

    def __init__(self, connection: Connection, fence: Fence | None = None) -> None:
        """Wrap a connection on which BEGIN was sent; `fence` is what a commit needs where it names none itself."""
        self._connection = connection
        self._fence = fence
        self.finished = False

    @property
    def connection(self) -> Connection:
        """The raw connection, for COPY within the store package."""
        return self._connection

    async def fetch(self, name: str, *arguments: object) -> list[Row]:
        """Run a named query and return its rows."""
        return await self._connection.fetch(sql(name), *arguments)

    async def fetch_row(self, name: str, *arguments: object) -> Row | None:
        """Run a named query and return its first row, if any."""
        return await self._connection.fetchrow(sql(name), *arguments)

    async def fetch_value(self, name: str, *arguments: object) -> Any:
        """Run a named query and return the first column of its first row."""
        return await self._connection.fetchval(sql(name), *arguments)

    async def execute(self, name: str, *arguments: object) -> int:
        """Run a named query and return how many rows it touched."""
        tag = await self._connection.execute(sql(name), *arguments)
        last = tag.rsplit(" ", 1)[-1]
        return int(last) if last.isdigit() else 0

    async def run_long(self, name: str, *arguments: object) -> Any:
        """Run a named query that may take up to an hour, and return its first value.

        Neither the role's statement_timeout nor the pool's ends it earlier.
        """
        await self._connection.execute(sql("maintenance.no_time_limit"))
        return await self._connection.fetchval(sql(name), *arguments, timeout=LONGEST_SECONDS)

    async def execute_many(self, name: str, rows: Iterable[Sequence[object]]) -> None:
        """Run a named query once a row, pipelined."""
        await self._connection.executemany(sql(name), rows)

    async def copy_out(self, name: str, sink: io.BytesIO, *arguments: object) -> None:
        """Run a named query and write its rows to `sink` in Postgres' binary COPY format."""
        await self._connection.copy_from_query(sql(name), *arguments, output=sink, format="binary")

    async def notify(self, channel: str, payload: str) -> None:
        """Send a hint to the listeners of `channel` when this transaction commits."""
        await self._connection.execute("SELECT pg_notify($1, $2)", channel, payload)

    async def commit(self, fence: Fence | None = None) -> None:
        """Make everything done so far durable; raises LeaseLostError, and keeps nothing, where `fence` fell."""
        fence = fence or self._fence
        await self._connection.execute("COMMIT" if fence is None else fence.commit)
        self.finished = True


class Database:
    """Connections to Postgres under one service's role."""

    def __init__(
        self, pool: asyncpg.Pool[Row], url: str, role: str | None, application: str, fence: Fence | None = None
    ) -> None:
        """Use `open` instead."""
        self._pool = pool
        self._fence = fence
        self._url = url
        self._role = role
        self._application = application
        as_role = f"; SET LOCAL ROLE {role}" if role else ""
        self._begin = f"BEGIN{as_role}"
        self._begin_snapshot = f"BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY{as_role}"

    @classmethod
    async def open(cls, url: str, *, role: str | None, pool_size: int, application: str) -> Self:
        """Connect.

        `role` is the Postgres role every transaction takes on (None: the login's own). Raises
        DatabaseUnavailableError where the server cannot be reached.
        """
        role = None if role is None else _plain_role(role)
        try:
            pool = await _pool(url, pool_size, application)
            # The pool connects on demand only: whether the server is there at all is found out now.
            async with pool.acquire():
                pass
        except UNREACHABLE as error:
            raise DatabaseUnavailableError(f"the database cannot be reached: {error}") from error
        return cls(pool, url, role, application)

    def under(self, fence: Fence) -> Database:
        """Return the same connections, on which nothing commits once `fence` fell; closed with this one."""
        return Database(self._pool, self._url, self._role, self._application, fence)

    def acting_as(self, role: str) -> Database:
        """Return the same connections, whose transactions take on another role; closed with this one.

        Raises SchemaError where it is not a plain name.
        """
        return Database(self._pool, self._url, _plain_role(role), self._application, self._fence)

    async def beside(self, pool_size: int) -> Database:
        """Return the same database with connections of its own, for what must not wait behind anything else.

        They are made on demand, so that this works while the server is away; close it by itself.
        """
        pool = await _pool(self._url, pool_size, self._application)
        return Database(pool, self._url, self._role, self._application, self._fence)

    @asynccontextmanager
    async def transaction(self, *, snapshot: bool = False) -> AsyncGenerator[Transaction]:
        """Open a transaction; without `commit` everything is rolled back.

        With `snapshot` it writes nothing, and all its queries see the database as it was at the first of them. Raises
        DatabaseUnavailableError where the connection is lost or the server is not ready.
        """
        connection = await self._acquire()
        try:
            await self._begin_on(connection, self._begin_snapshot if snapshot else self._begin)
            transaction = Transaction(connection, self._fence)
            yield transaction
            if not transaction.finished:
                await _roll_back(connection)
        except asyncio.CancelledError:
            # A statement may be under way: nothing can be said on this connection any more.
            _end(connection)
            raise
        except asyncpg.SyntaxOrAccessError as error:
            await _roll_back(connection)
            raise SchemaError(f"a query does not fit the database: {error}") from error
        except UNAVAILABLE as error:
            _end(connection)
            raise unavailable(error) from error
        except asyncpg.InterfaceError as error:
            # asyncpg says so both of a lost connection and of a call with the wrong arguments.
            if _is_gone(connection):
                raise DatabaseUnavailableError(f"the connection was lost: {error}") from error
            await _roll_back(connection)
            raise SchemaError(f"a query was called in a way it does not allow: {error}") from error
        except asyncpg.UnknownPostgresError as error:
            await _roll_back(connection)
            if error.sqlstate == LEASE_LOST:
                raise LeaseLostError(str(error)) from error
            raise
        except BaseException:
            await _roll_back(connection)
            raise
        finally:
            await self._pool.release(connection)

    async def _acquire(self) -> PoolConnectionProxy[Row]:
        try:
            return await self._pool.acquire()
        except UNREACHABLE as error:
            raise DatabaseUnavailableError(f"no connection can be had: {error}") from error

    async def _begin_on(self, connection: Connection, begin: str) -> None:
        try:
            # One simple-protocol round trip instead of two.
            await connection.execute(begin)
        except asyncpg.InvalidParameterValueError as error:
            raise DatabaseUnavailableError(f"the database is not migrated yet: {error}") from error

    @asynccontextmanager
    async def listening(self, channels: Sequence[str]) -> AsyncGenerator[asyncio.Event]:
        """Yield an event that is set whenever one of `channels` is notified.

        A hint only: where the server cannot LISTEN, the event simply never fires and polling goes on.
        """
        event = asyncio.Event()
        task = asyncio.create_task(self._listen(channels, event))
        try:
            yield event
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _listen(self, channels: Sequence[str], event: asyncio.Event) -> None:
        if not channels or urlsplit(self._url).port == TRANSACTION_POOLER_PORT:
            return

        def heard(*_: object) -> None:
            event.set()

        while True:
            try:
                connection = await asyncpg.connect(self._url, timeout=10)
                try:
                    for channel in channels:
                        await connection.add_listener(channel, heard)
                    ended = asyncio.Event()
                    connection.add_termination_listener(lambda _, ended=ended: ended.set())
                    await ended.wait()
                finally:
                    connection.terminate()
            except UNREACHABLE:
                await asyncio.sleep(2)

    async def close(self) -> None:
        """Close every connection, at once where a polite goodbye takes too long."""
        try:
            await asyncio.wait_for(self._pool.close(), timeout=5)
        except TimeoutError:
            self._pool.terminate()


def _plain_role(role: str) -> str:
    if not role.replace("_", "").isalnum():
        raise SchemaError(f"role {role!r} is not a plain name")
    return role


async def _pool(url: str, size: int, application: str) -> asyncpg.Pool[Row]:
    pooled = urlsplit(url).port == TRANSACTION_POOLER_PORT
    return await asyncpg.create_pool(
        url,
        min_size=0,
        max_size=size,
        statement_cache_size=0 if pooled else 200,
        server_settings=None if pooled else {"application_name": application},
        command_timeout=120,
        timeout=10,
        reset=_keep,
    )


async def _roll_back(connection: Connection) -> None:
    """Give up what was done; a connection that cannot even do that is ended, which does it as well."""
    try:
        if not _is_gone(connection):
            await connection.execute("ROLLBACK")
    except (*UNAVAILABLE, asyncpg.PostgresError, asyncpg.InterfaceError):
        _end(connection)


def _is_gone(connection: Connection) -> bool:
    """Tell whether a connection is closed; one that the pool has taken away since it broke is, too."""
    try:
        return connection.is_closed()
    except asyncpg.InterfaceError:
        return True


def _end(connection: Connection) -> None:
    if not _is_gone(connection):
        connection.terminate()


async def _keep(_: object) -> None:
    """Leave a returned connection as it is: transactions set everything LOCAL, so nothing remains."""


async def check_reachable(url: str) -> None:
    """Raise DatabaseUnavailableError, without the password, where no server answers at `url`."""
    try:
        connection = await asyncpg.connect(url, timeout=10)
    except UNREACHABLE as error:
        reason = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else str(error)
        raise DatabaseUnavailableError(
            f"environment: DATABASE_URL = {without_password(url)!r}: the database cannot be reached: {reason}"
        ) from error
    await connection.close()


async def has_schema(url: str) -> bool:
    """Tell whether the database at `url` holds the schema of a fleet."""
    try:
        connection = await asyncpg.connect(url, timeout=10)
        try:
            return await connection.fetchval("SELECT to_regnamespace('tracker') IS NOT NULL")
        finally:
            await connection.close()
    except UNREACHABLE as error:
        raise DatabaseUnavailableError(f"the database went away: {error!r}") from error


def without_password(url: str) -> str:
    """Return a connection string that may be shown."""
    parts = urlsplit(url)
    if parts.password is None:
        return url
    place = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{parts.username}:***@{place}"))


async def create_database(server: str, name: str) -> None:
    """Make an empty database on the server that `server` addresses."""
    await _administer(server, f'CREATE DATABASE "{_plain_name(name)}"')


async def drop_database(server: str, name: str) -> None:
    """Remove a database, ending whatever is still connected to it."""
    await _administer(server, f'DROP DATABASE IF EXISTS "{_plain_name(name)}" WITH (FORCE)')


async def _administer(server: str, statement: str) -> None:
    try:
        connection = await asyncpg.connect(server, timeout=10)
        try:
            await connection.execute(statement)
        finally:
            await connection.close()
    except UNREACHABLE as error:
        raise DatabaseUnavailableError(f"the database server cannot do this: {error}") from error


def _plain_name(name: str) -> str:
    """A name cannot be a parameter, so it must be one that needs no quoting."""
    if not name.replace("_", "").isalnum():
        raise SchemaError(f"{name!r} is not a plain name")
    return name
