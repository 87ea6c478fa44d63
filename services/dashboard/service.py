"""One page over the database, read by its role and renewed every second."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Any

import orjson
from fastapi import FastAPI, Response
from fastapi.responses import HTMLResponse
from tracker.domain.clock import Clock
from tracker.domain.errors import ConfigError
from tracker.store.bar_cache import BarCache
from tracker.store.bars import BARS_CHANNEL
from tracker.store.database import Database
from tracker.store.overview import read_minutes, read_overview

from services.dashboard.settings import DashboardSettings

PAGE = Path(__file__).parent / "page.html"


class Dashboard:
    """Keeps one snapshot for all viewers, so that their number does not reach the database."""

    name = "dashboard"
    channels = (BARS_CHANNEL,)

    def __init__(self, database: Database, settings: DashboardSettings, clock: Clock) -> None:
        """Refuse to serve strangers.

        Raises ConfigError where the page would be open beyond loopback without being told so.
        """
        if not (settings.open_to_network or _is_loopback(settings.host)):
            raise ConfigError(
                f"environment: HOST = {settings.host!r} opens the page to the network, and it has no sign-in yet: "
                "set DASHBOARD_OPEN_TO_NETWORK=true to serve it behind a proxy that asks for one"
            )
        self._database = database
        self._settings = settings
        self._bars = BarCache(clock)
        self._snapshot = b"{}"
        self._page = PAGE.read_text(encoding="utf-8")
        self._views = 0

    def detail(self) -> dict[str, Any]:
        """Return what is shown in /health."""
        return {
            "views": self._views, "snapshot_bytes": len(self._snapshot), "bar_cache_hits": self._bars.hits,
            "bar_cache_misses": self._bars.misses,
        }

    async def run_once(self) -> bool:
        """Take a new snapshot."""
        async with self._database.transaction() as transaction:
            document = await read_overview(transaction, self._settings.account)
        document["source"] = self._settings.source
        self._snapshot = orjson.dumps(document, default=float)
        return False

    def mount(self, app: FastAPI) -> None:
        """Add the page and its data."""

        @app.get("/", response_class=HTMLResponse)
        async def page() -> str:
            self._views += 1
            return self._page

        @app.get("/api/overview")
        async def overview() -> Response:
            return Response(self._snapshot, media_type="application/json")

        @app.get("/api/minutes/{symbol}")
        async def minutes(symbol: str) -> Response:
            async with self._database.transaction() as transaction:
                rows = await read_minutes(transaction, self._bars, symbol)
            return Response(orjson.dumps(rows), media_type="application/json")

        _ = (page, overview, minutes)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
