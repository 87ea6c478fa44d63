"""`tracker maintain`: one of the data scheduler's tasks by hand, started, shown and reported."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import orjson
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text
from tracker.domain.errors import InputError, TrackerError
from tracker.runtime.maintenance_rules import TaskName, load_maintenance_rules
from tracker.runtime.settings import environment

from services.control.database_at_hand import database_at_hand
from services.control.places import Places
from services.control.settings import ControlSettings

END_SECONDS = 10.0


class MaintenanceRefusedError(TrackerError):
    """The task cannot be run now."""


def task_of(name: str) -> TaskName:
    """Return the task of that name; raises InputError with all there are."""
    try:
        return TaskName(name)
    except ValueError:
        raise InputError(f"TASK: {name!r} is not one of {', '.join(TaskName)}") from None


def tasks_view(settings: ControlSettings) -> RenderableType:
    """Return the tasks with what they are for and when the service runs them."""
    rules = load_maintenance_rules(settings.config_dir)
    table = Table("task", "for", "schedule", box=None)
    for task in TaskName:
        table.add_row(task.value, task.purpose, str(rules.schedule[task]))
    return table


def maintain(settings: ControlSettings, task: TaskName, console: Console) -> dict[str, Any]:
    """Run a task to its end and return the report, which may be of a failure.

    Raises ConfigError, or MaintenanceRefusedError in the job's words.
    """
    load_maintenance_rules(settings.config_dir)
    places = Places.of(settings.state_dir)
    places.prepare()
    with database_at_hand(settings) as url, console.status("starting") as line:
        for event in _events(task, {**environment(), "DATABASE_URL": url}, places):
            match event.pop("event"):
                case "progress":
                    line.update(event["words"])
                    if not console.is_terminal:
                        console.print(event["words"], highlight=False, soft_wrap=True)
                case "refused":
                    raise MaintenanceRefusedError(event["error"])
                case _:
                    return event
    raise MaintenanceRefusedError("the job ended without a report: the same command goes on where it was")


def maintain_view(report: Mapping[str, Any]) -> RenderableType:
    """Return what `tracker maintain` prints without --json."""
    if not report["ok"]:
        return Text(f"{report['task']} failed after {report['seconds']:.1f} s: {report['error']}", "red")
    lines = [Text(f"{report['task']} done in {report['seconds']:.1f} s", "green")]
    for key, value in report["result"].items():
        if isinstance(value, dict):
            value = ", ".join(f"{name} {each:,}" for name, each in value.items())
        elif isinstance(value, list):
            value = "; ".join(_month(each) for each in value) or "none"
        lines.append(Text(f"{key}: {value}"))
    return Group(*lines)


def _month(month: Mapping[str, Any]) -> str:
    return f"{month['month']} with {month['rows']:,} bars, checksum {month['checksum']}"


def _events(task: TaskName, variables: Mapping[str, str], places: Places) -> Iterator[dict[str, Any]]:
    with _job(task, variables, places) as process:
        assert process.stdout is not None  # noqa: S101 - asked for below
        for line in process.stdout:
            yield orjson.loads(line)


@contextmanager
def _job(task: TaskName, variables: Mapping[str, str], places: Places) -> Iterator[subprocess.Popen[bytes]]:
    with (places.logs / "maintain.log").open("ab") as kept:
        process = subprocess.Popen(  # noqa: S603 - our own module
            [sys.executable, "-m", "services.data_scheduler.jobs", task.value],
            env=dict(variables), stdout=subprocess.PIPE, stderr=kept,
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
