"""The server tidies up behind itself."""

from __future__ import annotations

from collections.abc import Iterable

from tracker.store.health.load import UpkeepFacts

from services.health_monitor.invariants.base import Invariant, Observation, Verdict


class DeadRowsFew(Invariant):
    """No table drags along far more dead rows than live ones: autovacuum keeps up."""

    name = "dead rows"
    group = "load"
    severity = "warning"
    advice = "VACUUM that table; autovacuum is off, slow, or held up by an old transaction: see `longest transaction`"
    settings = ("dead_rows_least", "dead_rows_limit_ratio")

    def judge(self, seen: Observation) -> Iterable[Verdict]:
        """Return one verdict on the worst table."""
        facts, limit = seen.of(UpkeepFacts), seen.settings.dead_rows_limit_ratio
        ratio = facts.dead_rows / max(facts.live_rows, 1)
        yield Verdict(
            observed=f"{facts.table_name}: {facts.dead_rows:,} dead, {facts.live_rows:,} live" if facts.table_name
            else f"no table has {seen.settings.dead_rows_least:,}",
            limit=f"{limit:g} for each live one", ok=facts.table_name is None or ratio <= limit, value=ratio,
        )  # fmt: skip


class TransactionsFrozen(Invariant):
    """The numbers of transactions do not run out."""

    name = "transaction age"
    group = "load"
    severity = "critical"
    advice = "VACUUM FREEZE the oldest tables now: at two thousand million the server takes no more writes"
    unit = "transactions"
    settings = ("transaction_age_limit",)

    def judge(self, seen: Observation) -> Iterable[Verdict]:
        """Return one verdict."""
        age, limit = seen.of(UpkeepFacts).transaction_age, seen.settings.transaction_age_limit
        yield Verdict(observed=f"{age:,}", limit=f"{limit:,}", ok=age <= limit, value=float(age))
