"""Which of two words on a bar is the later one: the stream's, or an answer of REST that was asked for before."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeAlias

from tracker.domain.bar import Bar
from tracker.domain.timeframe import Timeframe
from tracker.store.bars import Rejection

Item: TypeAlias = Bar | Rejection
Key: TypeAlias = tuple[str, Timeframe, datetime]


@dataclass(slots=True, eq=False)
class Question:
    """One question to REST, and which bars the stream has brought since it was asked."""

    streamed: set[Key] = field(default_factory=set[Key])

    def still_latest(self, items: Sequence[Item]) -> list[Item]:
        """Return what of the answer the stream has not spoken on meanwhile: it may have sent a correction."""
        return [item for item in items if not isinstance(item, Bar) or _key(item) not in self.streamed]


@dataclass(slots=True)
class Freshness:
    """The questions under way."""

    _questions: list[Question] = field(default_factory=list[Question])

    @contextmanager
    def asking(self) -> Iterator[Question]:
        """Ask a question, until its answer is stored."""
        question = Question()
        self._questions.append(question)
        try:
            yield question
        finally:
            self._questions.remove(question)

    def heard(self, items: Iterable[Item]) -> None:
        """Take note of what the stream brings."""
        if self._questions:
            keys = {_key(item) for item in items if isinstance(item, Bar)}
            for question in self._questions:
                question.streamed |= keys


def _key(bar: Bar) -> Key:
    return bar.symbol, bar.timeframe, bar.ts
