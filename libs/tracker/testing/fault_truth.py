"""What a collector stored beside what the exchange says, bar by bar."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

import asyncpg

from tracker.domain.timeframe import Timeframe
from tracker.store.database import Database
from tracker.store.gaps import GapQuestion, read_coverage
from tracker.testing.exchange import Exchange

Values: TypeAlias = tuple[float, float, float, float, float]
Key: TypeAlias = tuple[str, Timeframe, datetime]
Strokes: TypeAlias = Sequence[Mapping[str, Any]]

UNITS = {
    Timeframe.M1: "1/minute", Timeframe.M5: "5/minute", Timeframe.M15: "15/minute", Timeframe.H1: "1/hour",
    Timeframe.D1: "1/day",
}
# REST is believed on what has no bar some minutes after its end.
_SETTLED = timedelta(minutes=4)
# By then a lost subscription was missed and asked for again.
_UNSUBSCRIBED = timedelta(minutes=30)
# Volumes of a roll-up are sums in any order; the invented market's are exact, so nothing else may differ.
_STORED = """
SELECT s.symbol, o.timeframe::text AS timeframe, o.ts, o.open, o.high, o.low, o.close, o.volume, o.revision
FROM tracker.ohlc_data o JOIN tracker.symbols s USING (symbol_id) WHERE o.ts >= $1 AND o.ts < $2"""
_REVISED = """
SELECT s.symbol, r.timeframe::text AS timeframe, r.ts, r.open, r.high, r.low, r.close, r.volume, r.revision
FROM tracker.bar_revisions r JOIN tracker.symbols s USING (symbol_id)
WHERE r.ts >= $1 AND r.ts < $2 ORDER BY r.revision_id"""
_REJECTED = "SELECT symbol, ts, reason, frame FROM tracker.rejected_bars ORDER BY rejection_id"
_WATERMARKS = "SELECT timeframe::text AS timeframe, closed_through FROM tracker.bar_watermarks"
_WRONG_LATEST = """
SELECT count(*) FROM (
  SELECT DISTINCT ON (symbol_id, timeframe::text) symbol_id, timeframe::text, ts, open, high, low, close, volume
  FROM tracker.ohlc_data WHERE ts >= $1 AND ts < $2 ORDER BY symbol_id, timeframe::text, ts DESC
) newest FULL JOIN (
  SELECT symbol_id, timeframe::text, ts, open, high, low, close, volume FROM tracker.latest_bar
) latest USING (symbol_id, timeframe, ts, open, high, low, close, volume)
WHERE (newest.ts IS NULL AND latest.ts >= $1) OR latest.ts IS NULL"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """The stretch of a market that is compared: minutes and hours from `start` on, days from the day's begin."""

    start: datetime
    end: datetime

    def opens(self, timeframe: Timeframe) -> datetime:
        """Return the first bucket of a timeframe."""
        return timeframe.floor(self.start)

    def closes(self, timeframe: Timeframe) -> datetime:
        """Return the end of the last closed bucket of a timeframe."""
        return timeframe.floor(self.end)

    def holds(self, timeframe: Timeframe, ts: datetime) -> bool:
        """Tell whether a bucket is compared."""
        return self.opens(timeframe) <= ts < self.closes(timeframe)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """What the database holds of a span."""

    bars: Mapping[Key, Values]
    revisions: Mapping[Key, int]
    replaced: Mapping[Key, Sequence[Values]]
    rejected: Sequence[Mapping[str, Any]]
    watermarks: Mapping[Timeframe, datetime]
    wrong_latest: int
    healed: int
    empty: int
    open_gaps: int
    unexplained: int


def truth_of(
    exchange: Exchange, symbols: Iterable[str], span: Span, timeframes: Iterable[Timeframe] = tuple(UNITS)
) -> dict[Key, Values]:
    """Return what the exchange's REST interface says of the closed buckets of a span."""
    found: dict[Key, Values] = {}
    for timeframe in timeframes:
        first, end = span.opens(timeframe), span.closes(timeframe)
        if first >= end:
            continue
        bounds = f"{_ms(first)}/{_ms(end) - 1}"
        for symbol in symbols:
            ticker = "X:" + symbol.replace("-", "")
            rows = exchange.bars(f"/v2/aggs/ticker/{ticker}/range/{UNITS[timeframe]}/{bounds}?limit=50000")
            for row in rows:
                found[symbol, timeframe, _moment(row["t"])] = _values(row)
    return found


