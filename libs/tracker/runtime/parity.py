"""What the fleet decided and booked, held against what the same rules make of the stored bars today."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from tracker.quant.portfolio.book import moment_of
from tracker.runtime.accounts import AccountRules
from tracker.runtime.parity_difference import Difference
from tracker.runtime.parity_ledger import compare_ledgers
from tracker.runtime.parity_looks import LookParity, check_looks
from tracker.runtime.strategies import StrategyConfig
from tracker.store.database import Transaction
from tracker.store.symbols import read_symbols

Tell = Callable[[str, float], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parity:
    """How much was compared and what differs; `other_config` looks were taken by a configuration known nowhere.

    `never_scanned` are strategies of which the database holds no look at all in the span.
    """

    first: datetime
    end: datetime
    looks: int
    signals: int
    orders: int
    fills: int
    trades: int
    other_config: int
    other_rules: int
    never_scanned: Sequence[str]
    differences: Sequence[Difference]


async def check_parity(
    transaction: Transaction,
    strategies: Sequence[StrategyConfig],
    accounts: Sequence[AccountRules],
    config_dir: Path,
    span: tuple[datetime | None, datetime | None],
    tell: Tell,
) -> Parity | None:
    """Compare decisions in (first, end], everything scanned by default, and all ledgers whole; None before a look.

    `accounts` are those of `config_dir`, others are found in the database. Decisions are worked out again from stored
    bars; ledgers from the stored signals, so that a decision that differs does not make every later trade differ too.
    """
    instruments = {each.symbol_id: each for each in await read_symbols(transaction)}
    compared, unscanned = list[LookParity](), list[str]()
    for number, config in enumerate(strategies, start=1):
        mine = await check_looks(transaction, config, span)
        if mine is None:
            unscanned.append(str(config.strategy))
        else:
            compared.append(mine)
        tell("looks", number / len(strategies))
    if not compared:
        return None
    differences = [difference for each in compared for difference in each.differences]
    ledger = await compare_ledgers(transaction, accounts, config_dir, instruments, differences)
    tell("ledger", 1.0)
    return Parity(
        first=moment_of(min(each.span.first for each in compared)),
        end=moment_of(max(each.span.end for each in compared)),
        looks=sum(each.looks for each in compared),
        signals=sum(each.signals for each in compared),
        orders=ledger["orders"],
        fills=ledger["fills"],
        trades=ledger["trades"],
        other_config=sum(each.other_config for each in compared),
        other_rules=ledger["other_rules"],
        never_scanned=unscanned,
        differences=differences,
    )
