"""What is stored is one story, whichever table tells it."""

from __future__ import annotations

from collections.abc import Iterable

from tracker.store.health.data_pipeline import StoredFacts

from services.health_monitor.invariants.base import Invariant, Observation, Verdict

NAMED = 5


class LatestAgrees(Invariant):
    """The newest bar of each symbol and timeframe is the one that latest_bar has."""

    name = "latest bars agree"
    group = "data pipeline"
    severity = "critical"
    unit = "bars"
    advice = (
        "bars were written or removed past data_collector: strategies and pages go by latest_bar; `tracker backfill"
        " --again` compares what is stored with the vendor"
    )

    def judge(self, seen: Observation) -> Iterable[Verdict]:
        """Return one verdict."""
        yield _differing(seen.of(StoredFacts).latest, "latest bars")


class RollUpsAgree(Invariant):
    """The hours of the last closed hour are what their minutes make."""

    name = "roll-ups agree"
    group = "data pipeline"
    severity = "critical"
    unit = "bars"
    advice = "`tracker verify bars` compares all of them; an hour is made anew when one of its minutes is fetched again"

    def judge(self, seen: Observation) -> Iterable[Verdict]:
        """Return one verdict."""
        facts = seen.of(StoredFacts)
        what = "hours" if facts.hour is None else f"hours of {facts.hour:%Y-%m-%d %H:%M}"
        yield _differing(facts.rolled, what)


class BarsPlausible(Invariant):
    """No price moved within one minute of the last hour as prices do not."""

    name = "bars plausible"
    group = "data pipeline"
    severity = "warning"
    unit = "share"
    settings = ("jump_limit",)
    advice = "compare with another venue: a wrong bar sets off stops; `tracker backfill --again` takes a correction"

    def judge(self, seen: Observation) -> Iterable[Verdict]:
        """Return one verdict."""
        jumps, limit = seen.of(StoredFacts).jumps, seen.settings.jump_limit
        words = ", ".join(f"{symbol} by {move:.0%}" for symbol, move in list(jumps.items())[:NAMED])
        yield Verdict(
            observed=f"{len(jumps)} symbols jumped: {words}" if jumps else "no jump",
            limit=f"{limit:.0%} a minute",
            ok=not jumps,
            value=max(jumps.values(), default=0.0),
        )


def _differing(names: Iterable[str], what: str) -> Verdict:
    listed = list(names)
    words = f"{len(listed)} {what} differ: {', '.join(listed[:NAMED])}" if listed else f"all {what} agree"
    return Verdict(observed=words, limit="0 differ", ok=not listed, value=len(listed))
