"""Facts of the group "risk": how the accounts stand beside their limits, and whether what was booked can be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import orjson

from tracker.store.database import Row, Transaction
from tracker.store.health.facts import Facts, read_now


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountStanding:
    """An account at the last closes; money in its currency, `drawdown` and `day_loss` are shares, None while unmarked.

    `rules` are the tables of its file, None where none are stored; `live` trades are held or wait for their entry, with
    `held` in the market and `waiting` buys resting; `largest_value` is both in the symbol that has most.
    """

    account: str
    rules: Mapping[str, Any] | None
    cash: Decimal
    equity: Decimal
    started_at: datetime
    processed_through: datetime
    live: int
    held: Decimal
    waiting: Decimal
    largest_symbol: str | None
    largest_value: Decimal
    state: str
    state_until: datetime | None
    drawdown: float | None
    day_loss: float | None
    equity_at: datetime | None
    protections: str | None
    note: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveTrade:
    """A trade that is held or waits for its entry; `at_risk` is lost where the stop is hit.

    `bars` counts the last closes of its symbol that were acted on while it was held, `highest_close` is the best.
    """

    account: str
    strategy: str
    symbol: str
    decided_at: datetime
    status: str
    symbol_status: str
    leaving: str | None
    quantity: Decimal
    stop_price: Decimal
    initial_stop_price: Decimal
    highest_price: Decimal | None
    last_price: Decimal | None
    at_risk: Decimal
    bars: int | None
    highest_close: float | None

    @property
    def name(self) -> str:
        """How it is told of."""
        return f"{self.account}: {self.strategy} {self.symbol}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Offences:
    """How many of something are not as they must be, and the first of them."""

    count: int
    first: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountFacts(Facts):
    """How every account stands, and each of its live trades."""

    accounts: Sequence[AccountStanding]
    trades: Sequence[LiveTrade]


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderFacts(Facts):
    """What is wrong with orders and fills; `fills` of the window were looked at."""

    resting: Mapping[str, Offences]
    fills: int
    barless: Offences
    outside: Offences
    early: Offences
    configs: Offences
    refusals: Offences


async def read_account_facts(transaction: Transaction, last_bars: int) -> AccountFacts:
    """Return how every account stands; `last_bars` closes are looked at beside each stop."""
    rows = await transaction.fetch("health_trading.accounts")
    trades = await transaction.fetch("health_trading.positions", last_bars)
    return AccountFacts(
        now=await read_now(transaction),
        accounts=[
            AccountStanding(rules=None if row["rules"] is None else orjson.loads(row["rules"]), **_but_rules(row))
            for row in rows
        ],
        trades=[LiveTrade(**dict(row.items())) for row in trades],
    )


async def read_order_facts(transaction: Transaction, window: timedelta, grace: timedelta) -> OrderFacts:
    """Return what is wrong with orders and fills of a window of event time; an order may outlive its end by `grace`."""
    resting = await transaction.fetch("health_trading.resting", grace)
    fills = await transaction.fetch_row("health_trading.fills", window)
    configs = await transaction.fetch_row("health_trading.configs", window)
    refusals = await transaction.fetch_row("health_trading.refusals", window)
    assert fills is not None  # noqa: S101 - the query returns one row always
    assert configs is not None  # noqa: S101 - the query returns one row always
    assert refusals is not None  # noqa: S101 - the query returns one row always
    return OrderFacts(
        now=await read_now(transaction),
        resting={row["account"]: Offences(count=row["orders"], first=row["first"]) for row in resting},
        fills=fills["fills"],
        barless=Offences(count=fills["barless"], first=fills["first_barless"]),
        outside=Offences(count=fills["outside"], first=fills["first_outside"]),
        early=Offences(count=fills["early"], first=fills["first_early"]),
        configs=Offences(count=configs["orders"], first=configs["first"]),
        refusals=Offences(count=refusals["refusals"], first=refusals["first"]),
    )


def _but_rules(row: Row) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != "rules"}
