"""What `tracker account` says of the paper accounts."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

from tracker.domain.command import AccountEvent, Command, CommandKind
from tracker.domain.errors import InputError
from tracker.runtime.accounts import AccountRules, leaves, load_accounts, stored_account
from tracker.store.accounts import AccountFigures, read_account_rows, read_figures
from tracker.store.commands import read_events, read_waiting
from tracker.store.database import Database, Transaction
from tracker.store.ledger import AccountRow, read_accounts

from services.control.database_at_hand import database_at_hand
from services.control.places import Places
from services.control.settings import ControlSettings

READER = "tracker_reader"
LAST_TRADES, LAST_EVENTS = 20, 50
T = TypeVar("T")


def list_accounts(settings: ControlSettings) -> dict[str, Any]:
    """Return all accounts in numbers, and those of files that were not opened yet.

    Raises InputError without a database.
    """

    async def work(transaction: Transaction) -> dict[str, Any]:
        figures = {each.account: _figures(each) for each in await read_figures(transaction)}
        for each in load_accounts(settings.config_dir):
            figures.setdefault(each.name, _unopened(each))
        return {"accounts": [figures[name] for name in sorted(figures)]}

    return on_database(settings, READER, _in_transaction(work))


def show_account(settings: ControlSettings, name: str) -> dict[str, Any]:
    """Return everything about one account.

    Raises InputError where there is none of that name.
    """

    async def work(transaction: Transaction) -> dict[str, Any]:
        rows = await known_accounts(transaction, settings, name)
        if name not in {*rows, *(each.name for each in load_accounts(settings.config_dir))}:
            raise InputError(f"NAME: {name!r} is not open yet: the command waits for the paper trader")
        account, row = rules_in_force(settings, rows, name), rows.get(name)
        figures = await read_figures(transaction, name)
        return {
            "account": _figures(figures[0]) if figures else _unopened(account),
            "rules": _rule_lines(account, None if row is None else row.kept.rules_hash),
            **await read_account_rows(transaction, name, LAST_TRADES),
            "events": [event_document(each) for each in (await read_events(transaction, name))[-LAST_EVENTS:]],
            "waiting_commands": [
                {"command_id": each.command_id, "kind": each.kind.value, "arguments": told(each)}
                for each in await read_waiting(transaction, name)
            ],
        }

    return on_database(settings, READER, _in_transaction(work))


async def known_accounts(transaction: Transaction, settings: ControlSettings, name: str) -> dict[str, AccountRow]:
    """Return the accounts of the database.

    Raises InputError where neither they nor the files hold one called so, nor a command that waits opens it.
    """
    rows = {each.account: each for each in await read_accounts(transaction)}
    opening = {each.account for each in await read_waiting(transaction, name) if each.kind is CommandKind.OPEN}
    if name not in {*rows, *opening, *(each.name for each in load_accounts(settings.config_dir))}:
        raise InputError(f"NAME: {name!r} is no account; {names_of(settings, rows)}")
    return rows


def names_of(settings: ControlSettings, rows: Mapping[str, AccountRow]) -> str:
    return f"there are {', '.join(sorted({*rows, *(each.name for each in load_accounts(settings.config_dir))}))}"


def rules_in_force(settings: ControlSettings, rows: Mapping[str, AccountRow], name: str) -> AccountRules:
    """Return the rules an account goes by: as the database has them, which is what the fleet reads, else the files."""
    configured = load_accounts(settings.config_dir)
    row = rows.get(name)
    if row is None or row.kept.rules is None:
        return next(each for each in configured if each.name == name)
    kept = row.kept
    return stored_account(name, kept.rules, kept.rules_from, configured[0], settings.config_dir)


def _figures(each: AccountFigures) -> dict[str, Any]:
    return {
        "name": each.account,
        "source": each.source,
        "currency": each.currency,
        "equity": float(each.equity),
        "cash": float(each.cash),
        "capital": float(each.capital),
        "pnl": float(each.pnl),
        "state": each.state,
        "open_positions": each.open_positions,
        "trades": each.trades,
        "since": each.since.isoformat(),
        "books": each.books,
        "processed_through": each.processed_through.isoformat(),
        "waiting_commands": each.waiting,
    }


def _unopened(account: AccountRules) -> dict[str, Any]:
    cash = account.rules.paper.account.start_cash
    figures = dict.fromkeys(("since", "processed_through"))
    zeros = dict.fromkeys(("pnl", "open_positions", "trades", "books", "waiting_commands"), 0)
    return {
        "name": account.name, "source": "file", "currency": account.rules.paper.account.currency, "equity": cash,
        "cash": cash, "capital": cash, "state": "ACTIVE", **zeros, **figures,
    }  # fmt: skip


def _rule_lines(account: AccountRules, in_force: str | None) -> list[dict[str, Any]]:
    lines = [
        {"name": name, "value": value, "from": account.rules_from.get(name, "default")}
        for name, value in leaves(account.document()).items()
    ]
    return [*lines, {"name": "rules_hash", "value": in_force or account.hash, "from": "all of the above"}]


def event_document(event: AccountEvent) -> dict[str, Any]:
    command, answer = event.command, event.answer
    return {
        "command_id": command.command_id,
        "account": command.account,
        "kind": command.kind.value,
        "at": event.ts.isoformat(),
        "outcome": answer.outcome.value,
        "amount": None if answer.amount is None else float(answer.amount),
        "note": answer.note,
        "arguments": told(command),
        "reason": command.reason,
    }


def told(command: Command) -> dict[str, Any]:
    """Return a command's arguments but for the rules, which the account shows."""
    return {name: value for name, value in command.arguments.items() if not name.startswith("rules")}


def _in_transaction(work: Callable[[Transaction], Awaitable[T]]) -> Callable[[Database], Awaitable[T]]:
    async def run(database: Database) -> T:
        async with database.transaction() as transaction:
            return await work(transaction)

    return run


def on_database(settings: ControlSettings, role: str, work: Callable[[Database], Awaitable[T]]) -> T:
    if settings.url is None and not Places.of(settings.state_dir).postgres_data.is_dir():
        raise InputError("there is no database yet: `tracker up` makes one")

    async def run(url: str) -> T:
        database = await Database.open(url, role=role, pool_size=1, application="tracker:control")
        try:
            return await work(database)
        finally:
            await database.close()

    with database_at_hand(settings) as url:
        return asyncio.run(run(url))
