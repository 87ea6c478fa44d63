"""A report as it is made: read, drawn, laid out, and written down with its messages in one transaction."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

from tracker.runtime.reporting.block_kit import Message
from tracker.runtime.reporting.document import Document, ReportQuestion, read_document
from tracker.runtime.reporting.presentation import marked
from tracker.runtime.reporting.report_blocks import lay_out
from tracker.runtime.reporting.rules import ReportRules
from tracker.runtime.reporting.timetable import DueReport, ReportKind, covered_from
from tracker.store.database import Transaction
from tracker.store.reports import NewReport, add_report, read_previous_report
from tracker.store.slack_outbox import NewMessage, write_message

Draw: TypeAlias = Callable[[Mapping[str, Any]], Awaitable[bytes | None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeReport:
    """A report that can be shown; `picture` is a PNG, None where there is nothing to draw."""

    question: ReportQuestion
    document: Document
    message: Message
    picture: bytes | None


async def read_report(
    transaction: Transaction, rules: ReportRules, due: DueReport, now: datetime, source: str,
    asked_by: str | None = None,
) -> MadeReport:  # fmt: skip
    """Return a report without its picture, which takes too long to draw for a transaction to wait."""
    weekly = due.kind is ReportKind.WEEKLY
    previous = await read_previous_report(transaction, due.due_at, weekly=weekly)
    question = ReportQuestion(
        kind=due.kind, due_at=due.due_at, now=now, zone=rules.timezone, source=source,
        account=rules.account,
        since=covered_from(rules, due.kind, due.due_at) if previous is None else previous[0],
        late=now - due.due_at > rules.late_after, skipped=due.skipped, asked_by=asked_by,
        previous=None if previous is None else previous[1],
    )  # fmt: skip
    document = await read_document(transaction, question)
    return MadeReport(question=question, document=document, message=lay_out(document), picture=None)


async def keep_report(transaction: Transaction, report: MadeReport) -> int | None:
    """Write a report down, and the messages that show it; returns its number, None where it was there already."""
    question, kind = report.question, report.question.kind
    number = await add_report(
        transaction,
        NewReport(
            kind=kind.value, due_at=question.due_at, made_at=question.now, covers_from=question.since,
            late=question.late, asked_by=question.asked_by, zone=str(question.zone), document=report.document,
            picture=report.picture,
        ),
    )  # fmt: skip
    if number is None:
        return None
    outbox_kind = "weekly" if kind is ReportKind.WEEKLY else "report"
    key = f"report {kind.value} {question.due_at.isoformat()}"
    shown = await write_message(
        transaction,
        NewMessage(kind=outbox_kind, action="post", key=key, payload=report.message.payload, report_id=number),
        question.now,
    )
    if report.picture is not None and shown is not None:
        title = f"Equity, {kind.value} of {question.due_at.astimezone(question.zone):%a %d %b %H:%M}"
        await write_message(
            transaction,
            NewMessage(kind=outbox_kind, action="picture", key=f"{key} picture", parent_id=shown, report_id=number,
                       payload={"text": marked(title, report.document["tag"])}),
            question.now,
        )  # fmt: skip
    return number
