"""There is a table for what comes, order in what was, and a young answer to what is counted."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from tracker.store.archive import BarMonth
from tracker.store.health.data_pipeline import AggregateFacts, MonthFacts

from services.health_monitor.invariants.base import Invariant, Observation, Verdict

DAY_SECONDS = 86_400.0
# A daily task had its turn.
TURN_SECONDS = 30 * 3600.0


class MonthsAhead(Invariant):
    """Bars of the next months have tables to go into before they come."""

    name = "partitions ahead"
    group = "data pipeline"
    severity = "critical"
    unit = "months"
    settings = ("months_ahead_limit",)
    advice = "`tracker maintain make_partitions` makes them now; data_scheduler should have, and its log says why not"

    def judge(self, seen: Observation) -> Iterable[Verdict]:
        """Return one verdict; before the first bar nothing is expected."""
        facts, limit = seen.of(MonthFacts), seen.settings.months_ahead_limit
        moment = facts.event_time
        ahead = 0 if moment is None else sum(each.month > moment for each in facts.months)
        # They are made once bars come, within a turn of the scheduler.
        young = facts.kept_since is None or (facts.age(facts.kept_since) or 0.0) < 600.0
        yield Verdict(
            observed="no bars yet" if moment is None else f"{ahead} months",
            limit=f"at least {limit} months",
            ok=moment is None or ahead >= limit or (young and not facts.months),
            value=ahead,
        )


class MonthsInOrder(Invariant):
    """Months that ended are brought into the order of their key, without which reading them takes ten times as long."""

    name = "closed months in order"
    group = "data pipeline"
    severity = "warning"
    unit = "months"
    settings = ("months_limit_days",)
    advice = "`tracker maintain cluster_closed_months` does it now and says what is in its way"

    def judge(self, seen: Observation) -> Iterable[Verdict]:
        """Return one verdict; before the task had its first turn nothing is expected."""
        facts, limit = seen.of(MonthFacts), seen.settings.months_limit_days
        moment = facts.event_time
        turned = facts.kept_since is not None and (facts.age(facts.kept_since) or 0.0) > TURN_SECONDS
        due = [] if moment is None else [
            each for each in facts.months if each.ends_at + timedelta(days=limit) <= moment and _unordered(each)
        ]  # fmt: skip
        names = ", ".join(f"{each.month:%Y-%m}" for each in due[:5])
        yield Verdict(
            observed=f"{len(due)} months wait: {names}" if due else "all in order",
            limit=f"within {limit:g} days",
            ok=not due or not turned,
            value=len(due),
        )


class AggregatesYoung(Invariant):
    """The materialized views behind reports and pages were refreshed lately."""

    name = "aggregates young"
    group = "data pipeline"
    severity = "warning"
    unit = "s"
    settings = ("aggregates_limit_seconds",)
    advice = "`tracker maintain refresh_aggregates` does it now; pages and reports show old figures until then"

    def judge(self, seen: Observation) -> Iterable[Verdict]:
        """Return one verdict: since the last good refresh, or since there was anything to refresh."""
        facts, limit = seen.of(AggregateFacts), seen.settings.aggregates_limit_seconds
        done = facts.refreshing.succeeded_at
        age = facts.age(done or facts.kept_since)
        words = "nothing to refresh yet" if age is None else f"{age:.0f} s" if done else f"never, in {age:.0f} s"
        error = facts.refreshing.error
        late = facts.event_time is not None and age is not None and age > limit
        if late and facts.unfilled:
            words += f"; never filled: {', '.join(facts.unfilled)}"
        if late and error:
            words += f"; the last try failed: {error}"
        yield Verdict(observed=words, limit=f"{limit:.0f} s", ok=not late, value=age)


def _unordered(month: BarMonth) -> bool:
    return month.rows != 0 and month.clustered_rows is None and month.in_work is None and not month.filling
