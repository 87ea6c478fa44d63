"""The web page: one answer for all viewers, so that their number does not reach the database."""

from __future__ import annotations

import ipaddress
from typing import Any

from fastapi import FastAPI
from nicegui import Client
from tracker.domain.clock import Clock
from tracker.domain.errors import ConfigError
from tracker.runtime.logging import Logger
from tracker.store.bars import BARS_CHANNEL
from tracker.store.database import Database

from services.dashboard.reader import Reader
from services.dashboard.settings import DashboardSettings
from services.dashboard.site import mount_pages


class Dashboard:
    """Reads again what open pages show, whenever a bar has closed or it has grown old."""

    name = "dashboard"
    channels = (BARS_CHANNEL,)

    def __init__(self, database: Database, settings: DashboardSettings, clock: Clock, log: Logger) -> None:
        """Refuse to serve strangers.

        Raises ConfigError where the page would be open beyond loopback without being told so.
        """
        if not (settings.open_to_network or _is_loopback(settings.host)):
            raise ConfigError(
                f"environment: HOST = {settings.host!r} opens the page to the network, and it has no sign-in yet: "
                "set DASHBOARD_OPEN_TO_NETWORK=true to serve it behind a proxy that asks for one"
            )
        self._settings = settings
        self._clock = clock
        self._log = log
        self._reader = Reader(database, clock, log)

    def detail(self) -> dict[str, Any]:
        """Return what is shown in /health."""
        return {
            "viewers": len(Client.instances), "watches": self._reader.watches, "answers": self._reader.answers,
        }  # fmt: skip

    async def run_once(self) -> bool:
        """Renew what is watched."""
        await self._reader.refresh()
        return False

    def mount(self, app: FastAPI) -> None:
        """Add the pages."""
        mount_pages(app, self._reader, self._settings, self._clock, self._log)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
