"""The `tracker` command line."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console, RenderableType
from tracker.domain.errors import TrackerError
from tracker.domain.signal import Strategy
from tracker.runtime.settings import environment, load_settings

from services.control.account_app import account_app
from services.control.config_app import config_app
from services.control.doctor_app import doctor
from services.control.labels_app import labels_app
from services.control.models_app import models_app, train
from services.control.order_app import flatten, order_app, orders
from services.control.report_app import report
from services.control.retrain_app import retrain_app
from services.control.settings import ControlSettings
from services.control.shadow_app import shadow_app
from services.control.source import CATCH_UP, Source
from services.control.verify import verify_app

app = typer.Typer(
    help="Starts, watches and stops the fleet.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
fleet_app = typer.Typer(help="The table of services, configs/fleet.toml.", no_args_is_help=True)
app.add_typer(fleet_app, name="fleet")
app.add_typer(verify_app, name="verify")
app.add_typer(account_app, name="account")
app.add_typer(order_app, name="order")
app.command()(orders)
app.command()(flatten)
app.add_typer(shadow_app, name="shadow")
app.add_typer(retrain_app, name="retrain")
app.add_typer(config_app, name="config")
app.add_typer(models_app, name="models")
app.command()(train)
app.command()(doctor)
app.add_typer(labels_app, name="labels")
app.command()(report)


@app.command()
def up(
    source: Annotated[Source | None, typer.Option(help="Where bars come from [simulated].")] = None,
    candles: Annotated[Path | None, typer.Option(help="Folder of SYMBOL_TIMEFRAME.csv to replay.")] = None,
    services: Annotated[str, typer.Option(help="Only these services, separated by commas.")] = "",
    detach: Annotated[bool, typer.Option("--detach", help="Leave the fleet running and return.")] = False,
    catch_up: Annotated[str, typer.Option(help="Simulated history streamed first, such as 6h.")] = CATCH_UP,
) -> None:
    """Start the fleet, and show how it does until Ctrl-C."""
    from services.control.source import choose_source
    from services.control.up import bring_up, plan_run

    settings = load_settings(ControlSettings)
    chosen = choose_source(source, candles)
    run = plan_run(settings, chosen, _names(services), candles, catch_up)
    bring_up(run, chosen, detach=detach, console=Console())


@app.command()
def down() -> None:
    """Drain a fleet that was left running."""
    from services.control.up import bring_down, fleet_here

    bring_down(fleet_here(load_settings(ControlSettings)), Console())


@app.command()
def status(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Show services, freshness, symbols, scans, positions and equity; exit code 1 without a database."""
    import orjson

    from services.control.fleet_status import look
    from services.control.status_view import status_view
    from services.control.up import fleet_here

    found = look(fleet_here(load_settings(ControlSettings)))
    if as_json:
        sys.stdout.write(orjson.dumps(found.document(), option=orjson.OPT_INDENT_2).decode() + "\n")
    else:
        Console().print(status_view(found))
    if found.pipeline is None:
        raise typer.Exit(1)


