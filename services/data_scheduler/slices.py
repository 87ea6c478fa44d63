"""How long a task may go on, and what came of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from tracker.domain.clock import Clock

Tell: TypeAlias = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a run did, as plain JSON values; `unfinished` where its slice ended with more to do."""

    result: Mapping[str, Any]
    unfinished: bool = False

    def document(self) -> dict[str, Any]:
        """Return what is kept of it."""
        return {**self.result, "unfinished": True} if self.unfinished else dict(self.result)


class Slice:
    """The time a task may take until it has to stop at its next step."""

    def __init__(self, clock: Clock, seconds: float | None) -> None:
        """Begin now; None never ends."""
        self._clock = clock
        self._until = None if seconds is None else clock.monotonic() + seconds

    @property
    def is_over(self) -> bool:
        """Tell whether the task has to stop; asked after a step, so that each slice takes at least one."""
        return self._until is not None and self._clock.monotonic() >= self._until
