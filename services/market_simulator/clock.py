"""The exchange's own time: the wall's, a multiple of it, or whatever it is told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from tracker.domain.clock import Clock


class ExchangeClock(Protocol):
    """Tells the exchange's time in epoch seconds."""

    @property
    def mode(self) -> str:
        """How it was asked for: 'real', 'paced' or a speed such as '60x'."""
        ...

    @property
    def speed(self) -> float:
        """Exchange seconds per second of the wall, 0 where it stands still by itself."""
        ...

    def now(self) -> float | None:
        """Return the time, None before a paced clock was first set."""
        ...


@dataclass(frozen=True, slots=True)
class RealClock:
    """The machine's time."""

    clock: Clock
    mode: str = "real"
    speed: float = 1.0

    def now(self) -> float:
        """Return the time."""
        return self.clock.now().timestamp()


@dataclass(frozen=True, slots=True)
class FastClock:
    """Time that began at `start` when the machine's monotonic clock said `origin`, and stops at `end`."""

    clock: Clock
    speed: float
    start: float
    origin: float
    end: float | None = None

    @property
    def mode(self) -> str:
        """Return the speed as it is written on the command line."""
        return f"{self.speed:g}x"

    def now(self) -> float:
        """Return the time."""
        passed = self.start + (self.clock.monotonic() - self.origin) * self.speed
        return passed if self.end is None else min(passed, self.end)


@dataclass(slots=True)
class PacedClock:
    """Time that moves only when it is set, and never back."""

    moment: float | None = None
    mode: str = "paced"
    speed: float = 0.0

    def now(self) -> float | None:
        """Return the time last set."""
        return self.moment

    def move_to(self, moment: float) -> None:
        """Set the time unless it is already later."""
        self.moment = moment if self.moment is None else max(self.moment, moment)
