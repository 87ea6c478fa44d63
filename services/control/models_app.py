"""`tracker train` and `tracker models`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console, RenderableType
from tracker.domain.signal import Strategy
from tracker.runtime.settings import load_settings

from services.control.settings import ControlSettings

models_app = typer.Typer(help="Models, their verdicts, and which one scores.", no_args_is_help=True)
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Model = Annotated[int, typer.Argument(help="Its number, as `tracker models list` says.", metavar="MODEL")]
Reason = Annotated[str, typer.Option(help="Why; it is kept.")]


def train(
    strategy: Annotated[str, typer.Option(help="Whose, or all.", metavar="NAME")] = "all",
    executor: Annotated[str, typer.Option(help="local, or dask.")] = "local",
    dask: Annotated[str | None, typer.Option(help="A Dask cluster, such as tcp://10.0.0.5:8786.")] = None,
    jobs: Annotated[int, typer.Option(help="Processes on this machine [one a core].")] = -1,
    seed: Annotated[int | None, typer.Option(min=0, help="Of draws [that of models.toml].")] = None,
    as_json: AsJson = False,
) -> None:
    """Train models from the labels there are; each is a candidate, with the gate's verdict."""
    from services.control import train as work
    from services.control.models_view import train_view

    request = work.TrainRequest(
        strategy=None if strategy == "all" else Strategy(strategy), executor=executor, dask=dask, jobs=jobs, seed=seed
    )
    report = work.train(load_settings(ControlSettings), request, Console(stderr=True))
    _print(report, train_view, as_json=as_json)
    if not report["models"]:
        raise typer.Exit(1)


@models_app.command("list")
def list_models(
    strategy: Annotated[
        Strategy | None, typer.Option(help="Only this one's [all].", parser=Strategy, metavar="NAME")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List models, the newest of each strategy first, and the last changes of champions."""
    from services.control import models as work
    from services.control.models_view import list_view

    _print(work.list_models(load_settings(ControlSettings), strategy), list_view, as_json=as_json)


@models_app.command()
def show(
    model: Model,
    card: Annotated[Path | None, typer.Option(help="Write its page to this file.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show a model: its lineage, what it looks at, and every verdict with each criterion."""
    from services.control import models as work
    from services.control.models_view import show_view

    _print(work.show(load_settings(ControlSettings), model, card), show_view, as_json=as_json)


@models_app.command()
def promote(
    model: Model,
    force: Annotated[bool, typer.Option("--force", help="Even against the gate; needs a reason.")] = False,
    reason: Reason = "",
    as_json: AsJson = False,
) -> None:
    """Make a model its strategy's champion, if the gate lets it pass; exit code 1 where it does not."""
    from services.control import models as work
    from services.control.models_view import promote_view

    report = work.promote(load_settings(ControlSettings), model, force=force, reason=reason)
    _print(report, promote_view, as_json=as_json)
    if not report["promoted"]:
        raise typer.Exit(1)


@models_app.command()
def rollback(
    strategy: Annotated[Strategy, typer.Argument(help="Whose.", parser=Strategy, metavar="STRATEGY")],
    reason: Reason,
    as_json: AsJson = False,
) -> None:
    """Make the champion before the champion again."""
    from services.control import models as work
    from services.control.models_view import rollback_view

    _print(work.rollback(load_settings(ControlSettings), strategy, reason), rollback_view, as_json=as_json)


@models_app.command()
def retire(model: Model, reason: Reason, as_json: AsJson = False) -> None:
    """Take a model out of use; a strategy whose champion goes decides by rule alone."""
    from services.control import models as work
    from services.control.models_view import retire_view

    _print(work.retire(load_settings(ControlSettings), model, reason), retire_view, as_json=as_json)


@models_app.command()
def watch(
    act: Annotated[bool, typer.Option("--act", help="Demote a champion that fails.")] = False,
    as_json: AsJson = False,
) -> None:
    """Hold every champion against what it was promoted for, and keep what is found; exit code 1 where one fails."""
    from services.control import models_watch as work
    from services.control.models_watch_view import watch_view

    report = work.watch(load_settings(ControlSettings), act=act)
    _print(report, watch_view, as_json=as_json)
    if any(each["action"] == "demote" for each in report["strategies"]):
        raise typer.Exit(1)


def _print(
    report: Mapping[str, Any], view: Callable[[Mapping[str, Any]], RenderableType], *, as_json: bool
) -> None:
    import orjson

    if as_json:
        sys.stdout.write(orjson.dumps(report, option=orjson.OPT_INDENT_2).decode() + "\n")
    else:
        Console(soft_wrap=True).print(view(report))
