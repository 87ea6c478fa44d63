"""The vendor's conversation over a real socket."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import pytest
from websockets.exceptions import ConnectionClosed

if TYPE_CHECKING:
    from tests.integration.market_simulator.conftest import Exchange, Start


def test_one_frame_a_minute_holds_the_bars_of_all_subscribed_symbols(exchange: Exchange) -> None:
    client = exchange.client(topics="XA.BTC-USD,XA.ETH-USD")
    exchange.clock(advance_to=exchange.minute(2))
    frames = [client.frame(), client.frame()]
    assert [[bar["pair"] for bar in frame] for frame in frames] == [["BTC-USD", "ETH-USD"]] * 2
    assert set(frames[0][0]) == {"ev", "pair", "v", "vw", "z", "o", "c", "h", "l", "s", "e"}
    assert frames[1][0]["s"] == frames[0][0]["e"] == frames[0][0]["s"] + 60_000
    assert client.silent()


def test_streamed_bars_are_those_of_rest(exchange: Exchange) -> None:
    client = exchange.client(path="/", topics="XA.*")
    exchange.clock(advance_to=exchange.minute(1))
    bar = client.frame()[1]
    (row,) = exchange.bars(f"/v2/aggs/ticker/X:ETHUSD/range/1/minute/{bar['s']}/{bar['s']}")
    assert {name: row[name] for name in ("o", "h", "l", "c", "v", "vw")} == {
        name: bar[name] for name in ("o", "h", "l", "c", "v", "vw")
    }
    assert row["t"] == bar["s"]


def test_an_unknown_symbol_is_refused_without_its_name_while_the_others_succeed(exchange: Exchange) -> None:
    client = exchange.client(topics="")
    client.send("subscribe", "XA.BTC-USD,XA.MOG-USD,XA.ETH-USD")
    assert client.frame() == [
        {"ev": "status", "status": "success", "message": "subscribed to: XA.BTC-USD"},
        {"ev": "status", "status": "error", "message": "not authorized"},
        {"ev": "status", "status": "success", "message": "subscribed to: XA.ETH-USD"},
    ]


def test_a_duplicate_subscribe_gets_no_reply_and_unsubscribe_ends_the_bars(exchange: Exchange) -> None:
    client = exchange.client(topics="XA.BTC-USD,XA.ETH-USD")
    client.send("subscribe", "XA.BTC-USD")
    assert client.silent()
    client.send("unsubscribe", "XA.BTC-USD")
    assert client.frame()[0]["message"] == "unsubscribed to: XA.BTC-USD"
    exchange.clock(advance_to=exchange.minute(1))
    assert [bar["pair"] for bar in client.frame()] == ["ETH-USD"]


def test_trades_and_second_bars_come_in_the_same_frame(exchange: Exchange) -> None:
    client = exchange.client(topics="XT.BTC-USD,XAS.BTC-USD,XA.BTC-USD")
    exchange.clock(advance_to=exchange.minute(1))
    frame = client.frame()
    bar = frame[-1]
    trades = [message for message in frame if message["ev"] == "XT"]
    assert [message["ev"] for message in frame] == ["XT"] * 4 + ["XAS"] * 4 + ["XA"]
    assert sum(trade["s"] for trade in trades) == bar["v"]
    assert [trades[0]["p"], trades[-1]["p"]] == [bar["o"], bar["c"]]
    assert all(bar["s"] <= trade["t"] < bar["e"] for trade in trades)


def test_a_second_connection_with_the_key_evicts_the_older(exchange: Exchange) -> None:
    older, newer = exchange.client(), exchange.client()
    assert older.statuses() == ["max_connections"]
    with pytest.raises(ConnectionClosed) as closed:
        older.frame()
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1008
    exchange.clock(advance_to=exchange.minute(1))
    assert newer.starts(1) == [0]


def test_an_empty_key_fails_and_nothing_is_said_before_authentication(exchange: Exchange) -> None:
    socket = exchange.socket()
    socket.recv()
    socket.send(json.dumps({"action": "subscribe", "params": "XA.*"}))
    assert json.loads(socket.recv())[0]["message"] == "not authorized"
    socket.send(json.dumps({"action": "auth", "params": ""}))
    assert json.loads(socket.recv()) == [
        {"ev": "status", "status": "auth_failed", "message": "authentication failed"}
    ]
    with pytest.raises(ConnectionClosed):
        socket.recv(timeout=2)


def test_the_paced_clock_never_goes_back_and_a_jump_streams_nothing(exchange: Exchange) -> None:
    client = exchange.client()
    exchange.clock(jump_to=exchange.minute(10))
    state = exchange.clock(advance_to=exchange.minute(5))
    assert state["now"] == state["sent_through"] == exchange.minute(10)
    assert client.silent()
    exchange.clock(advance_to=exchange.minute(12))
    exchange.clock(advance_to=exchange.minute(12))
    assert client.starts(2) == [10, 11]
    assert client.silent()
    assert state["subscribers"] == 1


def test_advancing_waits_for_a_reader_that_is_behind(exchange: Exchange) -> None:
    client = exchange.client()
    exchange.clock(advance_to=exchange.minute(59))
    now = exchange.get("/clock").json()["now"]
    later = f"{now[:8]}{int(now[8:10]) + 1:02}{now[10:]}"
    exchange.clock(advance_to=later)
    assert len([client.frame() for _ in range(59 + 1440)]) == 1499


def test_the_newcomer_goes_where_asked_for_and_a_slow_client_times_out(start: Start) -> None:
    exchange = start(
        "--clock", "paced", "--symbols", "BTC-USD", "--over-cap", "refuse", "--auth-seconds", "0.3",
        "--api-key", "secret", "--start", "2026-01-01T00:00:00Z",
    )
    mute = exchange.socket()
    assert exchange.client("secret").silent(0.01)
    newcomer = exchange.client("secret", topics="XA.BTC-USD")
    assert newcomer.statuses() == ["max_connections"]
    mute.recv()
    assert json.loads(mute.recv(timeout=2))[0]["status"] == "auth_timeout"
    assert exchange.get("/v3/reference/tickers", key="wrong").status_code == 401


def test_catch_up_streams_the_last_minutes_once_per_key(start: Start) -> None:
    exchange = start("--catch-up", "30m", "--symbols", "BTC-USD,PEPE-USD")
    client = exchange.client()
    starts = [client.frame()[0]["s"] for _ in range(30)]
    assert starts == list(range(starts[0], starts[0] + 30 * 60_000, 60_000))
    assert abs(time.time() * 1000 - starts[-1]) < 180_000
    client.socket.close()
    assert exchange.client().silent(0.5)
    assert exchange.stop() == 0


def test_a_fast_clock_streams_minutes_by_itself(start: Start) -> None:
    exchange = start("--clock", "1200x", "--start", "2026-01-01T00:00:00Z", "--symbols", "BTC-USD")
    client = exchange.client()
    starts = [client.frame()[0]["s"] for _ in range(5)]
    assert starts == list(range(starts[0], starts[0] + 300_000, 60_000))
    response = exchange.get("/clock").json()
    assert response["mode"] == "1200x"
