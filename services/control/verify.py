"""`tracker verify`: does anything see the future, and how much of the past does it need."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console, RenderableType
from tracker.runtime.settings import load_settings

from services.control.settings import ControlSettings

verify_app = typer.Typer(help="Tests of the rules against themselves.", no_args_is_help=True)

Candles = Annotated[Path | None, typer.Option(help="Test on these too: a folder of SYMBOL_TIMEFRAME.csv or one file.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@verify_app.command()
def lookahead(
    candles: Candles = None,
    cuts: Annotated[int, typer.Option(min=1, help="Moments after which the future is taken away and changed.")] = 12,
    seed: Annotated[int, typer.Option(min=0, help="Of the moments and of the other futures.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Compare features and proposals with and without what came later; exit code 1 where one leaks or went untested."""
    from services.control.verify_lookahead import hunt
    from services.control.verify_view import lookahead_view

    report = hunt(load_settings(ControlSettings), candles, cuts, seed, Console(stderr=True))
    _print(report, lookahead_view, as_json=as_json)
    if not report["ok"]:
        raise typer.Exit(1)


@verify_app.command()
def warmup(candles: Candles = None, as_json: AsJson = False) -> None:
    """Show how features and decisions change with shorter history."""
    from services.control.verify_view import warmup_view
    from services.control.verify_warmup import measure

    report = measure(load_settings(ControlSettings), candles, Console(stderr=True))
    _print(report, warmup_view, as_json=as_json)


@verify_app.command()
def parity(
    first: Annotated[str | None, typer.Option("--from", help="ISO time before the first decision [all].")] = None,
    end: Annotated[str | None, typer.Option("--to", help="ISO time of the last decision [all].")] = None,
    replay: Annotated[bool, typer.Option("--replay", help="The last replay's database, not the fleet's.")] = False,
    as_json: AsJson = False,
) -> None:
    """Compare live decisions and the ledger with a backtest of the same span; exit code 1 where something differs."""
    from services.control.exporting import EPOCH, moment_of
    from services.control.verify_parity import parity as compare
    from services.control.verify_view import parity_view

    span = (
        None if first is None else moment_of("--from", first, EPOCH),
        None if end is None else moment_of("--to", end, EPOCH),
    )
    report = compare(load_settings(ControlSettings), span, Console(stderr=True), replay=replay)
    _print(report, parity_view, as_json=as_json)
    if not report["ok"]:
        raise typer.Exit(1)


def _print(
    report: Mapping[str, Any], view: Callable[[Mapping[str, Any]], RenderableType], *, as_json: bool
) -> None:
    import orjson

    if as_json:
        sys.stdout.write(orjson.dumps(report, option=orjson.OPT_INDENT_2).decode() + "\n")
    else:
        Console(soft_wrap=True).print(view(report))