@app.command()
def replay(
    candles: Annotated[Path, typer.Option(help="Folder with SYMBOL_TIMEFRAME.csv files, or one such file.")],
    symbols: Annotated[list[str] | None, typer.Option(help="Only these; repeat it or use commas.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    keep: Annotated[bool, typer.Option("--keep", help="Keep its database after later replays.")] = False,
    shadow: Annotated[bool, typer.Option("--shadow", help="Try the variations of shadow.toml too.")] = False,
) -> None:
    """Replay candles through the real processes on a fresh database, and report what came of it."""
    import orjson

    from services.control.replay import replay as run_replay
    from services.control.replay import tell_bad_rows
    from services.control.replay_view import replay_view

    chosen = tuple(name for text in symbols or () for name in _names(text))
    console = Console(stderr=True)
    with console.status("reading the candles") as line:
        settings = load_settings(ControlSettings)
        report, bad_rows = run_replay(settings, candles, chosen, line.update, keep=keep, shadow=shadow)
    if as_json:
        sys.stdout.write(orjson.dumps(report.document(), option=orjson.OPT_INDENT_2).decode() + "\n")
    else:
        Console().print(replay_view(report))
    tell_bad_rows(bad_rows)
    if bad_rows:
        raise typer.Exit(2)


@app.command()
def migrate() -> None:
    """Bring the database to the newest migration."""
    from services.control.migration import migrate_database

    applied = migrate_database(load_settings(ControlSettings))
    sys.stdout.write("".join(f"applied {name}\n" for name in applied) or "nothing to apply\n")


@app.command()
def backfill(
    days: Annotated[float, typer.Option(help="How far back.")] = 180,
    timeframes: Annotated[str, typer.Option(help="Bar lengths, separated by commas.")] = "1m,15m,1h,1d",
    symbols: Annotated[str, typer.Option(help="Only these, separated by commas [all].")] = "",
    source: Annotated[Source | None, typer.Option(help="The vendor to ask [the database's own].")] = None,
    again: Annotated[bool, typer.Option("--again", help="Compare what is there already with the vendor too.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Fetch history; interrupted, the same command goes on where it was. Exit code 1 where some of it failed."""
    from services.control import backfill as work
    from services.control.backfill_view import backfill_view

    request = work.BackfillRequest(
        days=days, timeframes=work.timeframes_of(timeframes), symbols=_names(symbols), source=source, again=again
    )
    report = work.backfill(load_settings(ControlSettings), request, Console(stderr=True))
    _print(report, backfill_view, as_json=as_json)
    if report["chunks_failed"]:
        raise typer.Exit(1)


@app.command(name="import")
def import_(
    paths: Annotated[list[Path], typer.Argument(help="SYMBOL_TIMEFRAME.csv or .parquet files, or folders of them.")],
    symbol: Annotated[str | None, typer.Option(help="Whose bars they are [from the file name].")] = None,
    timeframe: Annotated[str | None, typer.Option(help="Their length [from the file name].")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Take bars from files into the database; exit code 2 where rows were rejected."""
    from services.control.backfill import timeframe_of
    from services.control.candle_file_views import import_view
    from services.control.importing import import_candles

    chosen = None if timeframe is None else timeframe_of("--timeframe", timeframe)
    report = import_candles(load_settings(ControlSettings), paths, symbol, chosen, Console(stderr=True))
    _print(report, import_view, as_json=as_json)
    if any(each["rejected"] for each in report["files"]):
        raise typer.Exit(2)


@app.command()
def export(
    symbols: Annotated[str, typer.Option(help="Which, separated by commas.")],
    timeframe: Annotated[str, typer.Option(help="Bar length.")] = "1m",
    first: Annotated[str | None, typer.Option("--from", help="ISO time of the first open [all].")] = None,
    end: Annotated[str | None, typer.Option("--to", help="ISO time before which bars open [all].")] = None,
    file_format: Annotated[str, typer.Option("--format", help="csv or parquet.")] = "csv",
    out: Annotated[Path, typer.Option(help="Folder to write into.")] = Path(),
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Write bars into files, one a symbol, which `tracker import` takes back."""
    from services.control import exporting as work
    from services.control.backfill import timeframe_of
    from services.control.candle_file_views import export_view

    request = work.ExportRequest(
        symbols=_names(symbols),
        timeframe=timeframe_of("--timeframe", timeframe),
        first=work.moment_of("--from", first, work.EPOCH),
        end=work.moment_of("--to", end, work.END_OF_TIME),
        format=work.format_of(file_format),
        out=out,
    )
    report = work.export_candles(load_settings(ControlSettings), request, Console(stderr=True))
    _print(report, export_view, as_json=as_json)


@app.command()
def backtest(
    strategy: Annotated[Strategy, typer.Option(help="Whose rule.", parser=Strategy, metavar="NAME")],
    first: Annotated[str | None, typer.Option("--from", help="ISO time after which decisions are taken [all].")] = None,
    end: Annotated[str | None, typer.Option("--to", help="ISO time of the last decision [all].")] = None,
    symbols: Annotated[str, typer.Option(help="Only these, separated by commas [all].")] = "",
    params: Annotated[list[str] | None, typer.Option(help="NAME=VALUE instead of the toml's; repeat it.")] = None,
    candles: Annotated[str, typer.Option(help="Folder or file of SYMBOL_TIMEFRAME.csv, or database.")] = "database",
    config: Annotated[str, typer.Option(help="file, or live: the parameters in force in the database.")] = "file",
    model: Annotated[str | None, typer.Option(help="Number of a model to ask, or champion [none].")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    report: Annotated[Path | None, typer.Option(help="Write a page with charts to this file.")] = None,
) -> None:
    """Run a strategy over the past, by the rules the fleet trades on."""
    from services.control import backtest as work
    from services.control.backtest_report import report as page_of
    from services.control.backtest_view import backtest_view, document
    from services.control.exporting import moment_of

    request = work.BacktestRequest(
        strategy=strategy,
        first=None if first is None else moment_of("--from", first, work.EPOCH),
        end=None if end is None else moment_of("--to", end, work.EPOCH),
        symbols=_names(symbols),
        params=work.params_of(params or ()),
        candles=candles,
        live=work.is_live(config),
        model=model,
    )
    done = work.backtest(load_settings(ControlSettings), request, Console(stderr=True))
    if report is not None:
        work.write_page(report, page_of(done))
    _print(document(done), lambda _: backtest_view(done), as_json=as_json)


@app.command()
def gaps(
    symbols: Annotated[str, typer.Option(help="Only these, separated by commas [all].")] = "",
    state: Annotated[str, typer.Option(help="open, confirmed_empty, healed or all.")] = "open",
    first: Annotated[str | None, typer.Option("--from", help="ISO time [all gaps, coverage of a week].")] = None,
    end: Annotated[str | None, typer.Option("--to", help="ISO time [what is closed].")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List what is missing among the bars, with cause and attempts, and how much of what is expected is there."""
    from services.control import gaps as work
    from services.control.exporting import EPOCH, moment_of
    from services.control.gaps_view import gaps_view

    request = work.GapRequest(
        symbols=_names(symbols),
        states=work.states_of(state),
        first=None if first is None else moment_of("--from", first, EPOCH),
        end=None if end is None else moment_of("--to", end, EPOCH),
    )
    _print(work.gaps(load_settings(ControlSettings), request), gaps_view, as_json=as_json)


@app.command()
def why(
    symbol: Annotated[str, typer.Argument(help="Such as BTC-USD.")],
    strategy: Annotated[
        Strategy | None, typer.Option(help="Only this one [all].", parser=Strategy, metavar="NAME")
    ] = None,
    at: Annotated[str | None, typer.Option(help="ISO time at or after the close [the last complete one].")] = None,
    replay: Annotated[bool, typer.Option("--replay", help="The last replay's database, not the fleet's.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Say why a symbol was or was not traded: bar, features, conditions, decision, risk, fills."""
    from services.control import why as work
    from services.control.exporting import EPOCH, moment_of
    from services.control.why_view import why_view

    moment = None if at is None else moment_of("--at", at, EPOCH)
    request = work.WhyRequest(symbol=symbol, strategy=strategy, at=moment, replay=replay)
    found = work.why(load_settings(ControlSettings), request)
    _print(found if strategy is None else found[0], lambda _: why_view(found), as_json=as_json)


@app.command()
def funnel(
    hours: Annotated[float, typer.Option(help="How much event time.")] = 24,
    strategy: Annotated[
        Strategy | None, typer.Option(help="Only this one [all].", parser=Strategy, metavar="NAME")
    ] = None,
    account: Annotated[str | None, typer.Option(help="Only this one [all].")] = None,
    symbols: Annotated[str, typer.Option(help="Only these, separated by commas [all].")] = "",
    at: Annotated[str | None, typer.Option(help="ISO time at which the span ends [the last complete close].")] = None,
    replay: Annotated[bool, typer.Option("--replay", help="The last replay's database, not the fleet's.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Count how far looks came on their way to a trade, and what stopped them."""
    from services.control import funnel as work
    from services.control.exporting import EPOCH, moment_of
    from services.control.funnel_view import funnel_view

    request = work.FunnelRequest(
        hours=hours,
        until=None if at is None else moment_of("--at", at, EPOCH),
        strategy=strategy,
        account=account,
        symbols=_names(symbols),
        replay=replay,
    )
    _print(work.funnel(load_settings(ControlSettings), request), funnel_view, as_json=as_json)


@app.command()
def maintain(
    task: Annotated[str, typer.Argument(help="Which; without it, the tasks are listed.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Run one of the data scheduler's tasks by hand; exit code 1 where it failed."""
    from services.control import maintain as work

    settings = load_settings(ControlSettings)
    if not task:
        Console().print(work.tasks_view(settings))
        return
    report = work.maintain(settings, work.task_of(task), Console(stderr=True))
    _print(report, work.maintain_view, as_json=as_json)
    if not report["ok"]:
        raise typer.Exit(1)


@app.command()
def sweep(
    strategy: Annotated[Strategy, typer.Option(help="Whose rule.", parser=Strategy, metavar="NAME")],
    grid: Annotated[str, typer.Option(help="NAME=A|B|C or NAME=LOW:HIGH:STEP, separated by commas.")] = "",
    random: Annotated[int, typer.Option(min=0, help="So many random configurations instead.")] = 0,
    vary: Annotated[str, typer.Option(help="Parameters that --random draws, separated by commas [all].")] = "",
    seed: Annotated[int, typer.Option(help="Of the random draws.")] = 1,
    first: Annotated[str | None, typer.Option("--from", help="ISO time after which decisions are taken [all].")] = None,
    end: Annotated[str | None, typer.Option("--to", help="ISO time of the last decision [all].")] = None,
    symbols: Annotated[str, typer.Option(help="Only these, separated by commas [all].")] = "",
    params: Annotated[list[str] | None, typer.Option(help="NAME=VALUE for all tries; repeat it.")] = None,
    candles: Annotated[str, typer.Option(help="Folder or file of SYMBOL_TIMEFRAME.csv, or database.")] = "database",
    folds: Annotated[int, typer.Option(min=1, help="Steps of the walk-forward.")] = 4,
    jobs: Annotated[int, typer.Option(help="Processes on this machine [one a core].")] = -1,
    dask: Annotated[str | None, typer.Option(help="A Dask cluster, such as tcp://10.0.0.5:8786.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    report: Annotated[Path | None, typer.Option(help="Write a page with charts to this file.")] = None,
) -> None:
    """Try many configurations of a strategy, and say what choosing the best of them is worth."""
    from services.control import backtest as base
    from services.control import sweep as work
    from services.control.exporting import moment_of
    from services.control.sweep_view import document, sweep_view
    from services.control.sweep_view import report as page_of

    request = work.SweepRequest(
        backtest=base.BacktestRequest(
            strategy=strategy,
            first=None if first is None else moment_of("--from", first, base.EPOCH),
            end=None if end is None else moment_of("--to", end, base.EPOCH),
            symbols=_names(symbols),
            params=base.params_of(params or ()),
            candles=candles,
        ),
        grid=grid, random=random, vary=_names(vary), seed=seed, folds=folds, jobs=jobs, dask=dask,
    )
    done = work.sweep(load_settings(ControlSettings), request, Console(stderr=True))
    if report is not None:
        base.write_page(report, page_of(done))
    _print(document(done), lambda _: sweep_view(done), as_json=as_json)


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def psql(
    context: typer.Context,
    replay: Annotated[bool, typer.Option("--replay", help="The database of the last replay.")] = False,
) -> None:
    """Open psql on the database; arguments are handed on."""
    from services.control.psql import run_psql

    raise typer.Exit(run_psql(load_settings(ControlSettings), context.args, environment(), replay=replay))


@fleet_app.command()
def render(
    check: Annotated[bool, typer.Option("--check", help="Only say whether the files agree.")] = False,
) -> None:
    """Make Procfile, Railway files and supervisor config from the table, and the dashboards of Grafana."""
    from services.control import render as rendering
    from services.control.fleet import load_fleet

    files = rendering.rendered_files(load_fleet())
    if check:
        rendering.check(files)
        return
    for path in rendering.write(files):
        sys.stdout.write(f"{path}\n")


def main() -> None:
    """Run a command; what makes it impossible is one sentence and exit code 2."""
    try:
        app()
    except TrackerError as error:
        sys.stderr.write(f"tracker: {error}\n")
        sys.exit(2)


def _print(report: Any, view: Callable[[Any], RenderableType], *, as_json: bool) -> None:
    import orjson

    if as_json:
        sys.stdout.write(orjson.dumps(report, option=orjson.OPT_INDENT_2).decode() + "\n")
    else:
        Console(soft_wrap=True).print(view(report))


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


if __name__ == "__main__":
    main()
