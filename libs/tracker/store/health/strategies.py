"""Facts of the group "strategies": whether what is closed is computed, looked at and tried."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from tracker.store.database import Transaction
from tracker.store.health.facts import Facts, read_now
from tracker.store.heartbeats import GONE_AFTER, Heartbeat, read_heartbeats
from tracker.store.parity_reports import LastReport, read_last_report
from tracker.store.shadow import read_shadow_stages
from tracker.store.stages import Stage


@dataclass(frozen=True, slots=True, kw_only=True)
class StageFacts(Facts):
    """How far features, scans and the shadow are."""

    stages: Sequence[Stage]
    shadow: Sequence[Stage]


@dataclass(frozen=True, slots=True, kw_only=True)
class ParityFacts(Facts):
    """What the last nightly report said."""

    report: LastReport


@dataclass(frozen=True, slots=True, kw_only=True)
class SymbolFeatures:
    """A symbol's features of the last close: how many (None where none were computed), and how many are unknown."""

    timeframe: str
    symbol: str
    width: int | None
    unknown: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureFacts(Facts):
    """The last features of each active symbol that had a bar."""

    features: Sequence[SymbolFeatures]


@dataclass(frozen=True, slots=True, kw_only=True)
class StrategyLooks:
    """A strategy's looks in the hours up to `closed_through`.

    `closes` of `due` closes, `symbols` of `expected` at the last one; `faults` of `looks` found no data. `config_hash`
    is that of the last look.
    """

    strategy: str
    closed_through: datetime
    due: int | None
    closes: int
    symbols: int
    expected: int
    looks: int
    faults: int
    config_hash: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LookFacts(Facts):
    """What strategies look at, why they propose nothing (a count by reason), and the scanners that live."""

    looks: Sequence[StrategyLooks]
    skips: Mapping[str, int]
    scanners: Sequence[Heartbeat]
    traders: Sequence[Heartbeat]
    known_configs: frozenset[tuple[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Unanswered:
    """A signal that an account is through with and has not answered."""

    account: str
    strategy: str
    symbol: str
    decided_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class FunnelFacts(Facts):
    """When the last signal and the last fill were, in event time, and why signals lead to nothing."""

    looked_through: datetime | None
    opened_at: datetime | None
    signal_at: datetime | None
    fill_at: datetime | None
    refusals: Mapping[str, int]
    unanswered: Sequence[Unanswered]


async def read_stage_facts(transaction: Transaction) -> StageFacts:
    """Return how far each stage is."""
    return StageFacts(
        now=await read_now(transaction),
        stages=[Stage(**dict(row.items())) for row in await transaction.fetch("health_strategies.stages")],
        shadow=await read_shadow_stages(transaction),
    )


async def read_parity_facts(transaction: Transaction) -> ParityFacts:
    """Return what the last nightly report said."""
    return ParityFacts(now=await read_now(transaction), report=await read_last_report(transaction))


async def read_feature_facts(transaction: Transaction) -> FeatureFacts:
    """Return the last features of each active symbol."""
    rows = await transaction.fetch("health_strategies.features")
    return FeatureFacts(
        now=await read_now(transaction), features=[SymbolFeatures(**dict(row.items())) for row in rows]
    )


async def read_look_facts(transaction: Transaction) -> LookFacts:
    """Return what the strategies look at."""
    now = await read_now(transaction)
    beats = [
        each for each in await read_heartbeats(transaction)
        if each.status != "stopped" and now - each.beat_at <= GONE_AFTER
    ]  # fmt: skip
    rows = await transaction.fetch("health_strategies.looks")
    return LookFacts(
        now=now,
        looks=[StrategyLooks(**dict(row.items())) for row in rows],
        skips={row["reason"]: row["looks"] for row in await transaction.fetch("health_strategies.skips")},
        scanners=[each for each in beats if each.service.startswith("strategy_scanner_")],
        traders=[each for each in beats if each.service == "paper_trader"],
        known_configs=frozenset(
            (row["strategy"], row["config_hash"])
            for row in await transaction.fetch("health_strategies.known_configs")
        ),
    )


async def read_funnel_facts(transaction: Transaction) -> FunnelFacts:
    """Return how signals come and what becomes of them."""
    row = await transaction.fetch_row("health_strategies.funnel")
    assert row is not None  # noqa: S101 - the query returns one row always
    through: datetime | None = row["looked_through"]
    refused = [] if through is None else await transaction.fetch(
        "health_strategies.refusals", through - timedelta(hours=24)
    )  # fmt: skip
    unanswered = await transaction.fetch("health_strategies.unanswered")
    return FunnelFacts(
        now=await read_now(transaction),
        refusals={each["reason"]: each["orders"] for each in refused},
        unanswered=[Unanswered(**dict(each.items())) for each in unanswered],
        **dict(row.items()),
    )
