"""Months of bars, rewritten step by step: each step is a transaction, and whoever comes next goes on after it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from tracker.domain.errors import TrackerError
from tracker.store.archive import (
    BarMonth,
    MonthInUseError,
    Progress,
    Purpose,
    begin_rewrite,
    copy_next_symbol,
    drop_rewrite,
    read_progress,
    seal_rewrite,
    swap_rewrite,
)
from tracker.store.database import Database

from services.data_scheduler.slices import Outcome, Slice, Tell


class MonthChangedError(TrackerError):
    """Bars of the month were written while it was copied: the original stays and the copy is begun anew."""

    retryable = True


@dataclass(slots=True)
class Rewriter:
    """Rewrites months for one purpose, one after the other."""

    database: Database
    purpose: Purpose
    patience: timedelta
    tell: Tell
    done: list[dict[str, Any]] = field(default_factory=list)

    async def rewrite(self, months: Sequence[BarMonth], time: Slice) -> Outcome:
        """Rewrite as many as the slice allows; a month that cannot be had does not stop the others.

        Raises the first MonthInUseError or MonthChangedError once the others are done.
        """
        problem: TrackerError | None = None
        for number, each in enumerate(months):
            if number and time.is_over:
                return self._stopped(months[number:], None)
            try:
                progress = await self._one(each.month, time)
            except (MonthInUseError, MonthChangedError) as error:
                problem = problem or error
                continue
            if progress is not None:
                return self._stopped(months[number:], progress)
        if problem is not None:
            raise problem
        return Outcome(result={"months": self.done})

    async def _one(self, month: datetime, time: Slice) -> Progress | None:
        """Rewrite a month; returns how far it is where the slice ended before it was through."""
        progress = await self._progress(month)
        if progress is None or progress.purpose is not self.purpose:
            async with self.database.transaction() as transaction:
                await begin_rewrite(transaction, month, self.purpose, self.patience)
                await transaction.commit()
            progress = await self._progress(month)
        while progress is not None and not progress.sealed:
            await self._step(month)
            progress = await self._progress(month)
            if progress is not None and not progress.sealed:
                self.tell(f"{month:%Y-%m}: {progress.copied_symbols} of {progress.symbols} symbols copied,"
                          f" {progress.rows:,} bars")
                if time.is_over:
                    return progress
        if progress is not None:
            await self._swap(month, progress)
        return None

    async def _step(self, month: datetime) -> None:
        """Copy one symbol, or count and check what is copied where none is left."""
        async with self.database.transaction() as transaction:
            if await copy_next_symbol(transaction, month) is None:
                self.tell(f"{month:%Y-%m}: counting and checking the copy")
                await seal_rewrite(transaction, month, self.patience)
            await transaction.commit()

    async def _swap(self, month: datetime, progress: Progress) -> None:
        self.tell(f"{month:%Y-%m}: comparing {progress.rows:,} bars with the original")
        async with self.database.transaction() as transaction:
            same = await swap_rewrite(transaction, month, self.patience)
            await transaction.commit()
        if not same:
            async with self.database.transaction() as transaction:
                await drop_rewrite(transaction, month, self.patience)
                await transaction.commit()
            raise MonthChangedError(f"bars of {month:%Y-%m} were written during the copy, which was dropped")
        self.done.append({"month": f"{month:%Y-%m}", "rows": progress.rows, "checksum": str(progress.checksum)})

    async def _progress(self, month: datetime) -> Progress | None:
        async with self.database.transaction() as transaction:
            return await read_progress(transaction, month)

    def _stopped(self, left: Sequence[BarMonth], progress: Progress | None) -> Outcome:
        result: dict[str, Any] = {"months": self.done, "months_left": len(left)}
        if progress is not None:
            result["at"] = {
                "month": f"{left[0].month:%Y-%m}", "copied_symbols": progress.copied_symbols,
                "symbols": progress.symbols, "rows": progress.rows,
            }
        return Outcome(result=result, unfinished=True)
