"""Minutes built from trades, by the exchange's time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

from tracker.domain.bar import Bar, BarSource
from tracker.domain.timeframe import Timeframe

from services.data_collector.feeds.coinbase_messages import Heartbeat, Trade

MINUTE = Timeframe.M1.duration
# Later trades are left to REST, which has long taken them in by then.
KEEP = timedelta(minutes=30)
# REST's candles may lag so far behind; what a pause missed within it REST could not say when it ended.
YOUNG = timedelta(minutes=10)
# A longer run of missing trades is not waited for.
LONGEST_RUN = 1_000


@dataclass(slots=True)
class Minute:
    """The trades of one product in one minute, summed exactly."""

    first: Trade
    last: Trade
    high: Decimal
    low: Decimal
    volume: Decimal = Decimal(0)
    turnover: Decimal = Decimal(0)
    trades: int = 0

    def add(self, trade: Trade) -> None:
        """Take a trade in; the exchange's numbering says which is the first and the last, not the arrival."""
        if trade.trade_id < self.first.trade_id:
            self.first = trade
        if trade.trade_id > self.last.trade_id:
            self.last = trade
        self.high, self.low = max(self.high, trade.price), min(self.low, trade.price)
        self.volume += trade.size
        self.turnover += trade.size * trade.price
        self.trades += 1

    def bar(self, symbol: str, ts: datetime) -> Bar:
        """Return the bar of the trades so far."""
        return Bar(
            symbol=symbol,
            timeframe=Timeframe.M1,
            ts=ts,
            open=float(self.first.price),
            high=float(self.high),
            low=float(self.low),
            close=float(self.last.price),
            volume=float(self.volume),
            vwap=float(self.turnover / self.volume),
            trades=self.trades,
        )


@dataclass(slots=True)
class Hole:
    """Numbers of trades that did not come, and the minutes they may belong to."""

    outstanding: set[int]
    minutes: tuple[datetime, ...]


