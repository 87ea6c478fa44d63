"""Which accounts there are: those of the configuration, and those that commands have opened."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from pathlib import Path

from tracker.domain.command import AccountEvent, Answer, Command, CommandKind
from tracker.domain.errors import InputError, TrackerError
from tracker.domain.money import decimal_of
from tracker.runtime.accounts import AccountRules, stored_account
from tracker.runtime.logging import Logger
from tracker.store.bars import Watermark
from tracker.store.commands import read_waiting, write_event
from tracker.store.database import Transaction
from tracker.store.ledger import AccountRow, KeptRules, keep_rules, lock_accounts, open_account, read_accounts
from tracker.store.paper import start_cursor

from services.paper_trader.bounds import MINUTE


@dataclass(frozen=True, slots=True, kw_only=True)
class Lineup:
    """The accounts that can be worked on, those that cannot with the reason, and who has commands waiting."""

    accounts: tuple[AccountRules, ...]
    unusable: dict[str, TrackerError]
    commanded: frozenset[str]


@dataclass(slots=True)
class Roster:
    """Opens accounts and knows their rules; `configured` holds the default account first."""

    configured: Sequence[AccountRules]
    config_dir: Path
    log: Logger
    _stored: dict[tuple[str, str | None], AccountRules] = field(
        default_factory=dict[tuple[str, str | None], AccountRules]
    )

    async def line_up(self, transaction: Transaction, finest: Watermark) -> Lineup:
        """Return all accounts after opening what is to be opened; commits where anything was."""
        rows = {each.account: each for each in await read_accounts(transaction)}
        waiting = await read_waiting(transaction)
        if self._is_behind(rows, waiting):
            await lock_accounts(transaction)
            rows = await self._bring_up(transaction, finest)
            waiting = await read_waiting(transaction)
            await transaction.commit()
        usable, unusable = dict[str, AccountRules](), dict[str, TrackerError]()
        own = {each.name: each for each in self.configured}
        for name in sorted(rows, key=lambda each: (each not in own, each)):
            try:
                usable[name] = own.get(name) or self._described(rows[name])
            except TrackerError as error:
                unusable[name] = error
        order = [*(each.name for each in self.configured), *(each for each in usable if each not in own)]
        return Lineup(
            accounts=tuple(usable[each] for each in order if each in usable),
            unusable=unusable,
            commanded=frozenset(each.account for each in waiting),
        )

    def _is_behind(self, rows: dict[str, AccountRow], waiting: list[Command]) -> bool:
        kept = {name: (row.kept.from_file, row.kept.rules_hash) for name, row in rows.items()}
        return any(kept.get(each.name) != (True, each.hash) for each in self.configured) or any(
            each.account not in rows for each in waiting
        )

    async def _bring_up(self, transaction: Transaction, finest: Watermark) -> dict[str, AccountRow]:
        rows = {each.account: each for each in await read_accounts(transaction)}
        # Where nothing has begun, everything begins with the collection; the first close at that moment may be traded.
        start = finest.closed_through + MINUTE if rows else finest.opened_at
        for each in self.configured:
            row = rows.get(each.name)
            if row is None:
                cash = decimal_of(each.rules.paper.account.start_cash)
                opening = Command(account=each.name, kind=CommandKind.OPEN, arguments={"cash": f"{cash:f}"})
                await self._open(transaction, each, opening, cash, start)
            elif (row.kept.from_file, row.kept.rules_hash) != (True, each.hash):
                await keep_rules(transaction, each.name, kept_of(each))
        known = {*rows, *(each.name for each in self.configured)}
        for command in await read_waiting(transaction):
            if command.account not in known and await self._answer_stray(transaction, command, finest):
                known.add(command.account)
        return {each.account: each for each in await read_accounts(transaction)}

    async def _answer_stray(self, transaction: Transaction, command: Command, finest: Watermark) -> bool:
        """Answer a command to an account that is not there; return whether it is there now."""
        refusal: str
        if command.kind is not CommandKind.OPEN:
            refusal = f"there is no account {command.account!r}"
        else:
            try:
                account = self._from_command(command)
                start = _start_of(command, finest)
                cash = decimal_of(account.rules.paper.account.start_cash)
            except TrackerError as error:
                refusal = str(error)
            else:
                await self._open(transaction, account, command, cash, start)
                return True
        event = AccountEvent(ts=finest.closed_through, command=command, answer=Answer.refused(refusal))
        await write_event(transaction, event)
        return False

    async def _open(
        self, transaction: Transaction, account: AccountRules, command: Command, cash: Decimal, start: datetime
    ) -> None:
        params, opened = account.rules.paper.account, start - MINUTE
        await open_account(transaction, account.name, params.currency, cash, start, kept_of(account))
        await start_cursor(transaction, account.name, start, opened)
        answer = Answer.done(f"opened with {cash:f} {params.currency}", cash)
        await write_event(transaction, AccountEvent(ts=opened, command=command, answer=answer))
        self.log.info(
            "an account begins", action="account_opened", account=account.name, cash=str(cash), first=start.isoformat()
        )

    def _from_command(self, command: Command) -> AccountRules:
        arguments = command.arguments
        return stored_account(
            command.account, arguments.get("rules"), arguments.get("rules_from") or {}, self.configured[0],
            self.config_dir,
        )  # fmt: skip

    def _described(self, row: AccountRow) -> AccountRules:
        key = row.account, row.kept.rules_hash
        if key not in self._stored:
            if row.kept.from_file:
                self.log.warning(
                    "the file of an account is gone: it keeps the rules it had",
                    action="account_file_gone",
                    account=row.account,
                )
            self._stored[key] = stored_account(
                row.account, row.kept.rules, row.kept.rules_from, self.configured[0], self.config_dir
            )
        return self._stored[key]


def kept_of(account: AccountRules) -> KeptRules:
    """Return what an account's row holds of its rules."""
    return KeptRules(
        from_file=account.from_file,
        rules=account.document(),
        rules_from=account.rules_from,
        rules_hash=account.hash,
    )


def _start_of(command: Command, finest: Watermark) -> datetime:
    """Return the first minute that an opened account may trade; raises InputError for one that is not collected."""
    since = command.arguments.get("since")
    if since is None:
        return finest.closed_through + MINUTE
    try:
        start = datetime.fromisoformat(str(since))
        start = start.replace(second=0, microsecond=0)
        within = finest.opened_at <= start <= finest.closed_through + MINUTE
    except (ValueError, TypeError):
        raise InputError(f"since = {since!r} is not an ISO time with its zone") from None
    if not within:
        raise InputError(
            f"since = {since} is not between {finest.opened_at.isoformat()}, where the bars begin,"
            f" and {finest.closed_through.isoformat()}"
        )
    return start
