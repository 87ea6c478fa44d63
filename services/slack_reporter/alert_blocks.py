"""Alerts as Slack shows them: shapes and words tell them apart, not colours alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from tracker.runtime.durations import duration
from tracker.runtime.reporting.block_kit import (
    Message,
    Part,
    code,
    compose,
    context,
    cut,
    escape,
    section,
)
from tracker.runtime.reporting.presentation import marked
from tracker.store.alerts import Alert

from services.slack_reporter.facts import Change

SIGNS = {"critical": ":rotating_light:", "warning": ":warning:"}
OVER = ":white_check_mark:"
PAGE = "`tracker doctor` shows everything"
OBSERVED = 900


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertWords:
    """How alerts are said: times in `zone`, `tag` SIMULATED or REPLAY where no money could ever be meant."""

    zone: ZoneInfo
    tag: str | None

    def root(self, alerts: Sequence[Alert], *, gathered: bool) -> Message:
        """Return the message of one alert, or the one in which several are gathered."""
        if gathered:
            return self._gathered(alerts)
        alert = alerts[0]
        if alert.state == "recovered":
            return self.recovered(alert)
        title = f"{SIGNS[alert.severity]} *{escape(alert.severity.upper())}*  {code(alert.name)}"
        again = f"  · came back {alert.repeats}x, see the thread" if alert.repeats else ""
        facts = (
            f"*Observed*  {self._said(alert.observed)}\n*Limit*  {self._said(alert.limit)}"
            f"\n*What to do*  {self._said(alert.advice)}"
        )
        notes = f"{escape(alert.group)} · since {self._at(alert.bad_since)}{again} · {PAGE}"
        return Message(
            text=marked(f"{alert.severity}: {escape(alert.name)}: {cut(escape(alert.observed), 300)}", self.tag),
            blocks=[section(marked(title, self.tag)), section(facts), context(notes)],
        )

    def recovered(self, alert: Alert) -> Message:
        """Return what is left of an alert once it is over."""
        lasted = duration(_seconds(alert.bad_since, alert.recovered_at or alert.last_at))
        again = f" · came back {alert.repeats}x" if alert.repeats else ""
        said = f"recovered after {lasted}"
        notes = (
            f"{escape(alert.group)} · {self._at(alert.bad_since)} to {self._at(alert.recovered_at or alert.last_at)}"
            f"{again} · now: {self._said(alert.observed, 300)}"
        )
        return Message(
            text=marked(f"{escape(alert.name)} {said}", self.tag),
            blocks=[section(marked(f"{OVER} ~{code(alert.name)}~  *{said}*", self.tag)), context(notes)],
        )

    def superseded(self, alert: Alert) -> Message:
        """Return what is left of a warning that has a message of its own as critical now."""
        said = f":warning: ~{code(alert.name)}~  *critical now*, see the newer message"
        return Message(text=marked(f"{escape(alert.name)} is critical now", self.tag),
                       blocks=[section(marked(said, self.tag))])  # fmt: skip

    def reply(self, alert: Alert, why: str, now: datetime) -> Message:
        """Return what joins the thread of an alert."""
        if why == "again":
            said = f"{SIGNS[alert.severity]} {code(alert.name)} *is back* ({alert.repeats}x)"
        else:
            bad = duration(_seconds(alert.bad_since, now))
            said = f"{SIGNS[alert.severity]} {code(alert.name)} *is still so after {bad}*"
        text = marked(f"{said}: {self._said(alert.observed)}", self.tag)
        return Message(text=text, blocks=[section(text)])

    def change(self, change: Change) -> Message:
        """Return a message about something that happened to a model."""
        sign = ":trophy:" if change.severity is None else SIGNS[change.severity]
        return Message(
            text=marked(cut(escape(change.said), 400), self.tag),
            blocks=[
                section(marked(f"{sign} *{escape(change.name)}*\n{self._said(change.said, 1_500)}", self.tag)),
                context(escape(change.advice)),
            ],
        )

    def _gathered(self, alerts: Sequence[Alert]) -> Message:
        bad = [each for each in alerts if each.state != "recovered"]
        over = [each for each in alerts if each.state == "recovered"]
        title = f"{len(alerts)} alerts at once, {len(bad)} of them still so" if bad else (
            f"{len(alerts)} alerts at once, all recovered"
        )
        parts = [
            Part(title=name, lines=[self._line(each) for each in found], more="more: `tracker doctor` shows all")
            for name, found in (
                ("Critical", [each for each in bad if each.severity == "critical"]),
                ("Warnings", [each for each in bad if each.severity != "critical"]),
                ("Recovered", over),
            )
            if found
        ]
        return compose(marked(title, self.tag), marked(title, self.tag), [PAGE], parts)

    def _line(self, alert: Alert) -> str:
        if alert.state == "recovered":
            lasted = duration(_seconds(alert.bad_since, alert.recovered_at or alert.last_at))
            return f"{OVER} ~{code(alert.name)}~ after {lasted}"
        return f"{SIGNS[alert.severity]} {code(alert.name)} {self._said(alert.observed, 250)}"

    def _said(self, text: str, most: int = OBSERVED) -> str:
        return cut(escape(" ".join(text.split())), most) or "-"

    def _at(self, moment: datetime) -> str:
        return f"{moment.astimezone(self.zone):%a %d %b %H:%M}"


def _seconds(begin: datetime, end: datetime) -> float:
    return max((end - begin).total_seconds(), 0.0)
