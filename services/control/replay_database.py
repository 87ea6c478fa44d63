"""A database of a replay's own."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit, urlunsplit

from tracker.store.database import check_reachable, create_database, drop_database, has_schema


@contextmanager
def fresh_database(server: str | None, name: str, *, keep: bool) -> Iterator[str | None]:
    """Yield the address of a database without anything of ours; None where there is no server.

    An empty database named by DATABASE_URL is used itself and keeps the result. Where it holds a fleet already,
    a new one is made beside it and dropped afterwards unless `keep`. Without a server the embedded one of a new
    folder is fresh by itself.
    """
    if server is None:
        yield None
        return
    asyncio.run(check_reachable(server))
    if not asyncio.run(has_schema(server)):
        yield server
        return
    asyncio.run(create_database(server, name))
    try:
        yield urlunsplit(urlsplit(server)._replace(path=f"/{name}"))
    finally:
        if not keep:
            asyncio.run(drop_database(server, name))
