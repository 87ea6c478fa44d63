"""The database has connections left, and nobody holds on to anything."""

from __future__ import annotations

from collections.abc import Iterable

from tracker.runtime.fleet_limits import fleet_limits
from tracker.store.health.load import SessionFacts

from services.health_monitor.invariants.base import Invariant, Observation, Verdict

CANNOT_SEE = "{} of our {} sessions cannot be seen"
SEE_ADVICE = (
    "tracker.sessions() sees what its owner may: let the fleet log in as the login that migrates"
)


class PoolBudget(Invariant):
    """The fleet holds no more connections than all its pools together may."""

    name = "pool budget"
    group = "load"
    severity = "warning"
    advice = "who holds them: `tracker psql` and SELECT * FROM pg_stat_activity; two fleets may run, or a pool leaks"
    unit = "connections"

    def judge(self, seen: Observation) -> Iterable[Verdict]:
        """Return one verdict."""
        facts = seen.of(SessionFacts)
        budget = fleet_limits(seen.settings.config_dir).connection_budget
        yield Verdict(
            observed=f"{facts.ours} of our login", limit=f"{budget} (connection_budget in fleet.toml)",
            ok=facts.ours <= budget, value=float(facts.ours),
        )  # fmt: skip


class ServerConnections(Invariant):
    """The server still takes connections."""

    name = "server connections"
    group = "load"
    severity = "critical"
    advice = "at the limit every client is refused: stop what is not needed, or raise max_connections or the plan"
    unit = "share of those it takes"
    settings = ("server_connections_limit_share",)

    def judge(self, seen: Observation) -> Iterable[Verdict]:
        """Return one verdict."""
        facts, limit = seen.of(SessionFacts), seen.settings.server_connections_limit_share
        share = facts.sessions / facts.most_sessions
        yield Verdict(
            observed=f"{facts.sessions} of {facts.most_sessions}", limit=f"{limit:.0%}", ok=share <= limit, value=share
        )


class TransactionsShort(Invariant):
    """No transaction of ours is open for long: nothing that came after its start can be tidied up."""

    name = "longest transaction"
    group = "load"
    severity = "warning"
    advice = "look at that service's log; a task of data_scheduler may take an hour, pg_terminate_backend ends the rest"
    unit = "seconds"
    settings = ("transaction_limit_seconds",)

    def judge(self, seen: Observation) -> Iterable[Verdict]:
        """Return one verdict."""
        facts = seen.of(SessionFacts)
        yield _verdict(facts, facts.transaction_seconds, facts.transaction_of, seen.settings.transaction_limit_seconds)


class TransactionsBusy(Invariant):
    """No transaction of ours is left open with nothing going on in it."""

    name = "idle in transaction"
    group = "load"
    severity = "warning"
    advice = "somebody left BEGIN open (`tracker psql`?) or a service hangs: its locks keep others waiting"
    unit = "seconds"
    settings = ("idle_transaction_limit_seconds",)

    def judge(self, seen: Observation) -> Iterable[Verdict]:
        """Return one verdict."""
        facts = seen.of(SessionFacts)
        yield _verdict(facts, facts.idle_seconds, facts.idle_of, seen.settings.idle_transaction_limit_seconds)


class LocksFree(Invariant):
    """Nobody waits long for a lock."""

    name = "lock waits"
    group = "load"
    severity = "critical"
    advice = "end what the holder does, or the holder: SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE ..."
    unit = "seconds"
    settings = ("lock_wait_limit_seconds",)

    def judge(self, seen: Observation) -> Iterable[Verdict]:
        """Return one verdict."""
        facts, limit = seen.of(SessionFacts), seen.settings.lock_wait_limit_seconds
        holder = facts.holder or "one that ended"
        words = f"{facts.waiting} wait, {facts.waiter} for {facts.wait_seconds:.1f} s for {holder}"
        yield Verdict(
            observed=words if facts.waiting else "nobody waits", limit=f"{limit:g} s", ok=facts.wait_seconds <= limit,
            value=facts.wait_seconds,
        )  # fmt: skip


def _verdict(facts: SessionFacts, seconds: float, whose: str | None, limit: float) -> Verdict:
    if facts.unseen:
        return Verdict(
            observed=CANNOT_SEE.format(facts.unseen, facts.ours), limit=f"{limit:g} s", ok=False, advice=SEE_ADVICE
        )
    return Verdict(
        observed=f"{seconds:.1f} s, {whose or 'one without a name'}" if seconds > 0 else "none",
        limit=f"{limit:g} s", ok=seconds <= limit, value=seconds,
    )  # fmt: skip
