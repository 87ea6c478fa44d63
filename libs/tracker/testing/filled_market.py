"""A made-up market as columns of minutes, and the bars, roll-ups and features of it as rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import numpy as np
from numpy.typing import NDArray

from tracker.domain.timeframe import Timeframe
from tracker.quant.bars import BarArrays
from tracker.quant.features import FEATURE_SET, OWN_NAMES
from tracker.quant.features.matrix import feature_matrix

Floats = NDArray[np.float64]
ROLLED = (Timeframe.M5, Timeframe.M15, Timeframe.H1, Timeframe.D1)
# Hours and days alone of this long before the minutes begin, and a day of minutes at its beginning.
HISTORY_DAYS = 75
FEATURE_HOURS = 36
COLUMNS = ("symbol_id", "timeframe", "ts", "open", "high", "low", "close", "volume", "vwap", "trades", "source",
           "received_at")  # fmt: skip
FIRST = (
    "BTC-USD", "ETH-USD", "SOL-USD", "XRP-USD", "BNB-USD", "ADA-USD", "DOGE-USD", "AVAX-USD", "LINK-USD", "DOT-USD",
    "LTC-USD", "UNI-USD",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Copier:
    """Writes many rows at once, as the database's owner."""

    connection: asyncpg.Connection[Any]

    async def put(self, table: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        """Append rows to a table of the schema tracker."""
        await self.connection.copy_records_to_table(table, schema_name="tracker", columns=columns, records=rows)


@dataclass(frozen=True, slots=True, kw_only=True)
class Market:
    """Minutes of all symbols from `start` on: `bars` (symbols, minutes, 5) open, high, low, close, volume.

    A minute without a bar is NaN. Symbol ids count from 1, in the order of `names`; every timeframe is complete up to
    the last of its closes that is not after `end`.
    """

    names: tuple[str, ...]
    start: datetime
    end: datetime
    bars: Floats

    @property
    def minutes(self) -> int:
        """How many minutes there are."""
        return self.bars.shape[1]

    @property
    def before(self) -> datetime:
        """When the hours and days begin that are all there is of the time before `start`."""
        return self.start - timedelta(days=HISTORY_DAYS)

    def at(self, minute: int) -> datetime:
        """Return the open of a minute."""
        return self.start + timedelta(minutes=minute)

    def closed(self, timeframe: Timeframe) -> datetime:
        """Return the last close of a timeframe."""
        seconds = timeframe.seconds
        return datetime.fromtimestamp(self.end.timestamp() // seconds * seconds, UTC)

    def rolled(self, timeframe: Timeframe) -> Floats:
        """Return the bars (symbols, n, 5) of a longer timeframe, closed ones alone, from `start` on."""
        size = timeframe.seconds // 60
        count = int((self.closed(timeframe) - self.start).total_seconds()) // 60 // size
        parts = self.bars[:, : count * size].reshape(len(self.names), count, size, 5)
        there = ~np.isnan(parts[..., 0])
        first, last = there.argmax(axis=2), size - 1 - there[:, :, ::-1].argmax(axis=2)
        whole = np.empty((len(self.names), count, 5))
        whole[..., 0] = np.take_along_axis(parts[..., 0], first[..., None], 2)[..., 0]
        whole[..., 1] = np.fmax.reduce(parts[..., 1], axis=2)
        whole[..., 2] = np.fmin.reduce(parts[..., 2], axis=2)
        whole[..., 3] = np.take_along_axis(parts[..., 3], last[..., None], 2)[..., 0]
        whole[..., 4] = np.nansum(parts[..., 4], axis=2)
        return whole


def make_market(rng: np.random.Generator, *, now: datetime, symbols: int, days: int) -> Market:
    """Return a walk of symbols that mostly move together; the second one has lost the minutes of an hour."""
    end = now.astimezone(UTC).replace(second=0, microsecond=0)
    start = end.replace(hour=0, minute=0) - timedelta(days=days)
    minutes = int((end - start).total_seconds()) // 60
    names = tuple((*FIRST, *(f"ALT{each:02d}-USD" for each in range(symbols)))[:symbols])
    common = rng.normal(0.000006, 0.0005, minutes) + 0.00012 * np.sin(np.arange(minutes) / 700)
    own = rng.normal(0, 0.0007, (symbols, minutes))
    base = np.geomspace(60_000, 0.4, symbols)[:, None]
    close = base * np.exp(np.cumsum(common * rng.uniform(0.6, 1.5, (symbols, 1)) + own, axis=1))
    opened = np.concatenate((base, close[:, :-1]), axis=1)
    reach = np.abs(rng.normal(0, 0.0004, (2, symbols, minutes)))
    bars = np.stack(
        (opened, np.maximum(opened, close) * (1 + reach[0]), np.minimum(opened, close) * (1 - reach[1]), close,
         rng.gamma(2.0, 40_000, (symbols, minutes)) / base),
        axis=2,
    )  # fmt: skip
    if symbols > 1:
        bars[1, minutes - 400 : minutes - 340] = np.nan
    return Market(names=names, start=start, end=end, bars=bars)


async def write_market(copier: Copier, market: Market, rng: np.random.Generator) -> None:
    """Write symbols, minutes, roll-ups, months of hours and days before, the latest bars and how far they go."""
    await copier.put(
        "symbols", ("symbol_id", "symbol", "vendor_tickers"),
        [(place + 1, name, f'{{"polygon_rest": "X:{name.replace("-", "")}"}}')
         for place, name in enumerate(market.names)],
    )  # fmt: skip
    before = market.before
    await copier.connection.execute(
        "SELECT tracker.ensure_bar_partitions($1, $2)", before, market.end + timedelta(days=35)
    )
    await copier.put("ohlc_data", COLUMNS, _rows(market.bars, market.start, Timeframe.M1, "stream"))
    latest = {Timeframe.M1: (market.bars, market.start)}
    for timeframe in ROLLED:
        bars = market.rolled(timeframe)
        latest[timeframe] = (bars, market.start)
        await copier.put("ohlc_data", COLUMNS, _rows(bars, market.start, timeframe, "rollup"))
    for timeframe, count in ((Timeframe.M1, 1440), (Timeframe.H1, HISTORY_DAYS * 24), (Timeframe.D1, HISTORY_DAYS)):
        bars = _history(rng, market, timeframe, count)
        if timeframe is Timeframe.M1:
            bars = bars[:3]
        await copier.put("ohlc_data", COLUMNS, _rows(bars, before, timeframe, "import"))
    for timeframe, (bars, start) in latest.items():
        newest = [row for row in _rows(bars[:, -1:], start + (bars.shape[1] - 1) * timeframe.duration, timeframe, "")]
        columns = tuple(each for each in COLUMNS if each not in ("trades", "source"))
        await copier.put("latest_bar", columns, [(*row[:9], row[11]) for row in newest])
    stages = (Timeframe.M1, *ROLLED)
    await copier.put("bar_watermarks", ("timeframe", "opened_at", "closed_through"),
                     [(each.value, market.start, market.closed(each)) for each in stages])  # fmt: skip
    await copier.put("expected_spans", ("symbol_id", "timeframe", "starts_at"),
                     [(place + 1, "1m", market.start) for place in range(len(market.names))])  # fmt: skip


async def write_features(copier: Copier, market: Market, number: int, rng: np.random.Generator) -> None:
    """Write features of the last hours: the bars' own as they are computed, those of contexts made up."""
    for timeframe in (Timeframe.M15, Timeframe.H1):
        bars = market.rolled(timeframe)
        stamps = int(market.start.timestamp()) + np.arange(bars.shape[1], dtype=np.int64) * timeframe.seconds
        for place in range(len(market.names)):
            there = np.flatnonzero(~np.isnan(bars[place, :, 0]))
            newest = stamps[there][-FEATURE_HOURS * 3600 // timeframe.seconds :]
            o, h, low, c, v = bars[place, there].T
            own = feature_matrix(BarArrays(ts=stamps[there], open=o, high=h, low=low, close=c, volume=v))
            values = rng.random((len(newest), len(FEATURE_SET.names)), dtype=np.float32)
            values[:, [FEATURE_SET.names.index(name) for name in OWN_NAMES]] = own[-len(newest) :]
            await copier.put(
                "ml_features", ("symbol_id", "timeframe", "ts", "computed_at", "feature_set", "values"),
                [(place + 1, timeframe.value, datetime.fromtimestamp(at, UTC),
                  datetime.fromtimestamp(at + timeframe.seconds + 2, UTC), number, row)
                 for at, row in zip(newest.tolist(), values.tolist(), strict=True)],
            )  # fmt: skip
        await copier.put("feature_watermarks", ("timeframe", "closed_through"),
                         [(timeframe.value, market.closed(timeframe))])  # fmt: skip


def _history(rng: np.random.Generator, market: Market, timeframe: Timeframe, count: int) -> Floats:
    deviation = 0.0009 * (timeframe.seconds / 60) ** 0.5
    steps = rng.normal(0, deviation, (len(market.names), count))
    close = market.bars[:, :1, 0] * np.exp(np.cumsum(steps[:, ::-1], axis=1)[:, ::-1])
    opened = np.concatenate((close[:, :1], close[:, :-1]), axis=1)
    volume = np.broadcast_to(np.nanmean(market.bars[..., 4], axis=1, keepdims=True), close.shape)
    high, low = np.maximum(opened, close) * 1.001, np.minimum(opened, close) * 0.999
    return np.stack((opened, high, low, close, volume * timeframe.seconds / 60), axis=2)


def _rows(bars: Floats, start: datetime, timeframe: Timeframe, source: str) -> Iterable[tuple[object, ...]]:
    opens = [start + place * timeframe.duration for place in range(bars.shape[1])]
    received = [each + timeframe.duration + timedelta(seconds=1.3) for each in opens]
    name = timeframe.value
    for symbol in range(bars.shape[0]):
        for place, (o, h, low, c, v) in enumerate(bars[symbol].tolist()):
            if o == o:
                yield (symbol + 1, name, opens[place], o, h, low, c, v, (h + low + c) / 3, 40, source, received[place])
