"""The work of `tracker report`: the same report as the reporter's, made here."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tracker.domain.clock import SystemClock
from tracker.domain.errors import InputError
from tracker.runtime.reporting.block_kit import readable
from tracker.runtime.reporting.made import MadeReport, keep_report, read_report
from tracker.runtime.reporting.picture import draw_picture
from tracker.runtime.reporting.rules import load_reporting_rules
from tracker.runtime.reporting.timetable import DueReport, ReportKind, last_kind
from tracker.store.database import Database
from tracker.store.heartbeats import GONE_AFTER, read_heartbeats

from services.control.database_at_hand import asked_database, database_url
from services.control.places import Places
from services.control.settings import ControlSettings
from services.control.source import Source, claimed_source

# What it writes is written in the reporter's name, who delivers it.
ROLE = "tracker_slack_reporter"
READER_ROLE = "tracker_reader"
SERVICE = "slack_reporter"


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownReport:
    """A report as the command line shows it; `delivery` says where else it goes."""

    made: MadeReport
    picture: Path | None
    delivery: str

    def words(self) -> str:
        """Return it as a terminal shows it."""
        drawn = "no picture: there is no equity to draw yet" if self.picture is None else f"picture: {self.picture}"
        return f"{readable(self.made.message)}\n{drawn}\n{self.delivery}\n"

    def document(self) -> dict[str, Any]:
        """Return Slack's own form of it."""
        return {
            **self.made.message.payload,
            "picture": None if self.picture is None else str(self.picture),
            "delivery": self.delivery,
        }


def make_report(
    settings: ControlSettings, kind: str | None, picture: Path | None, *, dry_run: bool
) -> ShownReport:
    """Make a report now; raises InputError where there is no database yet or the picture cannot be written."""
    with asked_database(settings, replay=False) as url:
        made, delivery = asyncio.run(_made(settings, url, kind, dry_run=dry_run))
    if made.picture is None:
        return ShownReport(made=made, picture=None, delivery=delivery)
    chosen = picture
    if chosen is None:
        name = f"report-{made.question.kind.value}-{made.question.now:%Y%m%dT%H%M%S}.png"
        chosen = Places.of(settings.state_dir).state_dir / "reports" / name
    return ShownReport(made=made, picture=_written(chosen, made.picture), delivery=delivery)


def _written(path: Path, png: bytes) -> Path:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(png)
    except OSError as error:
        raise InputError(f"--picture: {path} cannot be written: {error.strerror}") from None
    return path


async def _made(settings: ControlSettings, url: str, kind: str | None, *, dry_run: bool) -> tuple[MadeReport, str]:
    rules = load_reporting_rules(settings.config_dir).reports
    now = SystemClock().now()
    wanted = last_kind(rules, now) if kind is None else ReportKind(kind)
    role = READER_ROLE if dry_run else ROLE
    database = await Database.open(url, role=role, pool_size=1, application="tracker:report")
    try:
        async with database.transaction(snapshot=True) as transaction:
            due = DueReport(kind=wanted, due_at=now)
            made = await read_report(transaction, rules, due, now, _source(settings), settings.user)
            beats = [each for each in await read_heartbeats(transaction) if each.service == SERVICE]
        made = replace(made, picture=await draw_picture(made.document))
        if dry_run:
            return made, "nothing was sent or kept (--dry-run)"
        async with database.transaction() as transaction:
            number = await keep_report(transaction, made)
            await transaction.commit()
    finally:
        await database.close()
    runs = any(each.status != "stopped" and now - each.beat_at <= GONE_AFTER for each in beats)
    way = next((each.detail.get("delivery") for each in beats if each.detail.get("role") == "active"), None)
    return made, f"report {number} is kept; {_goes(way, runs=runs)}"


def _goes(way: str | None, *, runs: bool) -> str:
    if not runs:
        return "it goes to Slack once slack_reporter runs (`tracker up`)"
    if way == "none":
        return "slack_reporter has no way to Slack, so it is shown on the page only (docs/slack.md)"
    return f"slack_reporter delivers it (by {way})" if way else "slack_reporter delivers it"


def _source(settings: ControlSettings) -> str:
    """Return the source of the market: what the environment says, else what the database was claimed for."""
    places = Places.of(settings.state_dir)
    claimed = claimed_source(places.state_dir, {"DATABASE_URL": database_url(settings)})
    return settings.source or (claimed or Source.POLYGON).value
