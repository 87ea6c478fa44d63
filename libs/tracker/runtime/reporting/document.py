"""Everything that stands in a report, as plain values: times are ISO (UTC), money in an account's currency."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from tracker.runtime.reporting.presentation import tag_of
from tracker.runtime.reporting.timetable import ReportKind
from tracker.store.accounts import AccountFigures, read_figures
from tracker.store.alerts import read_last_look, read_trading_states
from tracker.store.database import Transaction
from tracker.store.health.findings import read_findings
from tracker.store.report_facts import (
    read_champions,
    read_curve,
    read_data_quality,
    read_day_coverage,
    read_drawdown,
    read_equity_at,
    read_funnel,
    read_memory,
    read_positions,
    read_scanned_through,
    read_shadow_best,
    read_stopped_by,
    read_symbol_results,
    read_told_alerts,
    read_trades,
    read_verdicts,
)

Document = dict[str, Any]
TRADES = 40
POSITIONS = 60
LEADERS = 5
CURVE_POINTS = 400
# How far back the picture, and the best and worst symbols, reach.
DAILY_REACH = timedelta(days=7)
WEEKLY_REACH = timedelta(days=30)
COVERAGE_DAYS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportQuestion:
    """Which report: `since` is when the one before was due, `previous` its document, None where there is none.

    `account` is the one that comes first.
    """

    kind: ReportKind
    due_at: datetime
    now: datetime
    since: datetime
    zone: ZoneInfo
    source: str
    account: str
    late: bool = False
    skipped: int = 0
    asked_by: str | None = None
    previous: Document | None = None

    @property
    def reach(self) -> timedelta:
        """How far back the picture goes."""
        return WEEKLY_REACH if self.kind is ReportKind.WEEKLY else DAILY_REACH


async def read_document(transaction: Transaction, question: ReportQuestion) -> Document:
    """Return a report's document; what is not there yet is empty, and the layout says why."""
    figures = sorted(await read_figures(transaction), key=lambda each: each.account != question.account)
    accounts = [await _account(transaction, each, question) for each in figures]
    scanned = await read_scanned_through(transaction)
    main = accounts[0]["account"] if accounts else None
    return _plain({
        "kind": question.kind.value, "due_at": question.due_at, "made_at": question.now, "since": question.since,
        "zone": str(question.zone), "tag": tag_of(question.source), "source": question.source,
        "late": question.late, "skipped": question.skipped, "asked_by": question.asked_by,
        "accounts": accounts,
        "curve": await _curve(transaction, accounts, question),
        "positions": (await read_positions(transaction))[:POSITIONS],
        "scanned_through": scanned,
        **await _funnel(transaction, scanned, main, question),
        "shadow": await read_shadow_best(transaction, "30d" if question.kind is ReportKind.WEEKLY else "7d", LEADERS),
        "champions": await read_champions(transaction),
        "verdicts": await read_verdicts(transaction, question.since),
        "data": await read_data_quality(transaction, question.since),
        "coverage": await read_day_coverage(transaction, COVERAGE_DAYS),
        **await _health(transaction, question),
    })  # fmt: skip


async def _account(transaction: Transaction, figures: AccountFigures, question: ReportQuestion) -> Document:
    """Return an account in numbers, in event time: a replay's or a simulation's clock is not ours."""
    through = figures.processed_through
    day = datetime.combine(through.astimezone(question.zone).date(), time(), question.zone).astimezone(UTC)
    since = _event_time_then(question, figures.account) or through - (question.due_at - question.since)
    since = min(max(since, figures.since), through)
    trades = await read_trades(transaction, figures.account, since, through, TRADES)
    reach = max(figures.since, through - question.reach)
    equity, pnl = float(figures.equity), float(figures.pnl)
    return {
        "account": figures.account, "currency": figures.currency, "state": figures.state, "equity": equity,
        "capital": float(figures.capital), "pnl": pnl, "through": through, "since": since, "day": day,
        "pnl_today": await _earned(transaction, figures, day, equity, pnl),
        "pnl_since": await _earned(transaction, figures, since, equity, pnl),
        "open_positions": figures.open_positions, "all_trades": figures.trades, "books_since": figures.since,
        "trades": [_trade(each) for each in trades],
        "trade_count": trades[0]["trades"] if trades else 0,
        "trade_wins": trades[0]["wins"] if trades else 0,
        "trade_pnl": trades[0]["total"] if trades else 0.0,
        "symbols_since": reach,
        "symbols": await read_symbol_results(transaction, figures.account, reach, through),
        "drawdown": await read_drawdown(transaction, figures.account, reach, through),
    }  # fmt: skip


def _event_time_then(question: ReportQuestion, account: str) -> datetime | None:
    """Return how far an account had come at the report before."""
    if question.previous is None:
        return None
    found = next((each for each in question.previous["accounts"] if each["account"] == account), None)
    return None if found is None else datetime.fromisoformat(found["through"])


async def _earned(
    transaction: Transaction, figures: AccountFigures, since: datetime, equity: float, pnl: float
) -> float:
    """Return what an account earned since a moment, or since its books were opened where that is later."""
    if since <= figures.since:
        return pnl
    then = await read_equity_at(transaction, figures.account, since, figures.since)
    return pnl if then.equity is None else equity - then.equity - then.moved


def _trade(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in ("trades", "total", "wins")}


async def _curve(transaction: Transaction, accounts: Sequence[Document], question: ReportQuestion) -> Document:
    """Return the points of the first account's equity, for the picture."""
    if not accounts:
        return {"account": None, "currency": "", "capital": None, "points": []}
    account = accounts[0]
    first = max(account["books_since"], account["through"] - question.reach)
    step = max((account["through"] - first) / CURVE_POINTS, timedelta(minutes=1))
    points = await read_curve(transaction, account["account"], first, account["through"], step)
    return {"account": account["account"], "currency": account["currency"], "capital": account["capital"],
            "points": [list(each) for each in points]}  # fmt: skip


async def _funnel(
    transaction: Transaction, scanned: datetime | None, account: str | None, question: ReportQuestion
) -> Document:
    if scanned is None:
        return {"funnel": [], "stopped_by": [], "funnel_since": None}
    before = None if question.previous is None else question.previous["scanned_through"]
    since = scanned - (question.due_at - question.since) if before is None else datetime.fromisoformat(before)
    since = since.replace(minute=0, second=0, microsecond=0)
    return {
        "funnel": await read_funnel(transaction, since, scanned, account),
        "stopped_by": await read_stopped_by(transaction, since, scanned, account),
        "funnel_since": since,
    }


async def _health(transaction: Transaction, question: ReportQuestion) -> Document:
    findings = await read_findings(transaction)
    return {
        "looked_at": await read_last_look(transaction),
        "findings": len(findings),
        "failing": [
            {"name": each.name, "group": each.group, "severity": each.severity, "observed": each.observed,
             "limit": each.limit, "since": each.since, "advice": each.advice}
            for each in findings if not each.ok
        ],
        "trading": [
            {"account": each.account, "state": each.state, "note": each.note}
            for each in await read_trading_states(transaction) if each.state != "ACTIVE"
        ],
        "alerts": await read_told_alerts(transaction, question.since),
        "fleet": await read_memory(transaction),
    }  # fmt: skip


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, Mapping):
        return {str(name): _plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return value
