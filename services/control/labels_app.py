"""`tracker labels`: what became of the strategies' setups, for models to learn from."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Annotated, Any

import typer
from rich.console import Console, RenderableType
from tracker.domain.signal import Strategy
from tracker.runtime.settings import load_settings

from services.control.settings import ControlSettings

labels_app = typer.Typer(help="How setups ended, each traded alone: what models learn from.", no_args_is_help=True)

Name = Annotated[
    Strategy | None, typer.Option("--strategy", help="Only this one [all].", parser=Strategy, metavar="NAME")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@labels_app.command()
def build(
    strategy: Name = None,
    first: Annotated[str | None, typer.Option("--from", help="ISO time after which setups count [as configured].")]
    = None,
    end: Annotated[str | None, typer.Option("--to", help="ISO time of the last close [what has closed].")] = None,
    since_last: Annotated[
        bool, typer.Option("--since-last", help="Only new closes, and again what had not ended.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Label the setups in the stored bars; killed anywhere, --since-last goes on where it was."""
    from services.control import labels as work
    from services.control.exporting import EPOCH, moment_of
    from services.control.labels_view import build_view

    request = work.LabelsRequest(
        strategy=strategy,
        first=None if first is None else moment_of("--from", first, EPOCH),
        end=None if end is None else moment_of("--to", end, EPOCH),
        since_last=since_last,
    )
    _print(work.build(load_settings(ControlSettings), request, Console(stderr=True)), build_view, as_json=as_json)


@labels_app.command()
def report(strategy: Name = None, as_json: AsJson = False) -> None:
    """Count labels and base rates, and how many say different things, by regime, symbol and month."""
    from services.control import labels as work
    from services.control.labels_view import report_view

    _print(work.report(load_settings(ControlSettings), strategy), report_view, as_json=as_json)


def _print(report: Any, view: Callable[[Any], RenderableType], *, as_json: bool) -> None:
    import orjson

    if as_json:
        sys.stdout.write(orjson.dumps(report, option=orjson.OPT_INDENT_2).decode() + "\n")
    else:
        Console(soft_wrap=True).print(view(report))