@dataclass(slots=True)
class ProductMinutes:
    """One product: what has come, what was handed on, and the minutes only REST can supply."""

    symbol: str
    minutes: dict[datetime, Minute] = field(default_factory=dict[datetime, Minute])
    sent: dict[datetime, Bar] = field(default_factory=dict[datetime, Bar])
    withheld: set[datetime] = field(default_factory=set[datetime])
    holes: list[Hole] = field(default_factory=list[Hole])
    last: Trade | None = None
    doubtful_id: int = 0
    _changed: set[datetime] = field(default_factory=set[datetime])

    def begin(self, withheld: Iterable[datetime]) -> None:
        """Start anew on a connection, which cannot say anything of `withheld`."""
        self.holes, self._changed, self.doubtful_id = [], set(), 0
        for ts in withheld:
            self._withhold(ts)

    def add(self, trade: Trade, whole_from: datetime) -> bool:
        """Take a trade in; tell whether it is a new one."""
        ts = Timeframe.M1.floor(trade.ts)
        if self.last is not None and trade.trade_id <= self.last.trade_id:
            if not self._fill(trade.trade_id):
                return False
        else:
            if self.last is not None:
                self._note_hole(self.last, trade.trade_id, trade.ts, whole_from)
            self.last = trade
        if ts < whole_from:
            return True
        bar = self.sent.get(ts)
        if bar is not None and bar.source is BarSource.REST:
            # Its earlier trades are not known here.
            self.withheld.add(ts)
        else:
            known = self.minutes.get(ts)
            if known is None:
                known = self.minutes[ts] = Minute(first=trade, last=trade, high=trade.price, low=trade.price)
            known.add(trade)
            self._changed.add(ts)
        return True

    def heard(self, heartbeat: Heartbeat, whole_from: datetime) -> None:
        """Compare the number of the exchange's last trade with ours.

        One heartbeat may overtake a trade; two that agree mean that it was lost.
        """
        if self.last is None:
            self._begin_with(heartbeat, whole_from)
        if self.last is None or heartbeat.last_trade_id <= self.last.trade_id:
            return
        if self.doubtful_id <= self.last.trade_id:
            self.doubtful_id = heartbeat.last_trade_id
            return
        self._note_hole(self.last, self.doubtful_id + 1, heartbeat.ts, whole_from)
        known = self.last
        self.last = Trade(
            product=known.product, trade_id=self.doubtful_id, price=known.price, size=known.size, ts=known.ts
        )

    def _begin_with(self, heartbeat: Heartbeat, whole_from: datetime) -> None:
        """Go on from the number of a heartbeat where no earlier trade was told."""
        if heartbeat.last_trade_id <= 0:
            return
        nothing = Decimal(0)
        self.last = Trade(
            product=heartbeat.product, trade_id=heartbeat.last_trade_id, price=nothing, size=nothing, ts=heartbeat.ts
        )
        if heartbeat.ts >= whole_from:
            # Trades up to that number may still be on their way.
            self.withheld.add(Timeframe.M1.floor(heartbeat.ts))

    def take_due(self, over: datetime) -> list[Bar]:
        """Return the new and the corrected bars of minutes that end by `over`."""
        if not self._changed or min(self._changed) + MINUTE > over:
            return []
        due = sorted(ts for ts in self._changed if ts + MINUTE <= over)
        self._changed.difference_update(due)
        bars = (self.minutes[ts].bar(self.symbol, ts) for ts in due if ts not in self.withheld)
        new = [bar for bar in bars if bar != self.sent.get(bar.ts)]
        self.sent |= {bar.ts: bar for bar in new}
        return new

    def supply(self, bar: Bar) -> None:
        """Put REST's bar in the place of what the trades gave."""
        self.sent[bar.ts] = bar
        self.withheld.discard(bar.ts)
        self.minutes.pop(bar.ts, None)
        self._changed.discard(bar.ts)

    def forget(self, before: datetime) -> None:
        """Drop what is older."""
        for kept in (self.minutes, self.sent):
            for ts in [each for each in kept if each < before]:
                del kept[ts]
        self._changed = {ts for ts in self._changed if ts >= before}
        self.withheld = {ts for ts in self.withheld if ts >= before}
        self.holes = [hole for hole in self.holes if hole.minutes and hole.minutes[-1] >= before]

    def _note_hole(self, known: Trade, following: int, moment: datetime, whole_from: datetime) -> None:
        missing = following - known.trade_id - 1
        if missing <= 0:
            return
        first = max(Timeframe.M1.floor(known.ts), whole_from, Timeframe.M1.floor(moment) - KEEP)
        count = max((Timeframe.M1.floor(moment) - first) // MINUTE + 1, 0)
        minutes = tuple(first + index * MINUTE for index in range(count))
        if missing <= LONGEST_RUN:
            self.holes.append(Hole(outstanding=set(range(known.trade_id + 1, following)), minutes=minutes))
        for ts in minutes:
            self.withheld.add(ts)

    def _fill(self, trade_id: int) -> bool:
        """Tell whether a trade of an earlier number was missing, and free its minutes where it was the last one."""
        for hole in self.holes:
            if trade_id in hole.outstanding:
                hole.outstanding.remove(trade_id)
                if not hole.outstanding:
                    self.holes.remove(hole)
                    self._release(hole)
                return True
        return False

    def _release(self, hole: Hole) -> None:
        still = {ts for other in self.holes for ts in other.minutes}
        freed = {ts for ts in hole.minutes if ts not in still}
        self.withheld -= freed
        self._changed |= freed & self.minutes.keys()

    def _withhold(self, ts: datetime) -> None:
        self.withheld.add(ts)
        self.minutes.pop(ts, None)


class CoinbaseMinutes:
    """All products of a connection; what it knows of recent minutes outlives the connection.

    `grace` is how long after its end, by the exchange's time, a minute is taken to be over. `now` is the
    exchange's time by its heartbeats, `over` the end of the last minute that is over by it, `began` the first
    whole minute of the first connection.
    """

    def __init__(self, grace: timedelta) -> None:
        """Know nothing yet."""
        self.products: dict[str, ProductMinutes] = {}
        self.now: datetime | None = None
        self.over: datetime | None = None
        self.began: datetime | None = None
        self._grace = grace
        self._whole_from: datetime | None = None

    def connected(self, symbols: Mapping[str, str]) -> None:
        """Begin a connection for these products, mapped to our symbols."""
        for product, symbol in symbols.items():
            self.products.setdefault(product, ProductMinutes(symbol)).last = None
        self._whole_from = None

    def without(self, product: str) -> None:
        """Leave a product out that the exchange does not stream."""
        self.products.pop(product, None)

    def take(self, trade: Trade) -> list[Bar]:
        """Take a trade in and return the bars that it makes due."""
        known = self.products[trade.product]
        if trade.history:
            # The number to go on from; its minute is not one we can know whole.
            known.last = known.last or trade
            return []
        whole_from = self._begun(trade.ts)
        if not known.add(trade, whole_from) or known.last is None:
            return []
        over = Timeframe.M1.floor(known.last.ts)
        return known.take_due(over if self.over is None else max(over, self.over))

    def heard(self, heartbeat: Heartbeat) -> list[Bar]:
        """Take the exchange's time and return the bars of all products that are over by it."""
        known = self.products[heartbeat.product]
        known.heard(heartbeat, self._begun(heartbeat.ts))
        self.now = heartbeat.ts if self.now is None else max(self.now, heartbeat.ts)
        over = Timeframe.M1.floor(self.now - self._grace)
        if self.over is not None and over <= self.over:
            return []
        self.over = over
        bars: list[Bar] = []
        for each in self.products.values():
            bars.extend(each.take_due(over))
            each.forget(over - KEEP)
        return bars

    def _begun(self, moment: datetime) -> datetime:
        """Return the first minute that this connection sees from its beginning."""
        if self._whole_from is None:
            self._whole_from = Timeframe.M1.floor(moment) + MINUTE
            # What was over when the connection before ended had been handed on.
            first = self._whole_from - (MINUTE if self.over is None else YOUNG)
            first = first if self.over is None else max(first, self.over)
            missed = [first + index * MINUTE for index in range((self._whole_from - first) // MINUTE)]
            self.began = self.began or self._whole_from
            for each in self.products.values():
                each.begin(missed)
        return self._whole_from
