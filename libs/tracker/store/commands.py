"""What people ask of the accounts, and what became of it."""

from __future__ import annotations

import orjson

from tracker.domain.command import AccountEvent, Answer, Command, CommandKind, Outcome
from tracker.store.database import Row, Transaction

COMMANDS_CHANNEL = "tracker_commands"


async def write_command(transaction: Transaction, command: Command) -> int:
    """Note a command down for the paper trader, tell it so on commit, and return the command's number."""
    number: int = await transaction.fetch_value(
        "commands.insert",
        command.requested_by,
        command.account,
        command.kind.value,
        orjson.dumps(command.arguments).decode(),
        command.reason,
    )
    await transaction.notify(COMMANDS_CHANNEL, command.account)
    return number


async def read_waiting(transaction: Transaction, account: str | None = None) -> list[Command]:
    """Return the commands without an answer, of one account or of all, in the order in which they were given."""
    return [_command(row) for row in await transaction.fetch("commands.waiting", account)]


async def write_event(transaction: Transaction, event: AccountEvent) -> None:
    """Add what became of a command; a second answer to one raises asyncpg's UniqueViolationError."""
    command, answer = event.command, event.answer
    await transaction.execute(
        "commands.insert_event",
        command.account,
        event.ts,
        command.command_id,
        command.kind.value,
        answer.amount,
        orjson.dumps(command.arguments).decode(),
        answer.outcome.value,
        answer.note,
    )


async def read_events(transaction: Transaction, account: str) -> list[AccountEvent]:
    """Return everything an account was told, in the order in which it took effect."""
    return [_event(row) for row in await transaction.fetch("commands.events", account)]


async def read_answer(transaction: Transaction, command_id: int) -> AccountEvent | None:
    """Return what became of a command; None while the paper trader has not come to it."""
    row = await transaction.fetch_row("commands.answer", command_id)
    return None if row is None else _event(row)


def _command(row: Row) -> Command:
    return Command(
        command_id=row["command_id"],
        account=row["account"],
        kind=CommandKind(row["kind"]),
        arguments=orjson.loads(row["arguments"]),
        reason=row["reason"],
        requested_by=row["requested_by"],
    )


def _event(row: Row) -> AccountEvent:
    answer = Answer(outcome=Outcome(row["outcome"]), note=row["note"], amount=row["amount"])
    return AccountEvent(ts=row["ts"], command=_command(row), answer=answer)
