"""`tracker backfill`: years of history, symbol beside symbol, told as it goes on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from tracker.domain.clock import Clock
from tracker.domain.errors import DatabaseUnavailableError, FeedAuthError, FeedError, InputError
from tracker.domain.instrument import Instrument
from tracker.domain.timeframe import Timeframe
from tracker.runtime.logging import Logger
from tracker.runtime.retry import Backoff
from tracker.runtime.universe import Universe
from tracker.store.backfill import Chunk, plan_again, plan_chunks, read_chunks
from tracker.store.database import Database
from tracker.store.imports import Merged, make_months
from tracker.store.readers import read_span

from services.data_collector.chunks import load_chunk, note_failure
from services.data_collector.feeds.base import Feed
from services.data_collector.plan import Span, expected_bars, missing_chunks, outstanding, span_of
from services.data_collector.roster import Roster, call_roll

# A vendor's newest candles may still grow (Coinbase's lag by up to 7 minutes); a chunk that is done is not asked again.
SETTLED = timedelta(minutes=10)
# Failures that outlast a request's own attempts.
PASSES = 3
# How long a database that went away is waited for.
PATIENCE_SECONDS = 120.0
# History that begins this much later than what was asked for is told.
LATE_BEGIN = timedelta(days=1)

Tell: TypeAlias = Callable[[dict[str, Any]], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What to fetch: all symbols of the universe where none is named; `again`: also what is there already."""

    days: float
    timeframes: tuple[Timeframe, ...]
    symbols: tuple[str, ...] = ()
    again: bool = False


@dataclass(slots=True, kw_only=True)
class Backfill:
    """One run; everything it has done so far is in the database, so that it can be killed at any moment."""

    feed: Feed
    database: Database
    universe: Universe
    parallel: int
    clock: Clock
    log: Logger
    tell: Tell
    _failed: dict[Chunk, str] = field(default_factory=dict[Chunk, str])

    async def run(self, order: Order) -> dict[str, Any]:
        """Fetch what is missing and return the report.

        Raises InputError where a named symbol is unknown or paused, FeedAuthError where the vendor refuses the key,
        DatabaseUnavailableError where the database stays away.
        """
        started = self.clock.monotonic()
        roster = await call_roll(self.database, self.feed, self.universe)
        chosen = _chosen(roster, order.symbols)
        now = Timeframe.M5.floor(await self.feed.now() - SETTLED)
        spans = [span_of(timeframe, order.days, now) for timeframe in order.timeframes]
        chunks = await self._plan(chosen, spans, again=order.again)
        total = len(chunks)
        self.tell({"event": "plan", "symbols": len(chosen), "chunks": total, "bars": expected_bars(chunks)})
        sums = await self._fetch_all(chosen, chunks)
        reasons = await self._shortcomings(chosen, spans)
        return {
            "complete": [symbol for symbol, said in reasons.items() if not said],
            "partial": {symbol: said for symbol, said in reasons.items() if said},
            "unsupported": {
                symbol: reason for symbol, reason in roster.unsupported.items() if symbol in (order.symbols or [symbol])
            },
            "chunks": total,
            "chunks_failed": len(self._failed),
            "seconds": round(self.clock.monotonic() - started, 3),
            **sums,
        }

    async def _plan(self, chosen: Mapping[str, Instrument], spans: Sequence[Span], *, again: bool) -> list[Chunk]:
        frames = [span.timeframe for span in spans]
        async with self.database.transaction() as transaction:
            known = await read_chunks(transaction, frames)
            if again:
                await plan_again(transaction, _of_symbols(known, chosen, spans))
            await plan_chunks(transaction, missing_chunks(list(chosen.values()), spans, known))
            chunks = outstanding(await read_chunks(transaction, frames), chosen, spans)
            await transaction.commit()
        async with self.database.transaction() as transaction:
            # Making a partition locks the table, so all are made at once and before anything is merged.
            await make_months(transaction, _days_of(chunks))
            await transaction.commit()
        return chunks

    async def _fetch_all(self, chosen: Mapping[str, Instrument], chunks: Sequence[Chunk]) -> dict[str, int]:
        sums = {"fetched_chunks": 0, "new": 0, "corrected": 0}
        waiting = list(chunks)
        for number in range(1, PASSES + 1):
            failed: list[Chunk] = []
            queue = iter(waiting)

            async def work(queue: Iterable[Chunk] = queue, failed: list[Chunk] = failed, number: int = number) -> None:
                for chunk in queue:
                    merged = await self._fetch(chunk, chosen[chunk.symbol], last=number == PASSES)
                    if merged is None:
                        failed.append(chunk)
                        continue
                    sums["fetched_chunks"] += 1
                    sums["new"] += merged.new
                    sums["corrected"] += merged.corrected

            await _together(work() for _ in range(self.parallel))
            waiting = failed
            if not waiting:
                break
        return sums

    async def _fetch(self, chunk: Chunk, instrument: Instrument, *, last: bool) -> Merged | None:
        """Load a chunk; None where the vendor failed."""
        try:
            merged = await self._patiently(chunk, instrument)
        except FeedAuthError:
            raise
        except FeedError as error:
            self.log.warning(
                "a piece of history could not be fetched", action="backfill_failed", symbol=chunk.symbol,
                timeframe=chunk.timeframe, starts_at=chunk.starts_at.isoformat(), error=str(error),
            )
            await note_failure(self.database, chunk, str(error))
            if last:
                self._failed[chunk] = str(error)
                self.tell(_told(chunk, Merged(), failed=True))
            return None
        self.tell(_told(chunk, merged, failed=False))
        return merged

    async def _patiently(self, chunk: Chunk, instrument: Instrument) -> Merged:
        backoff, since = Backoff(initial=0.5, longest=10), self.clock.monotonic()
        while True:
            try:
                return await load_chunk(self.feed, self.database, chunk, instrument)
            except DatabaseUnavailableError as error:
                if self.clock.monotonic() - since > PATIENCE_SECONDS:
                    raise
                self.log.warning("the database is waited for", action="backfill_wait", error=str(error))
                await asyncio.sleep(backoff.next_wait())

    async def _shortcomings(self, chosen: Mapping[str, Instrument], spans: Sequence[Span]) -> dict[str, list[str]]:
        """Return for each symbol why its history is not complete, nothing where it is."""
        failures = {(chunk.symbol_id, chunk.timeframe): reason for chunk, reason in self._failed.items()}
        found_wanting: dict[str, list[str]] = {}
        async with self.database.transaction() as transaction:
            for symbol, each in chosen.items():
                reasons: list[str] = []
                for span in spans:
                    if each.base_timeframe.seconds > span.timeframe.seconds:
                        reasons.append(f"{span.timeframe}: its bars are {each.base_timeframe} at the finest")
                        continue
                    failure = failures.get((each.symbol_id, span.timeframe))
                    found = await read_span(transaction, each.symbol_id, span.timeframe, span.begin, span.end)
                    reason = failure or _shortfall(span, found)
                    if reason is not None:
                        reasons.append(f"{span.timeframe}: {reason}")
                found_wanting[symbol] = reasons
        return found_wanting


