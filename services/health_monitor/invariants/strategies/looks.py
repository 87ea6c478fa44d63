"""Each strategy looks at every symbol at every close, with data, by a configuration that is known."""

from __future__ import annotations

from collections.abc import Iterable

from tracker.store.health.strategies import LookFacts

from services.health_monitor.invariants.base import Invariant, Observation, Verdict
from services.health_monitor.invariants.strategies.stages import SCANNER


class SymbolsLookedAt(Invariant):
    """Each strategy has looked at every symbol that trades at its last close."""

    name = "symbols looked at"
    group = "strategies"
    severity = "critical"
    unit = "symbols"
    advice = "`tracker why SYMBOL` says where the chain ends for one of them: features may be missing, or rows removed"

    def judge(self, seen: Observation) -> Iterable[Verdict]:
        """Return a verdict for each strategy."""
        for each in seen.of(LookFacts).looks:
            yield Verdict(
                subject=each.strategy,
                observed=f"{each.symbols} of {each.expected} at {each.closed_through:%H:%M} UTC",
                limit="all that had a bar within 7 days",
                ok=each.symbols >= each.expected,
                value=each.symbols,
            )


class ClosesLookedAt(Invariant):
    """Each strategy has looked at every close of the last hours, also of those while it was down."""

    name = "closes looked at"
    group = "strategies"
    severity = "critical"
    unit = "closes"
    advice = "looks were removed, or a scanner went past closes: `tracker verify parity` takes the decisions again"

    def judge(self, seen: Observation) -> Iterable[Verdict]:
        """Return a verdict for each strategy."""
        for each in seen.of(LookFacts).looks:
            due = each.due or 0
            yield Verdict(
                subject=each.strategy,
                observed=f"{each.closes} of {due} closes in 6 h" if due else "no look in 6 h",
                limit="all",
                ok=each.closes >= max(due, 1),
                value=each.closes,
            )


class ReasonsSound(Invariant):
    """Strategies skip because of what they see, not because there is nothing to see."""

    name = "looks with data"
    group = "strategies"
    severity = "warning"
    unit = "share"
    settings = ("fault_limit",)
    advice = "`tracker funnel` counts the reasons; warming_up wants history (`tracker backfill`), no_bar wants bars"

    def judge(self, seen: Observation) -> Iterable[Verdict]:
        """Return a verdict for each strategy that looked."""
        limit = seen.settings.fault_limit
        for each in seen.of(LookFacts).looks:
            if each.looks:
                share = each.faults / each.looks
                yield Verdict(
                    subject=each.strategy,
                    observed=f"{each.faults} of {each.looks} looks were warming_up or no_bar",
                    limit=f"{limit:.0%}",
                    ok=share <= limit,
                    value=share,
                )


class ConfigsKnown(Invariant):
    """Each strategy decides by one configuration, which the history knows."""

    name = "configuration"
    group = "strategies"
    severity = "warning"
    advice = (
        "`tracker config` shows what is in force; `tracker migrate` notes edited files, and a scanner that still runs"
        " with another one is to be restarted"
    )

    def judge(self, seen: Observation) -> Iterable[Verdict]:
        """Return a verdict for each strategy that looked."""
        facts = seen.of(LookFacts)
        for each in facts.looks:
            if each.config_hash is None:
                continue
            running = {
                str(beat.detail["config"]) for beat in facts.scanners
                if beat.service == f"{SCANNER}{each.strategy}" and "config" in beat.detail
            }  # fmt: skip
            known = (each.strategy, each.config_hash) in facts.known_configs
            words = f"{each.config_hash[:12]} " + ("is known" if known else "stands in no version")
            if len(running) > 1:
                words += f"; scanners run with {', '.join(sorted(each[:12] for each in running))}"
            yield Verdict(
                subject=each.strategy, observed=words, limit="one, and known", ok=known and len(running) <= 1
            )


class ScannersAwaited(Invariant):
    """The paper trader waits for every scanner, and has given none up."""

    name = "scanners awaited"
    group = "strategies"
    severity = "critical"
    advice = (
        "it trades without them: `tracker up` starts what is not running; their logs say why they fell behind, unless"
        " the features that they wait for do (stage features)"
    )

    def judge(self, seen: Observation) -> Iterable[Verdict]:
        """Return one verdict."""
        gone = sorted({
            str(name) for beat in seen.of(LookFacts).traders for name in beat.detail.get("scanners_given_up", ())
        })  # fmt: skip
        yield Verdict(
            observed=f"given up: {', '.join(gone)}" if gone else "none given up", limit="none given up", ok=not gone,
            value=len(gone),
        )  # fmt: skip
