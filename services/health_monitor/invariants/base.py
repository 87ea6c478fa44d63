"""What an invariant sees and says."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar

from tracker.store.health import Facts, Stage
from tracker.store.heartbeats import Heartbeat
from tracker.store.job_facts import JobFacts
from tracker.store.model_performance import ModelState
from tracker.store.paper import LedgerCheck
from tracker.store.parity_reports import LastReport

from services.health_monitor.settings import MonitorSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """Everything a check may look at.

    `unexplained`: by symbol, expected bars of the last hour that are neither stored nor in the gap ledger.
    `books`: by account, what the last check of its ledger said. `models`: each scanning strategy's champion.
    """

    facts: Facts
    stages: tuple[Stage, ...]
    heartbeats: tuple[Heartbeat, ...]
    settings: MonitorSettings
    unexplained: Mapping[str, int]
    shadow: tuple[Stage, ...] = ()
    parity: LastReport
    books: Mapping[str, LedgerCheck]
    models: tuple[ModelState, ...] = ()
    jobs: JobFacts = field(default_factory=JobFacts)

    def age(self, moment: datetime | None) -> float | None:
        """Return how many seconds ago a moment was, None where there was none."""
        return None if moment is None else (self.facts.now - moment).total_seconds()


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What one check saw of one subject."""

    name: str
    observed: str
    limit: str
    ok: bool
    advice: str


class Invariant(ABC):
    """A fact that must hold while the fleet runs."""

    group: ClassVar[str]
    severity: ClassVar[str]

    @abstractmethod
    def judge(self, seen: Observation) -> Iterable[Verdict]:
        """Return a verdict for each subject."""
