"""A database of a replay's own."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit, urlunsplit

from tracker.store.database import check_reachable, create_database, drop_database


@contextmanager
def fresh_database(server: str | None, name: str) -> Iterator[str | None]:
    """Yield the address of a new database on `server`, dropped afterwards; None where there is no server.

    Without a server the embedded one of a new folder is fresh by itself.
    """
    if server is None:
        yield None
        return
    asyncio.run(check_reachable(server))
    asyncio.run(create_database(server, name))
    try:
        yield urlunsplit(urlsplit(server)._replace(path=f"/{name}"))
    finally:
        asyncio.run(drop_database(server, name))
