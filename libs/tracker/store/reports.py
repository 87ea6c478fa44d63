"""Reports as they were made, and through which moment they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from tracker.store.database import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class NewReport:
    """A report; `picture` is a PNG, None where there was nothing to draw. Times are UTC."""

    kind: str
    due_at: datetime
    made_at: datetime
    covers_from: datetime
    late: bool
    asked_by: str | None
    zone: str
    document: Mapping[str, Any]
    picture: bytes | None


async def read_report_cursor(transaction: Transaction, timetable: str) -> datetime | None:
    """Return through which moment reports of a timetable are made, None before the first look at it."""
    return await transaction.fetch_value("reports.cursor", timetable)


async def advance_report_cursor(transaction: Transaction, timetable: str, due_through: datetime) -> None:
    """Note through which moment reports of a timetable are made."""
    await transaction.execute("reports.advance", timetable, due_through)


async def add_report(transaction: Transaction, report: NewReport) -> int | None:
    """Keep a report; returns its number, None where one of its kind and time is there already."""
    return await transaction.fetch_value(
        "reports.add", report.kind, report.due_at, report.made_at, report.covers_from, report.late, report.asked_by,
        report.zone, orjson.dumps(report.document).decode(), report.picture,
    )  # fmt: skip


async def read_previous_report(
    transaction: Transaction, before: datetime, *, weekly: bool
) -> tuple[datetime, dict[str, Any]] | None:
    """Return when the last report by the timetable was due before a moment, and its document."""
    row = await transaction.fetch_row("reports.previous", weekly, before)
    return None if row is None else (row["due_at"], orjson.loads(row["document"]))


async def read_report_picture(transaction: Transaction, report_id: int) -> tuple[str, datetime, bytes | None] | None:
    """Return (kind, due at, PNG) of a report, None where it is gone."""
    row = await transaction.fetch_row("reports.picture", report_id)
    return None if row is None else (row["kind"], row["due_at"], row["picture"])


async def read_last_report(transaction: Transaction) -> dict[str, Any] | None:
    """Return kind and times of the last report that was made."""
    row = await transaction.fetch_row("reports.last")
    return None if row is None else dict(row.items())


async def forget_reports(transaction: Transaction, before: datetime) -> None:
    """Delete reports that were due before a moment."""
    await transaction.execute("reports.forget", before)
