"""The web page: one answer for all viewers, so that their number does not reach the database."""

from __future__ import annotations

from typing import Any

from nicegui import Client
from starlette.applications import Starlette
from tracker.domain.clock import Clock
from tracker.runtime.logging import Logger
from tracker.store.bars import BARS_CHANNEL
from tracker.store.database import Database

from services.dashboard.access.doors import door_of
from services.dashboard.reader import Reader
from services.dashboard.settings import DashboardSettings
from services.dashboard.site import Site, mount_pages


class Dashboard:
    """Reads again what open pages show, whenever a bar has closed or it has grown old."""

    name = "dashboard"
    channels = (BARS_CHANNEL,)

    def __init__(self, database: Database, settings: DashboardSettings, clock: Clock, log: Logger) -> None:
        """Refuse to serve strangers: raises ConfigError where the page is open to the network without a sign-in."""
        self._reader = Reader(database, clock, log)
        self._site = Site(
            reader=self._reader, database=database, settings=settings, door=door_of(settings), clock=clock, log=log
        )

    def detail(self) -> dict[str, Any]:
        """Return what is shown in /health."""
        return {
            "viewers": len(Client.instances), "watches": self._reader.watches, "answers": self._reader.answers,
        }  # fmt: skip

    async def run_once(self) -> bool:
        """Renew what is watched."""
        await self._reader.refresh()
        return False

    def mount(self, app: Starlette) -> None:
        """Add the pages."""
        mount_pages(app, self._site)
