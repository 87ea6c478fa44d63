"""What comes is dealt with in time."""

from __future__ import annotations

from collections.abc import Iterable

from tracker.store.health.load import QueueFacts, ReadFacts

from services.health_monitor.invariants.base import Invariant, Observation, Verdict


class LatestBarsFast(Invariant):
    """The newest bars of all symbols, which everything reads, are there at once."""

    name = "read of latest bars"
    group = "load"
    severity = "warning"
    advice = "the database is busy, waits for a lock or is far away: see `lock waits`, `dead rows`, the server's load"
    unit = "milliseconds"
    settings = ("latest_bars_limit_ms",)

    def judge(self, seen: Observation) -> Iterable[Verdict]:
        """Return one verdict."""
        yield _read(seen.of(ReadFacts).latest_bars, seen.settings.latest_bars_limit_ms)


class DayOfBarsFast(Invariant):
    """A day of one symbol's finest bars is read in time."""

    name = "read of a day of bars"
    group = "load"
    severity = "warning"
    advice = "`tracker maintain` has the task that puts a month in order; or the server is short of memory"
    unit = "milliseconds"
    settings = ("day_of_bars_limit_ms",)

    def judge(self, seen: Observation) -> Iterable[Verdict]:
        """Return one verdict."""
        yield _read(seen.of(ReadFacts).day_of_bars, seen.settings.day_of_bars_limit_ms)


class ScansPrompt(Invariant):
    """A close is scanned soon after its bars are complete."""

    name = "close to scan"
    group = "load"
    severity = "warning"
    advice = "features or scans take long: see `processor share` and `read of latest bars`, then the services' logs"
    unit = "seconds"
    settings = ("scan_delay_limit_seconds",)

    def judge(self, seen: Observation) -> Iterable[Verdict]:
        """Return a verdict for each strategy that scans."""
        limit = seen.settings.scan_delay_limit_seconds
        for each in seen.of(QueueFacts).delays:
            seconds = None if each.seconds is None else max(each.seconds, 0.0)
            yield Verdict(
                subject=each.strategy,
                observed="the next close is under way" if seconds is None else f"{seconds:.1f} s",
                limit=f"{limit:g} s", ok=seconds is None or seconds <= limit, value=seconds,
            )  # fmt: skip


class AnswersPrompt(Invariant):
    """Each signal is answered by an order or a refusal soon."""

    name = "signal to order"
    group = "load"
    severity = "critical"
    advice = "paper_trader does not come to it: look at its log; a signal that is late is refused and never traded"
    unit = "seconds"
    settings = ("answer_limit_seconds",)

    def judge(self, seen: Observation) -> Iterable[Verdict]:
        """Return one verdict."""
        facts, limit = seen.of(QueueFacts), seen.settings.answer_limit_seconds
        words = f"{facts.unanswered} without an answer, the oldest for {facts.unanswered_seconds:.0f} s"
        yield Verdict(
            observed=words if facts.unanswered else "all answered", limit=f"{limit:g} s",
            ok=facts.unanswered_seconds <= limit, value=facts.unanswered_seconds,
        )  # fmt: skip


class NotificationsTaken(Invariant):
    """Hints are taken off the queue of notifications: where that is full, commits fail."""

    name = "notification queue"
    group = "load"
    severity = "critical"
    advice = "a session listens in a transaction that it does not end: see `longest transaction`, and end it"
    unit = "share of its room"
    settings = ("notification_limit_share",)

    def judge(self, seen: Observation) -> Iterable[Verdict]:
        """Return one verdict."""
        share, limit = seen.of(QueueFacts).notifications, seen.settings.notification_limit_share
        yield Verdict(observed=f"{share:.3%} full", limit=f"{limit:.3%}", ok=share <= limit, value=share)


def _read(seconds: float, limit: float) -> Verdict:
    took = seconds * 1000
    return Verdict(observed=f"{took:.1f} ms", limit=f"{limit:g} ms", ok=took <= limit, value=took)
