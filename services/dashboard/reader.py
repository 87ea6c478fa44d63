"""What pages ask of the database, answered once for everybody who asks the same."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from nicegui import Client, ui
from prometheus_client import Counter, Gauge
from tracker.domain.clock import Clock
from tracker.runtime.logging import Logger
from tracker.store.database import Database
from tracker.store.pages.marks import read_marks

T = TypeVar("T")
# Answers nobody watches are forgotten after this long, and earlier where there are more of them than this.
UNWATCHED_SECONDS = 30.0
MOST_ANSWERS = 200

READS = Counter("tracker_dashboard_reads_total", "Questions put to the database, each for all who asked it")
WATCHES = Gauge("tracker_dashboard_watches", "Answers that open pages follow")


@dataclass(frozen=True, slots=True, kw_only=True)
class Question(Generic[T]):
    """Something pages show: `read(transaction, *arguments)` returns it, as a value that can be compared.

    It is asked anew when a bar has closed where `with_bars`, and in any case after `seconds`, as long as somebody
    watches.
    """

    read: Callable[..., Awaitable[T]]
    seconds: float = 5.0
    with_bars: bool = True


Key = tuple[Question[Any], tuple[object, ...]]


@dataclass(slots=True)
class _Answer:
    value: Any = None
    read_at: float = float("-inf")
    wanted_at: float = 0.0
    pending: asyncio.Task[Any] | None = None
    watches: set[Watch[Any]] = field(default_factory=set)


class Watch(Generic[T]):
    """One page's interest in an answer; it ends with the page, or by `stop`."""

    def __init__(self, reader: Reader, then: Callable[[T], None]) -> None:
        """Belong to the page that is being built, and follow nothing yet; `Reader.watch` asks at once."""
        self._reader = reader
        self._client: Client = ui.context.client
        self._slot = ui.context.slot
        self._key: Key | None = None
        self._then = then
        self._client.on_delete(self.stop)

    async def ask_for(self, question: Question[T], *arguments: object) -> None:
        """Follow another answer instead, and show it at once."""
        self.stop()
        key = (question, arguments)
        self._key = key
        self._reader.add(key, self)
        value = await self._reader.ask(question, *arguments)
        if self._key == key:
            self.show(value)

    def show(self, value: T) -> None:
        """Hand an answer to the page, in its own context."""
        if not self._client.is_deleted:
            with self._slot:
                self._then(value)

    def stop(self) -> None:
        """Follow nothing any more."""
        if self._key is not None:
            self._reader.remove(self._key, self)
            self._key = None


class Reader:
    """Answers of the last moments; what is watched is read again when it may have changed."""

    def __init__(self, database: Database, clock: Clock, log: Logger) -> None:
        """Start without answers."""
        self._database = database
        self._clock = clock
        self._log = log
        self._answers: dict[Key, _Answer] = {}
        self._marks: tuple[object, ...] = ()

    @property
    def watches(self) -> int:
        """How many answers are followed by open pages, each page counted."""
        return sum(len(each.watches) for each in self._answers.values())

    @property
    def answers(self) -> int:
        """How many answers are kept."""
        return len(self._answers)

    async def ask(self, question: Question[T], *arguments: object) -> T:
        """Return an answer that is not older than its question allows; those who ask at the same time share it."""
        answer = self._answers.setdefault((question, arguments), _Answer())
        answer.wanted_at = self._clock.monotonic()
        if self._clock.monotonic() - answer.read_at < question.seconds:
            return answer.value
        return await self._read((question, arguments), answer)

    async def watch(self, then: Callable[[T], None], question: Question[T], *arguments: object) -> Watch[T]:
        """Show an answer on the page that is being built, and again whenever it has changed.

        The first time is before this returns, so that the page is sent with its figures in it.
        """
        watch = Watch(self, then)
        await watch.ask_for(question, *arguments)
        return watch

    def add(self, key: Key, watch: Watch[Any]) -> None:
        """Count a watch in."""
        self._answers.setdefault(key, _Answer()).watches.add(watch)
        WATCHES.set(self.watches)

    def remove(self, key: Key, watch: Watch[Any]) -> None:
        """Count a watch out."""
        if key in self._answers:
            self._answers[key].watches.discard(watch)
            self._answers[key].wanted_at = self._clock.monotonic()
        WATCHES.set(self.watches)

    async def refresh(self) -> None:
        """Read again what is watched and may have changed, and show what has; called by the service's loop."""
        async with self._database.transaction() as transaction:
            marks = await read_marks(transaction)
        moved, self._marks = marks != self._marks, marks
        self._forget()
        now = self._clock.monotonic()
        for key, answer in list(self._answers.items()):
            question = key[0]
            due = now - answer.read_at >= question.seconds or (moved and question.with_bars)
            if answer.watches and due:
                before = answer.value
                if await self._read(key, answer) != before:
                    self._show(answer)
            elif moved and question.with_bars:
                answer.read_at = float("-inf")

    async def _read(self, key: Key, answer: _Answer) -> Any:
        if answer.pending is not None:
            return await asyncio.shield(answer.pending)
        # A task of its own: whoever asked first may go away while others wait along.
        answer.pending = asyncio.create_task(self._read_from_database(*key))
        try:
            answer.value = await asyncio.shield(answer.pending)
            answer.read_at = self._clock.monotonic()
        finally:
            answer.pending = None
        return answer.value

    async def _read_from_database(self, question: Question[Any], arguments: tuple[object, ...]) -> Any:
        READS.inc()
        async with self._database.transaction(snapshot=True) as transaction:
            return await question.read(transaction, *arguments)

    def _show(self, answer: _Answer) -> None:
        for watch in list(answer.watches):
            try:
                watch.show(answer.value)
            except Exception:
                # One page that cannot show something must not take it from the others.
                self._log.exception("a page could not show an answer", action="page_failed")

    def _forget(self) -> None:
        """Drop answers that nobody watches: old ones, and the least wanted where there are too many."""
        now = self._clock.monotonic()
        idle = [key for key, each in self._answers.items() if not each.watches and each.pending is None]
        idle.sort(key=lambda key: self._answers[key].wanted_at)
        surplus = len(self._answers) - MOST_ANSWERS
        for place, key in enumerate(idle):
            if place < surplus or now - self._answers[key].wanted_at > UNWATCHED_SECONDS:
                del self._answers[key]
