"""Whatever a connection does to trades, a minute handed on as whole is the true one, or REST is asked for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st
from tracker.domain.bar import Bar
from tracker.domain.timeframe import Timeframe
from tracker.testing.builders import START

from services.data_collector.feeds.coinbase_messages import Heartbeat, Trade
from services.data_collector.feeds.coinbase_minutes import CoinbaseMinutes

PRODUCT = "BTC-USD"
MINUTES = 6


@dataclass(frozen=True)
class Fate:
    """What becomes of one trade: how often it comes, and how many messages late."""

    copies: int
    late: int


fates = st.builds(Fate, copies=st.sampled_from([0, 1, 1, 1, 1, 2]), late=st.sampled_from([0, 0, 0, 1, 2, 9]))
trades_and_fates = st.lists(
    st.tuples(st.integers(0, MINUTES * 60 - 1), st.integers(1, 9), st.integers(1, 9), fates), max_size=40
)


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def messages_of(drawn: Sequence[tuple[int, int, int, Fate]]) -> tuple[list[Trade], list[Trade | Heartbeat]]:
    """Return the true trades, and what arrives of them between the heartbeats of every fifth second."""
    ordered = sorted(drawn, key=lambda each: each[0])
    trades = [
        Trade(product=PRODUCT, trade_id=100 + number, price=Decimal(price), size=Decimal(size), ts=at(second))
        for number, (second, price, size, _) in enumerate(ordered, start=1)
    ]
    timed: list[tuple[float, Trade | Heartbeat]] = []
    for trade, (second, _, _, fate) in zip(trades, ordered, strict=True):
        timed += [(second + 5.0 * fate.late + 0.5, trade)] * fate.copies
    for second in [*range(0, MINUTES * 60, 5), *range(MINUTES * 60, MINUTES * 60 + 180, 5)]:
        last = max((trade.trade_id for trade in trades if trade.ts <= at(second)), default=100)
        timed.append((float(second), Heartbeat(product=PRODUCT, last_trade_id=last, ts=at(second))))
    first = Trade(product=PRODUCT, trade_id=100, price=Decimal(5), size=Decimal(1), ts=at(-30), history=True)
    return trades, [first, *(message for _, message in sorted(timed, key=lambda each: each[0]))]


def with_pause(
    trades: Sequence[Trade], messages: Sequence[Trade | Heartbeat], begin: int, seconds: int
) -> tuple[list[Trade | Heartbeat], list[Trade | Heartbeat]]:
    """Return what comes before a pause, and on the connection after it, which tells the last trade to begin with."""
    moments, now = [], at(-30)
    for message in messages:
        now = message.ts if isinstance(message, Heartbeat) else now
        moments.append(now)
    before = [message for message, moment in zip(messages, moments, strict=True) if moment < at(begin)]
    resumed = at(begin + seconds)
    after = [
        message for message, moment in zip(messages, moments, strict=True) if moment >= resumed <= message.ts
    ]
    known = [trade for trade in trades if trade.ts < resumed]
    last = [replace(max(known, key=lambda each: each.trade_id), history=True)] if known else []
    return before, [*last, *after]


@given(trades_and_fates, st.integers(60, MINUTES * 60), st.integers(1, 150))
def test_after_a_pause_too(drawn: list[tuple[int, int, int, Fate]], begin: int, seconds: int) -> None:
    trades, messages = messages_of(drawn)
    minutes, handed_on = CoinbaseMinutes(timedelta(seconds=2)), dict[datetime, Bar]()
    for part in with_pause(trades, messages, begin, seconds):
        minutes.connected({PRODUCT: PRODUCT})
        take_all(minutes, part, handed_on)
    check_true(trades, minutes, handed_on)


@given(trades_and_fates)
def test_what_is_handed_on_is_true_or_asked_of_rest(drawn: list[tuple[int, int, int, Fate]]) -> None:
    trades, messages = messages_of(drawn)
    minutes = CoinbaseMinutes(timedelta(seconds=2))
    minutes.connected({PRODUCT: PRODUCT})
    handed_on: dict[datetime, Bar] = {}
    take_all(minutes, messages, handed_on)
    check_true(trades, minutes, handed_on)
    if all(fate.copies for *_, fate in drawn):
        assert not minutes.products[PRODUCT].withheld - {START}, "nothing is missing for good"


def take_all(minutes: CoinbaseMinutes, messages: Sequence[Trade | Heartbeat], handed_on: dict[datetime, Bar]) -> None:
    for message in messages:
        bars = minutes.take(message) if isinstance(message, Trade) else minutes.heard(message)
        for bar in bars:
            assert handed_on.get(bar.ts) != bar, "a bar came twice as it was"
            handed_on[bar.ts] = bar


def check_true(trades: Sequence[Trade], minutes: CoinbaseMinutes, handed_on: dict[datetime, Bar]) -> None:
    for number in range(1, MINUTES):
        ts = at(60 * number)
        if ts not in minutes.products[PRODUCT].withheld:
            assert handed_on.get(ts) == true_bar(trades, ts)
    assert START not in handed_on, "the minute in which the connection began is not whole"


def true_bar(trades: Sequence[Trade], ts: datetime) -> Bar | None:
    within = [trade for trade in trades if ts <= trade.ts < ts + timedelta(minutes=1)]
    if not within:
        return None
    prices, volume = [trade.price for trade in within], sum((trade.size for trade in within), Decimal(0))
    turnover = sum((trade.size * trade.price for trade in within), Decimal(0))
    return Bar(
        symbol=PRODUCT, timeframe=Timeframe.M1, ts=ts, open=float(prices[0]), high=float(max(prices)),
        low=float(min(prices)), close=float(prices[-1]), volume=float(volume), vwap=float(turnover / volume),
        trades=len(within),
    )
