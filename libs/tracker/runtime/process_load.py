"""How busy a process is, as it feels it itself."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

import psutil


def cpu_seconds() -> float:
    """Return the processor time that this process has taken so far."""
    times = psutil.Process().cpu_times()
    return times.user + times.system


@dataclass(slots=True)
class ProcessLoad:
    """The share of a core that the process takes, and how late its event loop comes to what is due.

    Both over the last `window_seconds`: the share as a mean, the lag as the worst.
    """

    monotonic: Callable[[], float]
    window_seconds: float = 120.0
    cpu: Callable[[], float] = cpu_seconds
    feel_seconds: float = 1.0
    _used: deque[tuple[float, float]] = field(default_factory=deque[tuple[float, float]])
    _lags: deque[tuple[float, float]] = field(default_factory=deque[tuple[float, float]])

    def figures(self) -> dict[str, float]:
        """Return `cpu_share` and `loop_lag_seconds`; the first time, nothing is known of the share."""
        now = self.monotonic()
        self._used.append((now, self.cpu()))
        # The one that is just outside is where the window begins.
        while len(self._used) > 2 and self._used[1][0] <= now - self.window_seconds:
            self._used.popleft()
        while self._lags and self._lags[0][0] < now - self.window_seconds:
            self._lags.popleft()
        found = {"loop_lag_seconds": round(max((lag for _, lag in self._lags), default=0.0), 3)}
        began, used = self._used[0]
        if now > began:
            found["cpu_share"] = round((self._used[-1][1] - used) / (now - began), 3)
        return found

    def came(self, late: float) -> None:
        """Note by how many seconds something came late."""
        self._lags.append((self.monotonic(), late))

    async def feel(self) -> None:
        """Feel again and again how late the loop comes, until cancelled."""
        while True:
            began = self.monotonic()
            await asyncio.sleep(self.feel_seconds)
            self.came(max(0.0, self.monotonic() - began - self.feel_seconds))
