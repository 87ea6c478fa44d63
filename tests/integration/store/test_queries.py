"""Every named query is described and fits the migrated schema."""

from __future__ import annotations

import asyncpg
from tracker.store.queries import queries

STAGED = "CREATE TEMPORARY TABLE"


async def test_every_query_prepares_on_the_migrated_schema(database_url: str) -> None:
    connection = await asyncpg.connect(database_url)
    failures: list[str] = []
    # Staging tables live in their transaction only, so the queries that use them need them here.
    for query in queries().values():
        if query.text.startswith(STAGED):
            await connection.execute(query.text.replace("ON COMMIT DROP", ""))
    for query in queries().values():
        try:
            await connection.prepare(query.text)
        except asyncpg.PostgresError as error:
            failures.append(f"{query.name}: {error}")
    await connection.close()
    assert len(queries()) > 20
    assert failures == []


def test_every_query_says_what_it_is_for() -> None:
    undescribed = [query.name for query in queries().values() if len(query.description) < 10]
    assert undescribed == []
