"""Gaps are known and do not stay."""

from __future__ import annotations

from collections.abc import Iterable

from services.health_monitor.invariants.base import Invariant, Observation, Verdict


class GapsHeal(Invariant):
    """No gap of a live symbol stays open for long; history that the vendor does not keep is no finding."""

    group = "data pipeline"
    severity = "warning"

    def judge(self, seen: Observation) -> Iterable[Verdict]:
        """Return one verdict."""
        limit, age = seen.settings.gap_limit_seconds, seen.age(seen.facts.gap_since)
        yield Verdict(
            name="gaps heal",
            observed="no open gap" if age is None else f"{seen.facts.gap_symbols} symbols, open for up to {age:.0f} s",
            limit=f"{limit:.0f} s",
            ok=age is None or age <= limit,
            advice="`tracker gaps` lists them with cause and last error; REST may be failing or behind",
        )


class MinutesExplained(Invariant):
    """Every expected bar of the last closed hour is stored or stands in the gap ledger."""

    group = "data pipeline"
    severity = "critical"

    def judge(self, seen: Observation) -> Iterable[Verdict]:
        """Return one verdict."""
        missing = seen.unexplained
        names = ", ".join(sorted(missing)[:5])
        yield Verdict(
            name="minutes explained",
            observed=f"{sum(missing.values())} unexplained bars of {len(missing)} symbols: {names}" if missing
            else "all explained",
            limit="0 unexplained",
            ok=not missing,
            advice="bars were removed, or a minute closed past the ledger: `tracker backfill` fetches them again",
        )