async def read_stored(url: str, span: Span) -> Stored:
    """Read what the database at `url` holds, as its owner."""
    connection = await asyncpg.connect(url)
    try:
        since = span.opens(Timeframe.D1)
        bars = await connection.fetch(_STORED, since, span.end)
        revised = await connection.fetch(_REVISED, since, span.end)
        rejected = await connection.fetch(_REJECTED)
        watermarks = await connection.fetch(_WATERMARKS)
        wrong_latest: int = await connection.fetchval(_WRONG_LATEST, since, span.end)
    finally:
        await connection.close()
    database = await Database.open(url, role=None, pool_size=1, application="fault_truth")
    try:
        async with database.transaction() as transaction:
            coverage = await read_coverage(transaction, GapQuestion(first=span.start, end=span.end - _SETTLED))
    finally:
        await database.close()
    kept = [row for row in bars if span.holds(Timeframe(row["timeframe"]), row["ts"])]
    replaced: defaultdict[Key, list[Values]] = defaultdict(list)
    for row in revised:
        if row["open"] is not None and span.holds(Timeframe(row["timeframe"]), row["ts"]):
            replaced[_key(row)].append(_prices(row))
    return Stored(
        bars={_key(row): _prices(row) for row in kept},
        revisions={_key(row): row["revision"] for row in kept if row["revision"]},
        replaced=dict(replaced),
        rejected=[dict(row) for row in rejected],
        watermarks={Timeframe(row["timeframe"]): row["closed_through"] for row in watermarks},
        wrong_latest=wrong_latest,
        empty=sum(each.empty for each in coverage),
        open_gaps=sum(each.open for each in coverage),
        unexplained=sum(abs(each.unexplained) for each in coverage),
        healed=sum(1 for row in revised if row["open"] is None and row["timeframe"] == Timeframe.M1),
    )


def differences(stored: Stored, truth: Mapping[Key, Values], span: Span) -> list[str]:
    """Return a sentence for every bar that is missing, too much or wrong, and for every watermark that is."""
    keys = sorted(stored.bars.keys() | truth.keys(), key=lambda key: (key[1].seconds, key[2], key[0]))
    found = [
        f"{symbol} {timeframe} {ts:%m-%d %H:%M} is {stored.bars.get((symbol, timeframe, ts))},"
        f" the exchange says {truth.get((symbol, timeframe, ts))}"
        for symbol, timeframe, ts in keys
        if stored.bars.get((symbol, timeframe, ts)) != truth.get((symbol, timeframe, ts))
    ]
    found += [
        f"{timeframe} is closed through {stored.watermarks.get(timeframe)}, not {span.closes(timeframe)}"
        for timeframe in UNITS
        if span.opens(timeframe) < span.closes(timeframe)
        and stored.watermarks.get(timeframe) != span.closes(timeframe)
    ]
    if stored.wrong_latest:
        found.append(f"latest_bar is wrong in {stored.wrong_latest} rows")
    if stored.open_gaps or stored.unexplained:
        found.append(f"{stored.open_gaps} minutes are open gaps, {stored.unexplained} are not accounted for at all")
    if stored.empty != (without := _without_bars(truth, span)):
        found.append(f"{stored.empty} minutes are confirmed to be empty, of {without} without a bar at the exchange")
    return found


