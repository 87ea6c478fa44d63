"""How often somebody may try to sign in: ever longer waits after failures, by address and for all together."""

from __future__ import annotations

from dataclasses import dataclass

from tracker.domain.clock import Clock

FREE = 5
FREE_FOR_ALL = 50
FIRST_SECONDS = 2.0
LONGEST_SECONDS = 300.0
LONGEST_FOR_ALL_SECONDS = 30.0
# Failures are forgotten after this long without one.
FORGOTTEN_SECONDS = 900.0
MOST_ADDRESSES = 5_000


@dataclass(slots=True)
class _Failures:
    count: int = 0
    last_at: float = 0.0

    def wait(self, now: float, free: int, longest: float) -> float:
        if self.count < free:
            return 0.0
        seconds = min(FIRST_SECONDS * 2.0 ** min(self.count - free, 30), longest)
        return max(0.0, self.last_at + seconds - now)


class Attempts:
    """Counts failures; an attempt counts as one from its begin, so that many at once help nobody."""

    def __init__(self, clock: Clock) -> None:
        """Start without failures."""
        self._clock = clock
        self._by_address: dict[str, _Failures] = {}
        self._all = _Failures()

    def wait_seconds(self, address: str) -> float:
        """Return how long this address has to wait before it may try; 0 where it may now."""
        now = self._clock.monotonic()
        mine = self._by_address.get(address, _Failures())
        if now - mine.last_at > FORGOTTEN_SECONDS:
            mine = _Failures()
        if now - self._all.last_at > FORGOTTEN_SECONDS:
            self._all = _Failures()
        return max(
            mine.wait(now, FREE, LONGEST_SECONDS), self._all.wait(now, FREE_FOR_ALL, LONGEST_FOR_ALL_SECONDS)
        )

    def begin(self, address: str) -> None:
        """Count an attempt as failed until `succeeded` says otherwise."""
        now = self._clock.monotonic()
        mine = self._by_address.pop(address, None)
        if mine is None or now - mine.last_at > FORGOTTEN_SECONDS:
            mine = _Failures()
        # The most recent last, so that the oldest is the one to forget.
        self._by_address[address] = mine
        if len(self._by_address) > MOST_ADDRESSES:
            del self._by_address[next(iter(self._by_address))]
        for each in (mine, self._all):
            each.count, each.last_at = each.count + 1, now

    def succeeded(self, address: str) -> None:
        """Forget the failures of an address that signed in."""
        mine = self._by_address.pop(address, None)
        if mine is not None:
            self._all.count = max(0, self._all.count - mine.count)
