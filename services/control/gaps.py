"""`tracker gaps`: what is missing among the bars, why, and how much of what is expected is there."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from tracker.domain.clock import SystemClock
from tracker.domain.errors import InputError
from tracker.domain.timeframe import EPOCH
from tracker.store.database import Database, Transaction
from tracker.store.gaps import (
    Coverage,
    Gap,
    GapQuestion,
    GapState,
    list_gaps,
    read_coverage,
    read_expected_until,
)
from tracker.store.symbols import read_symbols

from services.control.database_at_hand import database_at_hand
from services.control.places import Places
from services.control.settings import ControlSettings

ROLE = "tracker_reader"
ALL = "all"
# A longer list is not read; the summary counts everything all the same.
LONGEST_LIST = 1_000
# Counting years of minutes takes seconds, and says little of today.
USUAL_COVERAGE = timedelta(days=7)
END_OF_TIME = datetime(2100, 1, 1, tzinfo=EPOCH.tzinfo)


@dataclass(frozen=True, slots=True, kw_only=True)
class GapRequest:
    """What was asked for on the command line; None: gaps of all times, and the coverage of the last week."""

    symbols: tuple[str, ...]
    states: tuple[GapState, ...]
    first: datetime | None
    end: datetime | None


def states_of(name: str) -> tuple[GapState, ...]:
    """Return the states meant by --state; raises InputError."""
    if name == ALL:
        return tuple(GapState)
    try:
        return (GapState(name),)
    except ValueError:
        raise InputError(f"--state: {name!r} is not one of {', '.join(GapState)}, {ALL}") from None


def gaps(settings: ControlSettings, request: GapRequest) -> dict[str, Any]:
    """Return the gaps and the coverage as plain JSON values; times are ISO, UTC.

    Raises InputError for a symbol that is not in the database, for a span that is none, or without a database.
    """
    if request.first is not None and request.end is not None and request.first >= request.end:
        raise InputError(f"--from: {request.first.isoformat()} is not before --to, {request.end.isoformat()}")
    if settings.url is None and not Places.of(settings.state_dir).postgres_data.is_dir():
        raise InputError("there is no database yet: `tracker up` makes one")
    with database_at_hand(settings) as url:
        return asyncio.run(read_report(url, request))


async def read_report(url: str, request: GapRequest) -> dict[str, Any]:
    """Return the report from the database at `url`."""
    database = await Database.open(url, role=ROLE, pool_size=1, application="tracker:control")
    try:
        async with database.transaction() as transaction:
            return await _report(transaction, request)
    finally:
        await database.close()


async def _report(transaction: Transaction, request: GapRequest) -> dict[str, Any]:
    known = {each.symbol for each in await read_symbols(transaction)}
    for symbol in request.symbols:
        if symbol not in known:
            raise InputError(f"--symbols: {symbol!r} is not in the database")
    question = GapQuestion(
        first=request.first or EPOCH, end=request.end or END_OF_TIME, symbols=request.symbols, states=request.states
    )
    found = await list_gaps(transaction, question, LONGEST_LIST + 1)
    end = request.end or await read_expected_until(transaction) or SystemClock().now()
    first = request.first or end - USUAL_COVERAGE
    span = GapQuestion(first=first, end=max(first, end), symbols=request.symbols)
    coverage = await read_coverage(transaction, span)
    return {
        "gaps": [_gap(each) for each in found[:LONGEST_LIST]],
        "more": len(found) > LONGEST_LIST,
        "summary": {"from": first.isoformat(), "to": end.isoformat(), **_sums(coverage)},
        "symbols": {each.symbol: _sums([each]) for each in coverage},
    }


def _gap(gap: Gap) -> dict[str, Any]:
    return {
        "symbol": gap.symbol,
        "timeframe": gap.timeframe.value,
        "from": gap.starts_at.isoformat(),
        "to": gap.ends_at.isoformat(),
        "minutes": gap.minutes,
        "state": gap.state.value,
        "cause": gap.cause.value,
        "attempts": gap.attempts,
        "healed_bars": gap.healed_bars,
        "last_error": gap.last_error,
        "since": gap.detected_at.isoformat(),
        "last_attempt": gap.last_attempt_at and gap.last_attempt_at.isoformat(),
        "resolved": gap.resolved_at and gap.resolved_at.isoformat(),
    }


def _sums(coverage: Sequence[Coverage]) -> dict[str, Any]:
    """Return minutes; the coverage is the share that is stored or known to be empty, None where nothing is expected."""

    def minutes(name: str) -> int:
        return sum(getattr(each, name) * each.timeframe.seconds // 60 for each in coverage)

    expected, stored, empty = minutes("expected"), minutes("stored"), minutes("empty")
    return {
        "expected_minutes": expected,
        "stored_minutes": stored,
        "confirmed_empty_minutes": empty,
        "open_minutes": minutes("open"),
        "unexplained_minutes": minutes("unexplained"),
        "coverage": round((stored + empty) / expected, 6) if expected else None,
    }
