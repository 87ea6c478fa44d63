"""A real exchange process on a free port, and its clients as tests use them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import httpx
from websockets.sync.client import ClientConnection, connect


@dataclass(frozen=True)
class Exchange:
    """A running exchange."""

    process: subprocess.Popen[str]
    port: int
    http: httpx.Client
    sockets: ExitStack = field(default_factory=ExitStack)

    def socket(self, path: str = "/crypto") -> ClientConnection:
        """Open a stream connection that is closed with the exchange."""
        return self.sockets.enter_context(connect(f"ws://127.0.0.1:{self.port}{path}"))

    def get(self, path: str, key: str | None = "key") -> httpx.Response:
        """Ask the REST interface, without a key where it is None."""
        headers = {} if key is None else {"Authorization": f"Bearer {key}"}
        return self.http.get(path, headers=headers)

    def bars(self, path: str) -> list[dict[str, Any]]:
        """Return the rows of an aggregates request."""
        return self.get(path).json().get("results", [])

    def clock(self, **order: str) -> dict[str, Any]:
        """Move a paced clock: `jump_to` or `advance_to` an ISO time."""
        response = self.http.post("/clock", json=order)
        response.raise_for_status()
        return response.json()

    def minute(self, number: int) -> str:
        """Return a minute of the present hour."""
        return f"{self.get('/clock').json()['now'][:14]}{number:02}:00Z"

    def fault(self, kind: str, **order: Any) -> dict[str, Any]:
        """Order a fault."""
        response = self.http.post("/faults", json={"kind": kind, **order})
        response.raise_for_status()
        return response.json()

    def client(self, key: str = "key", topics: str = "XA.*", path: str = "/crypto") -> Client:
        """Return a subscriber that has been acknowledged."""
        client = Client(self.socket(path))
        client.expect("connected")
        client.send("auth", key)
        client.expect("auth_success")
        if topics:
            client.send("subscribe", topics)
            client.expect(*["success"] * len(topics.split(",")))
        return client

    def stop(self) -> int:
        """Ask the process to end and return its exit code."""
        self.process.terminate()
        return self.process.wait(timeout=5)


@dataclass(frozen=True)
class Client:
    """A subscriber that reads frame by frame."""

    socket: ClientConnection

    def send(self, action: str, params: str) -> None:
        """Send a request."""
        self.socket.send(json.dumps({"action": action, "params": params}))

    def frame(self, timeout: float = 3) -> list[dict[str, Any]]:
        """Return the next frame's messages."""
        return json.loads(self.socket.recv(timeout=timeout))

    def statuses(self) -> list[str]:
        """Return the statuses of the next frame."""
        return [message["status"] for message in self.frame()]

    def expect(self, *wanted: str) -> None:
        """Raise AssertionError where the next frame's statuses are others."""
        found = self.statuses()
        if found != list(wanted):
            raise AssertionError(f"the exchange said {found}, not {list(wanted)}")

    def starts(self, count: int) -> list[int]:
        """Return the minute (of the hour) at which each of the next frames' bars start."""
        return [self.frame()[0]["s"] // 60_000 % 60 for _ in range(count)]

    def silent(self, seconds: float = 0.15) -> bool:
        """Tell whether nothing comes for so long."""
        try:
            self.socket.recv(timeout=seconds)
        except TimeoutError:
            return True
        return False


Start: TypeAlias = Callable[..., Exchange]


@contextmanager
def exchanges() -> Iterator[Start]:
    """Yield a function that starts an exchange with command line arguments; all end with the block."""
    with ExitStack() as started:

        def launch(*arguments: str) -> Exchange:
            exchange = _launched(arguments)
            started.callback(_end, exchange)
            return exchange

        yield launch


def _launched(arguments: tuple[str, ...]) -> Exchange:
    process = subprocess.Popen(  # noqa: S603 - our own module
        [sys.executable, "-m", "services.market_simulator", "--port", "0", *arguments],
        stdout=subprocess.PIPE,
        text=True,
    )
    if process.stdout is None or not (line := process.stdout.readline()):
        raise AssertionError(f"the exchange did not start: exit code {process.wait(timeout=5)}")
    port = json.loads(line)["port"]
    # Making a client costs 30 ms for certificates that plain HTTP never looks at.
    http = httpx.Client(base_url=f"http://127.0.0.1:{port}", verify=False, timeout=30)  # noqa: S501
    return Exchange(process, port, http)


def _end(exchange: Exchange) -> None:
    exchange.sockets.close()
    exchange.http.close()
    exchange.process.kill()
    exchange.process.wait(timeout=5)
    if exchange.process.stdout is not None:
        exchange.process.stdout.close()
