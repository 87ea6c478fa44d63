"""Reads, lets the engine walk, writes: one transaction a batch of minutes."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from tracker.domain.clock import Clock
from tracker.domain.command import AccountEvent, Answer, Command, CommandKind
from tracker.domain.errors import ConfigError, SchemaError
from tracker.domain.instrument import Instrument
from tracker.domain.money import decimal_of
from tracker.domain.signal import Signal, Strategy
from tracker.domain.timeframe import Timeframe
from tracker.quant.paper import TradingRules
from tracker.quant.portfolio.book import Book, moment_of, seconds_of
from tracker.quant.portfolio.engine import Engine
from tracker.runtime.config import config_hash
from tracker.runtime.logging import Logger
from tracker.runtime.strategies import configured_strategies, scanned_strategies
from tracker.runtime.trading_rules import load_trading_rules
from tracker.store.bars import BARS_CHANNEL, Watermark, read_watermarks
from tracker.store.commands import COMMANDS_CHANNEL, read_waiting, write_event
from tracker.store.database import Database, Transaction
from tracker.store.ledger import (
    open_account,
    read_account,
    read_live_orders,
    read_live_positions,
    write_changes,
)
from tracker.store.paper import (
    PAPER_CHANNEL,
    PaperCursor,
    advance_cursor,
    lock_cursor,
    read_candles,
    read_late_signals,
    read_scan_watermarks,
    read_signals,
    start_cursor,
)
from tracker.store.scans import SCANS_CHANNEL
from tracker.store.symbols import read_symbols

from services.paper_trader.bounds import MINUTE, ScanPatience, bars_bound, finest_watermark
from services.paper_trader.settings import PaperTraderSettings

# A signal that comes later than this after its close is not even answered.
LATE_WINDOW = timedelta(days=7)


def build(settings: PaperTraderSettings, database: Database, clock: Clock, log: Logger) -> PaperTrader:
    """Make the service with the rules in the configuration folder.

    Raises ConfigError where a file holds something unusable.
    """
    return PaperTrader(database, load_trading_rules(settings.config_dir), settings, clock, log)


def strategies_of(settings: PaperTraderSettings) -> tuple[Strategy, ...]:
    """Return the strategies whose scans are waited for; raises ConfigError naming one that there is not."""
    if settings.strategies is None:
        return scanned_strategies(settings.config_dir)
    unknown = sorted(set(settings.strategies) - set(configured_strategies(settings.config_dir)))
    if unknown:
        raise ConfigError(f"environment: strategies = {unknown[0]!r}: there is no such file in configs/strategies")
    return settings.strategies


class PaperTrader:
    """The service: acts on every minute once it is complete and scanned."""

    name = "paper_trader"
    channels = (BARS_CHANNEL, SCANS_CHANNEL, COMMANDS_CHANNEL)

    def __init__(
        self,
        database: Database,
        rules: TradingRules,
        settings: PaperTraderSettings,
        clock: Clock,
        log: Logger,
    ) -> None:
        """Nothing is remembered between runs but how long the scanners have stood still, and counts."""
        self._database = database
        self._rules = rules
        self._rules_hash = config_hash(rules)
        self._account = rules.paper.account.name
        self._batch = settings.batch_minutes * MINUTE
        self._log = log
        self._patience = ScanPatience(strategies_of(settings), settings.signal_grace_seconds, clock)
        self._counts: dict[str, Any] = {"processed_through": None, "open_positions": 0, "fills": 0, "late": 0}

    async def run_once(self) -> bool:
        """Process the next minutes, if any may be; return whether there are more."""
        async with self._database.transaction() as transaction:
            watermarks = await read_watermarks(transaction)
            instruments = await read_symbols(transaction)
            cursor = await self._cursor(transaction, watermarks)
            if cursor is None:
                return False
            allowed = await self._allowed(transaction, cursor, watermarks, instruments)
            through = min(allowed, cursor.processed_through + self._batch)
            late = await read_late_signals(
                transaction,
                self._account,
                max(cursor.started_at, cursor.processed_through - LATE_WINDOW),
                cursor.processed_through,
            )
            commands = await read_waiting(transaction, self._account)
            if through == cursor.processed_through and not late and not commands:
                if through < cursor.started_at:
                    await transaction.commit()  # nothing has happened yet, but the start is worth keeping
                return False
            book = await self._process(transaction, cursor, through, instruments, late, commands)
            await transaction.commit()
        self._note(book, through, late)
        return through < allowed

    def detail(self) -> dict[str, Any]:
        """Return the event time reached and what has been done since the start."""
        return {**self._counts, "scanners_given_up": sorted(each.value for each in self._patience.given_up)}

    async def _cursor(
        self, transaction: Transaction, watermarks: dict[Timeframe, Watermark]
    ) -> PaperCursor | None:
        cursor = await lock_cursor(transaction, self._account)
        finest = finest_watermark(watermarks)
        if cursor is not None or finest is None:
            return cursor
        params = self._rules.paper.account
        cash = decimal_of(params.start_cash)
        await open_account(transaction, self._account, params.currency, cash, finest.opened_at)
        opening = Command(account=self._account, kind=CommandKind.OPEN, arguments={"cash": str(cash)})
        answer = Answer.done("opened", cash)
        await write_event(
            transaction, AccountEvent(ts=finest.opened_at - MINUTE, command=opening, answer=answer)
        )
        # The minute that ends where collection begins is the first: a close at that moment may be traded.
        await start_cursor(transaction, self._account, finest.opened_at, finest.opened_at - MINUTE)
        return await lock_cursor(transaction, self._account)

    async def _allowed(
        self,
        transaction: Transaction,
        cursor: PaperCursor,
        watermarks: dict[Timeframe, Watermark],
        instruments: list[Instrument],
    ) -> datetime:
        wanted = bars_bound(watermarks, {each.base_timeframe for each in instruments})
        if wanted is None or wanted <= cursor.processed_through:
            return cursor.processed_through
        given_up = set(self._patience.given_up)
        scans = await read_scan_watermarks(transaction)
        allowed = self._patience.bound(scans, cursor.processed_through, wanted)
        for strategy in sorted(self._patience.given_up - given_up):
            self._log.warning(
                "a scanner stands still: going on without it",
                action="scanner_given_up",
                strategy=strategy.value,
            )
        return max(allowed or cursor.processed_through, cursor.processed_through)

    async def _process(
        self,
        transaction: Transaction,
        cursor: PaperCursor,
        through: datetime,
        instruments: list[Instrument],
        late: list[Signal],
        commands: list[Command],
    ) -> Book:
        account = await read_account(transaction, self._account)
        if account is None:
            raise SchemaError(f"account {self._account!r} has a cursor but no row")
        book = Book(
            account,
            await read_live_positions(transaction, self._account),
            await read_live_orders(transaction, self._account),
            instruments,
        )
        signals = await read_signals(transaction, cursor.processed_through, through)
        engine = Engine(book, self._rules, self._rules_hash, signals)
        at = cursor.processed_through
        for command in commands:
            engine.obey(command, at)
        for signal in late:
            engine.refuse_late(signal, cursor.processed_through)
        minute, last = seconds_of(cursor.processed_through), seconds_of(through)
        while minute < last:
            await self._load(transaction, engine, minute, through)
            minute = engine.run(minute, last)
        for event in engine.events:
            await write_event(transaction, event)
        await write_changes(transaction, book.changes())
        if through > cursor.processed_through:
            await advance_cursor(transaction, self._account, through)
        if book.fills:
            await transaction.notify(PAPER_CHANNEL, through.isoformat())
        return book

    async def _load(self, transaction: Transaction, engine: Engine, minute: int, through: datetime) -> None:
        symbols: dict[Timeframe, list[int]] = {}
        for symbol_id in engine.unloaded():
            timeframe = engine.book.instruments[symbol_id].base_timeframe
            symbols.setdefault(timeframe, []).append(symbol_id)
        candles = await read_candles(transaction, symbols, moment_of(minute), through)
        for ids in symbols.values():
            for symbol_id in ids:
                engine.load(symbol_id, candles.get(symbol_id, {}))

    def _note(self, book: Book, through: datetime, late: list[Signal]) -> None:
        counts = self._counts
        counts["processed_through"] = through.isoformat()
        counts["open_positions"] = len(book.live)
        counts["fills"] += len(book.fills)
        counts["late"] += len(late)
        for fill in book.fills:
            self._log.info(
                "filled",
                action="fill",
                symbol_id=fill.order.symbol_id,
                leg=fill.order.leg,
                strategy=fill.order.strategy.value,
                side=fill.side.value,
                price=str(fill.price),
                quantity=str(fill.quantity),
                filled_at=fill.filled_at.isoformat(),
            )
        if late:
            self._log.warning("signals came after their minute", action="signals_late", count=len(late))
