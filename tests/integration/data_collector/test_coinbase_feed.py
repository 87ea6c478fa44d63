"""Coinbase's recorded trades through the real client, against bars computed from the trades alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pandas as pd
import pytest
from tracker.domain.bar import BarSource
from tracker.domain.errors import FeedError
from tracker.store.bars import Rejection
from websockets.asyncio.server import ServerConnection

from tests.integration.data_collector.coinbase_market import (
    CoinbaseCandles,
    acknowledgement,
    beats,
    coinbase,
    coinbase_messages,
    coinbase_trades,
    playing,
    products_of,
    stretched_messages,
    time_of,
    with_beats,
)
from tests.integration.data_collector.collector_station import until
from tests.integration.data_collector.recorded_market import (
    PRICES,
    Taken,
    Wire,
    bars_of_trades,
    check_equal,
    frame_of,
    holds,
    instruments_of,
    send,
    streaming,
)


async def test_coinbase_s_recording_gives_the_bars_of_its_trades() -> None:
    """As recorded: the minute in which the connection began comes from REST, the whole one from the trades."""
    messages = coinbase_messages()
    products = products_of(messages)
    rest, taken = CoinbaseCandles(messages), Taken()
    whole = datetime(2021, 4, 17, 16, 44, tzinfo=UTC)
    async with Wire([]).open() as wire:
        playing(wire, with_beats(messages, products))
        async with streaming(coinbase(wire, rest), instruments_of("coinbase", products), taken):
            partial = rest.bars[rest.bars.index.get_level_values(1) == whole - timedelta(minutes=1)]
            await until(lambda: len(taken.bars) >= len(partial) + 5, "both minutes")
    assert wire.requests == [
        {"type": "subscribe", "product_ids": products, "channels": ["matches", "heartbeat"]}
    ]
    by_stream = frame_of(bar for bar in taken.bars if bar.source is BarSource.STREAM)
    live = bars_of_trades(coinbase_trades(each for each in messages if each["type"] == "match"))
    check_equal(by_stream, live[live.index.get_level_values(1) == whole])
    by_rest = frame_of(bar for bar in taken.bars if bar.source is BarSource.REST)
    check_equal(by_rest, partial, PRICES)
    assert len(by_stream) == 5
    assert int(by_stream["trades"].sum()) == 58, "as many matches of that minute are in the file"


async def test_coinbase_s_trades_over_half_an_hour_give_the_bars_of_its_trades() -> None:
    messages = stretched_messages(60)
    products = products_of(messages)
    rest, taken = CoinbaseCandles(messages), Taken()
    wanted = bars_of_trades(coinbase_trades(each for each in messages if each["type"] == "match"))
    first = wanted.index.get_level_values(1).min()
    wanted = wanted[wanted.index.get_level_values(1) > first]
    async with Wire([]).open() as wire:
        playing(wire, with_beats(messages, products))
        feed = coinbase(wire, rest, candle_repair_seconds=60)
        async with streaming(feed, instruments_of("coinbase", products), taken):
            await until(lambda: len(taken.bars) >= len(wanted), "every bar")
    assert len(wanted) == 31
    check_equal(frame_of(taken.bars), wanted)
    assert len(taken.bars) == len(wanted), "a bar came twice"


async def test_coinbase_s_lost_doubled_and_late_trades_end_in_the_true_bars() -> None:
    messages = stretched_messages(60)
    products = products_of(messages)
    rest, taken = CoinbaseCandles(messages), Taken()
    woven = with_beats(messages, products)
    live = [each for each in woven if each["type"] == "match"]
    lost, late = live[10::9], live[12::9]
    sent: list[dict[str, Any]] = []
    held: list[dict[str, Any]] = []
    for each in woven:
        if each["type"] == "heartbeat":
            # Held back for at least a minute of the exchange's time.
            due = [one for one in held if time_of(each) - time_of(one) > timedelta(minutes=2)]
            held = [one for one in held if one not in due]
            sent += [*due, each]
        elif each in late:
            held.append(each)
        elif each not in lost:
            sent += [each, each]
    async with Wire([]).open() as wire:
        playing(wire, sent, beats(time_of(live[-1]) + timedelta(minutes=20), products))
        async with streaming(coinbase(wire, rest), instruments_of("coinbase", products), taken):
            whole = rest.bars[rest.bars.index.get_level_values(1) >= pd.Timestamp(time_of(live[0])).floor("min")]
            await until(lambda: holds(taken, whole), "the true bars")
    found = frame_of(taken.bars)
    check_equal(found.loc[whole.index], whole, PRICES)
    assert len(lost) > 5
    assert {bar.source for bar in taken.bars} == {BarSource.STREAM, BarSource.REST}


async def test_coinbase_s_candles_that_lag_are_asked_for_until_they_are_there() -> None:
    messages = coinbase_messages()
    products = products_of(messages)
    rest, taken = CoinbaseCandles(messages), Taken()
    rest.known_until = datetime(2021, 4, 17, 16, 43, tzinfo=UTC)
    async with Wire([]).open() as wire:
        playing(wire, with_beats(messages, products))
        async with streaming(coinbase(wire, rest), instruments_of("coinbase", products), taken):
            await until(lambda: len(rest.asked) > 3 * len(products), "several questions")
            assert {bar.source for bar in taken.bars} == {BarSource.STREAM}
            rest.known_until = datetime(2100, 1, 1, tzinfo=UTC)
            minute = rest.bars.index.get_level_values(1) == datetime(2021, 4, 17, 16, 43, tzinfo=UTC)
            await until(lambda: holds(taken, rest.bars[minute]), "the first minute")


async def test_coinbase_s_settled_candles_correct_what_the_trades_gave() -> None:
    messages = stretched_messages(60)
    products = products_of(messages)
    rest, taken = CoinbaseCandles(messages), Taken()
    changed = ("SKL-USD", rest.bars.loc["SKL-USD"].index[8])
    rest.bars.loc[changed, "volume"] += 1000.0
    async with Wire([]).open() as wire:
        playing(wire, with_beats(messages, products), beats(time_of(messages[-1]) + timedelta(minutes=9), products))
        async with streaming(coinbase(wire, rest), instruments_of("coinbase", products), taken):
            await until(lambda: holds(taken, rest.bars.loc[[changed]]), "the correction")
    settled = [bar for bar in taken.bars if (bar.symbol, pd.Timestamp(bar.ts)) == changed]
    assert [bar.source for bar in settled] == [BarSource.STREAM, BarSource.REST]
    again = [bar for bar in taken.bars if bar.source is BarSource.REST and bar.ts > changed[1].to_pydatetime()]
    assert again == [], "what agrees is not handed on again"


async def test_coinbase_connects_again_and_leaves_the_pause_to_rest() -> None:
    messages = stretched_messages(60)
    products = products_of(messages)
    rest, taken = CoinbaseCandles(messages), Taken()
    woven = with_beats(messages, products)
    cut, on = len(woven) // 3, len(woven) // 2
    async with Wire([]).open() as wire:

        async def break_off(connection: ServerConnection) -> None:
            await send(connection, [acknowledgement((await wire.hear(connection))["product_ids"]), *woven[:cut]])
            await connection.close(1011, "maintenance")

        wire.plays.append(break_off)
        playing(wire, woven[on:])
        feed = coinbase(wire, rest)
        instruments = instruments_of("coinbase", products)
        with pytest.raises(FeedError, match=r"ended.*maintenance"):
            await feed.stream(instruments, taken.items.extend, taken.subscribed)
        async with streaming(feed, instruments, taken):
            whole = rest.bars[rest.bars.index.get_level_values(1) > time_of(messages[-1]) - timedelta(minutes=20)]
            await until(lambda: holds(taken, whole), "the bars of the pause and after")
    assert taken.subscriptions == 2


async def test_coinbase_s_product_that_is_refused_is_left_out() -> None:
    taken = Taken()
    async with Wire([]).open() as wire:

        async def refuse(connection: ServerConnection) -> None:
            await wire.hear(connection)
            refusal = {"type": "error", "message": "Failed to subscribe", "reason": "BAD-USD is not a valid product"}
            await send(connection, [refusal])
            await send(connection, [acknowledgement((await wire.hear(connection))["product_ids"])])
            await connection.wait_closed()

        wire.plays.append(refuse)
        feed = coinbase(wire, lambda _: httpx.Response(200, json=[]))
        async with streaming(feed, instruments_of("coinbase", ("BTC-USD", "BAD-USD")), taken):
            await until(lambda: taken.subscriptions == 1, "the subscription")
    assert [each["product_ids"] for each in wire.requests] == [["BTC-USD", "BAD-USD"], ["BTC-USD"]]


async def test_coinbase_s_frames_that_cannot_be_read_are_handed_on_as_rejections() -> None:
    taken = Taken()
    async with Wire([]).open() as wire:
        playing(wire, [{"type": "match", "product_id": "BTC-USD", "time": "2021-04-17T16:43:37Z", "price": "x"}])
        feed = coinbase(wire, lambda _: httpx.Response(200, json=[]))
        async with streaming(feed, instruments_of("coinbase", ("BTC-USD",)), taken):
            await until(lambda: bool(taken.items), "the rejection")
    (item,) = taken.items
    assert isinstance(item, Rejection)
    assert (item.source, item.symbol) == ("coinbase", "BTC-USD")
    assert item.reason == "price is 'x', a number above 0 was expected"
