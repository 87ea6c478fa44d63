"""`tracker order ...`, `tracker orders` and `tracker flatten` as typed."""

from __future__ import annotations

from typing import Annotated

import typer
from tracker.domain.command import CommandKind
from tracker.runtime.settings import load_settings

from services.control.account_app import AsJson, Reason, Strategy, Symbol, Wait, print_report, say
from services.control.settings import ControlSettings

order_app = typer.Typer(help="Orders that rest: cancel them, or put others in their place.", no_args_is_help=True)

Key = Annotated[str, typer.Argument(help="ACCOUNT/STRATEGY/SYMBOL/LEG, as `tracker orders` prints them.")]


@order_app.command()
def cancel(key: Key, reason: Reason = "", wait: Wait = 10.0, as_json: AsJson = False) -> None:
    """Take a resting buy back; exit code 1 where the paper trader refuses."""
    from services.control.orders import change_order

    settings = load_settings(ControlSettings)
    say(change_order(settings, key, CommandKind.CANCEL, {}, reason, wait), as_json=as_json)


@order_app.command()
def replace(
    key: Key,
    price: Annotated[str | None, typer.Option(help="At which price from now on.")] = None,
    quantity: Annotated[str | None, typer.Option(help="How much of it from now on.")] = None,
    reason: Reason = "",
    wait: Wait = 10.0,
    as_json: AsJson = False,
) -> None:
    """Put another order in the place of a rung, or move the leg `stop` up or `target`; from the next bar on."""
    from services.control.orders import change_order

    change = {"price": price, "quantity": quantity}
    say(change_order(load_settings(ControlSettings), key, CommandKind.REPLACE, change, reason, wait), as_json=as_json)


def orders(
    account: Annotated[str | None, typer.Option(help="Only this one [all].")] = None, as_json: AsJson = False
) -> None:
    """List the orders that rest, with the keys by which `tracker order` knows them."""
    from services.control.orders import orders_view, resting_orders

    print_report(resting_orders(load_settings(ControlSettings), account), orders_view, as_json=as_json)


def flatten(
    account: Annotated[str, typer.Argument(help="Which account.")],
    strategy: Strategy = None,
    symbol: Symbol = None,
    reason: Reason = "",
    wait: Wait = 10.0,
    as_json: AsJson = False,
) -> None:
    """Sell what an account holds at the next opens, and take back what rests."""
    from services.control.account import Order, tell_account

    order = Order(
        account=account,
        kind=CommandKind.FLATTEN,
        arguments={"strategy": strategy, "symbol": symbol},
        reason=reason,
        wait_seconds=wait,
    )
    say(tell_account(load_settings(ControlSettings), order), as_json=as_json)
