"""`tracker shadow`: the variations that are tried beside the live configuration."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Annotated, Any

import typer
from rich.console import Console, RenderableType
from tracker.domain.signal import Strategy
from tracker.runtime.settings import load_settings

from services.control.settings import ControlSettings

shadow_app = typer.Typer(help="Variations of the strategies, tried live in the shadow.", no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@shadow_app.command()
def top(
    window: Annotated[str, typer.Option(help="1d, 7d, 30d or all.")] = "30d",
    strategy: Annotated[
        Strategy | None, typer.Option(help="Of one only [all].", parser=Strategy, metavar="NAME")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many.")] = 20,
    as_json: AsJson = False,
) -> None:
    """List the best variations: what they change, what came of it, and what being the best of so many is worth."""
    from services.control.shadow import top as read
    from services.control.shadow_view import top_view

    _print(read(load_settings(ControlSettings), window, strategy, limit), top_view, as_json=as_json)


@shadow_app.command()
def show(
    variation: Annotated[str, typer.Argument(help="Its id, or the beginning of it.", metavar="ID")],
    trades: Annotated[int, typer.Option(min=0, help="How many of its last trades.")] = 10,
    as_json: AsJson = False,
) -> None:
    """Show a variation: its parameters, all its windows and its last trades."""
    from services.control.shadow import show as read
    from services.control.shadow_view import show_view

    _print(read(load_settings(ControlSettings), variation, trades), show_view, as_json=as_json)


@shadow_app.command()
def promote(
    variation: Annotated[str, typer.Argument(help="Its id, or the beginning of it.", metavar="ID")],
    force: Annotated[bool, typer.Option("--force", help="Even against the gate; needs a reason.")] = False,
    reason: Annotated[str, typer.Option(help="Why; it is kept.")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what the gate says, and what changes.")] = False,
    as_json: AsJson = False,
) -> None:
    """Put a variation's parameters in force, if the gate lets it pass; exit code 1 where it does not."""
    from services.control.promotion import PromotionRequest
    from services.control.promotion import promote as write
    from services.control.promotion_view import promotion_view

    request = PromotionRequest(variation=variation, force=force, reason=reason, dry_run=dry_run)
    report = write(load_settings(ControlSettings), request)
    _print(report, promotion_view, as_json=as_json)
    if not report["would_promote"]:
        raise typer.Exit(1)


def _print(
    report: Mapping[str, Any], view: Callable[[Mapping[str, Any]], RenderableType], *, as_json: bool
) -> None:
    import orjson

    if as_json:
        sys.stdout.write(orjson.dumps(report, option=orjson.OPT_INDENT_2).decode() + "\n")
    else:
        Console(soft_wrap=True).print(view(report))
