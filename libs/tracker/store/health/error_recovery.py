"""Facts of the group "error recovery": whether what fails is noticed and comes back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tracker.store.database import Transaction
from tracker.store.health.facts import Facts, read_now
from tracker.store.heartbeats import Heartbeat, read_heartbeats


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceFacts(Facts):
    """The last sign of life of every instance of a service."""

    heartbeats: Sequence[Heartbeat]


async def read_service_facts(transaction: Transaction) -> ServiceFacts:
    """Return the services' signs of life."""
    return ServiceFacts(now=await read_now(transaction), heartbeats=await read_heartbeats(transaction))
