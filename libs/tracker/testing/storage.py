"""A stand-in for Supabase Storage: keeps files over HTTP, and fails in the ways that it is told to."""

from __future__ import annotations

import asyncio
import socket
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

KEY = "service-key-of-a-test"
BUCKET = "models"


@dataclass(slots=True)
class StorageStandIn:
    """Files by their path in the bucket; `faults` are what becomes of the next requests.

    A number is answered as an error of that status, "drop" cuts the connection in the middle of an answer, "plain" is
    an error that is no JSON; None is served.
    """

    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict[str, bytes])
    faults: deque[int | str | None] = field(default_factory=deque[int | str | None])
    asked: list[str] = field(default_factory=list[str])

    async def serve(self, request: Request) -> Response:
        """Answer one request for a file."""
        path = request.path_params["path"]
        self.asked.append(f"{request.method} {path}")
        fault = self.faults.popleft() if self.faults else None
        if fault == "drop":
            return _Cut()
        if fault == "plain":
            return Response("<html>Bad gateway</html>", 502)
        if fault is not None:
            return _refused(int(fault), "asked for")
        if request.headers.get("authorization") != f"Bearer {KEY}" or request.headers.get("apikey") != KEY:
            return _refused(403, "signature verification failed")
        if request.path_params["bucket"] != BUCKET:
            return _refused(404, "Bucket not found")
        if request.method == "POST":
            return await self._keep(path, request)
        if path not in self.files:
            return _refused(404, "Object not found")
        return Response(self.files[path], media_type="application/octet-stream")

    async def _keep(self, path: str, request: Request) -> Response:
        if path in self.files and request.headers.get("x-upsert") != "true":
            return _refused(409, "The resource already exists")
        async with request.form() as form:
            upload: Any = next(each for each in form.values() if not isinstance(each, str))
            self.files[path] = await upload.read()
        return JSONResponse({"Key": f"{BUCKET}/{path}", "Id": "1"})


class _Cut(Response):
    """An answer that promises more than comes before the connection ends."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Send the beginning, and break off."""
        headers = [(b"content-length", b"1000")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"{", "more_body": True})
        raise ConnectionResetError("cut as asked for")


def _refused(status: int, message: str) -> JSONResponse:
    return JSONResponse({"statusCode": str(status), "error": "Error", "message": message}, status)


@asynccontextmanager
async def storage_stand_in() -> AsyncIterator[StorageStandIn]:
    """Serve on a port of its own until the end."""
    made = StorageStandIn()
    route = Route("/storage/v1/object/{bucket}/{path:path}", made.serve, methods=["GET", "POST"])
    config = uvicorn.Config(Starlette(routes=[route]), log_level="critical", lifespan="off")
    server = uvicorn.Server(config)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        made.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        running = asyncio.create_task(server.serve([listener]))
        try:
            while not server.started:  # noqa: ASYNC110 - it tells nobody
                await asyncio.sleep(0.01)
            yield made
        finally:
            server.should_exit = True
            await running
