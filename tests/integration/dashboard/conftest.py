"""A running dashboard with a database of its own, on which somebody may command."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import asyncpg
import httpx
import pytest
from tracker.store.embedded import EmbeddedPostgres
from tracker.store.migrate import migrate
from tracker.testing.dashboard_process import RunningDashboard, running_dashboard

PASSWORD = "a word for tests"
NAME = "commanded"
ACCOUNT = (
    "INSERT INTO tracker.accounts (account, currency, start_cash, opened_at, cash)"
    " VALUES ('paper', 'USD', 10000, now(), 10000)"
)


@dataclass(frozen=True)
class Commanded:
    """The page, and the database behind it."""

    page: RunningDashboard
    database_url: str

    @property
    def origin(self) -> dict[str, str]:
        """What a browser says of where a request comes from."""
        return {"Origin": self.page.url}

    def client(self) -> httpx.Client:
        """Return a browser of sorts that has not signed in."""
        return httpx.Client(base_url=self.page.url, timeout=20)

    @contextmanager
    def signed_in(self) -> Iterator[httpx.Client]:
        """One that has."""
        with self.client() as client:
            answer = client.post("/signin", data={"password": PASSWORD}, headers=self.origin)
            assert answer.status_code == 303
            yield client

    def rows(self, query: str) -> list[dict[str, Any]]:
        """Return what a query finds."""
        return asyncio.run(_rows(self.database_url, query))


async def _rows(url: str, query: str) -> list[dict[str, Any]]:
    connection = await asyncpg.connect(url)
    try:
        return [dict(row) for row in await connection.fetch(query)]
    finally:
        await connection.close()


@pytest.fixture(scope="module")
def commanded(postgres: EmbeddedPostgres) -> Iterator[Commanded]:
    """A dashboard with a password and one account."""
    url = postgres.url.replace("@/tracker?", f"@/{NAME}?")
    asyncio.run(_rows(postgres.url, f"DROP DATABASE IF EXISTS {NAME} WITH (FORCE)"))
    asyncio.run(_rows(postgres.url, f"CREATE DATABASE {NAME}"))
    migrate(url)
    asyncio.run(_rows(url, ACCOUNT))
    with running_dashboard(url, DASHBOARD_PASSWORD=PASSWORD) as page:
        yield Commanded(page=page, database_url=url)
