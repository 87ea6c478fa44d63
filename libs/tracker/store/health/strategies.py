"""Facts of the group "strategies": whether what is closed is computed, looked at and tried."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tracker.store.database import Transaction
from tracker.store.health.facts import Facts, read_now
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
