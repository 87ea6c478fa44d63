"""Ends a coroutine right after one of its awaits, as the end of its process would."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Generator
from types import FrameType
from typing import Any


class UntilKilled:
    """Awaits a coroutine, which is ended after the first of its awaits for which `kill`, told where it waits, says so.

    `died_in`: in which functions of ours, the innermost last; None where it came through. What it had under way is not
    finished: a transaction without its commit is rolled back, and of a request nobody hears the answer.
    """

    def __init__(self, work: Coroutine[Any, Any, Any], kill: Callable[[list[str]], bool]) -> None:
        self._work = work
        self._kill = kill
        self.died_in: list[str] | None = None

    def __await__(self) -> Generator[Any, Any, None]:
        value: Any = None
        error: BaseException | None = None
        while True:
            try:
                waited = self._work.send(value) if error is None else self._work.throw(error)
            except StopIteration:
                return
            except asyncio.CancelledError:
                if self.died_in is None:
                    raise
                return
            error = None
            place = _place(self._work)
            try:
                value = yield waited
            except BaseException as failure:
                error = failure
            if self.died_in is None and self._kill(place):
                self.died_in, error = place, asyncio.CancelledError()


def _place(work: Any) -> list[str]:
    """Return the functions of ours that a coroutine waits in, the innermost last."""
    found: list[str] = []
    while work is not None:
        frame: FrameType | None = getattr(work, "cr_frame", None) or getattr(work, "ag_frame", None)
        if frame is not None and "/services/slack_reporter/" in frame.f_code.co_filename:
            found.append(frame.f_code.co_name)
        work = getattr(work, "cr_await", None) or getattr(work, "ag_await", None) or getattr(work, "gi_yieldfrom", None)
    return found
