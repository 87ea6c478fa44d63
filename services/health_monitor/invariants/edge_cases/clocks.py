"""There is one time, and it is UTC."""

from __future__ import annotations

from collections.abc import Iterable

from tracker.store.health.edge_cases import ClockFacts

from services.health_monitor.invariants.base import Invariant, Observation, Verdict

UTC_NAMES = ("UTC", "Etc/UTC", "GMT", "Etc/GMT", "Etc/UCT", "UCT", "Universal", "Zulu")


class ClocksAgree(Invariant):
    """The clock of every service agrees with that of the database."""

    name = "clock skew"
    group = "edge cases"
    severity = "critical"
    advice = "have the host keep time (chrony, systemd-timesyncd); freshness, leases and deadlines are judged by clocks"
    unit = "seconds"
    settings = ("clock_skew_limit_seconds",)

    def judge(self, seen: Observation) -> Iterable[Verdict]:
        """Return one verdict: the furthest of all."""
        ahead, limit = seen.of(ClockFacts).ahead, seen.settings.clock_skew_limit_seconds
        service = max(ahead, key=lambda each: abs(ahead[each]), default=None)
        seconds = 0.0 if service is None else ahead[service]
        words = "no service has told its time yet" if service is None else (
            f"{service} {abs(seconds):.1f} s {'ahead of' if seconds > 0 else 'behind'} the database"
        )
        yield Verdict(observed=words, limit=f"{limit:g} s", ok=abs(seconds) <= limit, value=seconds)


class DatabaseUtc(Invariant):
    """The database reads and writes times in UTC, so that a day ends when it ends for everybody."""

    name = "database in UTC"
    group = "edge cases"
    severity = "warning"
    advice = "ALTER DATABASE ... SET timezone TO 'UTC', then start the fleet anew: days end at the wrong hour"

    def judge(self, seen: Observation) -> Iterable[Verdict]:
        """Return one verdict."""
        zone = seen.of(ClockFacts).zone
        yield Verdict(observed=zone, limit="UTC", ok=zone in UTC_NAMES)
