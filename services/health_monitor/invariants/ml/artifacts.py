"""Models are the bytes that were stored."""

from __future__ import annotations

from collections.abc import Iterable

from tracker.store.health.scoring import ArtifactFacts

from services.health_monitor.invariants.base import Invariant, Observation, Verdict


class ArtifactsIntact(Invariant):
    """The bytes of champions, of those to return to and of new candidates have the sha256 that was stored with them.

    Bytes in object storage are out of sight here: whoever loads them checks them, and says so in its heartbeat.
    """

    name = "artifacts intact"
    group = "ml"
    severity = "critical"
    advice = "`tracker models rollback` or `tracker models retire`, then `tracker train`: a damaged model is not mended"

    def judge(self, seen: Observation) -> Iterable[Verdict]:
        """Return one verdict."""
        artifacts = seen.of(ArtifactFacts).artifacts
        broken = [each for each in artifacts if each.intact is False]
        away = sum(each.intact is None for each in artifacts)
        words = ", ".join(f"model {each.model_id} ({each.status} of {each.strategy})" for each in broken)
        yield Verdict(
            observed=f"damaged: {words}" if broken
            else f"{len(artifacts) - away} models whole" + (f", {away} in object storage" if away else ""),
            limit="0 damaged", ok=not broken, value=float(len(broken)),
        )  # fmt: skip
