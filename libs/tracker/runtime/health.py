"""The web endpoints of every service: /livez /readyz /health /metrics."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, TypeAlias

import uvicorn
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from tracker.domain.errors import PortInUseError

STOP_SECONDS = 2
HealthReport: TypeAlias = dict[str, Any]


class HealthJSON(JSONResponse):
    """A JSON answer with the media type of the health-check draft."""

    media_type = "application/health+json"


def health_app(
    service: str,
    ready: Callable[[], Awaitable[str | None]],
    report: Callable[[], Awaitable[HealthReport]],
) -> Starlette:
    """Build the endpoints.

    `ready` returns None or the reason why the service cannot work; `report` returns the whole
    picture with a `status` of pass, warn or fail.
    """

    async def livez(_: Request) -> Response:
        return JSONResponse({"status": "pass", "service": service})

    async def readyz(_: Request) -> Response:
        reason = await ready()
        body = {"status": "pass" if reason is None else "fail", "service": service, "reason": reason}
        return HealthJSON(body, status_code=200 if reason is None else 503)

    async def health(_: Request) -> Response:
        body = await report()
        return HealthJSON(body, status_code=503 if body.get("status") == "fail" else 200)

    async def metrics(_: Request) -> Response:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    # Four answers need no more than this, and FastAPI would be 6 MB in every process.
    endpoints = {"/livez": livez, "/readyz": readyz, "/health": health, "/metrics": metrics}
    return Starlette(routes=[Route(path, endpoint) for path, endpoint in endpoints.items()])


class _Server(uvicorn.Server):
    """A uvicorn server that leaves the signals to its service."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take no signals: the service loop drains first, then stops the server."""
        yield


def listening_socket(service: str, host: str, port: int) -> socket.socket:
    """Listen on host and port.

    Raises PortInUseError naming service and port.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # With the protocol named, asyncio turns Nagle's delay off on the connections it accepts.
    bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if family == socket.AF_INET6:
        bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    try:
        bound.bind((host, port))
        # Two sockets may be bound to one port; only listening shows that it is taken.
        bound.listen(128)
    except OSError as error:
        bound.close()
        raise PortInUseError(f"{service}: port {port} on {host} cannot be used: {error.strerror}") from None
    return bound


@asynccontextmanager
async def serving(
    app: ASGIApp, service: str, host: str, port: int, *, websockets: bool = False
) -> AsyncIterator[int]:
    """Serve `app` while the block runs; yields the port in use. Websockets cost memory, so they are asked for.

    Raises PortInUseError, or what kept the server from starting.
    """
    bound = listening_socket(service, host, port)
    # Its own lines are not JSON, and say no more than ours.
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        lifespan="off",
        ws="websockets-sansio" if websockets else "none",
        # What a viewer still holds open must not keep the service from draining.
        timeout_graceful_shutdown=STOP_SECONDS,
    )
    server = _Server(config)
    task = asyncio.create_task(server.serve(sockets=[bound]))
    try:
        while not server.started:
            if task.done():
                await task
            await asyncio.sleep(0.01)
        yield bound.getsockname()[1]
    finally:
        server.should_exit = True
        await asyncio.wait([task], timeout=3)
        bound.close()
