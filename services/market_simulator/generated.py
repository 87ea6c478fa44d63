"""The invented market: any symbol's any day at random access, from one seed."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from tracker.domain.errors import ConfigError, InputError
from tracker.runtime.universe import PolygonTickers, Universe, UniverseSymbol

from services.market_simulator.bars import TS, Bars, Floats, joined
from services.market_simulator.corrections import corrected
from services.market_simulator.edge import edge_levels
from services.market_simulator.market import Listing, bar_message
from services.market_simulator.minutes import MINUTES, DayPath, Instrument, day_bars, day_path
from services.market_simulator.parameters import MarketParameters
from services.market_simulator.paths import FactorPath, factor_path, generator, own_path
from services.market_simulator.wire import Frame, Message

DAY, HOUR, MINUTE = 86_400, 3_600, 60
_EPOCH_ORDINAL = 719_163  # date(1970, 1, 1).toordinal()
# Hourly roll-ups of days already generated: 1.5 kB each, enough for 90 symbols x 184 days.
_HOUR_BLOCKS = 16_600


def generated_day(day: date) -> int:
    """Return a day as days are counted here, from the epoch."""
    return day.toordinal() - _EPOCH_ORDINAL


@dataclass(frozen=True, slots=True)
class _Traded:
    listing: Listing
    instrument: Instrument
    path: Floats


@dataclass(frozen=True, slots=True)
class _Board:
    """All symbols' minutes of one day, with each minute's column (-1 where quiet)."""

    rows: tuple[tuple[Listing, Bars, NDArray[np.int16]], ...]

    def at(self, minute: int, start: int) -> Iterator[Message]:
        for listing, bars, column in self.rows:
            index = int(column[minute])
            if index >= 0:
                yield bar_message(listing, bars, index, start, MINUTE)


@dataclass(slots=True, eq=False)
class GeneratedMarket:
    """Bars made up from `parameters` for the listed symbols of a universe."""

    parameters: MarketParameters
    factor: FactorPath
    traded: Mapping[str, _Traded]
    listings: Mapping[str, Listing]
    first: int | None = None
    last: int | None = None
    chunk_seconds: int = 8 * DAY
    _hours: OrderedDict[tuple[str, int], Bars] = field(default_factory=OrderedDict[tuple[str, int], Bars])
    _boards: OrderedDict[int, _Board] = field(default_factory=OrderedDict[int, _Board])
    _corrections: dict[tuple[str, int], dict[int, Floats]] = field(
        default_factory=dict[tuple[str, int], dict[int, Floats]]
    )

    def frames(self, after: int, through: int) -> Iterator[Frame]:
        """Yield every minute's frame with a close in (after, through]."""
        for close in range((after // MINUTE + 1) * MINUTE, through + 1, MINUTE):
            day, second = divmod(close - MINUTE, DAY)
            bars = tuple(self._board(day).at(second // MINUTE, close - MINUTE))
            if bars:
                yield Frame(close, bars)

    def source_span(self, symbol: str, span: int) -> int | None:
        """Return an hour for whole hours, else a minute."""
        del symbol
        return HOUR if span % HOUR == 0 else MINUTE

    def rows(self, symbol: str, source_span: int, start: int, end: int) -> Bars:
        """Return minute or hour bars with start <= ts < end."""
        first = self.first_day
        days = range(max(start // DAY, first), min((end - 1) // DAY + 1, first + self.parameters.days))
        block = self._hours_of if source_span == HOUR else self._minutes_of
        return joined([block(symbol, day) for day in days]).between(start, end)

    def broken(self, symbol: str, span: int, start: int, end: int) -> Sequence[tuple[int, bytes]]:
        """Return nothing: what is made up is made of numbers."""
        del symbol, span, start, end
        return ()

    def correct(self, symbol: str, before: int, count: int) -> Sequence[Frame]:
        """Change the last `count` minutes that closed by `before`, for good."""
        bars = self.rows(symbol, MINUTE, before - DAY, before)
        listing = self.traded[symbol].listing
        frames: list[Frame] = []
        for index in range(max(0, len(bars) - count), len(bars)):
            column = corrected(bars.table[:, index])
            start = int(column[TS])
            self._corrections.setdefault((symbol, start // DAY), {})[start] = column
            self._hours.pop((symbol, start // DAY), None)
            self._boards.pop(start // DAY, None)
            changed = Bars(column.reshape(8, 1))
            frames.append(Frame(start + MINUTE, (bar_message(listing, changed, 0, start, MINUTE),)))
        return frames

    @property
    def first_day(self) -> int:
        """First day there are bars of, counted from the epoch."""
        return generated_day(self.parameters.first_day)

    def _board(self, day: int) -> _Board:
        board = self._boards.get(day)
        if board is None:
            board = self._boards[day] = _Board(tuple(self._board_rows(day)))
            if len(self._boards) > 2:
                self._boards.popitem(last=False)
        return board

    def _board_rows(self, day: int) -> Iterator[tuple[Listing, Bars, NDArray[np.int16]]]:
        if not 0 <= day - self.first_day < self.parameters.days:
            return
        for symbol, traded in self.traded.items():
            bars = self._generate(symbol, day)
            column = np.full(MINUTES, -1, dtype=np.int16)
            column[((bars.ts - day * DAY) // MINUTE).astype(np.intp)] = np.arange(len(bars))
            yield traded.listing, bars, column

    def _minutes_of(self, symbol: str, day: int) -> Bars:
        board = self._boards.get(day)
        if board is not None:
            return next(bars for listing, bars, _ in board.rows if listing.symbol == symbol)
        return self._generate(symbol, day)

    def _hours_of(self, symbol: str, day: int) -> Bars:
        key = (symbol, day)
        known = self._hours.get(key)
        if known is not None:
            return known
        return self._remember_hours(key, self._minutes_of(symbol, day))

    def _remember_hours(self, key: tuple[str, int], minutes: Bars) -> Bars:
        hours = self._hours[key] = minutes.rolled(HOUR)
        if len(self._hours) > _HOUR_BLOCKS:
            self._hours.popitem(last=False)
        return hours

    def _generate(self, symbol: str, day: int) -> Bars:
        traded, index = self.traded[symbol], day - self.first_day
        random = generator(self.parameters.seed, f"day:{symbol}", day)
        path = traded.path
        own = day_path(random, traded.instrument.profile.volatility, path[index], path[index + 1])
        bars = day_bars(
            random, traded.instrument, day=day, market=self._market_day(day), own=self._with_edge(own, day),
            market_volatility=float(self.factor.volatility[index]),
            volume_factor=float(self.factor.volume_factor[index]),
        )
        for start, column in self._corrections.get((symbol, day), {}).items():
            bars.table[:, int(np.searchsorted(bars.ts, start))] = column
        self._remember_hours((symbol, day), bars)
        return bars

    def _with_edge(self, own: DayPath, day: int) -> DayPath:
        edge = self.parameters.edge
        if edge is None or not edge.on(date.fromordinal(day + _EPOCH_ORDINAL)):
            return own
        return replace(own, level=own.level + edge_levels(edge.strength, edge.cycles))

    def _market_day(self, day: int) -> DayPath:
        return _market_day(self, day)


@lru_cache(maxsize=220)
def _market_day(market: GeneratedMarket, day: int) -> DayPath:
    index = day - market.first_day
    return day_path(
        generator(market.parameters.seed, "factor-day", day), float(market.factor.volatility[index]),
        float(market.factor.level[index]), float(market.factor.level[index + 1]),
    )


def generated_market(
    parameters: MarketParameters, universe: Universe, symbols: Sequence[str] = ()
) -> GeneratedMarket:
    """Build the market of the universe's listed symbols, or of `symbols` only.

    Raises ConfigError where a listed symbol has no parameters, InputError where a symbol is not listed.
    """
    listings: dict[str, Listing] = {}
    traded: dict[str, _Traded] = {}
    for entry in universe.symbol:
        if entry.polygon is None or entry.symbol in parameters.unlisted:
            continue
        if symbols and entry.symbol not in symbols:
            continue
        each = traded[entry.symbol] = _traded(parameters, entry, entry.polygon)
        listings[each.listing.rest] = each.listing
    missing = sorted(set(symbols) - set(traded))
    if missing:
        raise InputError(f"--symbols: {missing[0]!r} is not a symbol this market lists")
    return GeneratedMarket(parameters, factor_path(parameters), traded, listings)


def _traded(parameters: MarketParameters, entry: UniverseSymbol, names: PolygonTickers) -> _Traded:
    own = parameters.symbol.get(entry.symbol)
    if own is None or entry.tier not in parameters.tier:
        missing = f"tier.{entry.tier}" if own is not None else f"symbol.{entry.symbol}"
        raise ConfigError(f"market_simulator.toml: {missing} is missing")
    profile = parameters.profile(entry.symbol, entry.tier)
    instrument = Instrument.of(profile, own.reference_price)
    listing = Listing(
        symbol=entry.symbol, stream=names.stream, rest=names.rest, name=own.name or entry.symbol,
        decimals=instrument.decimals + 2,
    )
    return _Traded(listing, instrument, own_path(parameters, entry.symbol, profile))
