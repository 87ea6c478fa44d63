"""The past of symbols out of the database, as a backtest reads it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from tracker.domain.errors import InputError
from tracker.domain.instrument import Instrument
from tracker.domain.timeframe import EPOCH, Timeframe
from tracker.quant.backtest import SymbolMarket, finest_candles
from tracker.quant.backtest.market import CONTEXT, whole_candles
from tracker.quant.bars import BarArrays
from tracker.quant.portfolio.series import CandleSeries
from tracker.quant.windows import anchor_seconds
from tracker.store.bars import BarTable
from tracker.store.database import Database, Transaction
from tracker.store.readers import read_symbol_range
from tracker.store.symbols import read_symbols

CONTEXT_MARGIN = timedelta(hours=4)
Tell = Callable[[str, float], None]


async def markets_from_database(
    url: str, symbols: Sequence[str], timeframe: Timeframe, span: tuple[datetime | None, datetime | None], tell: Tell
) -> list[SymbolMarket]:
    """Read the bars of the symbols (all that have any where none is named), warm-up included.

    Raises InputError where a symbol is unknown or has no bars in the span.
    """
    database = await Database.open(url, role=None, pool_size=1, application="tracker:backtest")
    try:
        async with database.transaction() as transaction:
            wanted = _chosen(await read_symbols(transaction), symbols)
            markets: list[SymbolMarket] = []
            for number, each in enumerate(wanted, start=1):
                market = await _market(transaction, each, timeframe, *span)
                tell("bars", number / len(wanted))
                if market is not None:
                    markets.append(market)
                elif symbols:
                    raise InputError(f"{each.symbol}: the database has no {timeframe} bars of it {_within(*span)}")
    finally:
        await database.close()
    if not markets:
        raise InputError(f"the database has no {timeframe} bars {_within(*span)}: fetch some with tracker backfill")
    return markets


def _chosen(known: Sequence[Instrument], symbols: Sequence[str]) -> list[Instrument]:
    by_name = {each.symbol: each for each in known}
    for name in symbols:
        if name not in by_name:
            raise InputError(f"symbols: {name!r} is not in the database")
    return [by_name[name] for name in sorted(symbols or by_name)]


async def _market(
    transaction: Transaction, instrument: Instrument, timeframe: Timeframe, first: datetime | None, end: datetime | None
) -> SymbolMarket | None:
    since, until = first or EPOCH, end or datetime.max.replace(tzinfo=EPOCH.tzinfo)
    if instrument.base_timeframe.seconds > timeframe.seconds:
        return None
    decision = await _bars(transaction, instrument, timeframe, _anchored(since, timeframe), until)
    if len(decision) == 0 or int(decision.ts[-1]) < int(since.timestamp()) - timeframe.seconds:
        return None
    context = await _bars(transaction, instrument, CONTEXT, _anchored(since - CONTEXT_MARGIN, CONTEXT), until)
    candles = await _candles(transaction, instrument, timeframe, decision, (since, until))
    return SymbolMarket(instrument=instrument, decision=decision, context=context, candles=candles)


async def _candles(
    transaction: Transaction,
    instrument: Instrument,
    timeframe: Timeframe,
    decision: BarArrays,
    span: tuple[datetime, datetime],
) -> CandleSeries:
    """Return what trades are filled in: the finest bars that there are of the symbol in the span."""
    for finer in Timeframe:
        if instrument.base_timeframe.seconds <= finer.seconds < timeframe.seconds:
            fine = await _bars(transaction, instrument, finer, *span)
            if len(fine):
                return finest_candles(decision, timeframe, fine, finer)
    return whole_candles(decision, timeframe)


async def _bars(
    transaction: Transaction, instrument: Instrument, timeframe: Timeframe, first: datetime, end: datetime
) -> BarArrays:
    return _arrays(await read_symbol_range(transaction, instrument.symbol_id, timeframe, first, end))


def _arrays(table: BarTable) -> BarArrays:
    return BarArrays(
        ts=table.ts, open=table.open, high=table.high, low=table.low, close=table.close, volume=table.volume
    )


def _anchored(moment: datetime, timeframe: Timeframe) -> datetime:
    return EPOCH + timedelta(seconds=anchor_seconds(max(int(moment.timestamp()), 0), timeframe.seconds))


def _within(first: datetime | None, end: datetime | None) -> str:
    if first is None and end is None:
        return "at all"
    return f"from {first.isoformat() if first else 'the beginning'} to {end.isoformat() if end else 'now'}"
