"""The shadow's variations, accounts, trades and outcomes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from tracker.domain.timeframe import Timeframe
from tracker.store.database import Row, Transaction
from tracker.store.stages import Stage

SHADOW_CHANNEL = "tracker_shadow"


@dataclass(frozen=True, slots=True, kw_only=True)
class ShadowCursor:
    """How far the shadow has come with a strategy; `config_hash` is that of all its variations together."""

    timeframe: Timeframe
    started_at: datetime
    closed_through: datetime
    config_hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredVariation:
    """A variation as the arrays know it; `retired_at` is None while it is tried."""

    id: str
    number: int
    added_at: datetime
    retired_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class VariationRow:
    """A variation to take in; the mappings hold plain values."""

    id: str
    strategy: str
    number: int
    timeframe: Timeframe
    params: Mapping[str, Any]
    rules: Mapping[str, Any]
    changes: Mapping[str, Any]
    config_hash: str
    rules_hash: str
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Behind:
    """How many closes wait to be tried with a strategy."""

    strategy: str
    closed_through: datetime
    ready_through: datetime
    closes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StateBlock:
    """The state of a block of accounts in a layout of that version."""

    block: int
    version: int
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanRow:
    """Which variations had a signal at a close; `bitmap` has a bit for each variation and symbol.

    `held_back` signals are not among them: model `model_id` held them back.
    """

    decided_at: datetime
    variations: int
    signals: int
    signalling: int
    symbol_ids: Sequence[int]
    model_id: int | None
    held_back: int
    bitmap: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class ReturnsRow:
    """What all accounts of a strategy returned in the period that ended at a moment; `data` is packed."""

    strategy: str
    ends_at: datetime
    variations: int
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Active:
    """The variations that are tried, strategy after strategy by number; `ever` is how many there have been."""

    rows: Sequence[Row]
    ever: int


async def read_cursors(transaction: Transaction) -> dict[str, ShadowCursor]:
    """Return how far the shadow has come, by strategy."""
    return {row["strategy"]: _cursor(row) for row in await transaction.fetch("shadow.cursors")}


async def lock_cursor(transaction: Transaction, strategy: str) -> ShadowCursor | None:
    """Return how far the shadow has come with a strategy, locked until the transaction ends; None before its start."""
    row = await transaction.fetch_row("shadow.lock_cursor", strategy)
    return None if row is None else _cursor(row)


async def start_cursor(
    transaction: Transaction, strategy: str, timeframe: Timeframe, started_at: datetime, config_hash: str
) -> None:
    """Begin with a strategy; one that was begun is left alone."""
    await transaction.execute("shadow.start_cursor", strategy, timeframe.value, started_at, config_hash)


async def advance_cursor(transaction: Transaction, strategy: str, moment: datetime, config_hash: str) -> None:
    """Declare every close up to `moment` tried and hint at it."""
    await transaction.execute("shadow.advance_cursor", strategy, moment, config_hash)
    await transaction.notify(SHADOW_CHANNEL, f"{strategy} {moment.isoformat()}")


async def read_behind(transaction: Transaction) -> list[Behind]:
    """Return what waits to be tried, by strategy that was begun."""
    return [Behind(**dict(row)) for row in await transaction.fetch("shadow.behind")]


async def read_scanned(transaction: Transaction) -> frozenset[str]:
    """Return the strategies that have decided on any close."""
    return frozenset(row["strategy"] for row in await transaction.fetch("shadow.scanned"))


async def read_variations(transaction: Transaction, strategy: str) -> list[StoredVariation]:
    """Return a strategy's variations, those that were retired too."""
    return [StoredVariation(**dict(row)) for row in await transaction.fetch("shadow.variations", strategy)]


async def add_variations(transaction: Transaction, added_at: datetime, rows: Iterable[VariationRow]) -> None:
    """Take in variations, each with a new account."""
    await transaction.execute_many(
        "shadow.add_variation",
        [
            (
                each.id,
                each.strategy,
                each.number,
                each.timeframe.value,
                _json(each.params),
                _json(each.rules),
                _json(each.changes),
                each.config_hash,
                each.rules_hash,
                each.source,
                added_at,
            )
            for each in rows
        ],
    )


async def describe_variations(
    transaction: Transaction, descriptions: Mapping[str, tuple[str, Mapping[str, Any]]]
) -> None:
    """Say by id where variations come from and what differs from what is in force, which may have changed."""
    await transaction.execute(
        "shadow.describe",
        list(descriptions),
        [source for source, _ in descriptions.values()],
        [_json(changes) for _, changes in descriptions.values()],
    )


async def retire_variations(transaction: Transaction, ids: Sequence[str], at: datetime) -> None:
    """Note that variations are no longer tried; their outcomes go, their trades stay."""
    await transaction.execute("shadow.retire", list(ids), at)
    await transaction.execute("shadow.forget_outcomes", list(ids))


