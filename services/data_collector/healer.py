"""Asks REST for what the ledger says is missing, until each gap is stored or known to be empty."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from prometheus_client import Counter, Gauge
from tracker.domain.errors import FeedAuthError, FeedError
from tracker.domain.instrument import Instrument
from tracker.runtime.logging import Logger
from tracker.store.bars import Rejection
from tracker.store.database import Database
from tracker.store.gaps import DueGap, GapCause, Settled, note_attempt, read_due, settle

from services.data_collector.buffer import BarBuffer, Item
from services.data_collector.freshness import Question
from services.data_collector.gaps import around
from services.data_collector.history import History, together
from services.data_collector.settings import CollectorSettings

HEALED = Counter("tracker_gap_bars_healed_total", "Missing bars that REST had")
EMPTY = Counter("tracker_gap_bars_empty_total", "Missing bars that REST confirmed to have had no trades")
DUE = Gauge("tracker_gaps_due", "Symbols with open gaps to ask REST for, at the last look")
# A request's worth of minutes; a longer gap is closed piece by piece.
LONGEST_ASK = timedelta(days=1)


@dataclass(slots=True, kw_only=True)
class Healer:
    """Works through the open gaps; all it knows is in the database, so that it can be killed at any moment."""

    history: History
    database: Database
    settings: CollectorSettings
    log: Logger
    store: Callable[[Sequence[Item], Question], Awaitable[None]]
    vendor_now: Callable[[], Awaitable[datetime]]
    buffer: BarBuffer

    async def run_once(self, instruments: Sequence[Instrument]) -> bool:
        """Ask once for each symbol with open gaps; tell whether any was closed.

        Raises FeedAuthError where the vendor refuses the key, DatabaseUnavailableError.
        """
        by_id = {each.symbol_id: each for each in instruments}
        now = await self.vendor_now()
        settled = now - self.settings.settle_after
        async with self.database.transaction() as transaction:
            due = await read_due(transaction, list(by_id), settled, LONGEST_ASK)
        DUE.set(len(due))
        # History has its own slots, by which no more requests than allowed are under way.
        found = await together(self._heal(gap, by_id[gap.symbol_id], now) for gap in due)
        healed, empty = sum(each.healed for each in found), sum(each.empty for each in found)
        HEALED.inc(healed)
        EMPTY.inc(empty)
        if healed:
            self.log.info("missing bars were found at REST", action="gaps_healed", bars=healed, empty=empty)
        return bool(healed or empty)

    async def _heal(self, gap: DueGap, instrument: Instrument, now: datetime) -> Settled:
        end = min(gap.ends_at, gap.timeframe.floor(now - self.settings.settle_after))
        begin = self.history.begin_of(gap.timeframe, gap.starts_at, now)
        if begin > gap.starts_at:
            lost = replace(gap, ends_at=min(begin, gap.ends_at))
            await self._note(lost, "the vendor keeps no bars as old as these: `tracker import` takes them from files")
            gap = replace(gap, starts_at=lost.ends_at)
        if gap.starts_at >= end:
            return Settled(healed=0, empty=0)
        await self.buffer.settled()
        with self.buffer.freshness.asking() as question:
            try:
                items = await self.history.fetch(instrument, self.history.with_overlap(gap.starts_at), end)
            except FeedAuthError:
                raise
            except FeedError as error:
                await self._note(gap, str(error))
                return Settled(healed=0, empty=0)
            await self.store(items, question)
        return await self._settle(gap, end, [item for item in items if isinstance(item, Rejection)])

    async def _settle(self, gap: DueGap, end: datetime, refused: Sequence[Rejection]) -> Settled:
        """Close the gap, but for the buckets of which REST has an impossible bar."""
        step = gap.timeframe.duration
        defects = {
            item.ts: item.reason for item in refused if item.ts is not None and gap.starts_at <= item.ts < end
        }
        healed = empty = 0
        pause = timedelta(seconds=self.settings.gap_retry_seconds)
        async with self.database.transaction() as transaction:
            for first, stop in around(gap.starts_at, end, list(defects), step):
                done = await settle(transaction, gap.symbol_id, gap.timeframe, first, stop)
                healed, empty = healed + done.healed, empty + done.empty
            for moment, reason in defects.items():
                one = DueGap(
                    symbol_id=gap.symbol_id, timeframe=gap.timeframe, starts_at=moment, ends_at=moment + step,
                    attempts=gap.attempts,
                )
                await note_attempt(transaction, one, f"REST: {reason}", pause, GapCause.REJECTED)
            await transaction.commit()
        return Settled(healed=healed, empty=empty)

    async def _note(self, gap: DueGap, reason: str) -> None:
        self.log.warning(
            "a gap cannot be asked for yet", action="gap_wait", symbol_id=gap.symbol_id,
            starts_at=gap.starts_at.isoformat(), attempts=gap.attempts + 1, error=reason,
        )
        async with self.database.transaction() as transaction:
            await note_attempt(transaction, gap, reason, timedelta(seconds=self.settings.gap_retry_seconds))
            await transaction.commit()
