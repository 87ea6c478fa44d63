"""What people ask of accounts and of the retrainer, from the command line and from the page alike."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from pathlib import Path

from tracker.domain.clock import Clock
from tracker.domain.command import AccountEvent, Command
from tracker.domain.errors import InputError
from tracker.domain.job import JobKind
from tracker.runtime.retraining_rules import load_retraining_rules, refusal
from tracker.store.audit import AuditEntry, write_audit
from tracker.store.commands import read_answer, write_command
from tracker.store.database import Database
from tracker.store.heartbeats import GONE_AFTER, read_heartbeats
from tracker.store.job_facts import read_request_answer, write_job_request

PAPER_TRADER = "paper_trader"
ASK_AGAIN_SECONDS = 0.2
NOT_YET = "the paper trader has not answered yet"
NOT_RUNNING = "the paper trader answers as soon as it runs"
RETRAINER_NOT_YET = "ml_retrainer has not come to it: it does when it runs"


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """A command with its number; `event` is what came of it, None where it still waits, for the reason in `note`."""

    command_id: int
    event: AccountEvent | None
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Requested:
    """A request to the retrainer with its number, and what was answered to it: queued, joined, refused or waiting."""

    request_id: int
    outcome: str
    note: str


async def give_command(
    database: Database, command: Command, wait_seconds: float, clock: Clock, audit: AuditEntry | None = None
) -> Given:
    """Write a command down, with its line in the audit log, and wait for the paper trader's answer if it runs.

    `database` acts as tracker_control.
    """
    async with database.transaction() as transaction:
        number = await write_command(transaction, command)
        if audit is not None:
            await write_audit(transaction, replace(audit, command_id=number))
        beats = [each for each in await read_heartbeats(transaction) if each.service == PAPER_TRADER]
        await transaction.commit()
    alive = any(each.status != "stopped" and clock.now() - each.beat_at < GONE_AFTER for each in beats)
    event = await _answer(database, number, wait_seconds if alive else 0.0)
    note = event.answer.note if event else NOT_YET if alive else NOT_RUNNING
    return Given(command_id=number, event=event, note=note)


async def request_work(
    database: Database,
    kind: JobKind,
    strategy: str | None,
    who: str,
    reason: str,
    wait_seconds: float,
    audit: AuditEntry | None = None,
) -> Requested:
    """Ask ml_retrainer for work, with a line in the audit log, and wait for its answer; `strategy` None: for all.

    `database` acts as tracker_control.
    """
    async with database.transaction() as transaction:
        number = await write_job_request(transaction, who, kind, strategy, reason)
        if audit is not None:
            await write_audit(transaction, replace(audit, request_id=number))
        await transaction.commit()
    for _ in range(max(1, round(wait_seconds / ASK_AGAIN_SECONDS))):
        async with database.transaction() as transaction:
            answer = await read_request_answer(transaction, number)
        if answer is not None:
            return Requested(request_id=number, outcome=answer[0], note=answer[1])
        await asyncio.sleep(min(ASK_AGAIN_SECONDS, wait_seconds))
    return Requested(request_id=number, outcome="waiting", note=RETRAINER_NOT_YET)


def check_work(config_dir: Path, kind: JobKind, strategy: str | None) -> None:
    """Raise InputError where the retrainer does no such work."""
    refused = refusal(load_retraining_rules(config_dir), kind, strategy)
    if refused is not None:
        raise InputError(refused)


async def _answer(database: Database, number: int, seconds: float) -> AccountEvent | None:
    for _ in range(max(1, round(seconds / ASK_AGAIN_SECONDS))):
        async with database.transaction() as transaction:
            event = await read_answer(transaction, number)
        if event is not None or seconds == 0.0:
            return event
        await asyncio.sleep(ASK_AGAIN_SECONDS)
    return None
