"""Faults on demand, as a client sees them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import httpx
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

if TYPE_CHECKING:
    from tests.integration.market_simulator.conftest import Exchange

BTC = "/v2/aggs/ticker/X:BTCUSD/range/1/minute"


def test_drop_cuts_the_wire_and_the_bars_meanwhile_are_only_in_rest(exchange: Exchange) -> None:
    client = exchange.client()
    report = exchange.fault("drop")
    assert report["done"] == {"drop": 1} | report["done"]
    with pytest.raises(ConnectionClosed):
        client.frame()
    exchange.clock(advance_to=exchange.minute(3))
    again = exchange.client()
    exchange.clock(advance_to=exchange.minute(4))
    bar = again.frame()[0]
    assert bar["s"] // 60_000 % 60 == 3
    assert len(exchange.bars(f"{BTC}/{bar['s'] - 180_000}/{bar['s']}")) == 4


def test_a_lasting_drop_refuses_newcomers(exchange: Exchange) -> None:
    exchange.fault("drop", seconds=30)
    with pytest.raises(InvalidStatus):
        exchange.socket()


def test_stall_swallows_frames(exchange: Exchange) -> None:
    client = exchange.client()
    exchange.fault("stall", count=2)
    exchange.clock(advance_to=exchange.minute(3))
    assert client.starts(1) == [2]


def test_stall_of_one_symbol_leaves_the_others(exchange: Exchange) -> None:
    client = exchange.client()
    exchange.fault("stall", count=1, symbols=["BTC-USD"])
    exchange.clock(advance_to=exchange.minute(1))
    assert [bar["pair"] for bar in client.frame()] == ["ETH-USD", "DOGE-USD"]


def test_duplicate_and_disorder(exchange: Exchange) -> None:
    client = exchange.client()
    exchange.fault("duplicate")
    exchange.clock(advance_to=exchange.minute(2))
    assert client.starts(3) == [0, 0, 1]
    exchange.fault("disorder")
    exchange.clock(advance_to=exchange.minute(5))
    frames = [client.frame() for _ in range(3)]
    assert [frame[0]["s"] // 60_000 % 60 for frame in frames] == [3, 2, 4]
    assert [bar["pair"] for bar in frames[1]] == ["DOGE-USD", "ETH-USD", "BTC-USD"]


def test_a_correction_is_sent_and_stays(exchange: Exchange) -> None:
    client = exchange.client()
    exchange.clock(advance_to=exchange.minute(3))
    before = [client.frame() for _ in range(3)][2][1]
    exchange.fault("correct", symbols=["ETH-USD"])
    (after,) = client.frame()
    assert (after["pair"], after["s"]) == ("ETH-USD", before["s"])
    assert after["c"] != before["c"]
    (row,) = exchange.bars(f"/v2/aggs/ticker/X:ETHUSD/range/1/minute/{after['s']}/{after['s']}")
    assert [row["c"], row["v"]] == [after["c"], after["v"]]
    exchange.clock(advance_to=exchange.minute(15))
    (rolled,) = exchange.bars(f"/v2/aggs/ticker/X:ETHUSD/range/15/minute/{after['s']}/{after['s']}")
    minutes = exchange.bars(f"/v2/aggs/ticker/X:ETHUSD/range/1/minute/{rolled['t']}/{rolled['t'] + 899_999}")
    assert rolled["v"] == sum(each["v"] for each in minutes)


def test_malformed_frames_are_broken_json_or_wrong_types(exchange: Exchange) -> None:
    client = exchange.client()
    exchange.fault("malformed", count=2)
    exchange.clock(advance_to=exchange.minute(2))
    with pytest.raises(json.JSONDecodeError):
        client.frame()
    bars = client.frame()
    assert bars[0]["o"] == "n/a"
    assert "c" not in bars[0]
    assert bars[1]["o"] > 0


def test_connection_limits_on_demand(exchange: Exchange) -> None:
    client = exchange.client()
    exchange.fault("max_connections_evict")
    assert client.statuses() == ["max_connections"]
    exchange.fault("max_connections_refuse")
    newcomer = exchange.client()
    assert newcomer.statuses() == ["max_connections"]
    with pytest.raises(ConnectionClosed):
        newcomer.frame()
    assert exchange.client().silent(0.05)


def test_auth_failure_strikes_the_stream(exchange: Exchange) -> None:
    exchange.fault("auth_failure")
    socket = exchange.socket()
    socket.recv()
    socket.send(json.dumps({"action": "auth", "params": "key"}))
    assert json.loads(socket.recv())[0]["status"] == "auth_failed"


def test_rest_errors_have_the_vendors_bodies(exchange: Exchange) -> None:
    exchange.fault("rate_limit", count=2)
    full, bare = (exchange.get("/v3/reference/tickers") for _ in range(2))
    assert [full.status_code, bare.status_code] == [429, 429]
    assert full.json()["error"].startswith("You've exceeded the maximum requests per minute")
    assert bare.content == b""
    exchange.fault("server_error")
    failed = exchange.get("/v3/reference/tickers")
    assert failed.status_code == 500
    assert set(failed.json()) == {"status", "request_id", "error"}
    exchange.fault("auth_failure")
    unknown = exchange.get("/v3/reference/tickers")
    assert (unknown.status_code, unknown.json()["error"]) == (401, "Unknown API Key")
    assert exchange.get("/v3/reference/tickers").status_code == 200


def test_faults_can_be_called_off(exchange: Exchange) -> None:
    exchange.fault("rate_limit", count=5)
    assert exchange.get("/faults").json()["active"][0]["remaining"] == 5
    exchange.http.delete("/faults")
    assert exchange.get("/faults").json()["active"] == []
    assert exchange.get("/v3/reference/tickers").status_code == 200


def test_an_order_that_makes_no_sense_is_refused(exchange: Exchange) -> None:
    wrong = {"kind": "earthquake"}, {"kind": "drop", "count": 0}, {"kind": "stall", "symbols": ["X-Y"]}
    for order in wrong:
        response = exchange.http.post("/faults", json=order)
        assert response.status_code == 422


def test_a_lost_subscription_is_lost_without_a_word_and_can_be_renewed(exchange: Exchange) -> None:
    client = exchange.client()
    exchange.fault("lost_subscription", symbols=["BTC-USD"])
    exchange.clock(advance_to=exchange.minute(1))
    assert [bar["pair"] for bar in client.frame()] == ["ETH-USD", "DOGE-USD"]
    client.send("subscribe", "XA.BTC-USD,XA.ETH-USD")
    client.expect("success")
    exchange.clock(advance_to=exchange.minute(2))
    assert [bar["pair"] for bar in client.frame()] == ["BTC-USD", "ETH-USD", "DOGE-USD"]


def test_a_subscription_may_be_ignored_in_part(exchange: Exchange) -> None:
    exchange.fault("unacknowledged", symbols=["BTC-USD"])
    client = exchange.client(topics="")
    client.send("subscribe", "XA.BTC-USD,XA.ETH-USD")
    client.expect("success")
    exchange.clock(advance_to=exchange.minute(1))
    assert [bar["pair"] for bar in client.frame()] == ["ETH-USD"]


def test_the_handshake_may_time_out(exchange: Exchange) -> None:
    exchange.fault("auth_timeout")
    client = exchange.client
    with pytest.raises(AssertionError, match="auth_timeout"):
        client()


def test_rest_may_answer_nothing_late_or_never(exchange: Exchange) -> None:
    exchange.fault("empty_body")
    empty = exchange.get("/v1/marketstatus/now")
    assert (empty.status_code, empty.content) == (200, b"")
    exchange.fault("slow_answer", delay_seconds=0.2)
    with pytest.raises(httpx.ReadTimeout):
        exchange.http.get("/v1/marketstatus/now", timeout=0.1)
    exchange.fault("no_answer")
    with pytest.raises(httpx.ReadTimeout):
        exchange.http.get("/v1/marketstatus/now", timeout=0.3)
    assert exchange.get("/v1/marketstatus/now").json()["serverTime"]


def test_a_script_strikes_whom_it_finds_and_can_be_read_back(exchange: Exchange) -> None:
    order = {"seed": 5, "hours": 1, "per_hour": 60}
    started = exchange.http.post("/faults/script", json=order)
    assert started.status_code == 201
    plan = started.json()["plan"]
    assert (len(plan), started.json()["ahead"]) == (60, 60)
    logged = len(exchange.get("/faults/log").json()["strokes"])
    # Nobody is there yet.
    exchange.clock(advance_to=exchange.minute(4))
    assert exchange.get("/faults/script").json()["ahead"] == 60
    exchange.client()
    exchange.clock(advance_to=exchange.minute(5))
    assert exchange.get("/faults/script").json() == {"ahead": 59, "plan": plan}
    exchange.fault("duplicate")
    exchange.http.delete("/faults", params={"kind": "duplicate"})
    assert "duplicate" not in [each["kind"] for each in exchange.get("/faults").json()["active"]]
    assert exchange.get("/faults/script").json()["ahead"] == 59
    strokes = exchange.get("/faults/log").json()["strokes"][logged:]
    assert all(each["at"] and each["fault"] for each in strokes)
    exchange.http.delete("/faults")
    assert exchange.get("/faults/script").json() == {"ahead": 0, "plan": []}
