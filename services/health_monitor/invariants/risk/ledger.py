"""The books are right."""

from __future__ import annotations

from collections.abc import Iterable

from tracker.store.health.risk import BookFacts

from services.health_monitor.invariants.base import Invariant, Observation, Verdict


class LedgersBalance(Invariant):
    """Cash, positions, trades and equity are what fills and events say, and debits equal credits."""

    name = "ledger"
    group = "risk"
    severity = "critical"
    advice = (
        "dashboards.account_balance says where, and `tracker verify parity` names the rows: they were changed by hand,"
        " or the trader has a defect"
    )

    def judge(self, seen: Observation) -> Iterable[Verdict]:
        """Return a verdict for each account that was checked."""
        for name, check in sorted(seen.of(BookFacts).checks.items()):
            yield Verdict(
                subject=name,
                observed="balances" if check.ok else f"off by {check.difference:f}: {'; '.join(check.findings)}",
                limit="0",
                ok=check.ok,
                value=float(check.difference),
            )
