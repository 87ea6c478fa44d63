"""The service: looks, reports, delivers; all it knows between runs is in the database."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

from prometheus_client import Counter, Gauge
from tracker.domain.clock import Clock
from tracker.domain.errors import LeaseLostError
from tracker.runtime.leadership import Leadership
from tracker.runtime.lease import Lease, holder_name, while_kept
from tracker.runtime.logging import Logger
from tracker.runtime.reporting.made import Draw, MadeReport, keep_report, read_report
from tracker.runtime.reporting.picture import PictureError, draw_picture
from tracker.runtime.reporting.presentation import tag_of
from tracker.runtime.reporting.rules import ReportingRules, load_reporting_rules
from tracker.runtime.reporting.timetable import due_report
from tracker.store.alerts import forget_alerts
from tracker.store.database import Database, Transaction
from tracker.store.reports import advance_report_cursor, forget_reports, read_last_report, read_report_cursor
from tracker.store.slack_outbox import OutboxCounts, count_outbox, forget_messages

from services.slack_reporter.alert_blocks import AlertWords
from services.slack_reporter.courier import NOWHERE, Courier
from services.slack_reporter.settings import ReporterSettings
from services.slack_reporter.watching import Watch, names_of
from services.slack_reporter.way import Slack

LEASE = "slack_reporter"
TIMETABLES = ("daily", "weekly")
LATELY = timedelta(days=1)
REPORTS = Counter("tracker_reports_total", "Reports that were made", ["kind"])
WAITING = Gauge("tracker_slack_messages_waiting", "Messages that are not delivered yet")
OPEN = Gauge("tracker_alerts_open", "Alerts that are told and not over")


def build(settings: ReporterSettings, database: Database, clock: Clock, log: Logger) -> SlackReporter:
    """Make the service; raises ConfigError where its settings or its file are unusable."""
    settings.check()
    rules = load_reporting_rules(settings.config_dir)
    draw = partial(draw_picture, seconds=settings.picture_seconds)
    return SlackReporter(database, rules, settings, clock, log, way_to_slack(settings, rules), draw)


def way_to_slack(settings: ReporterSettings, rules: ReportingRules) -> Slack | None:
    """Return the bot if there is one, else the webhook, else None."""
    timeout = rules.delivery.timeout_seconds
    if settings.bot_token.get_secret_value():
        # The libraries take memory that is not needed where nothing is delivered.
        from services.slack_reporter.slack import Bot

        return Bot(settings.bot_token, settings.channel, settings.api_url, timeout)
    if settings.webhook_url.get_secret_value():
        from services.slack_reporter.slack import Webhook

        return Webhook(settings.webhook_url, timeout)
    return None


class SlackReporter:
    """The service; one replica acts at a time."""

    name = "slack_reporter"
    # What there is to tell may wait for a second: listening would cost a connection.
    channels: tuple[str, ...] = ()

    def __init__(
        self,
        database: Database,
        rules: ReportingRules,
        settings: ReporterSettings,
        clock: Clock,
        log: Logger,
        slack: Slack | None,
        draw: Draw,
    ) -> None:
        """Stand by until the lease is had; `slack` None: everything is kept, and nothing sent."""
        self._database = database
        self._rules = rules
        self._clock = clock
        self._log = log
        self._source = settings.source
        self._draw = draw
        self._slack = slack
        self._lease = Lease(database, LEASE, self.name, holder_name(), settings.lease_seconds, clock)
        self._courier = Courier(slack, rules.delivery, clock, log, self._lease.transaction)
        self._leadership = Leadership(self._lease, settings.lease_seconds, log, self._take_over)
        self._watch = Watch(
            rules.alerts, AlertWords(zone=rules.reports.timezone, tag=tag_of(settings.source))
        )
        self._looked_at: float | None = None
        self._open: list[str] = []
        self._counts: OutboxCounts | None = None
        self._last: dict[str, Any] | None = None
        if slack is None:
            log.warning("nothing is sent: reports and alerts are kept in the database", action="slack_nowhere",
                        reason=NOWHERE)  # fmt: skip

    def detail(self) -> dict[str, Any]:
        """Return what is shown in /health: who acts, how it delivers, what waits and why."""
        counts, last = self._counts, self._last
        detail: dict[str, Any] = {
            **self._leadership.detail(),
            "delivery": "none" if self._slack is None else self._slack.name,
            "open_alerts": self._open,
            "waiting": None if counts is None else counts.waiting,
            "waiting_since": None if counts is None or counts.oldest is None else counts.oldest.isoformat(),
            "held": None if counts is None else counts.held,
            "given_up": None if counts is None else counts.given_up,
            "last_report": None if last is None else {"kind": last["kind"], "made_at": last["made_at"].isoformat()},
        }
        if self._slack is None:
            detail["note"] = f"{NOWHERE}: reports and alerts are kept in the database, and shown on the page only"
        elif counts is not None and counts.held:
            detail["trouble"] = f"{counts.held} messages are held: {counts.held_because}"
        elif self._courier.error is not None:
            detail["trouble"] = self._courier.error
        return detail

    async def run_once(self) -> bool:
        """Look at what may be alerted, make the reports that are due, and deliver one message."""
        try:
            if await self._leadership.lead():
                await self._look()
                await self._report()
                await self._courier.deliver()
        except LeaseLostError:
            self._leadership.stand_by()
            raise
        return False

    async def background(self, wake: asyncio.Event) -> None:
        """Give the lease back when the service ends, so that nobody need wait for its time to pass."""
        del wake
        await self._leadership.give_back_at_end()

    async def _take_over(self) -> None:
        """Have messages tried again that the settings stood against: whoever starts may have others."""
        await self._courier.release()

    async def _look(self) -> None:
        begun = self._clock.monotonic()
        if self._looked_at is not None and begun - self._looked_at < self._rules.alerts.look_seconds:
            return
        now = self._clock.now()
        async with self._lease.transaction() as transaction:
            alerts = await self._watch.look(transaction, now)
            self._counts = await count_outbox(transaction, now - LATELY)
            self._last = await read_last_report(transaction)
        self._courier.held = self._counts.held
        self._open = names_of(alerts)
        OPEN.set(len(alerts))
        WAITING.set(self._counts.waiting)
        self._looked_at = begun

    async def _report(self) -> None:
        for timetable in TIMETABLES:
            report = await self._due(timetable)
            if report is None:
                continue
            report = replace(report, picture=await self._picture(report))
            async with self._lease.transaction() as transaction:
                # Another replica may have made it, or a crash come between: the row of its kind and time is one.
                number = await keep_report(transaction, report)
                await advance_report_cursor(transaction, timetable, report.question.due_at)
                await self._forget(transaction)
            REPORTS.labels(report.question.kind.value).inc()
            self._log.info("a report was made", action="report_made", kind=report.question.kind.value, report=number,
                           due_at=report.question.due_at.isoformat(), late=report.question.late)  # fmt: skip

    async def _due(self, timetable: str) -> MadeReport | None:
        now, rules = self._clock.now(), self._rules.reports
        async with self._lease.transaction() as transaction:
            cursor = await read_report_cursor(transaction, timetable)
            if cursor is None:
                # What came due before anybody was there to report it is nobody's.
                await advance_report_cursor(transaction, timetable, now)
                return None
            due = due_report(rules, timetable, cursor, now)
            return None if due is None else await read_report(transaction, rules, due, now, self._source)

    async def _picture(self, report: MadeReport) -> bytes | None:
        """Return the picture, None where there is none; the lease is renewed while it is drawn, which takes a while."""
        try:
            return await while_kept(self._draw(report.document), self._lease.keep())
        except PictureError as error:
            self._log.error("a report goes without its picture", action="picture_failed", error=str(error))
            return None

    async def _forget(self, transaction: Transaction) -> None:
        before = self._clock.now() - timedelta(days=self._rules.reports.keep_days)
        await forget_messages(transaction, before)
        await forget_reports(transaction, before)
        await forget_alerts(transaction, before)
