"""Replicas of a service stand beside one another in `tracker status`."""

from __future__ import annotations

from io import StringIO

from rich.console import Console
from tracker.store.status import PipelineStatus, ServiceSign

from services.control.fleet_status import FleetStatus
from services.control.status_view import status_view
from services.control.supervisor_daemon import Program


def sign(pid: int, role: str | None, *, service: str = "data_collector", age: float = 1.0) -> ServiceSign:
    return ServiceSign(
        service=service, instance=f"i{pid}", role=role, pid=pid, status="pass", rss_bytes=1_000_000, restarts=0,
        age_seconds=age, problem=None,
    )


def status(*signs: ServiceSign, pid: int | None = 2) -> FleetStatus:
    program = Program(name="data_collector", state="running", pid=pid, uptime_seconds=9, problem=None)
    pipeline = PipelineStatus(services=signs, freshness=(), symbols=(), scans=(), accounts=(), maintenance=())
    return FleetStatus(programs=(program,), pipeline=pipeline, problem=None)


def rows(found: FleetStatus) -> list[tuple[str, str | None, str | None]]:
    return [(each["name"], each["role"], each["state"]) for each in found.document()["services"]]


def test_the_fleets_own_process_is_the_one_with_its_pid_and_others_stand_beside_it() -> None:
    found = status(sign(1, "holder"), sign(2, "standby"), sign(3, None, service="dashboard"))
    assert rows(found) == [
        ("data_collector", "standby", "running"), ("data_collector", "holder", None), ("dashboard", None, None),
    ]  # fmt: skip
    text = StringIO()
    Console(file=text, width=160).print(status_view(found))
    assert "data_collector (standby)" in text.getvalue()
    assert "data_collector (holder)" in text.getvalue()


def test_a_process_that_has_not_beaten_yet_is_told_of_by_the_newest_of_its_service() -> None:
    found = status(sign(7, "holder", age=20), sign(8, "standby", age=3), pid=9)
    assert rows(found) == [("data_collector", "standby", "running"), ("data_collector", "holder", None)]
    assert rows(status()) == [("data_collector", None, "running")]
