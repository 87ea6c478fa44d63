"""`tracker export`: bars into files that `tracker import` takes back."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeAlias

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from tracker.domain.errors import InputError
from tracker.domain.timeframe import EPOCH, Timeframe
from tracker.runtime.candle_batches import BATCH_ROWS, write_csv
from tracker.runtime.candle_parquet import write_parquet
from tracker.store.bars import BarTable
from tracker.store.database import Database
from tracker.store.readers import read_span, read_whole_range
from tracker.store.symbols import read_symbols

from services.control.database_at_hand import database_at_hand
from services.control.settings import ControlSettings

ROLE = "tracker_reader"
END_OF_TIME = datetime(2100, 1, 1, tzinfo=UTC)

Tell: TypeAlias = Callable[[float], None]


class FileFormat(StrEnum):
    """How bars are written."""

    CSV = "csv"
    PARQUET = "parquet"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportRequest:
    """Bars that open in [first, end), a file a symbol into the folder `out`."""

    symbols: tuple[str, ...]
    timeframe: Timeframe
    first: datetime
    end: datetime
    format: FileFormat
    out: Path


def moment_of(option: str, text: str | None, default: datetime) -> datetime:
    """Return the moment in an ISO text, UTC where it names no zone; raises InputError naming the option."""
    if text is None:
        return default
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise InputError(f"{option}: {text!r} is not an ISO time such as 2026-03-01T12:00Z") from None
    return moment.astimezone(UTC) if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def format_of(name: str) -> FileFormat:
    """Return the format of that name; raises InputError."""
    try:
        return FileFormat(name)
    except ValueError:
        raise InputError(f"--format: {name!r} is not one of {', '.join(FileFormat)}") from None


def export_candles(settings: ControlSettings, request: ExportRequest, console: Console) -> dict[str, Any]:
    """Write the files and return the report; no more than a batch is in memory.

    Raises InputError for a symbol that is not in the database, a span that is none or a folder that cannot be made.
    """
    if not request.symbols:
        raise InputError("--symbols: name at least one")
    if request.first >= request.end:
        raise InputError(f"--from: {request.first.isoformat()} is not before --to, {request.end.isoformat()}")
    try:
        request.out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"--out: {request.out} cannot be made: {error.strerror}") from None
    started = time.monotonic()
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with (
        database_at_hand(settings) as url,
        Progress(*columns, console=console, transient=True) as progress,
        _Reader(url) as reader,
    ):
        ids = reader.symbol_ids(request.symbols)
        task = progress.add_task("exporting", total=len(ids))
        files = [
            _export(reader, symbol, symbol_id, request, lambda share: progress.advance(task, share))
            for symbol, symbol_id in ids.items()
        ]
    return {"files": files, "seconds": round(time.monotonic() - started, 3)}


class _Reader:
    """Reads from code without an event loop, because files are written by pulling."""

    def __init__(self, url: str) -> None:
        self._runner = asyncio.Runner()
        self._database = self._runner.run(Database.open(url, role=ROLE, pool_size=1, application="export"))

    def __enter__(self) -> _Reader:
        return self

    def __exit__(self, *_: object) -> None:
        self._runner.run(self._database.close())
        self._runner.close()

    def symbol_ids(self, symbols: Sequence[str]) -> dict[str, int]:
        async def read() -> dict[str, int]:
            async with self._database.transaction() as transaction:
                return {each.symbol: each.symbol_id for each in await read_symbols(transaction)}

        known = self._runner.run(read())
        for symbol in symbols:
            if symbol not in known:
                raise InputError(f"--symbols: {symbol!r} is not in the database")
        return {symbol: known[symbol] for symbol in symbols}

    def span(
        self, symbol_id: int, timeframe: Timeframe, first: datetime, end: datetime
    ) -> tuple[datetime, datetime] | None:
        async def read() -> tuple[datetime, datetime] | None:
            async with self._database.transaction() as transaction:
                return await read_span(transaction, symbol_id, timeframe, first, end)

        return self._runner.run(read())

    def bars(self, symbol_id: int, timeframe: Timeframe, first: datetime, end: datetime) -> BarTable:
        async def read() -> BarTable:
            async with self._database.transaction() as transaction:
                return await read_whole_range(transaction, symbol_id, timeframe, first, end)

        return self._runner.run(read())


def _export(reader: _Reader, symbol: str, symbol_id: int, request: ExportRequest, tell: Tell) -> dict[str, Any]:
    span = reader.span(symbol_id, request.timeframe, max(request.first, EPOCH), request.end)
    if span is None:
        tell(1.0)
        return {"symbol": symbol, "file": None, "rows": 0}
    first, last = span
    name = f"{symbol}_{request.timeframe}_{first:%Y%m%dT%H%M}_{last:%Y%m%dT%H%M}.{request.format}"
    path, rows = request.out / name, 0
    # Under another name until it is whole, so that nobody takes a half for the whole.
    part = path.with_suffix(f"{path.suffix}.part")

    def tables() -> Iterator[BarTable]:
        nonlocal rows
        step = request.timeframe.duration * BATCH_ROWS
        begin, until = first, last + timedelta(microseconds=1)
        while begin < until:
            end = min(begin + step, until)
            table = reader.bars(symbol_id, request.timeframe, begin, end)
            rows += len(table)
            yield table
            tell((end - begin) / (until - first))
            begin = end

    try:
        (write_parquet if request.format is FileFormat.PARQUET else write_csv)(part, tables())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return {"symbol": symbol, "file": str(path), "rows": rows}
