"""Orders end, and fills are such as the market gave."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable
from typing import ClassVar

from tracker.store.health.trading import Offences, OrderFacts

from services.health_monitor.invariants.base import Invariant, Observation, Verdict


class OrdersEnd(Invariant):
    """No order rests after its time is over or its trade has ended."""

    name = "resting orders"
    group = "risk"
    severity = "critical"
    advice = "`tracker orders` shows them, `tracker order cancel` ends one; the trader should have: look at its log"
    settings = ("order_grace_minutes",)

    def judge(self, seen: Observation) -> Iterable[Verdict]:
        """Return one verdict."""
        resting = seen.of(OrderFacts).resting
        count = sum(each.count for each in resting.values())
        words = "; ".join(f"{name}: {each.count}, first {each.first}" for name, each in sorted(resting.items()))
        yield Verdict(
            observed=words or "none", limit=f"none {seen.settings.order_grace_minutes:g} min after its end",
            ok=count == 0, value=float(count),
        )  # fmt: skip


class OrderInvariant(Invariant):
    """Something that no order or fill of the last hours may be."""

    group = "risk"
    severity = "critical"
    settings = ("decision_window_hours",)
    good: ClassVar[str] = "none of {fills} fills of {hours:g} h"

    def judge(self, seen: Observation) -> Iterable[Verdict]:
        """Return one verdict."""
        facts = seen.of(OrderFacts)
        found = self.look(facts)
        good = self.good.format(fills=facts.fills, hours=seen.settings.decision_window_hours)
        yield Verdict(
            observed=f"{found.count}, first {found.first}" if found.count else good, limit="0",
            ok=found.count == 0, value=float(found.count),
        )  # fmt: skip

    @abstractmethod
    def look(self, facts: OrderFacts) -> Offences:
        """Return what is counted."""


class FillsHaveBars(OrderInvariant):
    """Every fill lies in a bar that is stored."""

    name = "fills have bars"
    advice = "bars were removed after they were traded on: `tracker backfill` fetches them again"

    def look(self, facts: OrderFacts) -> Offences:
        """Return fills without a bar."""
        return facts.barless


class FillsWithinBars(OrderInvariant):
    """No fill is at a price that its bar did not trade at."""

    name = "fills within bars"
    advice = "`tracker verify parity` says what the price is: rows were changed by hand, or the trader is wrong"

    def look(self, facts: OrderFacts) -> Offences:
        """Return fills outside low and high."""
        return facts.outside


class FillsFollowDecisions(OrderInvariant):
    """No fill is in a bar that had opened before the decision: nothing is traded on what came later."""

    name = "fills follow decisions"
    advice = "that is look-ahead: `tracker verify parity` and `tracker verify lookahead` say where it comes from"

    def look(self, facts: OrderFacts) -> Offences:
        """Return fills of bars before the decision's end."""
        return facts.early


class ConfigsAgree(OrderInvariant):
    """An order, its signal and its trade carry one configuration."""

    name = "configs agree"
    good = "none of the orders of {hours:g} h"
    advice = "rows were changed by hand, or written by two releases: `tracker why` shows the chain of the decision"

    def look(self, facts: OrderFacts) -> Offences:
        """Return orders whose hash is another."""
        return facts.configs


class LocksHold(OrderInvariant):
    """What is refused for a protection is refused while that protection is on, not after it ended."""

    name = "refusals have a lock"
    good = "none of the refusals of {hours:g} h"
    severity = "warning"
    advice = "dashboards.protection_locks has what was on when; an ended one that still holds is the trader's defect"

    def look(self, facts: OrderFacts) -> Offences:
        """Return refusals for which no lock stands."""
        return facts.refusals
