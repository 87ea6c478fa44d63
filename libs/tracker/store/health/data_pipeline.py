"""Facts of the group "data pipeline": whether bars come, of every symbol, and stay whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from tracker.store.archive import BarMonth, read_months
from tracker.store.database import Transaction
from tracker.store.gaps import GapQuestion, read_coverage
from tracker.store.health.facts import Facts, read_now
from tracker.store.heartbeats import GONE_AFTER, Heartbeat, read_heartbeats
from tracker.store.maintenance import History, read_event_time, read_histories

# What is older was looked at when it was young.
EXPLAINED_WITHIN = timedelta(hours=1)
COLLECTOR = "data_collector"
REFRESH = "refresh_aggregates"


@dataclass(frozen=True, slots=True, kw_only=True)
class BarFacts(Facts):
    """How the bars stand; None where nothing exists yet."""

    newest_close: datetime | None
    opened_at: datetime | None
    closed_through: datetime | None
    closed_at: datetime | None
    active_symbols: int
    unsupported_symbols: int
    live_symbols: int
    gap_since: datetime | None
    gap_symbols: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplainedFacts(Facts):
    """By symbol, expected bars of the last closed hour that are neither stored nor in the gap ledger."""

    unexplained: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """How far a timeframe is complete, from where on it was collected, and when it last moved."""

    timeframe: str
    opened_at: datetime
    closed_through: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """How long before the newest bar of all a symbol's own last one ended (None: it never had one), and its length."""

    symbol: str
    seconds: float | None
    step_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameFacts(Facts):
    """How far each timeframe is complete, by its name."""

    frames: Mapping[str, Frame]


@dataclass(frozen=True, slots=True, kw_only=True)
class SymbolFacts(Facts):
    """Active symbols, the most silent first, and since when bars are collected."""

    silences: Sequence[Silence]
    opened_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectorFacts(Facts):
    """The last heartbeat of the collector that has the connection; None where none that lives has it."""

    holder: Heartbeat | None

    @property
    def detail(self) -> Mapping[str, Any]:
        """What the collector counts."""
        return {} if self.holder is None else self.holder.detail


@dataclass(frozen=True, slots=True, kw_only=True)
class IntakeFacts(Facts):
    """What was refused, dropped or not to be had; the reason is that of most, or of the last."""

    rejected: int
    rejected_reason: str | None
    failed_chunks: int
    failed_reason: str | None
    overflowed_symbols: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFacts(Facts):
    """Where stored bars contradict each other: `latest` and `rolled` are symbols, `jumps` their largest moves."""

    latest: Sequence[str]
    rolled: Sequence[str]
    jumps: Mapping[str, float]
    hour: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MonthFacts(Facts):
    """The months of bars, how far bars are complete, and since when the database is kept in order."""

    months: Sequence[BarMonth]
    event_time: datetime | None
    kept_since: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AggregateFacts(Facts):
    """How refreshing the materialized views fares, and which were never filled."""

    refreshing: History
    unfilled: Sequence[str]
    event_time: datetime | None
    kept_since: datetime | None


async def read_bar_facts(transaction: Transaction) -> BarFacts:
    """Return how the bars stand."""
    row = await transaction.fetch_row("health_data_pipeline.bars")
    assert row is not None  # noqa: S101 - the query returns one row always
    return BarFacts(**dict(row.items()))


async def read_explained(transaction: Transaction) -> ExplainedFacts:
    """Return which bars of the last closed hour are missing without a word."""
    bars = await read_bar_facts(transaction)
    end, missing = bars.closed_through, dict[str, int]()
    if end is not None:
        coverage = await read_coverage(transaction, GapQuestion(first=end - EXPLAINED_WITHIN, end=end))
        missing = {each.symbol: each.unexplained for each in coverage if each.unexplained}
    return ExplainedFacts(now=bars.now, unexplained=missing)


async def read_frame_facts(transaction: Transaction) -> FrameFacts:
    """Return how far each timeframe is complete."""
    rows = await transaction.fetch("health_data_pipeline.frames")
    frames = {row["timeframe"]: Frame(**dict(row.items())) for row in rows}
    return FrameFacts(now=await read_now(transaction), frames=frames)


async def read_symbol_facts(transaction: Transaction) -> SymbolFacts:
    """Return how long each active symbol has been silent."""
    bars = await read_bar_facts(transaction)
    rows = await transaction.fetch("health_data_pipeline.silences")
    return SymbolFacts(
        now=bars.now, silences=[Silence(**dict(row.items())) for row in rows], opened_at=bars.opened_at
    )


async def read_collector_facts(transaction: Transaction) -> CollectorFacts:
    """Return what the collector that has the connection says of itself."""
    now = await read_now(transaction)
    alive = [
        beat for beat in await read_heartbeats(transaction)
        if beat.service == COLLECTOR and beat.status != "stopped" and now - beat.beat_at <= GONE_AFTER
        and beat.detail.get("role") != "standby"
    ]  # fmt: skip
    return CollectorFacts(now=now, holder=max(alive, key=lambda beat: beat.started_at, default=None))


async def read_intake_facts(transaction: Transaction) -> IntakeFacts:
    """Return what was refused, dropped or not to be had."""
    rejected = await transaction.fetch_row("health_data_pipeline.rejections")
    failed = await transaction.fetch_row("health_data_pipeline.failed_chunks")
    assert rejected is not None  # noqa: S101 - both queries count, and return one row always
    assert failed is not None  # noqa: S101
    return IntakeFacts(
        now=await read_now(transaction),
        rejected=rejected["rejected"],
        rejected_reason=rejected["reason"],
        failed_chunks=failed["failed"],
        failed_reason=failed["reason"],
        overflowed_symbols=await transaction.fetch_value("health_data_pipeline.overflowed"),
    )


async def read_stored_facts(transaction: Transaction, jump: float) -> StoredFacts:
    """Return where stored bars of the last closed hour contradict each other, or moved by more than `jump`, a share."""
    frames = (await read_frame_facts(transaction)).frames
    latest = await transaction.fetch("health_data_pipeline.latest_differs")
    hour, minutes = frames.get("1h"), frames.get("1m")
    opens = None if hour is None else hour.closed_through - timedelta(hours=1)
    rolled = [] if opens is None else await transaction.fetch("health_data_pipeline.rolled_differs", opens)
    jumps: dict[str, float] = {}
    if minutes is not None:
        end = minutes.closed_through
        rows = await transaction.fetch("health_data_pipeline.jumps", end - timedelta(hours=1), end, jump)
        jumps = {row["symbol"]: row["move"] for row in rows}
    return StoredFacts(
        now=await read_now(transaction),
        latest=[f"{row['symbol']} {row['timeframe']}" for row in latest],
        rolled=[row["symbol"] for row in rolled],
        jumps=jumps,
        hour=opens,
    )


async def read_month_facts(transaction: Transaction) -> MonthFacts:
    """Return the months of bars."""
    return MonthFacts(
        now=await read_now(transaction),
        months=await read_months(transaction),
        event_time=await read_event_time(transaction),
        kept_since=await transaction.fetch_value("health_data_pipeline.first_run"),
    )


async def read_aggregate_facts(transaction: Transaction) -> AggregateFacts:
    """Return how the materialized views fare."""
    histories = await read_histories(transaction, [REFRESH])
    return AggregateFacts(
        now=await read_now(transaction),
        refreshing=histories[REFRESH],
        unfilled=[row["name"] for row in await transaction.fetch("health_data_pipeline.unfilled")],
        event_time=await read_event_time(transaction),
        kept_since=await transaction.fetch_value("health_data_pipeline.first_run"),
    )
