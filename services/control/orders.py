"""`tracker orders` and `tracker order`: what rests, and what is to become of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rich.console import RenderableType
from rich.text import Text
from tracker.domain.command import CommandKind
from tracker.domain.errors import InputError
from tracker.store.accounts import read_account_rows
from tracker.store.database import Database
from tracker.store.ledger import read_accounts

from services.control.account import Order, tell_account
from services.control.account_report import READER, on_database
from services.control.account_view import rows_table
from services.control.settings import ControlSettings

COLUMNS = ("key", "side", "quantity", "filled_quantity", "limit_price", "placed_at")
# A trade's levels are no orders, yet may be moved as one.
LEVELS = ("stop", "target")


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderPlace:
    """Which order is meant; typed as ACCOUNT/STRATEGY/SYMBOL/LEG."""

    account: str
    strategy: str
    symbol: str
    leg: str

    @classmethod
    def parse(cls, key: str) -> OrderPlace:
        """Read a key as `tracker orders` prints it; raises InputError where it is none."""
        parts = key.split("/")
        if len(parts) != 4 or not all(parts):
            raise InputError(f"KEY = {key!r} is not ACCOUNT/STRATEGY/SYMBOL/LEG, as `tracker orders` prints them")
        return cls(account=parts[0], strategy=parts[1], symbol=parts[2], leg=parts[3])


def resting_orders(settings: ControlSettings, account: str | None = None) -> dict[str, Any]:
    """Return every order that rests, of one account or of all, with its key and the close of the symbol's last bar.

    Raises InputError where there is no such account.
    """

    async def work(database: Database) -> dict[str, Any]:
        async with database.transaction() as transaction:
            names = [each.account for each in await read_accounts(transaction)]
            if account is not None and account not in names:
                raise InputError(f"--account: {account!r} is not open; open are {', '.join(sorted(names)) or 'none'}")
            orders: list[dict[str, Any]] = []
            for name in sorted(names) if account is None else [account]:
                rows = await read_account_rows(transaction, name, trades=0)
                bars = {_trade(each): each["last_bar_at"] for each in rows["positions"]}
                orders += [
                    {
                        "key": "/".join((name, each["strategy"], each["symbol"], each["leg"])),
                        "account": name,
                        **each,
                        "last_bar_at": bars.get(_trade(each)),
                    }
                    for each in rows["resting_orders"]
                ]
        return {"orders": orders}

    return on_database(settings, READER, work)


def change_order(
    settings: ControlSettings, key: str, kind: CommandKind, change: Mapping[str, Any], reason: str, wait: float
) -> dict[str, Any]:
    """Cancel or replace the order that rests now under a key, and return what came of it.

    The trade is named by when it was decided, so that the command cannot meet a later one. Raises InputError where
    nothing rests there.
    """
    place = OrderPlace.parse(key)
    arguments = {"strategy": place.strategy, "symbol": place.symbol, "leg": place.leg}
    decided_at = on_database(settings, READER, lambda database: _decided_at(database, place, kind))
    order = Order(
        account=place.account,
        kind=kind,
        arguments={**arguments, "decided_at": decided_at, **change},
        reason=reason,
        wait_seconds=wait,
    )
    return tell_account(settings, order)


def orders_view(report: Mapping[str, Any]) -> RenderableType:
    """Return what `tracker orders` prints without --json."""
    return rows_table("", COLUMNS, report["orders"]) if report["orders"] else Text("no order rests")


async def _decided_at(database: Database, place: OrderPlace, kind: CommandKind) -> str:
    async with database.transaction() as transaction:
        rows = await read_account_rows(transaction, place.account, trades=0)
    level = kind is CommandKind.REPLACE and place.leg in LEVELS
    for each in rows["positions"] if level else rows["resting_orders"]:
        named = (each["strategy"], each["symbol"]) == (place.strategy, place.symbol)
        if named and (level or each["leg"] == place.leg):
            return str(each["decided_at"])
    raise InputError(f"KEY: no {place.leg} of {place.strategy} in {place.symbol} rests in account {place.account!r}")


def _trade(row: Mapping[str, Any]) -> tuple[Any, ...]:
    return row["strategy"], row["symbol"], row["decided_at"]
