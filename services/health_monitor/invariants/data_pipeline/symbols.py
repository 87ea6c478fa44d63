"""No symbol falls silent unnoticed among the others, and no timeframe behind the minutes."""

from __future__ import annotations

from collections.abc import Iterable

from tracker.domain.timeframe import Timeframe
from tracker.store.health.data_pipeline import FrameFacts, SymbolFacts

from services.health_monitor.invariants.base import Invariant, Observation, Verdict

COARSER = (Timeframe.M5, Timeframe.M15, Timeframe.H1, Timeframe.D1)


class SymbolsSpeak(Invariant):
    """No active symbol has been without a bar for long while others have theirs."""

    name = "symbol silence"
    group = "data pipeline"
    severity = "warning"
    unit = "s"
    settings = ("silence_limit_seconds",)
    advice = (
        "`tracker gaps --symbols NAME` says whether the vendor has no trades or does not send them; pause it in"
        " configs/universe.toml where it is delisted"
    )

    def judge(self, seen: Observation) -> Iterable[Verdict]:
        """Return one verdict on the most silent symbols."""
        facts, limit = seen.of(SymbolFacts), seen.settings.silence_limit_seconds
        # One that never had a bar has been silent since the collecting began.
        never = facts.age(facts.opened_at) or 0.0
        waits = {each.symbol: (each.seconds if each.seconds is not None else never) for each in facts.silences}
        # The next bar may take as long as the last one did.
        steps = {each.symbol: max(each.step_seconds - 60.0, 0.0) for each in facts.silences}
        silent = [name for name, wait in waits.items() if wait - steps[name] > limit]
        worst = max(waits.values(), default=0.0)
        names = ", ".join(silent[:5])
        yield Verdict(
            observed=f"{len(silent)} symbols, for up to {worst:.0f} s: {names}" if silent else f"at most {worst:.0f} s",
            limit=f"{limit:.0f} s",
            ok=not silent,
            value=worst,
        )


class RollUpsFollow(Invariant):
    """Bars of 5m, 15m, 1h and 1d are complete as far as their minutes are."""

    name = "roll-up"
    group = "data pipeline"
    severity = "critical"
    unit = "s"
    settings = ("stage_lag_limit_seconds",)
    advice = "data_collector closes minutes without rolling them up: look at its log, then `tracker verify bars`"

    def judge(self, seen: Observation) -> Iterable[Verdict]:
        """Return a verdict for each timeframe of which a whole bucket has been collected."""
        frames, limit = seen.of(FrameFacts).frames, seen.settings.stage_lag_limit_seconds
        minutes = frames.get(Timeframe.M1.value)
        for timeframe in COARSER if minutes is not None else ():
            assert minutes is not None  # noqa: S101 - otherwise there are none
            due, mark = timeframe.floor(minutes.closed_through), frames.get(timeframe.value)
            start = timeframe.floor(minutes.opened_at) + timeframe.duration
            done = start if mark is None else mark.closed_through
            if mark is None and due <= start:
                continue
            behind = max((due - done).total_seconds(), 0.0)
            yield Verdict(
                subject=timeframe.value, observed=f"{behind:.0f} s behind", limit=f"{limit:.0f} s",
                ok=behind <= limit, value=behind,
            )  # fmt: skip
