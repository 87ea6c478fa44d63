"""`tracker funnel`: how far looks came on their way to a finished trade, and what stopped them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from tracker.domain.clock import SystemClock
from tracker.domain.errors import InputError
from tracker.domain.funnel import LookCount, StepCount, funnel_of
from tracker.domain.signal import Strategy
from tracker.domain.timeframe import Timeframe
from tracker.runtime.standing import Standing, read_standing
from tracker.runtime.strategies import load_strategies, scanned_strategies
from tracker.store.bars import read_watermarks
from tracker.store.database import Database, Transaction
from tracker.store.looks import (
    AccountPlace,
    LookQuestion,
    NearLook,
    count_looks,
    read_account_places,
    read_nearest,
)
from tracker.store.paper import read_scan_watermarks
from tracker.store.symbols import read_symbols

from services.control.database_at_hand import asked_database
from services.control.settings import ControlSettings

ROLE = "tracker_reader"
NEAREST = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class FunnelRequest:
    """What was asked for on the command line; `until` None is the last complete close."""

    hours: float
    until: datetime | None
    strategy: Strategy | None
    account: str | None
    symbols: tuple[str, ...]
    replay: bool


def funnel(settings: ControlSettings, request: FunnelRequest) -> dict[str, Any]:
    """Return the funnel of each strategy and account as plain JSON values; times are ISO, UTC.

    Raises InputError for a strategy, account or symbol that there is not, or without a database.
    """
    configured = load_strategies(settings.config_dir, settings.strategies_dir)
    timeframes = {each.strategy: each.timeframe for each in configured}
    scanned = scanned_strategies(settings.config_dir)
    with asked_database(settings, replay=request.replay) as url:
        return asyncio.run(read_funnel(url, request, timeframes, scanned))


async def read_funnel(
    url: str, request: FunnelRequest, timeframes: dict[Strategy, Timeframe], scanned: Sequence[Strategy]
) -> dict[str, Any]:
    """Return the report from the database at `url`.

    `timeframes` of the strategies that are configured, `scanned` those among them that have a scanner.
    """
    database = await Database.open(url, role=ROLE, pool_size=1, application="tracker:control")
    try:
        async with database.transaction() as transaction:
            return await _report(transaction, request, timeframes, scanned)
    finally:
        await database.close()


async def _report(
    transaction: Transaction, request: FunnelRequest, timeframes: dict[Strategy, Timeframe], scanned: Sequence[Strategy]
) -> dict[str, Any]:
    # One that left the configuration may still have looks.
    known = timeframes | {
        name: mark.timeframe for name, mark in (await read_scan_watermarks(transaction)).items()
    }
    await _check(transaction, request, known)
    looked = {*scanned, *await read_scan_watermarks(transaction)}
    chosen = [request.strategy] if request.strategy is not None else sorted(looked)
    places = {each.account: each for each in await read_account_places(transaction)}
    accounts = list(places) if request.account is None else [request.account]
    until = request.until or await _last_close(transaction, [known[each] for each in chosen])
    question = LookQuestion(
        first=until - timedelta(hours=request.hours), end=until, strategies=chosen, symbols=request.symbols
    )
    counts = await count_looks(transaction, question)
    nearest = await read_nearest(transaction, question, NEAREST)
    blocks: list[dict[str, Any]] = []
    for strategy in chosen:
        standing = await read_standing(transaction, strategy, known[strategy], scanned)
        mine = [each for each in counts if each.strategy == strategy]
        near = [each for each in nearest if each.strategy == strategy]
        common = _standing(standing, question)
        for account in accounts or [None]:
            block = _block(strategy, account, mine)
            waiting = _waiting(standing, block, places.get(account or ""))
            blocks.append(block | common | waiting | _nearest(near, account))
    return {
        "hours": request.hours,
        "from": question.first.isoformat(),
        "until": until.isoformat(),
        "symbols": list(request.symbols),
        "strategies": blocks,
    }


async def _check(transaction: Transaction, request: FunnelRequest, known: dict[Strategy, Timeframe]) -> None:
    if request.hours <= 0:
        raise InputError(f"--hours: {request.hours:g} is not above 0")
    if request.strategy is not None and request.strategy not in known:
        raise InputError(f"--strategy: there is no {request.strategy!s}; known are {', '.join(sorted(known))}")
    accounts = [each.account for each in await read_account_places(transaction)]
    if request.account is not None and request.account not in accounts:
        raise InputError(f"--account: there is no {request.account!r}; known are {', '.join(accounts) or 'none yet'}")
    symbols = {each.symbol for each in await read_symbols(transaction)}
    for symbol in request.symbols:
        if symbol not in symbols:
            raise InputError(f"--symbols: {symbol!r} is not in the database")


async def _last_close(transaction: Transaction, timeframes: Sequence[Timeframe]) -> datetime:
    marks = await read_watermarks(transaction)
    ends = [marks[each].closed_through for each in timeframes if each in marks]
    ends += [each.closed_through for each in (await read_scan_watermarks(transaction)).values()]
    return max(ends, default=SystemClock().now())


def _block(strategy: Strategy, account: str | None, counts: Sequence[LookCount]) -> dict[str, Any]:
    return {
        "strategy": strategy.value,
        "account": account,
        "steps": [_step(each) for each in funnel_of(counts, account)],
    }


def _step(step: StepCount) -> dict[str, Any]:
    return {
        "step": step.step.value,
        "count": step.count,
        "fell_out": step.fell_out,
        "reasons": [{"reason": each.reason, "count": each.count} for each in step.reasons],
    }


def _standing(standing: Standing, question: LookQuestion) -> dict[str, Any]:
    """Say how many closes of the span nobody looked at, and which link of the chain is behind."""
    unscanned = standing.unscanned(question.first, question.end)
    broken = standing.behind(standing.timeframe.floor(question.end))
    through = standing.scanned_through
    return {
        "scanned_through": None if through is None else through.isoformat(),
        "closes_not_scanned": unscanned,
        "behind": None if broken is None else {"where": broken.where, "says": broken.says, "do": broken.do},
    }


def _waiting(standing: Standing, block: dict[str, Any], place: AccountPlace | None) -> dict[str, Any]:
    """Say why signals are not answered yet, where there are such."""
    stopped = {each["reason"] for step in block["steps"] for each in step["reasons"]}
    through = None if place is None else place.processed_through
    return {"waiting": standing.unread(through) if "not_reached" in stopped else None}


def _nearest(looks: Sequence[NearLook], account: str | None) -> dict[str, Any]:
    """Put the account's own looks before those that are nobody's, which came less far."""
    own = [each for each in looks if each.account is not None and each.account == account]
    return {"nearest": [_near(each) for each in [*own, *(each for each in looks if each.account is None)][:NEAREST]]}


def _near(look: NearLook) -> dict[str, Any]:
    return {
        "symbol": look.symbol,
        "at": look.decided_at.isoformat(),
        "step": look.last_step.value,
        "reason": look.stopped_by,
        "strength": round(look.strength, 4),
        "confirmations": look.confirmations,
    }
