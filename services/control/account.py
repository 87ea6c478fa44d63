"""`tracker account`: the paper accounts, and what they can be told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from tracker.domain.clock import SystemClock
from tracker.domain.command import Command, CommandKind
from tracker.domain.errors import InputError
from tracker.quant.portfolio.commands import amount_of
from tracker.runtime.accounts import AccountRules, derived, load_accounts
from tracker.runtime.asking import give_command
from tracker.runtime.config import read_toml
from tracker.store.commands import read_waiting
from tracker.store.database import Database, Transaction
from tracker.store.ledger import read_accounts

from services.control.account_report import event_document, known_accounts, names_of, on_database, rules_in_force, told
from services.control.settings import ControlSettings

WRITER = "tracker_control"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewAccount:
    """What was asked for: rules as those of the account `like`, but for what a file and `cash` say."""

    name: str
    like: str | None
    rules: Path | None
    cash: str | None
    since: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A command as it was typed: `arguments` are plain JSON values."""

    account: str
    kind: CommandKind
    arguments: Mapping[str, Any]
    reason: str
    wait_seconds: float


def new_account(settings: ControlSettings, asked: NewAccount, reason: str, wait_seconds: float) -> dict[str, Any]:
    """Ask for a new account and return what came of it.

    Raises InputError where there is one of that name, ConfigError where the rules are wrong.
    """

    async def work(database: Database) -> dict[str, Any]:
        async with database.transaction() as transaction:
            arguments = await _opening(transaction, settings, asked)
        order = Order(
            account=asked.name, kind=CommandKind.OPEN, arguments=arguments, reason=reason, wait_seconds=wait_seconds
        )
        return await _give(database, settings, order)

    return on_database(settings, WRITER, work)


def tell_account(settings: ControlSettings, order: Order) -> dict[str, Any]:
    """Give a command to an account and return what came of it, as far as it was waited for.

    Raises InputError where there is no such account or where an amount is none.
    """
    for name in ("amount", "cash"):
        if order.arguments.get(name) is not None:
            amount_of(order.arguments, name)

    async def work(database: Database) -> dict[str, Any]:
        async with database.transaction() as transaction:
            await known_accounts(transaction, settings, order.account)
        return await _give(database, settings, order)

    return on_database(settings, WRITER, work)


async def _opening(transaction: Transaction, settings: ControlSettings, asked: NewAccount) -> dict[str, Any]:
    rows = {each.account: each for each in await read_accounts(transaction)}
    configured = load_accounts(settings.config_dir)
    waiting = [each for each in await read_waiting(transaction, asked.name) if each.kind is CommandKind.OPEN]
    if asked.name in rows or asked.name in (each.name for each in configured):
        raise InputError(f"NAME: there is an account {asked.name!r} already")
    if waiting:
        raise InputError(f"NAME: command {waiting[0].command_id} opens an account {asked.name!r} already")
    like = asked.like or configured[0].name
    if like not in rows and like not in (each.name for each in configured):
        raise InputError(f"--like: {like!r} is no account; {names_of(settings, rows)}")
    account = _described(settings, rules_in_force(settings, rows, like), asked)
    return {
        "rules": account.document(),
        "rules_from": dict(account.rules_from),
        "since": asked.since and asked.since.isoformat(),
    }


def _described(settings: ControlSettings, base: AccountRules, asked: NewAccount) -> AccountRules:
    if asked.rules is not None:
        changes, where = read_toml(asked.rules), str(asked.rules)
        account = changes.get("account")
        if isinstance(account, dict) and account.get("name", asked.name) != asked.name:
            raise InputError(f"{where}: account.name = {account['name']!r} is not {asked.name!r}")
        base = derived(base, where, asked.rules.name, changes, settings.config_dir)
    said: dict[str, Any] = {"name": asked.name}
    if asked.cash is not None:
        said["start_cash"] = float(amount_of({"--cash": asked.cash}, "--cash"))
    return derived(base, "NAME", "tracker account new", {"account": said}, settings.config_dir)


async def _give(database: Database, settings: ControlSettings, order: Order) -> dict[str, Any]:
    command = Command(
        account=order.account,
        kind=order.kind,
        arguments={name: value for name, value in order.arguments.items() if value is not None},
        reason=order.reason,
        requested_by=settings.user or "unknown",
    )
    given = await give_command(database, command, order.wait_seconds, SystemClock())
    if given.event is not None:
        return event_document(given.event)
    return {
        "command_id": given.command_id, "account": order.account, "kind": order.kind.value, "at": None,
        "outcome": "waiting", "amount": None, "note": given.note, "arguments": told(command), "reason": order.reason,
    }  # fmt: skip
