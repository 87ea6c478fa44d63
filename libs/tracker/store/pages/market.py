"""What the page Market shows: prices, bars, features, and what was decided and traded on them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from tracker.domain.timeframe import EPOCH, Timeframe
from tracker.store.database import Row, Transaction

# A chart with more marks than this shows nothing any more.
MOST_MARKS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchedSymbol:
    """A symbol to choose; `closed_at` of its newest bar, None where there is none yet."""

    symbol: str
    base_timeframe: Timeframe
    closed_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SymbolHeat:
    """A symbol's last price, changes as fractions of the price before, None where there was no bar then."""

    symbol: str
    price: float
    closed_at: datetime
    change_1h: float | None
    change_24h: float | None
    turnover: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Candles:
    """Bars of one symbol as columns; `ts` is the open in Unix seconds."""

    ts: tuple[int, ...] = ()
    open: tuple[float, ...] = ()
    high: tuple[float, ...] = ()
    low: tuple[float, ...] = ()
    close: tuple[float, ...] = ()
    volume: tuple[float, ...] = ()

    def __len__(self) -> int:
        """Number of bars."""
        return len(self.ts)


@dataclass(frozen=True, slots=True, kw_only=True)
class CandleTail:
    """Closed bars of a timeframe and the finest ones after them, of which the running bar is made."""

    closed: Candles
    finest: Candles


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A signal; prices in the quote currency, `confidence` None without a model."""

    strategy: str
    decided_at: datetime
    entry: float
    stop: float
    target: float
    strength: float
    confidence: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Filled:
    """A paper fill; `quantity` in the base currency."""

    strategy: str
    leg: str
    side: str
    filled_at: datetime
    quantity: float
    price: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A position's life; `closed_at` None while it lasts."""

    strategy: str
    opened_at: datetime
    closed_at: datetime | None
    entry: float | None
    stop: float
    initial_stop: float
    target: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SymbolTrading:
    """What was proposed for a symbol, and what one account made of it."""

    signals: tuple[Proposal, ...] = ()
    fills: tuple[Filled, ...] = ()
    lives: tuple[Held, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DayCoverage:
    """A day (UTC): its bars, how many there could be, and how many symbols miss any."""

    day: date
    bars: int
    expected: int
    incomplete: int


FeatureColumns = Mapping[str, tuple[tuple[int, ...], tuple[float | None, ...]]]


async def read_watched(transaction: Transaction) -> tuple[WatchedSymbol, ...]:
    """Return the symbols that there may be a chart of, by name."""
    return tuple(
        WatchedSymbol(
            symbol=row["symbol"], base_timeframe=Timeframe(row["base_timeframe"]), closed_at=row["closed_at"]
        )
        for row in await transaction.fetch("pages_market.symbols")
    )


async def read_heat(transaction: Transaction) -> tuple[SymbolHeat, ...]:
    """Return the active symbols that have a price, the most traded first."""
    return tuple(SymbolHeat(**_plain(row)) for row in await transaction.fetch("pages_market.heat"))


async def read_candles(transaction: Transaction, symbol: str, timeframe: Timeframe, count: int) -> CandleTail:
    """Return a symbol's bars over the last `count` buckets, and the finest ones of what has not closed yet.

    Both are empty for a symbol without bars.
    """
    newest = await transaction.fetch_row("pages_market.newest", symbol)
    if newest is None:
        return CandleTail(closed=Candles(), finest=Candles())
    end, finest = newest["closed_at"], Timeframe(newest["timeframe"])
    first = timeframe.floor(end) - (count - 1) * timeframe.duration
    closed = await _candles(transaction, symbol, timeframe, first, end)
    if finest.seconds >= timeframe.seconds:
        return CandleTail(closed=closed, finest=Candles())
    # The roll-up of the bucket that has just ended may still be on its way.
    since = timeframe.floor(end) - timeframe.duration
    if closed.ts:
        since = max(since, EPOCH + timedelta(seconds=closed.ts[-1] + timeframe.seconds))
    return CandleTail(closed=closed, finest=await _candles(transaction, symbol, finest, since, end))


async def read_feature_columns(
    transaction: Transaction, symbol: str, timeframe: Timeframe, names: tuple[str, ...], first: datetime
) -> FeatureColumns:
    """Return features of the bars that open at or after a moment: opens in Unix seconds and values, None unknown.

    There are some of the last 30 days, and of the timeframes that strategies decide on.
    """
    if not names:
        return {}
    rows = await transaction.fetch(
        "pages_market.features", symbol, timeframe.value, list(names), first, first + timedelta(days=31)
    )
    return {row["feature"]: (tuple(row["ts"]), tuple(row["value"])) for row in rows}


async def read_symbol_trading(
    transaction: Transaction, symbol: str, account: str | None, since: datetime
) -> SymbolTrading:
    """Return what happened to a symbol since a moment, in one account (None: there is none)."""
    signals = await transaction.fetch("pages_market.signals", symbol, since, MOST_MARKS)
    fills = await transaction.fetch("pages_market.fills", symbol, account, since, MOST_MARKS)
    lives = await transaction.fetch("pages_market.lives", symbol, account, since, MOST_MARKS)
    return SymbolTrading(
        signals=tuple(Proposal(**_plain(row)) for row in signals),
        fills=tuple(Filled(**_plain(row)) for row in fills),
        lives=tuple(Held(**_plain(row)) for row in lives),
    )


async def read_coverage(transaction: Transaction, symbol: str | None) -> tuple[DayCoverage, ...]:
    """Return the last days of one symbol or of all together."""
    return tuple(DayCoverage(**_plain(row)) for row in await transaction.fetch("pages_market.coverage", symbol))


async def _candles(
    transaction: Transaction, symbol: str, timeframe: Timeframe, first: datetime, end: datetime
) -> Candles:
    row = await transaction.fetch_row("pages_market.candles", symbol, timeframe.value, first, end)
    assert row is not None  # noqa: S101 - an aggregate returns one row always
    return Candles(**{name: tuple(values) for name, values in row.items()})


def _plain(row: Row) -> dict[str, Any]:
    return dict(row.items())
