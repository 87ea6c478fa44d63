"""What an account remembers for its protections, and what the correlation of symbols is worked out from."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from tracker.domain.order import ExitReason
from tracker.domain.risk import Protection, ProtectionLock, RiskMarks
from tracker.domain.signal import Side, Strategy
from tracker.domain.timeframe import Timeframe
from tracker.domain.trade import ClosedTrade
from tracker.store.database import Row, Transaction

# Trades are noted at the close of the bar in which they ended, and ended at its open at the earliest.
LONGEST_BAR = timedelta(days=1)


async def read_marks(transaction: Transaction, account: str) -> RiskMarks | None:
    """Return what an account's drawdown and daily loss are measured against, None where nothing was marked yet."""
    row = await transaction.fetch_row("risk.marks", account)
    return None if row is None else RiskMarks(**dict(row))


async def read_locks(transaction: Transaction, account: str, after: datetime) -> list[ProtectionLock]:
    """Return the locks that were set or lasted after a moment, oldest first."""
    return [_lock(row) for row in await transaction.fetch("risk.locks", account, after)]


async def read_closed_trades(transaction: Transaction, account: str, after: datetime) -> list[ClosedTrade]:
    """Return the trades that ended after a moment, or within a bar before it, in the order of their booking."""
    return [_trade(row) for row in await transaction.fetch("risk.closed_trades", account, after - LONGEST_BAR)]


async def write_risk(transaction: Transaction, locks: Sequence[ProtectionLock], marks: RiskMarks | None) -> None:
    """Remember new locks and the marks."""
    if locks:
        await transaction.execute_many(
            "risk.put_lock",
            [
                (
                    each.account,
                    each.protection.value,
                    each.symbol_id,
                    each.strategy,
                    each.locked_at,
                    each.until,
                    each.observed,
                    each.note,
                )
                for each in locks
            ],
        )
    if marks is not None:
        await transaction.execute(
            "risk.put_marks",
            marks.account,
            marks.marked_at,
            marks.equity,
            marks.peak,
            marks.day,
            marks.day_equity,
            marks.armed,
            marks.halted,
        )


async def read_hourly_closes(
    transaction: Transaction, symbol_ids: Collection[int], begin: datetime, end: datetime
) -> list[tuple[int, int, float]]:
    """Return (symbol, bar open in Unix seconds, close) of the 1h bars that close in [begin, end]."""
    hour = Timeframe.H1
    opens_from, opens_before = hour.floor(begin) - hour.duration, hour.floor(end)
    rows = await transaction.fetch("risk.hourly_closes", list(symbol_ids), opens_from, opens_before)
    return [(row["symbol_id"], row["ts"], row["close"]) for row in rows]


def _lock(row: Row) -> ProtectionLock:
    facts = dict(row)
    strategy = facts.pop("strategy")
    return ProtectionLock(
        protection=Protection(facts.pop("protection")),
        strategy=None if strategy is None else Strategy(strategy),
        **facts,
    )


def _trade(row: Row) -> ClosedTrade:
    facts = dict(row)
    return ClosedTrade(
        strategy=Strategy(facts.pop("strategy")),
        side=Side(facts.pop("side")),
        exit_reason=ExitReason(facts.pop("exit_reason")),
        **facts,
    )
