"""What is missing among the bars is known and comes back."""

from __future__ import annotations

from collections.abc import Iterable

from tracker.store.health.data_pipeline import BarFacts, ExplainedFacts

from services.health_monitor.invariants.base import Invariant, Observation, Verdict


class GapsHeal(Invariant):
    """No gap of a live symbol stays open for long; history that the vendor does not keep is no finding."""

    name = "gaps heal"
    group = "data pipeline"
    severity = "warning"
    unit = "s"
    settings = ("gap_limit_seconds",)
    advice = "`tracker gaps` lists them with cause and last error; REST may be failing or behind"

    def judge(self, seen: Observation) -> Iterable[Verdict]:
        """Return one verdict."""
        facts, limit = seen.of(BarFacts), seen.settings.gap_limit_seconds
        age = facts.age(facts.gap_since)
        yield Verdict(
            observed="no open gap" if age is None else f"{facts.gap_symbols} symbols, open for up to {age:.0f} s",
            limit=f"{limit:.0f} s",
            ok=age is None or age <= limit,
            value=age or 0.0,
        )


class MinutesExplained(Invariant):
    """Every expected bar of the last closed hour is stored or stands in the gap ledger."""

    name = "minutes explained"
    group = "data pipeline"
    severity = "critical"
    unit = "bars"
    advice = (
        "bars were removed, or a minute closed past the ledger: data_collector fetches what is missing within minutes"
        " of a restart, `tracker backfill --again` older history"
    )

    def judge(self, seen: Observation) -> Iterable[Verdict]:
        """Return one verdict."""
        missing = seen.of(ExplainedFacts).unexplained
        names, count = ", ".join(sorted(missing)[:5]), sum(missing.values())
        yield Verdict(
            observed=f"{count} unexplained bars of {len(missing)} symbols: {names}" if missing else "all explained",
            limit="0 unexplained",
            ok=not missing,
            value=count,
        )
