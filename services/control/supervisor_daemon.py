"""The supervisor process of one fleet, spoken to over its socket."""

from __future__ import annotations

import http.client
import subprocess
import sys
import time
import xmlrpc.client
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

import psutil
from supervisor.xmlrpc import Faults, SupervisorTransport
from tracker.domain.errors import TrackerError
from tracker.runtime.settings import PROJECT_ROOT

from services.control.places import Places

CONFIG = PROJECT_ROOT / "configs" / "supervisord.conf"
LAUNCH_SECONDS = 10.0
ORPHAN_SECONDS = 4.0
# Supervisor sets it in every child; children that outlive their supervisor are known by it.
URL_VARIABLE = "SUPERVISOR_SERVER_URL"
_GONE = (OSError, http.client.HTTPException, xmlrpc.client.ProtocolError)


class SupervisorError(TrackerError):
    """The supervisor cannot do what it is asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """One supervised process; `state` is supervisor's word in small letters, `problem` why it is not up."""

    name: str
    state: str
    pid: int | None
    uptime_seconds: int
    problem: str | None

    @property
    def is_alive(self) -> bool:
        """Tell whether there is a process, or soon will be again."""
        return self.state in ("starting", "running", "backoff", "stopping")


class SupervisorDaemon:
    """supervisord with the rendered config, for the fleet in `places`."""

    def __init__(self, places: Places) -> None:
        """Remember the places; nothing is touched before `launch`."""
        self._socket = places.runtime_dir / "supervisor.sock"
        self._pid_file = places.state_dir / "supervisord.pid"

    def is_running(self) -> bool:
        """Tell whether a supervisor answers."""
        try:
            self._call("getPID")
        except SupervisorError:
            return False
        return True

    def launch(self, environment: Mapping[str, str]) -> None:
        """Start it in the background; one that runs already is used as it is.

        Raises SupervisorError.
        """
        if self.is_running():
            return
        self._await(lambda: self._process() is None or self.is_running())
        if self.is_running():
            return
        self.clean_up()
        done = subprocess.run(  # noqa: S603 - our own interpreter, fixed arguments
            [sys.executable, "-m", "supervisor.supervisord", "-c", str(CONFIG)],
            env=dict(environment),
            capture_output=True,
            text=True,
            start_new_session=True,
            check=False,
        )
        if not self._await(self.is_running):
            reason = (done.stdout + done.stderr).strip().splitlines()[-1:]
            raise SupervisorError(f"the supervisor did not start: {' '.join(reason)}")

    def clean_up(self) -> None:
        """Remove what a killed supervisor left, its processes once they had time to end by themselves.

        Raises SupervisorError where the supervisor still lives.
        """
        if self._process() is not None:
            raise SupervisorError(f"the supervisor (process {self._pid()}) lives but does not answer")
        self._await(lambda: not self._orphans(), ORPHAN_SECONDS)
        orphans = self._orphans()
        for orphan in orphans:
            orphan.terminate()
        for survivor in psutil.wait_procs(orphans, timeout=ORPHAN_SECONDS)[1]:
            survivor.kill()
        self._pid_file.unlink(missing_ok=True)
        self._socket.unlink(missing_ok=True)

    def programs(self) -> tuple[Program, ...]:
        """Return the state of every program, none where no supervisor runs."""
        try:
            found = cast("list[dict[str, Any]]", self._call("getAllProcessInfo"))
        except SupervisorError:
            return ()
        return tuple(_program(each) for each in found)

    def start(self, name: str) -> None:
        """Start a program unless it is up; does not wait for it."""
        try:
            self._call("startProcess", name, False)
        except xmlrpc.client.Fault as fault:
            if fault.faultCode == Faults.BAD_NAME:
                raise SupervisorError(
                    f"the running supervisor does not know {name}: run `tracker down`, then `tracker up`"
                ) from None
            # A start that failed goes on in supervisor's own back-off.
            if fault.faultCode not in (Faults.ALREADY_STARTED, Faults.SPAWN_ERROR):
                raise SupervisorError(f"{name} cannot be started: {fault.faultString}") from None

    def stop(self, name: str) -> None:
        """Ask a program to end; does not wait for it."""
        try:
            self._call("stopProcess", name, False)
        except xmlrpc.client.Fault as fault:
            if fault.faultCode != Faults.NOT_RUNNING:
                raise SupervisorError(f"{name} cannot be stopped: {fault.faultString}") from None

    def shut_down(self) -> None:
        """End the supervisor and wait until it is gone."""
        process = self._process()
        self._call("shutdown")
        if process is not None:
            psutil.wait_procs([process], timeout=LAUNCH_SECONDS)

    def _call(self, method: str, *arguments: object) -> object:
        transport = SupervisorTransport(None, None, f"unix://{self._socket}")
        try:
            # The address is a formality: the transport speaks over the socket.
            proxy = xmlrpc.client.ServerProxy("http://127.0.0.1", transport=transport)
            return getattr(proxy.supervisor, method)(*arguments)
        except _GONE as error:
            raise SupervisorError(f"the supervisor does not answer: {error}") from None
        finally:
            transport.close()

    def _pid(self) -> int | None:
        try:
            return int(self._pid_file.read_text())
        except (OSError, ValueError):
            return None

    def _process(self) -> psutil.Process | None:
        """Return the supervisor's process; the number in the file may have gone to another one."""
        pid = self._pid()
        try:
            process = None if pid is None else psutil.Process(pid)
            if process is None or process.status() == psutil.STATUS_ZOMBIE:
                return None
            return process if "supervisor.supervisord" in process.cmdline() else None
        except psutil.Error:
            return None

    def _orphans(self) -> list[psutil.Process]:
        mine = f"unix://{self._socket}"
        found: list[psutil.Process] = []
        for process in psutil.process_iter():
            try:
                # Python processes only: Postgres inherits the variable, and is ended by its launcher.
                if "-m" in process.cmdline() and process.environ().get(URL_VARIABLE) == mine:
                    found.append(process)
            except (psutil.Error, OSError):
                continue
        return found

    @staticmethod
    def _await(condition: Callable[[], bool], seconds: float = LAUNCH_SECONDS) -> bool:
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.05)
        return True


def _program(facts: dict[str, Any]) -> Program:
    running = facts["statename"] == "RUNNING"
    return Program(
        name=facts["name"],
        state=facts["statename"].lower(),
        pid=facts["pid"] or None,
        uptime_seconds=max(0, facts["now"] - facts["start"]) if facts["pid"] else 0,
        problem=None if running else facts["spawnerr"] or None,
    )
