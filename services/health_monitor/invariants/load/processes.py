"""Every process has room and time."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable

from tracker.runtime.fleet_limits import fleet_limits
from tracker.store.health.error_recovery import ServiceFacts
from tracker.store.heartbeats import Heartbeat

from services.health_monitor.invariants.base import Invariant, Observation, Verdict

MEGABYTE = 1_000_000
UNTOLD = "no service tells it yet"


class ProcessInvariant(Invariant):
    """Something that each service that beats tells of its own process; the worst of all is told."""

    group = "load"
    severity = "warning"

    def judge(self, seen: Observation) -> Iterable[Verdict]:
        """Return one verdict."""
        facts, alive_within = seen.of(ServiceFacts), seen.settings.heartbeat_limit_seconds
        told = [
            (value, each)
            for each in facts.heartbeats
            if each.status != "stopped" and (facts.age(each.beat_at) or 0.0) <= alive_within
            and (value := self.measure(each, seen)) is not None
        ]
        worst = max(told, key=lambda pair: pair[0], default=None)
        bound = self.bound(seen)
        over = sorted({each.service for value, each in told if value > bound})
        others = f"; over the limit: {', '.join(over)}" if len(over) > 1 else ""
        yield Verdict(
            observed=UNTOLD if worst is None else self.say(*worst, seen) + others, limit=self.limit(bound),
            ok=not over, value=None if worst is None else worst[0],
        )  # fmt: skip

    @abstractmethod
    def measure(self, beat: Heartbeat, seen: Observation) -> float | None:
        """Return what a service tells, None where it does not."""

    @abstractmethod
    def bound(self, seen: Observation) -> float:
        """Return the limit."""

    @abstractmethod
    def say(self, value: float, beat: Heartbeat, seen: Observation) -> str:
        """Return in words what one service tells."""

    @abstractmethod
    def limit(self, bound: float) -> str:
        """Return the limit in words."""


class MemoryWithin(ProcessInvariant):
    """No service takes much more memory than its row in fleet.toml says."""

    name = "memory"
    advice = "memory is paid by the hour: a restart frees it; where it comes back, something leaks or memory_mb is low"
    unit = "share of memory_mb"
    settings = ("memory_limit_ratio",)

    def measure(self, beat: Heartbeat, seen: Observation) -> float | None:
        """Compare resident memory with what is expected."""
        expected = fleet_limits(seen.settings.config_dir).memory_mb.get(beat.service)
        return None if expected is None else beat.rss_bytes / MEGABYTE / expected

    def bound(self, seen: Observation) -> float:
        """Return how often the expected memory may be taken."""
        return seen.settings.memory_limit_ratio

    def say(self, value: float, beat: Heartbeat, seen: Observation) -> str:
        """Return both in megabytes."""
        expected = fleet_limits(seen.settings.config_dir).memory_mb[beat.service]
        return f"{beat.service} takes {beat.rss_bytes / MEGABYTE:.0f} MB of {expected} MB"

    def limit(self, bound: float) -> str:
        """Return the limit in words."""
        return f"{bound:g} times memory_mb in fleet.toml"


class ProcessorFree(ProcessInvariant):
    """No service is busy all the time: one that is has no time left for more."""

    name = "processor share"
    advice = "it catches up, or does too much: where it lasts, give it fewer symbols or a faster machine"
    unit = "share of a core"
    settings = ("cpu_limit_share",)

    def measure(self, beat: Heartbeat, seen: Observation) -> float | None:
        """Return the mean share of a core of the last minutes."""
        return _told(beat, "cpu_share")

    def bound(self, seen: Observation) -> float:
        """Return the share of a core."""
        return seen.settings.cpu_limit_share

    def say(self, value: float, beat: Heartbeat, seen: Observation) -> str:
        """Return the share of a core."""
        return f"{beat.service} takes {value:.0%} of a core"

    def limit(self, bound: float) -> str:
        """Return the limit in words."""
        return f"{bound:.0%}"


class LoopsPrompt(ProcessInvariant):
    """Every event loop comes to what is due: heartbeats, leases and health checks hang on it."""

    name = "event loop lag"
    advice = "something blocks that service's loop: its log around the time says what it did; a lease may be lost by it"
    unit = "seconds"
    settings = ("loop_lag_limit_seconds",)

    def measure(self, beat: Heartbeat, seen: Observation) -> float | None:
        """Return the worst lag of the last minutes."""
        return _told(beat, "loop_lag_seconds")

    def bound(self, seen: Observation) -> float:
        """Return the limit in seconds."""
        return seen.settings.loop_lag_limit_seconds

    def say(self, value: float, beat: Heartbeat, seen: Observation) -> str:
        """Return the lag."""
        return f"{beat.service} came {value:.2f} s late"

    def limit(self, bound: float) -> str:
        """Return the limit in words."""
        return f"{bound:g} s"


def _told(beat: Heartbeat, name: str) -> float | None:
    process = beat.detail.get("process")
    value = process.get(name) if isinstance(process, dict) else None
    return None if value is None else float(value)
