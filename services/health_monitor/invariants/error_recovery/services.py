"""Services stay up, one of a kind acts, and what troubles them is told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from tracker.store.health.error_recovery import ACTING, LeaseFacts, ServiceFacts

from services.health_monitor.invariants.base import Invariant, Observation, Verdict


class RestartsFew(Invariant):
    """No service is started time and again within an hour."""

    name = "restarts"
    group = "error recovery"
    severity = "critical"
    unit = "starts/h"
    settings = ("restarts_limit",)
    advice = "it dies soon after each start: the last lines of its log say of what; its supervisor only starts it again"

    def judge(self, seen: Observation) -> Iterable[Verdict]:
        """Return one verdict on the services that start most."""
        facts, limit = seen.of(ServiceFacts), seen.settings.restarts_limit
        counts = Counter(service for service, _ in facts.starts)
        worst = max(counts.values(), default=0)
        over = [f"{service} {count} times" for service, count in sorted(counts.items()) if count > limit]
        yield Verdict(
            observed=f"within an hour: {', '.join(over)}" if over else f"at most {worst} starts within an hour",
            limit=f"{limit} an hour",
            ok=not over,
            value=worst,
        )


class OneActs(Invariant):
    """Where only one instance of a service may act, only one that lives says that it does."""

    name = "one of a kind acts"
    group = "error recovery"
    severity = "critical"
    unit = "services"
    advice = (
        "two write at once, such as two collectors on one vendor connection: stop one; `tracker status` shows both"
        " with their process"
    )

    def judge(self, seen: Observation) -> Iterable[Verdict]:
        """Return one verdict."""
        facts = seen.of(ServiceFacts)
        acting = Counter(each.service for each in facts.alive if each.detail.get("role") in ACTING)
        twice = [f"{count} of {service}" for service, count in sorted(acting.items()) if count > 1]
        yield Verdict(
            observed=f"{', '.join(twice)} act at once" if twice else f"{len(acting)} services, one of each",
            limit="one of each service",
            ok=not twice,
            value=len(twice),
        )


class LeasesLive(Invariant):
    """No lease lies about that has ended, which says that whoever held it is gone and nobody took over."""

    name = "leases"
    group = "error recovery"
    severity = "warning"
    unit = "s"
    settings = ("lease_limit_seconds",)
    advice = "start the service, or a standby of it; a job by hand that was killed leaves one behind, which is harmless"

    def judge(self, seen: Observation) -> Iterable[Verdict]:
        """Return one verdict."""
        facts, limit = seen.of(LeaseFacts), seen.settings.lease_limit_seconds
        ended = [(each, facts.age(each.expires_at) or 0.0) for each in facts.leases if not each.valid]
        late = [f"{each.lease} of {each.service} ended {age:.0f} s ago" for each, age in ended if age > limit]
        yield Verdict(
            observed="; ".join(late) or f"{len(facts.leases)} held",
            limit=f"taken within {limit:.0f} s",
            ok=not late,
            value=max((age for _, age in ended), default=0.0),
        )


class ServicesUntroubled(Invariant):
    """No service reports trouble, with which it goes on but which somebody should know of."""

    name = "services untroubled"
    group = "error recovery"
    severity = "warning"
    unit = "services"
    advice = "it goes on trying; its log has the whole story, and `tracker status` says when it is over"

    def judge(self, seen: Observation) -> Iterable[Verdict]:
        """Return one verdict."""
        facts = seen.of(ServiceFacts)
        told = [f"{each.service}: {each.detail['trouble']}" for each in facts.alive if each.detail.get("trouble")]
        yield Verdict(
            observed="; ".join(told) or "none is in trouble", limit="none in trouble", ok=not told, value=len(told)
        )
