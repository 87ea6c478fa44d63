"""`tracker account ...` as typed."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console, RenderableType
from tracker.domain.command import CommandKind
from tracker.runtime.settings import load_settings

from services.control.settings import ControlSettings

account_app = typer.Typer(help="Paper accounts: side by side, each with its own rules and books.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="Which account.")]
Amount = Annotated[str, typer.Argument(help="In the account's currency.")]
Reason = Annotated[str, typer.Option(help="Kept with the command.")]
Wait = Annotated[float, typer.Option(min=0, help="Seconds to wait for the paper trader's answer, if it runs.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Strategy = Annotated[str | None, typer.Option(help="Only of this strategy.")]
Symbol = Annotated[str | None, typer.Option(help="Only in this symbol.")]


@account_app.command(name="list")
def list_(as_json: AsJson = False) -> None:
    """List all accounts with equity, cash and profit."""
    from services.control.account_report import list_accounts
    from services.control.account_view import accounts_view

    print_report(list_accounts(load_settings(ControlSettings)), accounts_view, as_json=as_json)


@account_app.command()
def show(name: Name, as_json: AsJson = False) -> None:
    """Show an account: where each rule comes from, positions, resting orders, trades and events."""
    from services.control.account_report import show_account
    from services.control.account_view import account_view

    print_report(show_account(load_settings(ControlSettings), name), account_view, as_json=as_json)


@account_app.command()
def new(
    name: Annotated[str, typer.Argument(help="At most 40 of a-z, 0-9, _ and -, a letter first.")],
    rules: Annotated[Path | None, typer.Option(help="What differs: a toml as in configs/accounts.")] = None,
    cash: Annotated[str | None, typer.Option(help="What it begins with [as the rules say].")] = None,
    like: Annotated[str | None, typer.Option(help="Whose rules it has otherwise [the default account's].")] = None,
    since: Annotated[str | None, typer.Option(help="ISO time at which it begins [now].")] = None,
    reason: Reason = "",
    wait: Wait = 10.0,
    as_json: AsJson = False,
) -> None:
    """Open a further account; exit code 1 where the paper trader refuses."""
    from services.control.account import NewAccount, new_account
    from services.control.exporting import EPOCH, moment_of

    asked = NewAccount(
        name=name, like=like, rules=rules, cash=cash,
        since=None if since is None else moment_of("--since", since, EPOCH),
    )  # fmt: skip
    say(new_account(load_settings(ControlSettings), asked, reason, wait), as_json=as_json)


@account_app.command()
def deposit(name: Name, amount: Amount, reason: Reason = "", wait: Wait = 10.0, as_json: AsJson = False) -> None:
    """Put money into an account; it is neither profit nor loss."""
    _tell(name, CommandKind.DEPOSIT, {"amount": amount}, reason, wait, as_json=as_json)


@account_app.command()
def withdraw(name: Name, amount: Amount, reason: Reason = "", wait: Wait = 10.0, as_json: AsJson = False) -> None:
    """Take free cash out of an account; exit code 1 where there is not as much."""
    _tell(name, CommandKind.WITHDRAW, {"amount": amount}, reason, wait, as_json=as_json)


@account_app.command()
def reset(
    name: Name,
    cash: Annotated[str | None, typer.Option(help="What the new books begin with [as the first ones did].")] = None,
    reason: Reason = "",
    wait: Wait = 10.0,
    as_json: AsJson = False,
) -> None:
    """Close the books and begin new ones: what is held is sold at the last closes, the history stays."""
    _tell(name, CommandKind.RESET, {"cash": cash}, reason, wait, as_json=as_json)


@account_app.command()
def flatten(
    name: Name,
    strategy: Strategy = None,
    symbol: Symbol = None,
    reason: Reason = "",
    wait: Wait = 10.0,
    as_json: AsJson = False,
) -> None:
    """Sell what is held at the next opens, and take back what rests."""
    _tell(name, CommandKind.FLATTEN, {"strategy": strategy, "symbol": symbol}, reason, wait, as_json=as_json)


@account_app.command()
def cancel(
    name: Name,
    strategy: Annotated[str, typer.Option(help="Whose trade.")],
    symbol: Annotated[str, typer.Option(help="In which symbol.")],
    leg: Annotated[str, typer.Option(help="Which order of the trade: entry, rung1..")],
    reason: Reason = "",
    wait: Wait = 10.0,
    as_json: AsJson = False,
) -> None:
    """Take a resting order back."""
    arguments = {"strategy": strategy, "symbol": symbol, "leg": leg}
    _tell(name, CommandKind.CANCEL, arguments, reason, wait, as_json=as_json)


@account_app.command()
def replace(
    name: Name,
    strategy: Annotated[str, typer.Option(help="Whose trade.")],
    symbol: Annotated[str, typer.Option(help="In which symbol.")],
    leg: Annotated[str, typer.Option(help="Which order of the trade: rung1.., stop or target.")],
    price: Annotated[str | None, typer.Option(help="At which price from now on.")] = None,
    quantity: Annotated[str | None, typer.Option(help="How much of it from now on.")] = None,
    reason: Reason = "",
    wait: Wait = 10.0,
    as_json: AsJson = False,
) -> None:
    """Put another order in the place of a resting one, or move a stop up or a target."""
    arguments = {"strategy": strategy, "symbol": symbol, "leg": leg, "price": price, "quantity": quantity}
    _tell(name, CommandKind.REPLACE, arguments, reason, wait, as_json=as_json)


@account_app.command()
def halt(
    name: Name,
    minutes: Annotated[int | None, typer.Option(min=1, help="For how long, event time [until resumed].")] = None,
    reason: Reason = "",
    wait: Wait = 10.0,
    as_json: AsJson = False,
) -> None:
    """Buy nothing more; what is held goes on towards its exits."""
    _tell(name, CommandKind.HALT, {"minutes": minutes}, reason, wait, as_json=as_json)


@account_app.command()
def resume(name: Name, reason: Reason = "", wait: Wait = 10.0, as_json: AsJson = False) -> None:
    """End everything that holds new trades back."""
    _tell(name, CommandKind.RESUME, {}, reason, wait, as_json=as_json)


@account_app.command()
def pause(
    name: Name,
    strategy: Annotated[str, typer.Argument(help="Which strategy.")],
    minutes: Annotated[int | None, typer.Option(min=1, help="For how long, event time [until unpaused].")] = None,
    reason: Reason = "",
    wait: Wait = 10.0,
    as_json: AsJson = False,
) -> None:
    """Buy nothing more for one strategy; what it holds goes on towards its exits."""
    _tell(name, CommandKind.PAUSE, {"strategy": strategy, "minutes": minutes}, reason, wait, as_json=as_json)


@account_app.command()
def unpause(
    name: Name,
    strategy: Annotated[str, typer.Argument(help="Which strategy.")],
    reason: Reason = "",
    wait: Wait = 10.0,
    as_json: AsJson = False,
) -> None:
    """Let a paused strategy buy again."""
    _tell(name, CommandKind.UNPAUSE, {"strategy": strategy}, reason, wait, as_json=as_json)


def _tell(
    name: str, kind: CommandKind, arguments: Mapping[str, Any], reason: str, wait: float, *, as_json: bool
) -> None:
    from services.control.account import Order, tell_account

    order = Order(account=name, kind=kind, arguments=arguments, reason=reason, wait_seconds=wait)
    say(tell_account(load_settings(ControlSettings), order), as_json=as_json)


def say(report: Mapping[str, Any], *, as_json: bool) -> None:
    """Print what came of a command; exit code 1 where it was refused."""
    from services.control.account_view import answer_view

    print_report(report, answer_view, as_json=as_json)
    if report["outcome"] == "refused":
        raise typer.Exit(1)


def print_report(
    report: Mapping[str, Any], view: Callable[[Mapping[str, Any]], RenderableType], *, as_json: bool
) -> None:
    """Print a report, as JSON or as a person reads it."""
    import orjson

    if as_json:
        sys.stdout.write(orjson.dumps(report, option=orjson.OPT_INDENT_2).decode() + "\n")
    else:
        Console(soft_wrap=True).print(view(report))
