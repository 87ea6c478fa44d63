"""A migrated database filled with some days of a made-up fleet's life, for pages, dashboards and their tests."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import asyncpg
import numpy as np

from tracker.domain.timeframe import Timeframe
from tracker.quant.features import FEATURE_SET
from tracker.store.archive import Purpose, begin_rewrite, copy_next_symbol, seal_rewrite, swap_rewrite
from tracker.store.database import Database
from tracker.store.features import register_feature_set
from tracker.testing.filled_decisions import STRATEGIES, write_decisions, write_labels
from tracker.testing.filled_ledger import ACCOUNTS, write_ledger
from tracker.testing.filled_market import Copier, Market, make_market, write_features, write_market
from tracker.testing.filled_models import write_models, write_shadow
from tracker.testing.filled_operations import write_operations

# Rows were numbered by hand; whoever adds some goes on from there.
GO_ON_NUMBERING = """
DO $$
DECLARE
  numbered record;
BEGIN
  FOR numbered IN
    SELECT c.oid::regclass::text AS name, a.attname FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
    WHERE a.attidentity <> '' AND c.relnamespace = 'tracker'::regnamespace AND c.relkind = 'r'
  LOOP
    EXECUTE format('SELECT setval(pg_get_serial_sequence(%L, %L), coalesce(max(%I), 1), count(*) > 0) FROM %s',
                   numbered.name, numbered.attname, numbered.attname, numbered.name);
  END LOOP;
END
$$
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Filled:
    """What stands in the database: minutes from `start` up to `end`, looks up to `decided_through`.

    Hours and days go further back, to the month `archived`, which lies in the archive; the month after it is clustered.
    """

    start: datetime
    end: datetime
    decided_through: datetime
    archived: datetime
    symbols: tuple[str, ...]
    strategies: tuple[str, ...]
    accounts: tuple[str, ...]


async def fill_database(url: str, *, now: datetime, symbols: int = 12, days: int = 8, seed: int = 7) -> Filled:
    """Fill a migrated, empty database up to the last whole minute before `now`; the same arguments, the same rows.

    Needs the rights of a superuser. Only sha256 and size of a model's bytes are true to life: nothing scores with them.
    """
    rng = np.random.default_rng(seed)
    market = make_market(rng, now=now, symbols=symbols, days=days)
    database = await Database.open(url, role=None, pool_size=1, application="fill")
    try:
        async with database.transaction() as transaction:
            number = await register_feature_set(transaction, FEATURE_SET)
            await transaction.commit()
        await _write_all(url, market, number, now, rng)
        archived = market.before.replace(day=1)
        await _rewrite(database, archived, Purpose.ARCHIVE)
        await _rewrite(database, (archived + timedelta(days=32)).replace(day=1), Purpose.CLUSTER)
    finally:
        await database.close()
    return Filled(
        start=market.start, end=market.end, decided_through=market.closed(Timeframe.M15), archived=archived,
        symbols=market.names, strategies=STRATEGIES, accounts=tuple(ACCOUNTS),
    )  # fmt: skip


async def _write_all(url: str, market: Market, number: int, now: datetime, rng: np.random.Generator) -> None:
    connection = await asyncpg.connect(url)
    try:
        copier = Copier(connection=connection)
        # Models are named by scores and looks; nothing refers to them by a key.
        async with connection.transaction():
            # Looking up the symbol of each of a million bars takes longer than to store them.
            await connection.execute("SET LOCAL session_replication_role = replica")
            await write_market(copier, market, rng)
            await connection.execute("SET LOCAL session_replication_role = origin")
            await write_features(copier, market, number, rng)
            signals = await write_decisions(copier, market, rng)
            await write_labels(copier, market, number, len(FEATURE_SET.names), rng)
            await write_ledger(copier, market, signals)
            await write_models(copier, market, rng)
            await write_shadow(copier, market, rng)
            await write_operations(copier, market, now)
            await connection.execute(GO_ON_NUMBERING)
        for aggregate in await connection.fetch("SELECT matviewname FROM pg_matviews WHERE schemaname = 'tracker'"):
            await connection.execute(f"REFRESH MATERIALIZED VIEW tracker.{aggregate['matviewname']}")
        await connection.execute("ANALYZE")
    finally:
        await connection.close()


async def _rewrite(database: Database, month: datetime, purpose: Purpose) -> None:
    patience = timedelta(seconds=20)
    async with database.transaction() as transaction:
        await begin_rewrite(transaction, month, purpose, patience)
        while await copy_next_symbol(transaction, month) is not None:
            pass
        await seal_rewrite(transaction, month, patience)
        await swap_rewrite(transaction, month, patience)
        await transaction.commit()
