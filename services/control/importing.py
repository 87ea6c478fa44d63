"""`tracker import`: bars from files into the database, as if they had always been there."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from tracker.domain.bar import BarSource
from tracker.domain.clock import Clock, SystemClock
from tracker.domain.errors import InputError
from tracker.domain.instrument import Instrument
from tracker.domain.timeframe import EPOCH, Timeframe
from tracker.runtime.candle_batches import PARQUET, CandleBatch, csv_batches, files_to_import
from tracker.runtime.candle_parquet import need_parquet, parquet_batches
from tracker.runtime.candles import BadRow, CandleFile
from tracker.runtime.universe import load_universe
from tracker.store.bar_checks import bar_at, in_order, rejection_of, rows_of, split_table
from tracker.store.bars import BarTable, Rejection
from tracker.store.database import Database
from tracker.store.imports import commit_lazily, covered_span, merge_history, reject_many, roll_missing
from tracker.store.symbols import read_symbols, write_symbols

from services.control.backfill import universe_path
from services.control.database_at_hand import database_at_hand
from services.control.settings import ControlSettings

# Bars have one writer: whoever writes them does so as the collector.
ROLE = "tracker_data_collector"
EXAMPLES = 20

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

    Raises InputError naming a path, file, column or symbol that cannot be used.
    """
    files = files_to_import(paths, symbol, timeframe)
    if any(each.path.suffix == PARQUET for each in files):
        need_parquet()
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
    url: str, files: Sequence[CandleFile], listed: dict[str, Instrument], tell: Tell
) -> list[FileReport]:
    database = await Database.open(url, role=ROLE, pool_size=1, application="import")
    try:
        known = await _known_symbols(database, files, listed)
        return [await FileImport(database, each, known[each.symbol], SystemClock(), tell).run() for each in files]
    finally:
        await database.close()


async def _known_symbols(
    database: Database, files: Sequence[CandleFile], listed: dict[str, Instrument]
) -> dict[str, Instrument]:
    """Return the symbols of the files, listed ones taken into the database first."""
    async with database.transaction() as transaction:
        known = {each.symbol for each in await read_symbols(transaction)}
        for each in files:
            if each.symbol not in known and each.symbol not in listed:
                raise InputError(
                    f"{each.path}: symbol {each.symbol} is neither in universe.toml nor in the database:"
                    " add it to the universe, or say --symbol"
                )
        wanted = {each.symbol for each in files} - known
        await write_symbols(transaction, [listed[symbol] for symbol in sorted(wanted)])
        found = {each.symbol: each for each in await read_symbols(transaction)}
        await transaction.commit()
    return found


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
            await self._roll_up(*(EPOCH + timedelta(seconds=moment) for moment in self._span))
        return self._report

    def _batches(self) -> Iterator[CandleBatch]:
        path = self._file.path
        return parquet_batches(path) if path.suffix == PARQUET else csv_batches(path)

    async def _store(self, batch: CandleBatch) -> None:
        file, report = self._file, self._report
        kept, defects = split_table(batch.table, file.symbol, file.timeframe, self._origin)
        closed, early = self._closed(kept)
        rejections = [*(self._rejection(row) for row in batch.bad_rows), *defects, *early]
        bars = in_order(closed)
        async with self._database.transaction() as transaction:
            await commit_lazily(transaction)
            await reject_many(transaction, rejections)
            merged = await merge_history(
                transaction, self._instrument.symbol_id, file.timeframe, bars, BarSource.IMPORT
            )
            await transaction.commit()
        report.rows += len(batch.table) + len(batch.bad_rows)
        report.new += merged.new
        report.corrected += merged.corrected
        report.unchanged += len(closed) - merged.new - merged.corrected
        report.rejected += len(rejections)
        report.rolled_up += merged.rerolled
        report.examples += [f"{each.reason} ({each.frame})" for each in rejections[: EXAMPLES - len(report.examples)]]
        self._note_span(bars.ts)

    @property
    def _origin(self) -> str:
        return f"import {self._file.path.name}"

    def _closed(self, table: BarTable) -> tuple[BarTable, list[Rejection]]:
        """Part the bars that have closed from those that cannot be known yet."""
        now = self._clock.now()
        fine = table.ts + self._file.timeframe.seconds <= now.timestamp()
        if fine.all():
            return table, []
        early = [
            bar_at(table, int(index), self._file.symbol, self._file.timeframe, BarSource.IMPORT)
            for index in np.flatnonzero(~fine)
        ]
        return rows_of(table, fine), [
            rejection_of(bar, f"ts is {bar.ts.isoformat()}, a bar that closes in the future", self._origin)
            for bar in early
        ]

    def _rejection(self, row: BadRow) -> Rejection:
        ts = None if row.ts is None else EPOCH + timedelta(seconds=row.ts)
        return Rejection(
            source=self._origin,
            reason=f"line {row.line}: {row.field} = {row.value!r} {row.reason}",
            # Postgres takes no NUL in a text.
            frame=",".join(("" if ts is None else ts.isoformat(), *row.raw)).replace("\0", ""),
            symbol=self._file.symbol,
            timeframe=self._file.timeframe.value,
            ts=ts,
        )

    def _note_span(self, opens: NDArray[np.int64]) -> None:
        if len(opens) == 0:
            return
        months = np.unique(opens.astype("datetime64[s]").astype("datetime64[M]")).astype("datetime64[s]")
        self._months |= set(months.astype(np.int64).tolist())
        first, last = int(opens[0]), int(opens[-1])
        self._span = (first, last) if self._span is None else (min(self._span[0], first), max(self._span[1], last))

    async def _roll_up(self, first: datetime, last: datetime) -> None:
        symbol_id, base = self._instrument.symbol_id, self._file.timeframe
        for target in (each for each in Timeframe if each.seconds > base.seconds):
            async with self._database.transaction() as transaction:
                begin, end = await covered_span(transaction, symbol_id, base, target, first, last)
                for seconds in sorted(self._months):
                    month = EPOCH + timedelta(seconds=seconds)
                    self._report.rolled_up += await roll_missing(
                        transaction, symbol_id, base, target, max(begin, month), min(end, _next_month(month))
                    )
                await transaction.commit()


def _next_month(month: datetime) -> datetime:
    year, index = divmod(month.year * 12 + month.month, 12)
    return month.replace(year=year, month=index + 1)
