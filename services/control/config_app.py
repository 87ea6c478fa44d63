"""`tracker config`: the configurations of each strategy, one after the other."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Annotated, Any

import typer
from rich.console import Console, RenderableType
from tracker.domain.signal import Strategy
from tracker.runtime.settings import load_settings

from services.control.settings import ControlSettings

config_app = typer.Typer(help="The strategies' configurations: history, and the way back.", no_args_is_help=True)

Name = Annotated[Strategy, typer.Argument(help="Whose.", parser=Strategy, metavar="STRATEGY")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@config_app.command()
def history(
    strategy: Annotated[
        Strategy | None, typer.Option(help="Of one only [all].", parser=Strategy, metavar="NAME")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List every configuration with what it changed, where it came from and who made it; the one in force is marked."""
    from services.control.config_versions import history as read
    from services.control.config_view import history_view

    _print(read(load_settings(ControlSettings), strategy), history_view, as_json=as_json)


@config_app.command()
def show(
    strategy: Name,
    version: Annotated[int | None, typer.Option(help="Which [the one in force].")] = None,
    as_json: AsJson = False,
) -> None:
    """Show a configuration as TOML, with its lineage."""
    from services.control.config_versions import show as read
    from services.control.config_view import show_view

    _print(read(load_settings(ControlSettings), strategy, version), show_view, as_json=as_json)


@config_app.command()
def diff(
    strategy: Name,
    first: Annotated[int | None, typer.Option("--from", help="A version [the file].")] = None,
    other: Annotated[int | None, typer.Option("--to", help="Another [the one in force].")] = None,
    as_json: AsJson = False,
) -> None:
    """Show the values that differ between two configurations."""
    from services.control.config_versions import diff as compare
    from services.control.config_view import diff_view

    _print(compare(load_settings(ControlSettings), strategy, first, other), diff_view, as_json=as_json)


@config_app.command()
def rollback(
    strategy: Name,
    reason: Annotated[str, typer.Option(help="Why; it is kept.")],
    to: Annotated[int | None, typer.Option(help="The version to return to [the one before].")] = None,
    as_json: AsJson = False,
) -> None:
    """Write an earlier configuration as a new version; scanners take it over within seconds."""
    from services.control.config_versions import rollback as write
    from services.control.config_view import written_view

    _print(write(load_settings(ControlSettings), strategy, to, reason), written_view, as_json=as_json)


def _print(
    report: Mapping[str, Any], view: Callable[[Mapping[str, Any]], RenderableType], *, as_json: bool
) -> None:
    import orjson

    if as_json:
        sys.stdout.write(orjson.dumps(report, option=orjson.OPT_INDENT_2).decode() + "\n")
    else:
        Console(soft_wrap=True).print(view(report))