async def read_state(transaction: Transaction, strategy: str) -> list[StateBlock]:
    """Return the state of a strategy's accounts, block by block."""
    return [StateBlock(**dict(row)) for row in await transaction.fetch("shadow.state", strategy)]


async def keep_state(transaction: Transaction, strategy: str, blocks: Iterable[StateBlock]) -> None:
    """Keep the state of blocks of accounts."""
    await transaction.execute_many(
        "shadow.keep_state", [(strategy, each.block, each.version, each.data) for each in blocks]
    )


async def write_shadow_scans(transaction: Transaction, strategy: str, scans: Iterable[ScanRow]) -> None:
    """Keep what was seen at some closes."""
    await transaction.execute_many(
        "shadow.write_scan",
        [
            (
                strategy,
                each.decided_at,
                each.variations,
                each.signals,
                each.signalling,
                list(each.symbol_ids),
                each.bitmap,
                each.model_id,
                each.held_back,
            )
            for each in scans
        ],
    )


async def write_shadow_trades(transaction: Transaction, columns: Sequence[Sequence[Any]]) -> None:
    """Keep closed trades: variation, symbol id, decided, entry and exit time and price, quantity, pnl, fees, reason."""
    if columns[0]:
        await transaction.execute("shadow.write_trades", *columns)


async def write_returns(transaction: Transaction, period: str, rows: Iterable[ReturnsRow]) -> None:
    """Keep what the accounts returned in periods ('1h' or '1d')."""
    await transaction.execute_many(
        "shadow.write_returns", [(each.strategy, period, each.ends_at, each.variations, each.data) for each in rows]
    )


async def read_returns(
    transaction: Transaction, period: str, first: datetime, end: datetime
) -> list[ReturnsRow]:
    """Return the periods that end in (first, end], strategy after strategy, oldest first."""
    return [ReturnsRow(**dict(row)) for row in await transaction.fetch("shadow.returns", period, first, end)]


async def read_active(transaction: Transaction) -> Active:
    """Return the variations that are tried."""
    rows = await transaction.fetch("shadow.active")
    return Active(rows=rows, ever=rows[0]["ever"] if rows else 0)


async def read_outcomes_as_of(transaction: Transaction) -> datetime | None:
    """Return as of when the outcomes are, None where there are none."""
    return await transaction.fetch_value("shadow.outcomes_as_of")


async def write_outcomes(
    transaction: Transaction, ids: Sequence[str], span: str, as_of: datetime, columns: Sequence[Sequence[Any]]
) -> None:
    """Replace the outcomes of a window; `columns` in the order of the table, from `hours` on."""
    await transaction.execute("shadow.write_outcomes", list(ids), span, as_of, *columns)


async def read_leaders(
    transaction: Transaction, span: str, strategy: str | None, limit: int
) -> list[dict[str, Any]]:
    """Return the best variations of a window, with `changes` and `rules` as mappings."""
    rows = await transaction.fetch("shadow.leaders", span, strategy, limit)
    return [_decoded(row, "changes", "rules") for row in rows]


async def read_outcomes_in(
    transaction: Transaction, span: str, variations: Sequence[str]
) -> dict[str, dict[str, Any]]:
    """Return the outcomes of some variations in one window, by variation."""
    rows = await transaction.fetch("shadow.outcomes_in", span, list(variations))
    return {row["variation"]: dict(row) for row in rows}


async def read_shadow_counts(transaction: Transaction, span: str) -> list[dict[str, Any]]:
    """Return (strategy, variations, traded, as_of) of each strategy in a window."""
    return [dict(row) for row in await transaction.fetch("shadow.counts", span)]


async def find_variations(transaction: Transaction, beginning: str) -> list[dict[str, Any]]:
    """Return the variation whose id begins so; two where it is not the only one."""
    rows = await transaction.fetch("shadow.variation", beginning)
    return [_decoded(row, "params", "rules", "changes") for row in rows]


async def read_outcomes_of(transaction: Transaction, variation: str) -> list[dict[str, Any]]:
    """Return one variation's outcomes, the shortest window first."""
    return [dict(row) for row in await transaction.fetch("shadow.outcomes_of", variation)]


async def read_trades_of(transaction: Transaction, variation: str, limit: int) -> list[dict[str, Any]]:
    """Return one variation's newest closed trades."""
    return [dict(row) for row in await transaction.fetch("shadow.trades_of", variation, limit)]


async def read_shadow_stages(transaction: Transaction) -> list[Stage]:
    """Return how far the shadow is behind the features."""
    return [Stage(**dict(row)) for row in await transaction.fetch("shadow.stages")]


def _cursor(row: Row) -> ShadowCursor:
    return ShadowCursor(
        timeframe=Timeframe(row["timeframe"]),
        started_at=row["started_at"],
        closed_through=row["closed_through"],
        config_hash=row["config_hash"],
    )


def _decoded(row: Row, *names: str) -> dict[str, Any]:
    return {name: orjson.loads(value) if name in names else value for name, value in row.items()}


def _json(value: Mapping[str, Any]) -> str:
    return orjson.dumps(dict(value)).decode()
