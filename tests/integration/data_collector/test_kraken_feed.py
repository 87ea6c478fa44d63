"""Kraken's recorded trades through the real client, against bars computed from the trades alone."""

from __future__ import annotations

import pandas as pd
import pytest
from tracker.domain.errors import FeedError
from websockets.asyncio.server import ServerConnection

from tests.integration.data_collector.collector_station import until
from tests.integration.data_collector.kraken_market import (
    candle_frame,
    kraken,
    kraken_answers,
    kraken_playing,
    kraken_trades,
    kraken_updates,
)
from tests.integration.data_collector.recorded_market import (
    Taken,
    Wire,
    bars_of_trades,
    check_equal,
    frame_of,
    instruments_of,
    send,
    streaming,
)


@pytest.mark.parametrize("factor", [1, 10, 30])
async def test_kraken_s_recorded_trades_give_the_bars_of_its_trades(factor: float) -> None:
    """Version 1 gives no candles: those of version 2 are made of its trades, cumulated in the test."""
    trades = kraken_trades(factor)
    pairs = sorted({each["symbol"] for each in trades})
    wanted, taken = bars_of_trades(trades), Taken()
    began = min(each["ts"] for each in trades).floor("min")
    # A last candle that stays open closes the others by time.
    end = max(each["ts"] for each in trades).ceil("min") + pd.Timedelta(seconds=2)
    last = candle_frame(pairs[0], end.floor("min"), wanted.iloc[0], said_at=end)
    async with Wire([]).open() as wire:
        kraken_playing(wire, began, [*kraken_updates(trades), last])
        async with streaming(kraken(wire), instruments_of("kraken", pairs), taken):
            await until(lambda: len(taken.bars) >= len(wanted), "every bar")
    asked = {"channel": "ohlc", "symbol": pairs, "interval": 1, "snapshot": True}
    assert wire.requests == [{"method": "subscribe", "params": asked}]
    check_equal(frame_of(taken.bars), wanted)
    assert len(taken.bars) == len(wanted), "a bar came twice"


async def test_kraken_s_snapshot_is_the_beginning_of_the_open_candle_only() -> None:
    trades = kraken_trades(30)
    bars, taken = bars_of_trades(trades), Taken()
    pair = "XMR/USD"
    (old, one, two) = bars.loc[pair].index[:3]
    began = one + pd.Timedelta(seconds=40)
    rows = bars.loc[pair]
    snapshot = candle_frame(pair, old, rows.loc[old], said_at=began, kind="snapshot")
    snapshot["data"] += candle_frame(pair, one, rows.loc[one], said_at=began)["data"]
    async with Wire([]).open() as wire:
        update = candle_frame(pair, two, rows.loc[two], said_at=two + pd.Timedelta(seconds=62))
        kraken_playing(wire, began, [snapshot, update])
        async with streaming(kraken(wire), instruments_of("kraken", [pair]), taken):
            await until(lambda: len(taken.bars) >= 2, "two bars")
    check_equal(frame_of(taken.bars), bars.loc[[(pair, one), (pair, two)]])


async def test_kraken_s_pair_that_is_refused_is_left_out_and_no_pair_at_all_is_a_failure() -> None:
    taken = Taken()
    error = "Currency pair not supported BAD/USD"
    refusal = {"method": "subscribe", "success": False, "symbol": "BAD/USD", "error": error}
    async with Wire([]).open() as wire:

        async def refuse_one(connection: ServerConnection) -> None:
            await wire.hear(connection)
            await send(connection, [refusal, *kraken_answers(["BTC/USD"], pd.Timestamp("2024-03-01", tz="UTC"))])
            await connection.wait_closed()

        wire.plays += [refuse_one, refuse_one]
        async with streaming(kraken(wire), instruments_of("kraken", ("BTC/USD", "BAD/USD")), taken):
            await until(lambda: taken.subscriptions == 1, "the subscription")
        with pytest.raises(FeedError, match="Currency pair not supported"):
            await kraken(wire).stream(instruments_of("kraken", ("BAD/USD",)), taken.items.extend, taken.subscribed)
