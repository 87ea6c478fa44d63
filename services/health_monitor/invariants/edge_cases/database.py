"""The database is as the migrations of this release make it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tracker.store.health.edge_cases import SchemaFacts, TablePrivileges

from services.health_monitor.invariants.base import Invariant, Observation, Verdict


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")


class SchemaCurrent(Invariant):
    """The migrations that were applied are those of this release."""

    name = "schema"
    group = "edge cases"
    severity = "critical"
    advice = "`tracker migrate` applies what is missing; unknown ones are of a newer release: deploy that, or restore"

    def judge(self, seen: Observation) -> Iterable[Verdict]:
        """Return one verdict."""
        facts = seen.of(SchemaFacts)
        words = [f"not applied: {_some(facts.not_applied)}"] if facts.not_applied else []
        words += [f"unknown here: {_some(facts.unknown)}"] if facts.unknown else []
        yield Verdict(
            observed="; ".join(words) or "as the code", limit="the code's migrations", ok=not words,
            value=float(len(facts.not_applied) + len(facts.unknown)),
        )  # fmt: skip


class PrivilegesHold(Invariant):
    """Each table may be written by its one service and nobody else of ours, and be read by all of ours."""

    name = "privileges"
    group = "edge cases"
    severity = "critical"
    advice = "GRANTs were changed by hand or lost in a restore: the migrations have them, `tracker psql` runs them anew"

    def judge(self, seen: Observation) -> Iterable[Verdict]:
        """Return one verdict."""
        tables = seen.of(SchemaFacts).privileges
        bad = [words for each in tables if (words := _wrong(each))]
        yield Verdict(
            observed=_some(bad) or f"as made, of {len(tables)} tables", limit="one writer a table", ok=not bad,
            value=float(len(bad)),
        )  # fmt: skip


class RowsSecured(Invariant):
    """Row level security is on for every table and partition, so that no API role sees one by accident."""

    name = "row security"
    group = "edge cases"
    severity = "critical"
    advice = "ALTER TABLE tracker.NAME ENABLE ROW LEVEL SECURITY, at once where the database has an API"

    def judge(self, seen: Observation) -> Iterable[Verdict]:
        """Return one verdict."""
        open_ = seen.of(SchemaFacts).unsecured
        yield Verdict(
            observed=f"off for {_some(open_)}" if open_ else "on everywhere", limit="on everywhere", ok=not open_,
            value=float(len(open_)),
        )  # fmt: skip


class IndexesUsable(Invariant):
    """Postgres can use every index."""

    name = "indexes"
    group = "edge cases"
    severity = "warning"
    advice = "REINDEX INDEX tracker.NAME: a build was broken off, and queries go through whole tables meanwhile"

    def judge(self, seen: Observation) -> Iterable[Verdict]:
        """Return one verdict."""
        broken = seen.of(SchemaFacts).unusable_indexes
        yield Verdict(
            observed=f"not valid: {_some(broken)}" if broken else "all valid", limit="all valid", ok=not broken,
            value=float(len(broken)),
        )  # fmt: skip


def _wrong(table: TablePrivileges) -> str:
    if table.missing:
        return f"{table.table_name} is missing"
    words = [f"{table.writer} may not write {table.table_name}"] if table.may_not_write else []
    words += [f"{table.table_name} may not be read"] if table.may_not_be_read else []
    words += [f"{table.others_may_write} may write {table.table_name}"] if table.others_may_write else []
    return ", ".join(words)
