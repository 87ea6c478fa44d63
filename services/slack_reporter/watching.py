"""One look at what may be alerted: what follows is written down, with the messages that tell it, in one transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from prometheus_client import Counter
from tracker.runtime.reporting.block_kit import Message
from tracker.runtime.reporting.rules import AlertRules
from tracker.store.alerts import (
    Alert,
    read_alerts,
    read_last_look,
    read_model_changes,
    read_trading_states,
    remove_alert,
    write_alert,
)
from tracker.store.database import Transaction
from tracker.store.health.findings import read_findings
from tracker.store.slack_outbox import NewMessage, find_written, write_message

from services.slack_reporter.alert_blocks import AlertWords
from services.slack_reporter.alerting import Plan, Root, plan
from services.slack_reporter.facts import Change, Fact, facts_of, model_changes, monitor_fact, trading_facts

# Longer ago than an outage may last, and shorter than messages are kept.
CHANGES_WITHIN = timedelta(days=2)
TOLD = Counter("tracker_alerts_total", "Alerts by what was told", ["what"])


class Watch:
    """Looks at facts and tells of them; what was told is in the tables."""

    def __init__(self, rules: AlertRules, words: AlertWords) -> None:
        """Nothing is known between two looks."""
        self._rules = rules
        self._words = words

    async def look(self, transaction: Transaction, now: datetime) -> list[Alert]:
        """Write what follows from what is seen; returns the alerts that are open then."""
        looked_at = await read_last_look(transaction)
        monitor = monitor_fact(looked_at, self._rules, now)
        facts: list[Fact] = [monitor, *facts_of(await read_findings(transaction))]
        facts += trading_facts(await read_trading_states(transaction))
        alerts = await read_alerts(transaction)
        found = plan(facts, alerts, self._rules, now, watched=monitor.ok)
        known = {each.fingerprint: each for each in alerts} | found.written
        for name in found.removed:
            known.pop(name)
            await remove_alert(transaction, name)
        await self._tell(transaction, found, known, now)
        await self._tell_changes(transaction, now)
        return [each for each in known.values() if each.state in ("open", "recovering")]

    async def _tell(self, transaction: Transaction, found: Plan, known: dict[str, Alert], now: datetime) -> None:
        for root in found.roots:
            number = await self._write_root(transaction, root, known, now)
            for name in root.fingerprints:
                known[name] = replace(known[name], root_id=number, gathered=root.gathered)
        for name, number in found.joined.items():
            known[name] = replace(known[name], root_id=number, gathered=True)
        for name in found.written:
            await write_alert(transaction, known[name])
        for name, why in found.replies:
            alert = known[name]
            if alert.root_id is not None:
                key = f"{why} {name} {alert.episodes}.{alert.repeats} {now.isoformat()}"
                said = self._words.reply(alert, why, now)
                await self._write(transaction, "alert_update", "reply", key, said, now, alert.root_id)
        for number, alert in found.superseded.items():
            key = f"superseded {number}"
            await self._write(transaction, "alert_update", "edit", key, self._words.superseded(alert), now, number)
        for number in sorted(found.edited):
            await self._edit(transaction, number, found, known, now)
        TOLD.labels("opened").inc(len(found.opened))
        TOLD.labels("recovered").inc(len(found.recovered))

    async def _write_root(
        self, transaction: Transaction, root: Root, known: Mapping[str, Alert], now: datetime
    ) -> int | None:
        alerts = [known[name] for name in root.fingerprints]
        key = f"alert {alerts[0].fingerprint} {alerts[0].episodes} {now.isoformat()}"
        kind = "digest" if root.gathered else "alert"
        return await self._write(
            transaction, kind, "post", key, self._words.root(alerts, gathered=root.gathered), now
        )

    async def _edit(
        self, transaction: Transaction, number: int, found: Plan, known: Mapping[str, Alert], now: datetime
    ) -> None:
        """Have a message say what is; where nothing can be edited the recoveries are told on their own."""
        alerts = [each for each in known.values() if each.root_id == number]
        gathered = any(each.gathered for each in alerts)
        said = self._words.root(alerts, gathered=gathered)
        over = [each for each in alerts if each.fingerprint in found.recovered]
        plain = None
        if over:
            plain = self._words.recovered(over[0]) if len(over) == 1 else self._words.root(over, gathered=True)
        await self._write(
            transaction, "alert_update", "edit", f"edit {number} {now.isoformat()}", said, now, number, plain
        )

    async def _tell_changes(self, transaction: Transaction, now: datetime) -> None:
        """Tell what happened to models, each once."""
        changes = list(model_changes(await read_model_changes(transaction, now - CHANGES_WITHIN)))
        told = await find_written(transaction, [each.key for each in changes]) if changes else set[str]()
        for change in (each for each in changes if each.key not in told):
            number = await self._write(transaction, "alert", "post", change.key, self._words.change(change), now)
            if change.severity is not None:
                await write_alert(transaction, _happened(change, now, number))

    async def _write(
        self, transaction: Transaction, kind: str, action: str, key: str, said: Message, now: datetime,
        parent: int | None = None, plain: Message | None = None,
    ) -> int | None:  # fmt: skip
        payload = said.payload if plain is None else {**said.payload, "plain": plain.payload}
        return await write_message(
            transaction, NewMessage(kind=kind, action=action, key=key, payload=payload, parent_id=parent), now
        )


def _happened(change: Change, now: datetime, number: int | None) -> Alert:
    return Alert(
        fingerprint=change.key, name=change.name, group="ml", severity=change.severity or "warning",
        state="happened", observed=change.said, limit="", advice=change.advice, bad_since=now, first_at=now,
        last_at=now, told_at=now, episodes=1, root_id=number,
    )  # fmt: skip


def names_of(alerts: Sequence[Alert]) -> list[str]:
    """Return the names of alerts, critical ones first."""
    return [each.name for each in sorted(alerts, key=lambda each: (each.severity, each.name))]
