"""The past of symbols out of the database, as a backtest reads it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from tracker.domain.errors import InputError
from tracker.domain.instrument import Instrument
from tracker.domain.timeframe import EPOCH, Timeframe
from tracker.quant.backtest import Span, SymbolMarket
from tracker.runtime.stored_markets import decision_markets, finest_stored
from tracker.store.database import Database
from tracker.store.symbols import read_symbols

END_OF_TIME = datetime(2100, 1, 1, tzinfo=UTC)
Tell = Callable[[str, float], None]


async def markets_from_database(
    url: str, symbols: Sequence[str], timeframe: Timeframe, span: tuple[datetime | None, datetime | None], tell: Tell
) -> list[SymbolMarket]:
    """Read the bars of the symbols (all that have any where none is named), warm-up included.

    Raises InputError where a symbol is unknown or has no bars in the span.
    """
    since, until = span[0] or EPOCH, span[1] or END_OF_TIME
    database = await Database.open(url, role=None, pool_size=1, application="tracker:backtest")
    try:
        async with database.transaction() as transaction:
            wanted = _chosen(await read_symbols(transaction), symbols)
            known = await decision_markets(
                transaction, wanted, timeframe, Span(first=int(since.timestamp()), end=int(until.timestamp()))
            )
            markets = [each for each in known if int(each.decision.ts[-1]) + timeframe.seconds > since.timestamp()]
            _require_all(markets, symbols, timeframe, span)
            found: list[SymbolMarket] = []
            for number, each in enumerate(markets, start=1):
                candles = await finest_stored(transaction, each.instrument, timeframe, each.decision, (since, until))
                found.append(replace(each, candles=candles))
                tell("bars", number / len(markets))
    finally:
        await database.close()
    return found


def _chosen(known: Sequence[Instrument], symbols: Sequence[str]) -> list[Instrument]:
    by_name = {each.symbol: each for each in known}
    for name in symbols:
        if name not in by_name:
            raise InputError(f"symbols: {name!r} is not in the database")
    return [by_name[name] for name in sorted(symbols or by_name)]


def _require_all(
    markets: Sequence[SymbolMarket],
    symbols: Sequence[str],
    timeframe: Timeframe,
    span: tuple[datetime | None, datetime | None],
) -> None:
    found = {each.instrument.symbol for each in markets}
    for name in symbols:
        if name not in found:
            raise InputError(f"{name}: the database has no {timeframe} bars of it {_within(*span)}")
    if not markets:
        raise InputError(f"the database has no {timeframe} bars {_within(*span)}: fetch some with tracker backfill")


def _within(first: datetime | None, end: datetime | None) -> str:
    if first is None and end is None:
        return "at all"
    return f"from {first.isoformat() if first else 'the beginning'} to {end.isoformat() if end else 'now'}"
