"""The books of every account add up."""

from __future__ import annotations

from collections.abc import Iterable

from services.health_monitor.invariants.base import Invariant, Observation, Verdict


class LedgersBalance(Invariant):
    """Cash, positions, trades and equity are what fills and events say, and debits equal credits."""

    group = "paper trading"
    severity = "critical"

    def judge(self, seen: Observation) -> Iterable[Verdict]:
        """Return a verdict for each account that was checked."""
        for name, check in sorted(seen.books.items()):
            yield Verdict(
                name=f"ledger {name}",
                observed="balances" if check.ok else f"off by {check.difference:f}: {'; '.join(check.findings)}",
                limit="0",
                ok=check.ok,
                advice="dashboards.account_balance says where, and `tracker verify parity` names the rows: they were"
                " changed by hand, or the trader has a defect",
            )
