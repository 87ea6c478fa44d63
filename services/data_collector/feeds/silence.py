"""Tells a subscription that may be lost from a feed that is quiet as a whole."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta


@dataclass(slots=True)
class SilenceWatch:
    """Follows when each subscription was last heard of, by the vendor's time.

    One connection's. `after` is how long a subscription may be silent while others are not.
    """

    after: timedelta
    _last: dict[str, datetime] = field(default_factory=dict[str, datetime])
    _began: datetime | None = None

    def heard(self, name: str, moment: datetime) -> None:
        """Take note of a sign of one subscription."""
        self._began = self._began or moment
        known = self._last.get(name)
        if known is None or moment > known:
            self._last[name] = moment

    def take_silent(self, names: Iterable[str]) -> list[str]:
        """Return those of `names` that have been silent for too long; each counts as heard then."""
        if self._began is None or len(self._last) < 2:
            return []
        # The second newest: one wrong time must not make all others look silent.
        now = sorted(self._last.values())[-2]
        silent = [name for name in names if now - self._last.get(name, self._began) > self.after]
        for name in silent:
            self._last[name] = now
        return silent
