"""What Postgres' refusals mean: which of them pass, which need a person, and what that person should do."""

from __future__ import annotations

import asyncio

import asyncpg

from tracker.domain.errors import DatabaseFullError, DatabaseReadOnlyError, DatabaseUnavailableError

# After these the connection is given up: whatever was wrong with it must not meet the next transaction.
UNAVAILABLE: tuple[type[BaseException], ...] = (
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.InsufficientResourcesError,
    asyncpg.PostgresSystemError,
    asyncpg.InternalClientError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.DeadlockDetectedError,
    asyncpg.SerializationError,
    asyncpg.QueryCanceledError,
    ConnectionError,
    asyncio.TimeoutError,
)
UNREACHABLE = (*UNAVAILABLE, asyncpg.PostgresError, asyncpg.InterfaceError, OSError, ValueError)


def unavailable(error: BaseException) -> DatabaseUnavailableError:
    """Return the error of ours that stands for one in `UNAVAILABLE`."""
    if isinstance(error, asyncpg.DiskFullError):
        return DatabaseFullError(
            f"the database's disk is full ({_said(error)}): free space on the database server or give it a larger disk;"
            " writing goes on by itself once there is room"
        )
    if isinstance(error, asyncpg.ReadOnlySQLTransactionError):
        return DatabaseReadOnlyError(
            f"the database is read-only ({_said(error)}): make it writable again (a hosted one is often so"
            " because its disk is nearly full, or because it is a standby; otherwise look at"
            " default_transaction_read_only); writing goes on by itself"
        )
    if isinstance(error, asyncpg.TooManyConnectionsError):
        return DatabaseUnavailableError(
            f"the database takes no more connections ({_said(error)}): close other clients or raise its max_connections"
        )
    return DatabaseUnavailableError(f"the database went away: {error!r}")


def _said(error: BaseException) -> str:
    """Return Postgres' own words without its hints, which stand in lines of their own."""
    return str(error).partition("\n")[0]
