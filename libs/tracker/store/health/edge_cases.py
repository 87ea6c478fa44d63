"""Facts of the group "edge cases": clocks, prices that are none, and a database that is not as it was made."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cache

from tracker.store.database import Transaction
from tracker.store.health.facts import Facts, read_now
from tracker.store.migrate import MIGRATIONS

_WRITTEN_BY = re.compile(r"SELECT tracker\.written_by\('tracker\.(\w+)', '(\w+)'\)")
_DROPPED = re.compile(r"DROP TABLE tracker\.(\w+)")
# How long a change of status is remembered.
REMEMBERED = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockFacts(Facts):
    """By service, how many seconds its clock is ahead of the database's; and the database's time zone."""

    ahead: Mapping[str, float]
    zone: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NewestBarFacts(Facts):
    """How many of the newest bars are in the future, between two buckets, or hold prices that are none."""

    ahead_seconds: float
    in_future: int
    first_in_future: str | None
    askew: int
    first_askew: str | None
    insane: int
    first_insane: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceFacts(Facts):
    """How many prices outside the bars are none, by where they stand."""

    signals: int
    positions: int
    accounts: int
    equity: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredBarFacts(Facts):
    """A sample of stored bars: those between two buckets, and symbols whose price stands still.

    `corrected` counts bars of the last hour.
    """

    askew: int
    first_askew: str | None
    watched: int
    frozen: int
    first_frozen: str | None
    corrected: int
    active_symbols: int


@dataclass(frozen=True, slots=True, kw_only=True)
class UniverseFacts(Facts):
    """How many symbols are known, collected, and not supported by the feed.

    `status_since` is of each symbol; `changes` are the moments at which its status was seen to have changed.
    """

    known: int
    active: int
    unsupported: int
    status_since: Mapping[str, datetime]
    changes: Mapping[str, tuple[datetime, ...]] = field(default_factory=dict[str, tuple[datetime, ...]])


@dataclass(frozen=True, slots=True, kw_only=True)
class ContradictionFacts(Facts):
    """Orders of the last day of event time that cannot all be."""

    doubled: int
    filled_though_refused: int
    of_another_signal: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TablePrivileges:
    """What is wrong with the privileges on a table."""

    table_name: str
    writer: str
    missing: bool
    may_not_write: bool
    may_not_be_read: bool
    others_may_write: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SchemaFacts(Facts):
    """How the database differs from what the migrations of this release make."""

    not_applied: Sequence[str]
    unknown: Sequence[str]
    privileges: Sequence[TablePrivileges]
    unsecured: Sequence[str]
    unusable_indexes: Sequence[str]


@cache
def migration_versions() -> tuple[str, ...]:
    """Return the versions of this release's migrations."""
    return tuple(path.name.partition("_")[0] for path in sorted(MIGRATIONS.glob("*.sql")))


@cache
def table_writers() -> Mapping[str, str]:
    """Return by table the role that writes it, as the migrations of this release say."""
    found: dict[str, str] = {}
    for path in sorted(MIGRATIONS.glob("*.sql")):
        up = path.read_text(encoding="utf-8").partition("-- migrate:down")[0]
        for name in _DROPPED.findall(up):
            found.pop(name, None)
        found |= {table: f"tracker_{service}" for table, service in _WRITTEN_BY.findall(up)}
    return found


async def read_clocks(transaction: Transaction) -> ClockFacts:
    """Return how far clocks are apart."""
    rows = await transaction.fetch("health_edge_cases.clocks")
    return ClockFacts(
        now=await read_now(transaction),
        ahead={row["service"]: row["ahead_seconds"] for row in rows},
        zone=await transaction.fetch_value("health_edge_cases.database_zone"),
    )


async def read_newest_bars(transaction: Transaction, tolerance: timedelta) -> NewestBarFacts:
    """Return what is wrong with the newest bars; one that closes within `tolerance` is not in the future."""
    row = await transaction.fetch_row("health_edge_cases.newest_bars", tolerance)
    assert row is not None  # noqa: S101 - the query returns one row always
    return NewestBarFacts(now=await read_now(transaction), **dict(row.items()))


async def read_prices(transaction: Transaction) -> PriceFacts:
    """Return where prices are none."""
    row = await transaction.fetch_row("health_edge_cases.prices")
    assert row is not None  # noqa: S101 - the query returns one row always
    return PriceFacts(now=await read_now(transaction), **dict(row.items()))


async def read_stored_bars(transaction: Transaction, frozen_bars: int, most: int) -> StoredBarFacts:
    """Return what a sample of the bars shows.

    A price stands still after `frozen_bars` bars; of corrections the last `most` are counted.
    """
    stored = await transaction.fetch_row("health_edge_cases.stored_bars")
    frozen = await transaction.fetch_row("health_edge_cases.frozen", frozen_bars)
    counted = await transaction.fetch_row("health_edge_cases.corrections", most)
    assert stored is not None  # noqa: S101 - the query returns one row always
    assert frozen is not None  # noqa: S101 - the query returns one row always
    assert counted is not None  # noqa: S101 - the query returns one row always
    return StoredBarFacts(now=await read_now(transaction), **dict(stored), **dict(frozen), **dict(counted))


async def read_universe(transaction: Transaction) -> UniverseFacts:
    """Return how large the universe is."""
    row = await transaction.fetch_row("health_edge_cases.universe")
    assert row is not None  # noqa: S101 - the query returns one row always
    return UniverseFacts(
        now=await read_now(transaction), known=row["known"], active=row["active"], unsupported=row["unsupported"],
        status_since=dict(zip(row["symbols"], row["status_since"], strict=True)),
    )  # fmt: skip


def follow_universe(new: UniverseFacts, old: UniverseFacts) -> UniverseFacts:
    """Return the universe with the changes of status that were seen within the last hour."""
    changes = {
        symbol: tuple(each for each in moments if new.now - each < REMEMBERED)
        for symbol, moments in old.changes.items()
    }
    for symbol, since in new.status_since.items():
        if old.status_since.get(symbol, since) != since:
            changes[symbol] = (*changes.get(symbol, ()), since)
    return replace(new, changes={symbol: moments for symbol, moments in changes.items() if moments})


async def read_contradictions(transaction: Transaction) -> ContradictionFacts:
    """Return how many orders contradict each other."""
    row = await transaction.fetch_row("health_edge_cases.contradictions")
    assert row is not None  # noqa: S101 - the query returns one row always
    return ContradictionFacts(now=await read_now(transaction), **dict(row.items()))


async def read_schema(transaction: Transaction) -> SchemaFacts:
    """Return how the database differs from what it is to be."""
    applied = {row["version"] for row in await transaction.fetch("health_edge_cases.applied_migrations")}
    wanted, writers = migration_versions(), table_writers()
    privileges = await transaction.fetch(
        "health_edge_cases.privileges", list(writers.keys()), list(writers.values())
    )
    unsecured = await transaction.fetch_row("health_edge_cases.unsecured")
    assert unsecured is not None  # noqa: S101 - the query returns one row always
    return SchemaFacts(
        now=await read_now(transaction),
        not_applied=[each for each in wanted if each not in applied],
        unknown=sorted(applied.difference(wanted)),
        privileges=[TablePrivileges(**dict(row.items())) for row in privileges],
        unsecured=unsecured["unsecured"],
        unusable_indexes=unsecured["unusable_indexes"],
    )
