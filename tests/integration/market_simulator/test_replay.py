"""Candle files replayed over the vendor's protocol."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.integration.market_simulator.conftest import Exchange, Start

MINUTES = """ts,open,high,low,close,volume
2022-01-01T00:00:00Z,100,102,99,101,5
2022-01-01T00:01:00Z,101,90,100,101,5
2022-01-01T00:02:00Z,abc,103,100,102,5
1640995380000,102,104,101,103,2.5
2022-01-01T00:04:00Z,103,105,102,104,1
"""
FIVES = """ts,open,high,low,close,volume
2022-01-01T00:00:00Z,0.05,0.06,0.04,0.055,7
"""
BTC = "/v2/aggs/ticker/X:BTCPERP/range"
MORE = """ts,open,high,low,close,volume
2022-01-01T00:05:00Z,104,106,103,105,1
"""


@pytest.fixture(scope="module")
def replay(start: Start, tmp_path_factory: pytest.TempPathFactory) -> Exchange:
    folder: Path = tmp_path_factory.mktemp("candles")
    (folder / "BTC-PERP_1m_2022.csv").write_text(MINUTES)
    (folder / "BTC-PERP_1m_2022-more.csv").write_text(MORE)
    (folder / "BTC-PERP_5m.csv").write_text(FIVES.replace("0.0", "10"))
    (folder / "ETH-BTC_5m_2022.csv").write_text(FIVES)
    return start("--clock", "paced", "--candles", str(folder))


def test_every_bar_goes_out_as_written_when_it_closes(replay: Exchange) -> None:
    state = replay.get("/clock").json()
    assert (state["now"], state["first"], state["last"]) == (
        None, "2022-01-01T00:00:00Z", "2022-01-01T00:06:00Z"
    )
    assert replay.bars(f"{BTC}/1/minute/2022-01-01/2022-01-02") == []
    client = replay.client()
    replay.clock(advance_to="2022-01-01T00:06:00Z")
    frames = [client.frame() for _ in range(6)]
    assert [frame[0]["o"] for frame in frames] == [100, 101, "abc", 102, 103, 104]
    assert frames[1][0]["h"] < frames[1][0]["l"]
    assert [(bar["pair"], bar["e"] - bar["s"]) for bar in frames[4]] == [
        ("BTC-PERP", 60_000), ("BTC-PERP", 300_000), ("ETH-BTC", 300_000)
    ]
    assert replay.clock(advance_to="2022-01-01T00:06:00Z")["sent_through"] == "2022-01-01T00:06:00Z"
    rows = replay.bars(f"{BTC}/1/minute/2022-01-01/2022-01-02")
    assert [row["o"] for row in rows] == [100, 101, "abc", 102, 103, 104]
    assert replay.bars(f"{BTC}/1/minute/2022-01-01/2022-01-02?sort=desc") == rows[::-1]
    pages = replay.get(f"{BTC}/1/minute/2022-01-01/2022-01-02?limit=2").json()
    assert [row["o"] for row in pages["results"]] == [100, 101, "abc"]
    assert [row["o"] for row in replay.bars(pages["next_url"])] == [102, 103]
    (five,) = replay.bars(f"{BTC}/5/minute/2022-01-01/2022-01-02")
    assert five["o"] == 105
    assert replay.bars("/v2/aggs/ticker/X:ETHBTC/range/1/minute/2022-01-01/2022-01-02") == []
    tickers = [row["ticker"] for row in replay.bars("/v3/reference/tickers?market=crypto")]
    assert tickers == ["X:BTCPERP", "X:ETHBTC"]


def test_real_candles_advance_quickly(start: Start, shared_candles: Path) -> None:
    exchange = start(
        "--clock", "paced", "--candles", str(shared_candles), "--symbols", "BTC-PERP",
        "--start", "2022-01-01T00:00:00Z",
    )
    client = exchange.client(topics="XA.BTC-PERP")
    exchange.clock(advance_to="2022-01-02T00:00:00Z")
    assert len([client.frame() for _ in range(1440)]) == 1440
    rows = exchange.bars(f"{BTC}/1/hour/2022-01-01/2022-01-03?limit=50000")
    assert len(rows) == 24
