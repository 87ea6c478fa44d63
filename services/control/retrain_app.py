"""`tracker retrain ...` as typed."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Annotated, Any

import typer
from rich.console import Console, RenderableType
from tracker.domain.job import JobKind
from tracker.runtime.settings import load_settings

from services.control.settings import ControlSettings

retrain_app = typer.Typer(help="The queue of work on models, which ml_retrainer does.", no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@retrain_app.command()
def now(
    strategy: Annotated[str, typer.Option(help="Of one strategy, or all.")] = "all",
    kind: Annotated[JobKind, typer.Option(help="What is to be done.")] = JobKind.TRAIN,
    reason: Annotated[str, typer.Option(help="Why; it is kept.")] = "",
    wait: Annotated[float, typer.Option(min=0, help="Seconds to wait for the retrainer's answer, if it runs.")] = 10.0,
    as_json: AsJson = False,
) -> None:
    """Queue work without waiting for its time; exit code 1 where it is refused."""
    from services.control.retrain import request_job
    from services.control.retrain_view import answer_view

    report = request_job(load_settings(ControlSettings), kind, None if strategy == "all" else strategy, reason, wait)
    _print(report, answer_view, as_json=as_json)
    if report["outcome"] == "refused":
        raise typer.Exit(1)


@retrain_app.command()
def status(as_json: AsJson = False) -> None:
    """Show what waits, what was given up, and how the last try of each kind of work ended."""
    from services.control.retrain import job_status
    from services.control.retrain_view import status_view

    _print(job_status(load_settings(ControlSettings)), status_view, as_json=as_json)


def _print(report: Mapping[str, Any], view: Callable[[Mapping[str, Any]], RenderableType], *, as_json: bool) -> None:
    import orjson

    if as_json:
        sys.stdout.write(orjson.dumps(report, option=orjson.OPT_INDENT_2).decode() + "\n")
    else:
        Console(soft_wrap=True).print(view(report))
