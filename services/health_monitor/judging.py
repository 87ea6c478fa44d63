"""Judges the invariants; one that cannot be judged is a finding of its own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from tracker.store.health.findings import Finding, Standing

from services.health_monitor.invariants.base import FactsUnreadError, Invariant, Observation, Verdict

UNJUDGED = "could not be judged: "


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """An invariant's verdict on one subject."""

    kind: type[Invariant]
    verdict: Verdict

    @property
    def name(self) -> str:
        """Name of the finding."""
        return f"{self.kind.name} {self.verdict.subject}" if self.verdict.subject else self.kind.name

    def finding(self, standing: Standing | None, now: datetime) -> Finding:
        """Return the finding; it is as it was since the moment that is known, unless it changed."""
        verdict = self.verdict
        return Finding(
            name=self.name, group=self.kind.group, severity=self.kind.severity, observed=verdict.observed,
            limit=verdict.limit, ok=verdict.ok, advice=verdict.advice or self.kind.advice, value=verdict.value,
            since=now if standing is None or standing.ok != verdict.ok else standing.since,
        )


def judge(
    kinds: Iterable[type[Invariant]], seen: Observation, before: Mapping[type[Invariant], Sequence[Judged]]
) -> dict[type[Invariant], list[Judged]]:
    """Return what each invariant says; `before` is what it said at the last look."""
    return {kind: _judge(kind, seen, before.get(kind, ())) for kind in kinds}


def _judge(kind: type[Invariant], seen: Observation, before: Sequence[Judged]) -> list[Judged]:
    try:
        judged = [Judged(kind=kind, verdict=verdict) for verdict in kind().judge(seen)]
        names = [each.name for each in judged]
        if len(set(names)) < len(names):
            raise ValueError(f"two findings have one name: {', '.join(sorted(names))}")
    except FactsUnreadError as error:
        return _unjudged(kind, str(error), before)
    # A defect in one of them must not keep the others from being seen.
    except Exception as error:
        return _unjudged(kind, f"{type(error).__name__}: {error}", before)
    return judged


def _unjudged(kind: type[Invariant], reason: str, before: Sequence[Judged]) -> list[Judged]:
    """Return one red verdict beside what is known of the subjects, which neither broke nor recovered by this."""
    verdict = Verdict(
        observed=f"{UNJUDGED}{reason}",
        limit="judged at every look",
        ok=False,
        advice="the database is slow or not as this release expects it, or the monitor has a defect: its log says more",
    )
    return [Judged(kind=kind, verdict=verdict), *(each for each in before if each.verdict.subject)]
