"""What a running service knows about its own state, and how it tells the database and /health."""

from __future__ import annotations

import asyncio
import os
import uuid
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol, runtime_checkable

import psutil

from tracker.domain.clock import Clock
from tracker.domain.errors import TrackerError
from tracker.runtime.health import HealthReport
from tracker.runtime.logging import Logger
from tracker.runtime.process_load import ProcessLoad
from tracker.store.database import Database
from tracker.store.heartbeats import Heartbeat, write_heartbeat

READY_SECONDS = 5.0


class Telling(Protocol):
    """A service, as far as its state goes."""

    @property
    def name(self) -> str:
        """Name in fleet.toml."""
        ...

    def detail(self) -> dict[str, Any]:
        """Return the counts shown in /health and in the heartbeat; `problem`, if set, means fail, `trouble` warn."""
        ...


@runtime_checkable
class WatchesOthers(Protocol):
    """A service whose /health is about more than itself."""

    def health(self, own: HealthReport) -> HealthReport:
        """Return the whole picture; `own` is the service's."""
        ...


@dataclass(slots=True)
class Pulse:
    """The state of one process; `database` and `telling` are None while it waits for the database."""

    service: str
    started_at: datetime
    instance: str = field(default_factory=lambda: uuid.uuid4().hex[:12])
    last_success: datetime | None = None
    last_error: str | None = None
    database: Database | None = None
    telling: Telling | None = None
    load: ProcessLoad | None = None

    @property
    def status(self) -> str:
        """Pass, or fail while the last run failed, or warn before the first run ended."""
        if self.last_error is not None:
            return "fail"
        return "pass" if self.last_success is not None else "warn"

    async def ready(self) -> str | None:
        """Return None, or the reason why the database cannot be used."""
        if self.database is None:
            return "the database has not been reached yet"
        try:
            async with asyncio.timeout(READY_SECONDS), self.database.transaction() as transaction:
                await transaction.fetch_value("heartbeats.ping")
        except TrackerError as error:
            return str(error)
        except TimeoutError:
            return f"the database did not answer within {READY_SECONDS:.0f} s"
        return None

    async def report(self) -> HealthReport:
        """Return the whole picture for /health."""
        reason = await self.ready()
        detail = {} if self.telling is None else self.telling.detail()
        own = {
            "status": "fail" if reason is not None else _overall(self.status, detail),
            "serviceId": self.service,
            "releaseId": self.instance,
            "startedAt": self.started_at.isoformat(),
            "lastSuccess": self.last_success.isoformat() if self.last_success else None,
            "output": reason or detail.get("problem") or self.last_error or detail.get("trouble"),
            "checks": {"database": "fail" if reason else "pass", "loop": self.status},
            "detail": detail,
        }
        return self.telling.health(own) if isinstance(self.telling, WatchesOthers) else own


async def beat(
    telling: Telling, database: Database, clock: Clock, pulse: Pulse, log: Logger, status: str | None = None
) -> None:
    """Write the service's heartbeat, by default with the pulse's own status; a failure is only logged."""
    detail = telling.detail()
    if pulse.load is not None:
        detail = {**detail, "process": pulse.load.figures()}
    try:
        async with database.transaction() as transaction:
            row = Heartbeat(
                service=telling.name,
                instance=pulse.instance,
                pid=os.getpid(),
                started_at=pulse.started_at,
                # Once there is a connection: how long that took is no matter of the clock.
                beat_at=clock.now(),
                status=_overall(pulse.status, detail) if status is None else status,
                rss_bytes=psutil.Process().memory_info().rss,
                detail=detail,
            )
            await write_heartbeat(transaction, row)
            await transaction.commit()
    except TrackerError as error:
        log.warning("the heartbeat was not written", action="heartbeat_failed", error=str(error))


def _overall(status: str, detail: dict[str, Any]) -> str:
    if detail.get("problem"):
        return "fail"
    return "warn" if detail.get("trouble") and status == "pass" else status