def _without_bars(truth: Mapping[Key, Values], span: Span) -> int:
    end = span.end - _SETTLED
    symbols = {symbol for symbol, _, _ in truth}
    bars = sum(1 for _, timeframe, ts in truth if timeframe is Timeframe.M1 and ts < end)
    return len(symbols) * ((end - span.start) // Timeframe.M1.duration) - bars


def wrong_revisions(stored: Stored, pristine: Mapping[Key, Values], strokes: Strokes) -> list[str]:
    """Return a sentence for every revision of a minute that no correction made, or whose old bar is not kept."""
    versions: defaultdict[Key, list[Values]] = defaultdict(list)
    for bar in _bars_of(strokes, "correct"):
        versions[_minute(bar)].append(_values(bar))
    found: list[str] = []
    for key, revision in stored.revisions.items():
        if key[1] is not Timeframe.M1:
            continue
        known = [pristine.get(key), *versions[key]]
        kept = list(stored.replaced.get(key, ()))
        if len(known) <= revision:
            found.append(f"{key[0]} {key[2]:%H:%M} has revision {revision}, corrected {len(known) - 1} times")
        elif len(kept) != revision or any(each not in known[:-1] for each in kept):
            found.append(f"{key[0]} {key[2]:%H:%M} has revision {revision} and keeps {kept} of {known}")
    return found


def wrong_rejections(
    stored: Stored, strokes: Strokes, unsure: Sequence[tuple[datetime, datetime]]
) -> tuple[list[str], int]:
    """Compare the rejections with the bad bars that were sent; return sentences and how many were sent.

    Between the bounds of `unsure` a collector was killed, which may have lost what it had just received. A pair whose
    subscription was lost gets nothing until it is asked for again.
    """
    lost = [
        (datetime.fromisoformat(each["at"]), set(each["symbols"]))
        for each in strokes
        if each["kind"] == "lost_subscription"
    ]
    expected: Counter[tuple[str, int]] = Counter()
    optional: Counter[tuple[str, int]] = Counter()
    for stroke in strokes:
        if stroke["kind"] not in ("bad_bar", "malformed"):
            continue
        at = datetime.fromisoformat(stroke["at"])
        unsent = {pair for begin, pairs in lost if begin <= at <= begin + _UNSUBSCRIBED for pair in pairs}
        killed = any(low <= at <= high for low, high in unsure)
        for bar in stroke["bars"]:
            counted = optional if killed or bar["pair"] in unsent else expected
            counted[(bar["pair"], bar["s"])] += 1
    sent = expected.total() + optional.total()
    got = Counter(
        (row["symbol"], _ms(row["ts"]) if row["ts"] is not None else 0)
        for row in stored.rejected
        if not row["reason"].startswith("the frame is not JSON")
    )
    missing = [f"the bad bar {pair} {_moment(at)} is not in rejected_bars" for pair, at in expected - got]
    # A bad bar may be in a frame that was sent twice.
    known = expected.keys() | optional.keys()
    surplus = [
        f"rejected_bars holds {row['symbol']} {row['ts']}: {row['reason']}, which was no bad bar"
        for row in stored.rejected
        if not row["reason"].startswith("the frame is not JSON")
        and (row["symbol"], 0 if row["ts"] is None else _ms(row["ts"])) not in known
    ]
    unexplained = [f"a rejection has no reason or no frame: {row}" for row in stored.rejected if not row["reason"]]
    return missing + surplus + unexplained, sent


def corrected_bars(strokes: Strokes) -> int:
    """Return how many different bars were corrected."""
    return len({_minute(bar) for bar in _bars_of(strokes, "correct")})


def _bars_of(strokes: Strokes, kind: str) -> Iterable[Mapping[str, Any]]:
    return (bar for stroke in strokes if stroke["kind"] == kind for bar in stroke["bars"])


def _minute(bar: Mapping[str, Any]) -> Key:
    return bar["pair"], Timeframe.M1, _moment(bar["s"])


def _key(row: Any) -> Key:
    return row["symbol"], Timeframe(row["timeframe"]), row["ts"]


def _prices(row: Any) -> Values:
    return row["open"], row["high"], row["low"], row["close"], row["volume"]


def _values(bar: Mapping[str, Any]) -> Values:
    return bar["o"], bar["h"], bar["l"], bar["c"], bar["v"]


def _ms(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)


def _moment(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=milliseconds)