def _chosen(roster: Roster, symbols: Sequence[str]) -> dict[str, Instrument]:
    """Return the symbols to fetch by name; raises InputError for one that is paused or unknown."""
    active = {each.symbol: each for each in roster.instruments}
    for symbol in symbols:
        if symbol not in active and symbol not in roster.unsupported:
            what = "is paused" if symbol in roster.symbol_ids else "is not in the universe"
            raise InputError(f"--symbols: {symbol} {what}")
    return {symbol: active[symbol] for symbol in symbols if symbol in active} if symbols else active


def _of_symbols(chunks: Iterable[Chunk], symbols: Mapping[str, object], spans: Sequence[Span]) -> list[Chunk]:
    by_timeframe = {span.timeframe: span for span in spans}
    return [
        each for each in chunks if each.symbol in symbols and by_timeframe[each.timeframe].overlaps(each)
    ]


def _days_of(chunks: Iterable[Chunk]) -> NDArray[np.int64]:
    """Return a moment of each day that chunks reach into, Unix seconds."""
    day = Timeframe.D1.seconds
    spans = {(int(each.starts_at.timestamp()) // day, int(each.ends_at.timestamp() - 1) // day) for each in chunks}
    days = [np.arange(first, last + 1, dtype=np.int64) for first, last in spans]
    return np.unique(np.concatenate(days)) * day if days else np.empty(0, np.int64)


def _shortfall(span: Span, found: tuple[Any, Any] | None) -> str | None:
    """Say where a span begins later than it was asked for; holes within are minutes without trades."""
    if span.begin >= span.end:
        return None
    if found is None:
        return f"the vendor has no bars from {span.begin:%Y-%m-%d} on"
    if found[0] - span.begin > max(LATE_BEGIN, 2 * span.timeframe.duration):
        return f"the vendor's bars begin on {found[0]:%Y-%m-%d %H:%M}"
    return None


def _told(chunk: Chunk, merged: Merged, *, failed: bool) -> dict[str, Any]:
    return {
        "event": "chunk", "symbol": chunk.symbol, "timeframe": chunk.timeframe.value, "failed": failed,
        "bars": expected_bars([chunk]), "new": merged.new, "corrected": merged.corrected,
    }


async def _together(work: Iterable[Any]) -> None:
    """Run everything at once; the first failure cancels the rest and is raised as it is."""
    try:
        async with asyncio.TaskGroup() as group:
            for each in work:
                group.create_task(each)
    except BaseExceptionGroup as group_error:
        raise group_error.exceptions[0] from group_error
