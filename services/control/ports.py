"""Which ports are taken, and by whom."""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping
from typing import Any

import psutil
from tracker.domain.errors import PortInUseError
from tracker.runtime.health import listening_socket

LOOPBACK = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - where to knock, not where to listen


def check_ports(ports: Mapping[str, int], host: str) -> None:
    """Raise PortInUseError naming service, port and holder where another process listens."""
    for service, port in ports.items():
        try:
            listening_socket(service, host, port).close()
        except PortInUseError:
            raise PortInUseError(f"{service}: port {port} on {host} is taken{_holder(port)}") from None


def answers(host: str, port: int, path: str) -> bool:
    """Tell whether a GET on `path` is answered with 200 within a second."""
    connection = http.client.HTTPConnection(LOOPBACK.get(host, host), port, timeout=1)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def health_of(host: str, port: int) -> dict[str, Any]:
    """Return what /health says of a service, nothing where it does not answer within a second."""
    connection = http.client.HTTPConnection(LOOPBACK.get(host, host), port, timeout=1)
    try:
        connection.request("GET", "/health")
        return json.loads(connection.getresponse().read())
    except (OSError, http.client.HTTPException, ValueError):
        return {}
    finally:
        connection.close()


def _holder(port: int) -> str:
    """Say who listens, where the system tells it."""
    try:
        for each in psutil.net_connections(kind="tcp"):
            if each.status == psutil.CONN_LISTEN and each.laddr and each.laddr.port == port and each.pid:
                return f" by {psutil.Process(each.pid).name()} (process {each.pid})"
    except (psutil.Error, OSError):
        return ""
    return ""
