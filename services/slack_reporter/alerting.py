"""When a fact is told, told again, and over: a pure function of what is seen and of what was told before."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import NamedTuple

from tracker.runtime.reporting.rules import AlertRules
from tracker.store.alerts import Alert

from services.slack_reporter.facts import Fact

# How old "last seen bad" may be: it is not worth a write at every look.
SEEN_AGAIN = timedelta(seconds=60)
GONE = "it is not looked at any more"


class Reply(NamedTuple):
    """What joins the thread of an alert: it came `again`, or is `still` bad."""

    fingerprint: str
    why: str


class Root(NamedTuple):
    """A new message and the alerts that it tells of; one that is `gathered` may be joined by more."""

    fingerprints: list[str]
    gathered: bool


@dataclass(slots=True)
class Plan:
    """What follows from one look.

    `roots` are new messages, each with the alerts it tells of; `joined` are alerts that an older message is to tell of,
    too; `edited` are messages that no longer say what is, `superseded` those of warnings that are critical now.
    """

    written: dict[str, Alert] = field(default_factory=dict[str, Alert])
    removed: list[str] = field(default_factory=list[str])
    roots: list[Root] = field(default_factory=list[Root])
    joined: dict[str, int] = field(default_factory=dict[str, int])
    replies: list[Reply] = field(default_factory=list[Reply])
    edited: set[int] = field(default_factory=set[int])
    superseded: dict[int, Alert] = field(default_factory=dict[int, Alert])
    recovered: list[str] = field(default_factory=list[str])
    opened: list[str] = field(default_factory=list[str])


def plan(facts: Iterable[Fact], alerts: Sequence[Alert], rules: AlertRules, now: datetime, *, watched: bool) -> Plan:
    """Return what is to be written and told.

    `watched`: the health monitor is at work, so that a fact which is not seen any more is over.
    """
    seen = {each.name: each for each in facts if each.severity != "info" and not rules.is_quiet(each.name)}
    known = {each.fingerprint: each for each in alerts if each.state != "happened"}
    result = Plan()
    for name in [*known, *(each for each in seen if each not in known)]:
        fact, alert = seen.get(name), known.get(name)
        if fact is None:
            if alert is None or alert.state == "recovered" or not watched:
                continue
            fact = _gone(alert)
        _step(result, fact, alert, rules, now)
    _gather(result, known, rules, now)
    return result


def _gone(alert: Alert) -> Fact:
    return Fact(
        name=alert.name, group=alert.group, severity=alert.severity, observed=GONE, limit=alert.limit,
        advice=alert.advice, ok=True,
    )  # fmt: skip


def _step(result: Plan, fact: Fact, alert: Alert | None, rules: AlertRules, now: datetime) -> None:
    if fact.ok:
        if alert is not None:
            _good(result, fact, alert, rules, now)
        return
    if alert is None or alert.state == "recovered":
        alert = _begun(fact, alert, now)
    if alert.state == "pending":
        since = max(alert.bad_since, _since(fact, alert.bad_since, now))
        alert = replace(_as_seen(alert, fact, now), bad_since=since)
        result.written[alert.fingerprint] = alert
        if fact.at_once or now - since >= rules.bad_for(fact.severity):
            _tell(result, alert, now)
    else:
        _still_bad(result, fact, alert, rules, now)


def _good(result: Plan, fact: Fact, alert: Alert, rules: AlertRules, now: datetime) -> None:
    name = alert.fingerprint
    if alert.state == "pending" and alert.episodes == 0:
        result.removed.append(name)
    elif alert.state == "pending":
        # It was not bad for long enough to be told again.
        result.written[name] = replace(alert, state="recovered")
    elif alert.state in ("open", "recovering"):
        since = _good_since(fact, alert, now)
        if now - since >= timedelta(seconds=rules.good_seconds):
            _over(result, fact, alert, since, now + timedelta(minutes=rules.cool_down_minutes))
        elif alert.state == "open" or since != alert.good_since:
            result.written[name] = replace(alert, state="recovering", good_since=since)


def _good_since(fact: Fact, alert: Alert, now: datetime) -> datetime:
    earliest = alert.bad_since if alert.good_since is None else alert.good_since
    return min(now, max(earliest, fact.since or alert.good_since or now))


def _over(result: Plan, fact: Fact, alert: Alert, since: datetime, quiet_until: datetime) -> None:
    name = alert.fingerprint
    result.written[name] = replace(
        alert, state="recovered", good_since=since, recovered_at=since, observed=fact.observed,
        quiet_until=quiet_until,
    )  # fmt: skip
    result.recovered.append(name)
    if alert.root_id is not None:
        result.edited.add(alert.root_id)


def _still_bad(result: Plan, fact: Fact, alert: Alert, rules: AlertRules, now: datetime) -> None:
    worse = fact.severity == "critical" and alert.severity != "critical"
    seen = _as_seen(alert, fact, now)
    if alert.state == "recovering":
        seen = replace(seen, state="open", good_since=None)
    if worse:
        # What turns critical must not hide in the thread of a warning.
        if alert.root_id is not None and not alert.gathered:
            result.superseded[alert.root_id] = seen
        _open_anew(result, seen, now)
        return
    if now - (alert.told_at or now) >= timedelta(hours=rules.remind_hours):
        seen = replace(seen, told_at=now)
        result.replies.append(Reply(seen.fingerprint, "still"))
    changed = seen.state != alert.state or seen.severity != alert.severity or seen.told_at != alert.told_at
    if changed or now - alert.last_at >= SEEN_AGAIN:
        result.written[seen.fingerprint] = seen


def _begun(fact: Fact, alert: Alert | None, now: datetime) -> Alert:
    since = _since(fact, now, now)
    if alert is not None:
        return replace(alert, state="pending", bad_since=since)
    return Alert(
        fingerprint=fact.name, name=fact.name, group=fact.group, severity=fact.severity, state="pending",
        observed=fact.observed, limit=fact.limit, advice=fact.advice, bad_since=since, last_at=now,
    )  # fmt: skip


def _since(fact: Fact, otherwise: datetime, now: datetime) -> datetime:
    return min(now, fact.since or otherwise)


def _as_seen(alert: Alert, fact: Fact, now: datetime) -> Alert:
    return replace(
        alert, group=fact.group, severity=fact.severity, observed=fact.observed, limit=fact.limit,
        advice=fact.advice, last_at=now,
    )  # fmt: skip


def _tell(result: Plan, alert: Alert, now: datetime) -> None:
    """Tell of a fact: in the thread that it has, where it came back soon, else with a message of its own."""
    if alert.root_id is None or alert.quiet_until is None or now >= alert.quiet_until:
        _open_anew(result, alert, now)
        return
    again = replace(alert, state="open", good_since=None, recovered_at=None, repeats=alert.repeats + 1, told_at=now)
    result.written[alert.fingerprint] = again
    result.replies.append(Reply(alert.fingerprint, "again"))
    result.edited.add(alert.root_id)


def _open_anew(result: Plan, alert: Alert, now: datetime) -> None:
    result.written[alert.fingerprint] = replace(
        alert, state="open", good_since=None, recovered_at=None, first_at=now, told_at=now, repeats=0,
        episodes=alert.episodes + 1, root_id=None, gathered=False,
    )  # fmt: skip
    result.opened.append(alert.fingerprint)


def _gather(result: Plan, known: Mapping[str, Alert], rules: AlertRules, now: datetime) -> None:
    """Give each new alert a message of its own, or where too many come at once one to all of them."""
    opened = sorted(result.opened, key=lambda name: (result.written[name].severity, name))
    since = now - timedelta(seconds=rules.storm_seconds)
    lately = [each for each in _others(known, opened) if each.first_at is not None and each.first_at > since]
    if len(opened) + len(lately) <= rules.storm_alerts or not opened:
        result.roots = [Root([name], gathered=False) for name in opened]
        return
    storms = [each.root_id for each in lately if each.gathered and each.root_id is not None]
    if storms:
        result.joined = dict.fromkeys(opened, max(storms))
        result.edited.add(max(storms))
    else:
        result.roots = [Root(opened, gathered=True)]


def _others(known: Mapping[str, Alert], opened: Sequence[str]) -> Iterator[Alert]:
    return (each for name, each in known.items() if name not in opened)
