"""Each symbol's features are there, and known."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tracker.store.health.strategies import FeatureFacts, SymbolFeatures

from services.health_monitor.invariants.base import Invariant, Observation, Verdict

NAMED = 5


class FeaturesComputed(Invariant):
    """Every active symbol that has the last complete bar has features of it."""

    name = "features computed"
    group = "strategies"
    severity = "critical"
    unit = "symbols"
    advice = (
        "the watermark says they are complete: rows were removed, or feature_calculator has a defect; without them no"
        " strategy looks at these symbols"
    )

    def judge(self, seen: Observation) -> Iterable[Verdict]:
        """Return a verdict for each timeframe."""
        for timeframe, features in _by_timeframe(seen.of(FeatureFacts)):
            missing = [each.symbol for each in features if each.width is None]
            words = f"{len(features) - len(missing)} of {len(features)} symbols"
            yield Verdict(
                subject=timeframe,
                observed=words + (f", not {', '.join(missing[:NAMED])}" if missing else ""),
                limit="all",
                ok=not missing,
                value=len(missing),
            )


class FeaturesWarm(Invariant):
    """Hardly a symbol lacks the history that a feature needs."""

    name = "features warm"
    group = "strategies"
    severity = "warning"
    unit = "symbols"
    settings = ("warm_limit",)
    advice = (
        "strategies skip these as warming_up: `tracker backfill --symbols NAME` fetches the history; where the vendor"
        " has none, they come with time"
    )

    def judge(self, seen: Observation) -> Iterable[Verdict]:
        """Return a verdict for each timeframe."""
        limit = seen.settings.warm_limit
        for timeframe, features in _by_timeframe(seen.of(FeatureFacts)):
            cold = [each.symbol for each in features if each.unknown]
            words = f"{len(cold)} of {len(features)} symbols lack history"
            yield Verdict(
                subject=timeframe,
                observed=words + (f": {', '.join(cold[:NAMED])}" if cold else ""),
                limit=f"{limit:.0%}",
                ok=len(cold) <= limit * len(features),
                value=len(cold),
            )


def _by_timeframe(facts: FeatureFacts) -> list[tuple[str, Sequence[SymbolFeatures]]]:
    names = sorted({each.timeframe for each in facts.features})
    return [(name, [each for each in facts.features if each.timeframe == name]) for name in names]
