"""Facts of the group "error recovery": whether what fails is noticed and comes back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from tracker.store.database import Row, Transaction
from tracker.store.health.facts import Facts, read_now
from tracker.store.heartbeats import GONE_AFTER, Heartbeat, read_heartbeats
from tracker.store.maintenance import History, read_histories

# Starts are counted over so long.
REMEMBERED = timedelta(hours=1)
# What the one of several instances says of itself that acts.
ACTING = ("holder", "active")
REPORTER = "slack_reporter"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceFacts(Facts):
    """The last sign of life of every instance of a service.

    `starts`: by (service, instance), when each began that was ever seen and began within the last hour.
    """

    heartbeats: Sequence[Heartbeat]
    starts: Mapping[tuple[str, str], datetime] = field(default_factory=dict[tuple[str, str], datetime])

    @property
    def alive(self) -> list[Heartbeat]:
        """Return the heartbeats of the instances that beat lately."""
        return [
            each for each in self.heartbeats
            if each.status != "stopped" and self.now - each.beat_at <= GONE_AFTER
        ]  # fmt: skip

    def after(self, earlier: ServiceFacts) -> ServiceFacts:
        """Return these facts with the starts that were seen before: rows of instances that are gone are taken over."""
        known = {**earlier.starts, **self.starts}
        return replace(self, starts={key: at for key, at in known.items() if self.now - at < REMEMBERED})


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldLease:
    """A lease, its holder, and whether it has not ended."""

    lease: str
    service: str
    holder: str
    acquired_at: datetime
    expires_at: datetime
    valid: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseFacts(Facts):
    """Every lease."""

    leases: Sequence[HeldLease]


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenRun:
    """A run of a maintenance task that has not ended."""

    task: str
    started_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class MaintenanceFacts(Facts):
    """How each task that was ever tried fares, since when, and which runs have not ended."""

    histories: Mapping[str, History]
    tried_since: Mapping[str, datetime]
    open_runs: Sequence[OpenRun]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a person asked for and nobody has answered."""

    command_id: int
    what: str
    subject: str
    requested_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandFacts(Facts):
    """The oldest unanswered command to an account, and the oldest unanswered request for work on models."""

    command: Asked | None
    request: Asked | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportFacts(Facts):
    """What waits to be told to Slack, and up to when the daily reports are made (None: there is no reporter yet).

    `delivery` is the way to Slack that the reporter has, "none" where it was given none on purpose.
    """

    delivery: str | None
    waits_since: datetime | None
    waiting: int
    given_up: int
    error: str | None
    reported_through: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MonitorFacts(Facts):
    """How long the monitor's own last look took (None: it is the first), and how long it rests between two."""

    seconds: float | None
    every_seconds: float | None


async def read_service_facts(transaction: Transaction) -> ServiceFacts:
    """Return the services' signs of life."""
    now, beats = await read_now(transaction), await read_heartbeats(transaction)
    starts = {
        (each.service, each.instance): each.started_at for each in beats if now - each.started_at < REMEMBERED
    }
    return ServiceFacts(now=now, heartbeats=beats, starts=starts)


async def read_lease_facts(transaction: Transaction) -> LeaseFacts:
    """Return every lease."""
    rows = await transaction.fetch("health_error_recovery.leases")
    return LeaseFacts(now=await read_now(transaction), leases=[HeldLease(**dict(row.items())) for row in rows])


async def read_maintenance_facts(transaction: Transaction) -> MaintenanceFacts:
    """Return how the tasks fare."""
    tried = await transaction.fetch("health_error_recovery.tried_tasks")
    open_runs = await transaction.fetch("health_error_recovery.open_runs")
    return MaintenanceFacts(
        now=await read_now(transaction),
        histories=await read_histories(transaction, [row["task"] for row in tried]),
        tried_since={row["task"]: row["since"] for row in tried},
        open_runs=[OpenRun(**dict(row.items())) for row in open_runs],
    )


async def read_command_facts(transaction: Transaction) -> CommandFacts:
    """Return what people asked for in vain."""
    return CommandFacts(
        now=await read_now(transaction),
        command=_asked(await transaction.fetch_row("health_error_recovery.oldest_command")),
        request=_asked(await transaction.fetch_row("health_error_recovery.oldest_request")),
    )


async def read_report_facts(transaction: Transaction) -> ReportFacts:
    """Return what waits to be told."""
    row = await transaction.fetch_row("health_error_recovery.outbox")
    assert row is not None  # noqa: S101 - the query counts, and returns one row always
    now = await read_now(transaction)
    ways = [
        str(each.detail["delivery"]) for each in await read_heartbeats(transaction)
        if each.service == REPORTER and now - each.beat_at <= GONE_AFTER and "delivery" in each.detail
    ]  # fmt: skip
    return ReportFacts(
        now=now,
        delivery=ways[-1] if ways else None,
        reported_through=await transaction.fetch_value("health_error_recovery.reports"),
        **dict(row.items()),
    )


async def read_monitor_facts(transaction: Transaction) -> MonitorFacts:
    """Return how long the monitor's last look took."""
    row = await transaction.fetch_row("health_error_recovery.last_look")
    return MonitorFacts(
        now=await read_now(transaction),
        seconds=None if row is None else row["seconds"],
        every_seconds=None if row is None else row["every_seconds"],
    )


def _asked(row: Row | None) -> Asked | None:
    return None if row is None else Asked(**dict(row.items()))
