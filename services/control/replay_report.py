"""What a replay left in the database."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

import orjson
from tracker.domain.errors import SchemaError
from tracker.store.bars import count_bars, count_rejected
from tracker.store.database import Database, Transaction
from tracker.store.features import count_features
from tracker.store.ledger import read_accounts
from tracker.store.paper import ledger_check, paper_summary
from tracker.store.scans import count_scans
from tracker.store.trades import read_trades


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayReport:
    """Counts and money of the account `paper`; money in quote currency, `realised_pnl` gross of `fees`.

    `accounts` holds by name what became of each of the accounts, of all of which the ledgers were checked.
    """

    bars: dict[str, dict[str, int]]
    features: int
    scans: dict[str, int]
    signals: dict[str, int]
    orders: int
    refused: int
    fills: int
    trades: int
    open_positions: int
    starting_cash: Decimal
    realised_pnl: Decimal
    unrealised_pnl: Decimal
    fees: Decimal
    final_equity: Decimal
    ledger_ok: bool
    ledger_difference: Decimal
    rejected: int
    trades_sha256: str
    accounts: dict[str, dict[str, Any]]
    seconds: float = 0.0

    def after(self, seconds: float) -> ReplayReport:
        """Return the report with the time it took."""
        return replace(self, seconds=round(seconds, 2))

    def document(self) -> dict[str, Any]:
        """Return the report as plain JSON values; money as numbers."""
        names = self.__slots__
        return {name: _plain(getattr(self, name)) for name in names}


def _plain(value: Any) -> Any:
    return float(value) if isinstance(value, Decimal) else value


def _digest(trades: list[dict[str, Any]]) -> str:
    """Two runs that traded alike have the same one."""
    return hashlib.sha256(orjson.dumps(trades, option=orjson.OPT_SORT_KEYS)).hexdigest()


async def _account(transaction: Transaction, account: str) -> dict[str, Any]:
    summary = await paper_summary(transaction, account)
    if summary is None:
        raise SchemaError(f"account {account!r} has a cursor but no row")
    return {
        "orders": summary.orders - summary.refused,
        "refused": summary.refused,
        "fills": summary.fills,
        "trades": summary.closed_trades,
        "open_positions": summary.open_positions,
        "final_equity": float(summary.final_equity),
        "trades_sha256": _digest(await read_trades(transaction, account)),
    }


async def read_report(url: str) -> ReplayReport:
    """Count what is stored and check the ledger."""
    database = await Database.open(url, role=None, pool_size=1, application="tracker:replay")
    try:
        async with database.transaction() as transaction:
            scans = await count_scans(transaction)
            summary = await paper_summary(transaction)
            names = [each.account for each in await read_accounts(transaction)]
            checks = [await ledger_check(transaction, each) for each in names]
            if summary is None:
                raise SchemaError("no paper account was ever opened, so nothing was traded")
            return ReplayReport(
                bars=await count_bars(transaction),
                features=await count_features(transaction),
                scans={strategy: counts[0] for strategy, counts in scans.items()},
                signals={strategy: counts[1] for strategy, counts in scans.items()},
                orders=summary.orders - summary.refused,
                refused=summary.refused,
                fills=summary.fills,
                trades=summary.closed_trades,
                open_positions=summary.open_positions,
                starting_cash=summary.start_cash,
                realised_pnl=summary.realised_pnl,
                unrealised_pnl=summary.unrealised_pnl,
                fees=summary.fees,
                final_equity=summary.final_equity,
                ledger_ok=all(each.ok for each in checks),
                ledger_difference=sum((each.difference for each in checks), Decimal(0)),
                rejected=await count_rejected(transaction),
                trades_sha256=_digest(await read_trades(transaction)),
                accounts={each: await _account(transaction, each) for each in names},
            )
    finally:
        await database.close()
