"""Looks lead to signals, signals to answers, and answers to trades; where they do not, it is said why."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from tracker.store.health.strategies import FunnelFacts, LookFacts

from services.health_monitor.invariants.base import Invariant, Observation, Verdict

HOUR_SECONDS = 3600.0
NAMED = 3


class SignalsCome(Invariant):
    """Some strategy has proposed a trade lately."""

    name = "signals come"
    group = "strategies"
    severity = "warning"
    unit = "h"
    settings = ("signal_limit_hours",)
    advice = "`tracker funnel` and `tracker why SYMBOL` say what every look stopped at: a quiet market, or a fault"

    def judge(self, seen: Observation) -> Iterable[Verdict]:
        """Return one verdict, with the reasons for which looks led to nothing."""
        facts, limit = seen.of(FunnelFacts), seen.settings.signal_limit_hours
        hours = _hours(facts, facts.signal_at)
        words = "the last" if facts.signal_at else "none"
        reasons = _most(seen.of(LookFacts).skips)
        late = hours is not None and hours > limit
        yield Verdict(
            observed=_told(words, hours, facts.signal_at) + (f"; skipped for {reasons}" if late and reasons else ""),
            limit=f"{limit:g} h",
            ok=not late,
            value=hours,
        )


class TradesCome(Invariant):
    """Some account has traded lately."""

    name = "trades come"
    group = "strategies"
    severity = "warning"
    unit = "h"
    settings = ("trade_limit_hours",)
    advice = "`tracker funnel` says what signals stopped at; `tracker account show` whether one is halted or full"

    def judge(self, seen: Observation) -> Iterable[Verdict]:
        """Return one verdict, with the reasons for which signals were refused."""
        facts, limit = seen.of(FunnelFacts), seen.settings.trade_limit_hours
        hours = _hours(facts, facts.fill_at)
        reasons = _most(facts.refusals)
        late = hours is not None and hours > limit
        words = _told("the last" if facts.fill_at else "none", hours, facts.fill_at)
        why = f"signals refused for {reasons}" if reasons else "no signal was refused"
        yield Verdict(
            observed=words + (f"; {why}" if late else ""), limit=f"{limit:g} h", ok=not late, value=hours
        )


class SignalsAnswered(Invariant):
    """Every signal that an account is through with was ordered, or refused with a reason."""

    name = "signals answered"
    group = "strategies"
    severity = "critical"
    unit = "signals"
    advice = "`tracker why SYMBOL --at TIME` shows the look; orders were removed, or paper_trader went past a signal"

    def judge(self, seen: Observation) -> Iterable[Verdict]:
        """Return one verdict."""
        missing = seen.of(FunnelFacts).unanswered
        first = missing[0] if missing else None
        words = "" if first is None else (
            f", first {first.strategy} {first.symbol} at {first.decided_at:%Y-%m-%d %H:%M} by {first.account}"
        )  # fmt: skip
        yield Verdict(
            observed=f"{len(missing)} without an answer{words}", limit="0 within 24 h", ok=not missing,
            value=len(missing),
        )  # fmt: skip


def _hours(facts: FunnelFacts, moment: datetime | None) -> float | None:
    """Return how long ago something was, or since when there could have been; event time, which also replays have."""
    since = moment or facts.opened_at
    if facts.looked_through is None or since is None:
        return None
    return max((facts.looked_through - since).total_seconds() / HOUR_SECONDS, 0.0)


def _told(words: str, hours: float | None, moment: datetime | None) -> str:
    if hours is None:
        return "nothing was looked at yet"
    return f"{words} {hours:.1f} h ago" if moment is not None else f"{words} in {hours:.1f} h"


def _most(reasons: Mapping[str, int]) -> str:
    return ", ".join(f"{reason} ({count})" for reason, count in list(reasons.items())[:NAMED])
