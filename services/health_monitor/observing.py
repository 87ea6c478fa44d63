"""Reads the facts, each class of them as often as it may cost."""

from __future__ import annotations

from dataclasses import dataclass, field

from tracker.domain.clock import Clock
from tracker.domain.errors import TrackerError
from tracker.store.database import Database
from tracker.store.health.facts import Facts, limit_time, read_now
from tracker.store.health.risk import BookFacts

from services.health_monitor.books import REST, Books
from services.health_monitor.invariants.base import Observation, Source, Unread
from services.health_monitor.settings import MonitorSettings


@dataclass(slots=True)
class Observer:
    """Reads what is due; of the rest, what was read last stands. `seconds`: how long each class last took."""

    database: Database
    settings: MonitorSettings
    clock: Clock
    sources: tuple[Source, ...]
    books: Books
    seconds: dict[type[Facts], float] = field(default_factory=dict[type[Facts], float])
    _facts: dict[type[Facts], Facts | Unread] = field(default_factory=dict[type[Facts], "Facts | Unread"])
    _due: dict[type[Facts], float] = field(default_factory=dict[type[Facts], float])
    _remembered: dict[type[Facts], Facts] = field(default_factory=dict[type[Facts], Facts])

    async def look(self) -> Observation:
        """Return what is known now; facts that cannot be read take no others with them."""
        began = self.clock.monotonic()
        for source in self.sources:
            if self._due.get(source.kind, began) > began:
                continue
            start = self.clock.monotonic()
            self._facts[source.kind] = self._followed(source, await self._read(source))
            took = self.clock.monotonic() - start
            self.seconds[source.kind] = took
            # A look comes when its time is over: counted from the end of this one, each second look would be missed.
            self._due[source.kind] = began + max(getattr(self.settings, source.seconds), REST * took)
        self._facts[BookFacts] = await self._read_books()
        return Observation(settings=self.settings, facts=dict(self._facts))

    def _followed(self, source: Source, read: Facts | Unread) -> Facts | Unread:
        """Return facts that remember what was known before, also before they could not be read for a while."""
        if source.follow is None or isinstance(read, Unread):
            return read
        earlier = self._remembered.get(source.kind)
        self._remembered[source.kind] = read if earlier is None else source.follow(read, earlier)
        return self._remembered[source.kind]

    async def _read(self, source: Source) -> Facts | Unread:
        try:
            async with self.database.transaction() as transaction:
                await limit_time(transaction, self.settings.look_timeout_seconds)
                return await source.read(transaction, self.settings)
        # Whatever keeps one class of facts from being read, the others are to be judged: it becomes a finding.
        except Exception as error:
            return Unread(reason=_reason(error))

    async def _read_books(self) -> Facts | Unread:
        try:
            await self.books.look()
            async with self.database.transaction() as transaction:
                return BookFacts(now=await read_now(transaction), checks=dict(self.books.checks))
        except Exception as error:
            return Unread(reason=_reason(error))


def _reason(error: Exception) -> str:
    if isinstance(error, TrackerError):
        return str(error)
    return f"{type(error).__name__}: {error}"
