"""The smallest service there can be, as a process of its own: `python tiny_service.py FOLDER`.

It leaves a file in FOLDER when a run begins and one when it has ended; a run takes half a second. What FOLDER's file
`fault` holds, the next run fails with.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

from tracker.domain.errors import DatabaseUnavailableError, InputError
from tracker.runtime.service import main
from tracker.runtime.settings import ServiceSettings

FOLDER = Path(sys.argv[1])
FAULTS = {"retryable": DatabaseUnavailableError("gone for a moment"), "fatal": InputError("no such thing")}


class Tiny:
    """Counts its runs."""

    name = "health_monitor"
    channels = ("tiny",)
    runs = 0

    async def run_once(self) -> bool:
        """Take half a second, or fail as told."""
        fault = FOLDER / "fault"
        if fault.exists():
            told = fault.read_text()
            fault.unlink()
            raise FAULTS.get(told) or ZeroDivisionError
        (FOLDER / "begun").touch()
        await asyncio.sleep(0.5)
        self.runs += 1
        (FOLDER / "ended").write_text(str(self.runs))
        return False

    def detail(self) -> dict[str, Any]:
        """Return the count."""
        return {"runs": self.runs}


if __name__ == "__main__":
    main(Tiny.name, ServiceSettings, lambda settings, database, clock, log: Tiny(), role="tracker_health_monitor")
