"""What may be alerted: findings of the health monitor, the monitor itself, accounts that may not trade, models."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tracker.runtime.durations import duration
from tracker.runtime.reporting.rules import AlertRules
from tracker.store.alerts import TradingState
from tracker.store.health.findings import Finding

MONITOR = "health monitor looks"
MONITOR_ADVICE = (
    "nothing else is being watched meanwhile: look at logs/health_monitor.log and at its /health;"
    " `tracker up` starts what is not running"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """Something that is well or not; `since` None: it is only seen now. One told `at_once` is not waited for."""

    name: str
    group: str
    severity: str
    observed: str
    limit: str
    advice: str
    ok: bool
    since: datetime | None = None
    at_once: bool = False


def facts_of(findings: Sequence[Finding]) -> Iterator[Fact]:
    """Yield the health monitor's findings."""
    for each in findings:
        yield Fact(
            name=each.name, group=each.group, severity=each.severity, observed=each.observed, limit=each.limit,
            advice=each.advice, ok=each.ok, since=each.since,
        )  # fmt: skip


def monitor_fact(looked_at: datetime | None, rules: AlertRules, now: datetime) -> Fact:
    """Return whether the health monitor itself is at work."""
    age = None if looked_at is None else (now - looked_at).total_seconds()
    said = "it never looked" if age is None else f"its last look was {duration(max(age, 0.0))} ago"
    return Fact(
        name=MONITOR, group="error recovery", severity="critical", observed=said,
        limit=f"within {rules.monitor_limit_seconds:g} s", advice=MONITOR_ADVICE,
        ok=age is not None and age <= rules.monitor_limit_seconds,
    )  # fmt: skip


def trading_facts(states: Sequence[TradingState]) -> Iterator[Fact]:
    """Yield whether each account may trade."""
    for each in states:
        until = "" if each.state_until is None else f", until {each.state_until:%Y-%m-%d %H:%M} UTC"
        why = f": {each.note}" if each.note else ""
        yield Fact(
            name=f"trading {each.account}", group="risk",
            severity="critical" if each.state == "HALTED" else "warning",
            observed=f"{each.state}{until}{why}", limit="ACTIVE",
            advice=f"`tracker account show {each.account}` says what holds it back; a person's halt ends with"
            f" `tracker account resume {each.account}`",
            ok=each.state == "ACTIVE", at_once=True,
        )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Something that happened to a model, which nothing recovers from; `severity` None where it is good news."""

    key: str
    name: str
    severity: str | None
    said: str
    advice: str


def model_changes(events: Sequence[Mapping[str, Any]]) -> Iterator[Change]:
    """Yield what happened to models."""
    for each in events:
        strategy, model, action = each["strategy"], each["model_id"], each["action"]
        now = "the rule decides alone" if each["champion_id"] is None else f"model {each['champion_id']} decides"
        done = {
            "promote": "was promoted", "rollback": "took its place back", "retire": "was retired",
            "demote": "was demoted",
        }[action]  # fmt: skip
        yield Change(
            key=f"model {action} {each['event_id']}",
            name=f"model {strategy}",
            severity=None if action == "promote" else "warning",
            said=f"model {model} of {strategy} {done} by {each['made_by']}: {each['reason'] or 'no reason given'};"
            f" {now}",
            advice=f"`tracker models show {model}` has its card, `tracker models watch` how champions do",
        )
