"""Keeps one account's ledger: reads, lets the engine walk, writes, one transaction a batch of minutes."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from tracker.domain.command import Command
from tracker.domain.errors import SchemaError
from tracker.domain.signal import Signal
from tracker.domain.timeframe import Timeframe
from tracker.quant.portfolio.book import Book, moment_of, seconds_of
from tracker.quant.portfolio.engine import Engine
from tracker.runtime.account_memory import read_memory
from tracker.runtime.accounts import AccountRules
from tracker.runtime.logging import Logger
from tracker.store.commands import read_waiting, write_event
from tracker.store.database import Database, Transaction
from tracker.store.ledger import read_account, read_live_orders, read_live_positions, write_changes
from tracker.store.paper import PAPER_CHANNEL, PaperCursor, advance_cursor, lock_cursor, read_late_signals

from services.paper_trader.bounds import ScanPatience
from services.paper_trader.feed import Feed
from services.paper_trader.risk import read_hours

# A signal that comes later than this after its close is not even answered.
LATE_WINDOW = timedelta(days=7)


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What one transaction has to do: the minutes in (cursor, through], and what was asked or came late before."""

    cursor: PaperCursor
    through: datetime
    late: list[Signal]
    commands: list[Command]

    @property
    def is_empty(self) -> bool:
        """Whether nothing is to be done."""
        return self.through == self.cursor.processed_through and not self.late and not self.commands


@dataclass(slots=True)
class Bookkeeper:
    """Works on one account; between runs only the patience with the scanners and the counts are remembered."""

    database: Database
    account: AccountRules
    batch: timedelta
    patience: ScanPatience
    log: Logger
    counts: dict[str, Any] = field(
        default_factory=lambda: {"processed_through": None, "open_positions": 0, "fills": 0, "late": 0, "commands": 0}
    )

    async def run_once(self, feed: Feed, *, commanded: bool) -> bool:
        """Process the next minutes, if any may be; return whether there are more.

        `commanded`: somebody has asked something of the account. Raises SchemaError where its rows do not fit.
        """
        async with self.database.transaction() as transaction:
            cursor = await lock_cursor(transaction, self.account.name)
            if cursor is None:
                raise SchemaError(f"account {self.account.name!r} has no cursor")
            allowed = self._allowed(cursor, feed)
            late = await read_late_signals(
                transaction,
                self.account.name,
                max(cursor.started_at, cursor.processed_through - LATE_WINDOW),
                cursor.processed_through,
                self.account.rules.paper.account.strategies,
            )
            task = Task(
                cursor=cursor,
                through=min(allowed, cursor.processed_through + self.batch),
                late=late,
                commands=await read_waiting(transaction, self.account.name) if commanded else [],
            )
            self.counts["processed_through"] = cursor.processed_through.isoformat()
            if task.is_empty:
                return False
            book = await self._process(transaction, task, feed)
            await transaction.commit()
        self._note(book, task)
        return task.through < allowed

    def _allowed(self, cursor: PaperCursor, feed: Feed) -> datetime:
        wanted = feed.wanted
        if wanted is None or wanted <= cursor.processed_through:
            return cursor.processed_through
        given_up = set(self.patience.given_up)
        allowed = self.patience.bound(feed.scans, cursor.processed_through, wanted)
        for strategy in sorted(self.patience.given_up - given_up):
            self.log.warning(
                "a scanner stands still: going on without it",
                action="scanner_given_up",
                strategy=strategy.value,
                account=self.account.name,
            )
        return max(allowed or cursor.processed_through, cursor.processed_through)

    async def _process(self, transaction: Transaction, task: Task, feed: Feed) -> Book:
        name, at = self.account.name, task.cursor.processed_through
        account = await read_account(transaction, name)
        if account is None:
            raise SchemaError(f"account {name!r} has a cursor but no row")
        book = Book(
            account,
            await read_live_positions(transaction, name),
            await read_live_orders(transaction, name),
            feed.instruments,
            await read_memory(transaction, name, at, self.account.rules.risk),
        )
        rules = self.account.rules
        signals = await feed.signals(transaction, at, task.through)
        if rules.paper.account.strategies is not None:
            signals = [each for each in signals if each.strategy in rules.paper.account.strategies]
        engine = Engine(book, rules, self.account.hash, signals)
        hours = await read_hours(transaction, rules.risk, book, signals, task.through)
        if hours is not None:
            engine.load_hours(hours)
        for command in task.commands:
            engine.obey(command, at)
        for signal in task.late:
            engine.refuse_late(signal, at)
        minute, last = seconds_of(at), seconds_of(task.through)
        while minute < last:
            await self._load(transaction, engine, feed, minute, task.through)
            minute = engine.run(minute, last)
        for event in engine.events:
            await write_event(transaction, event)
        await write_changes(transaction, book.changes())
        if task.through > at:
            await advance_cursor(transaction, name, task.through)
        if book.fills:
            await transaction.notify(PAPER_CHANNEL, task.through.isoformat())
        return book

    async def _load(
        self, transaction: Transaction, engine: Engine, feed: Feed, minute: int, through: datetime
    ) -> None:
        symbols: dict[Timeframe, list[int]] = {}
        for symbol_id in engine.unloaded():
            timeframe = engine.book.instruments[symbol_id].base_timeframe
            symbols.setdefault(timeframe, []).append(symbol_id)
        for symbol_id, candles in (await feed.candles(transaction, symbols, moment_of(minute), through)).items():
            engine.load(symbol_id, candles)

    def _note(self, book: Book, task: Task) -> None:
        counts = self.counts
        counts["processed_through"] = task.through.isoformat()
        counts["open_positions"] = len(book.live)
        counts["fills"] += len(book.fills)
        counts["late"] += len(task.late)
        counts["commands"] += len(task.commands)
        for fill in book.fills:
            self.log.info(
                "filled",
                action="fill",
                account=self.account.name,
                symbol_id=fill.order.symbol_id,
                leg=fill.order.leg,
                strategy=fill.order.strategy.value,
                side=fill.side.value,
                price=str(fill.price),
                quantity=str(fill.quantity),
                filled_at=fill.filled_at.isoformat(),
            )
        if task.late:
            self.log.warning(
                "signals came after their minute",
                action="signals_late",
                account=self.account.name,
                count=len(task.late),
            )
        for command in task.commands:
            self.log.info(
                "a command was answered",
                action="command_answered",
                account=self.account.name,
                command_id=command.command_id,
                kind=command.kind.value,
            )
