"""`tracker import`: bars from files into the database, as if they had always been there."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from tracker.domain.bar import BarSource
from tracker.domain.clock import Clock, SystemClock
from tracker.domain.instrument import Instrument, InstrumentStatus
from tracker.domain.timeframe import EPOCH, Timeframe
from tracker.runtime.candle_batches import PARQUET, CandleBatch, csv_batches, files_to_import
from tracker.runtime.candle_parquet import parquet_batches
from tracker.runtime.candles import BadRow, CandleFile
from tracker.runtime.universe import load_universe
from tracker.store.bar_checks import bar_at, in_order, possible, rejection_of, rows_of
from tracker.store.bars import Rejection, read_watermarks
from tracker.store.database import Database
from tracker.store.imports import commit_lazily, covered_span, merge_history, reject_many, roll_missing
from tracker.store.symbols import read_symbols, set_symbol_status, write_symbols

from services.control.backfill import universe_path
from services.control.database_at_hand import database_at_hand
from services.control.settings import ControlSettings

# Bars have one writer: whoever writes them does so as the collector.
ROLE = "tracker_data_collector"
EXAMPLES = 20
NOT_LISTED = "it is not in the universe; its bars were imported"

Tell: TypeAlias = Callable[[int], None]


@dataclass(slots=True, kw_only=True)
class FileReport:
    """What a file brought; `unchanged` rows were there already, stand beside a roll-up, or come twice in the file."""

    file: str
    symbol: str
    timeframe: str
    rows: int = 0
    new: int = 0
    corrected: int = 0
    unchanged: int = 0
    rejected: int = 0
    rolled_up: int = 0
    examples: list[str] = field(default_factory=list[str])


def import_candles(
    settings: ControlSettings,
    paths: Sequence[Path],
    symbol: str | None,
    timeframe: Timeframe | None,
    console: Console,
) -> dict[str, Any]:
    """Import the files and return the report; doing it again changes nothing.

    Raises InputError naming a path, file, column or symbol that cannot be used; bars before it are stored.
    """
    files = files_to_import(paths, symbol, timeframe)
    listed = {each.symbol: each.instrument() for each in load_universe(universe_path(settings)).symbol}
    started = time.monotonic()
    with database_at_hand(settings) as url, _progress(console) as progress:
        task = progress.add_task("importing", total=sum(each.path.stat().st_size for each in files))
        reports = asyncio.run(_import_all(url, files, listed, lambda read: progress.advance(task, read)))
    seconds = time.monotonic() - started
    return {"files": [asdict(each) for each in reports], "seconds": round(seconds, 3)}


def _progress(console: Console) -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    return Progress(*columns, console=console, transient=True)


async def _import_all(
    url: str, files: Sequence[CandleFile], listed: Mapping[str, Instrument], tell: Tell
) -> list[FileReport]:
    database = await Database.open(url, role=ROLE, pool_size=1, application="import")
    try:
        known = await _known_symbols(database, files, listed)
        return [await FileImport(database, each, known[each.symbol], SystemClock(), tell).run() for each in files]
    finally:
        await database.close()


async def _known_symbols(
    database: Database, files: Sequence[CandleFile], listed: Mapping[str, Instrument]
) -> dict[str, Instrument]:
    """Return the symbols of the files, taken into the database first where they are new.

    One that is not in the universe has as its finest bars those of the files; no vendor is asked for it.
    """
    finest: dict[str, Timeframe] = {}
    for each in files:
        finest[each.symbol] = min(finest.get(each.symbol, each.timeframe), each.timeframe, key=_seconds)
    async with database.transaction() as transaction:
        known = {each.symbol: each for each in await read_symbols(transaction)}
        for symbol, timeframe in sorted(finest.items()):
            at_hand = listed.get(symbol) or known.get(symbol) or Instrument(symbol_id=0, symbol=symbol)
            if symbol not in listed:
                base = timeframe if symbol not in known else min(timeframe, at_hand.base_timeframe, key=_seconds)
                at_hand = replace(at_hand, base_timeframe=base)
            if symbol not in known or at_hand.base_timeframe is not known[symbol].base_timeframe:
                await write_symbols(transaction, [at_hand])
            if symbol not in known and symbol not in listed:
                await set_symbol_status(transaction, symbol, InstrumentStatus.UNSUPPORTED, NOT_LISTED)
        found = {each.symbol: each for each in await read_symbols(transaction)}
        await transaction.commit()
    return found


def _seconds(timeframe: Timeframe) -> int:
    return timeframe.seconds


class FileImport:
    """The way of one file into the database, a transaction a batch."""

    def __init__(
        self, database: Database, file: CandleFile, instrument: Instrument, clock: Clock, tell: Tell
    ) -> None:
        """Nothing is read before `run`."""
        self._database = database
        self._file = file
        self._instrument = instrument
        self._clock = clock
        self._tell = tell
        self._months: set[int] = set()
        self._span: tuple[int, int] | None = None
        self._report = FileReport(file=str(file.path), symbol=file.symbol, timeframe=file.timeframe.value)

    async def run(self) -> FileReport:
        """Store the file's bars and the coarser ones they make up."""
        done = 0
        for batch in self._batches():
            await self._store(batch)
            self._tell(batch.read - done)
            done = batch.read
        if self._span is not None and self._file.timeframe is self._instrument.base_timeframe:
            await self._roll_up(*(_moment(each) for each in self._span))
        return self._report

    def _batches(self) -> Iterator[CandleBatch]:
        path = self._file.path
        return parquet_batches(path) if path.suffix == PARQUET else csv_batches(path)

    async def _store(self, batch: CandleBatch) -> None:
        file, report, table = self._file, self._report, batch.table
        fine = possible(table, file.timeframe) & (table.ts + file.timeframe.seconds <= self._clock.now().timestamp())
        kept = table if fine.all() else rows_of(table, fine)
        rejections = [self._unreadable(row) for row in batch.bad_rows]
        rejections += [self._impossible(batch, int(index)) for index in np.flatnonzero(~fine)]
        bars = in_order(kept)
        whole = self._widen(bars.ts)
        async with self._database.transaction() as transaction:
            await commit_lazily(transaction)
            await reject_many(transaction, rejections)
            merged = await merge_history(
                transaction, self._instrument.symbol_id, file.timeframe, bars, BarSource.IMPORT, whole
            )
            await transaction.commit()
        report.rows += len(table) + len(batch.bad_rows)
        report.new += merged.new
        report.corrected += merged.corrected
        report.unchanged += len(kept) - merged.new - merged.corrected
        report.rejected += len(rejections)
        report.rolled_up += merged.rerolled
        report.examples += [f"{each.reason} ({each.frame})" for each in rejections[: EXAMPLES - len(report.examples)]]

    @property
    def _origin(self) -> str:
        return f"import {self._file.path.name}"

    def _place(self, line: int) -> str:
        return f"{'row' if self._file.path.suffix == PARQUET else 'line'} {line}"

    def _impossible(self, batch: CandleBatch, index: int) -> Rejection:
        bar = bar_at(batch.table, index, self._file.symbol, self._file.timeframe, BarSource.IMPORT)
        defect = bar.defect() or f"ts is {bar.ts.isoformat()}, a bar that closes in the future"
        return rejection_of(bar, f"{self._place(int(batch.lines[index]))}: {defect}", self._origin)

    def _unreadable(self, row: BadRow) -> Rejection:
        ts = None if row.ts is None else _moment(row.ts)
        return Rejection(
            source=self._origin,
            # Postgres takes no NUL in a text.
            reason=f"{self._place(row.line)}: {row.field} = {row.value!r} {row.reason}".replace("\0", ""),
            frame=",".join(("" if ts is None else ts.isoformat(), *row.raw)).replace("\0", ""),
            symbol=self._file.symbol,
            timeframe=self._file.timeframe.value,
            ts=ts,
        )

    def _widen(self, opens: NDArray[np.int64]) -> tuple[datetime, datetime]:
        """Take these opens into the span of the file so far, and return it."""
        if len(opens):
            months = np.unique(opens.astype("datetime64[s]").astype("datetime64[M]")).astype("datetime64[s]")
            self._months |= set(months.astype(np.int64).tolist())
            first, last = int(opens[0]), int(opens[-1])
            self._span = (first, last) if self._span is None else (min(self._span[0], first), max(self._span[1], last))
        first, last = (_moment(each) for each in self._span or (0, 0))
        return first, self._file.timeframe.close_of(last)

    async def _roll_up(self, first: datetime, last: datetime) -> None:
        """Make the coarser bars that are not there yet; those that a running fleet has still to close are its own."""
        symbol_id, base = self._instrument.symbol_id, self._file.timeframe
        for target in (each for each in Timeframe if each.seconds > base.seconds):
            async with self._database.transaction() as transaction:
                begin, end = await covered_span(transaction, symbol_id, base, target, first, last)
                mark = (await read_watermarks(transaction)).get(target)
                end = end if mark is None else min(end, mark.closed_through)
                for seconds in sorted(self._months):
                    month = _moment(seconds)
                    self._report.rolled_up += await roll_missing(
                        transaction, symbol_id, base, target, max(begin, month), min(end, _next_month(month))
                    )
                await transaction.commit()


def _moment(seconds: int) -> datetime:
    return EPOCH + timedelta(seconds=seconds)


def _next_month(month: datetime) -> datetime:
    year, index = divmod(month.year * 12 + month.month, 12)
    return month.replace(year=year, month=index + 1)
