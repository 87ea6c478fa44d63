"""Trades become minutes: whole ones only, corrected when late trades come, withheld when some are missing."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

import numpy as np
from tracker.domain.bar import Bar, BarSource
from tracker.store.bars import BarTable
from tracker.testing.builders import START, make_bar

from services.data_collector.feeds.coinbase_messages import Heartbeat, Trade
from services.data_collector.feeds.coinbase_minutes import CoinbaseMinutes
from services.data_collector.feeds.coinbase_repair import agreed, supplied

GRACE = timedelta(seconds=2)


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def trade(number: int, seconds: float, price: str = "100", size: str = "1", **facts: object) -> Trade:
    sums = {"price": Decimal(price), "size": Decimal(size)}
    return Trade(**{"product": "BTC-USD", "trade_id": number, "ts": at(seconds), **sums, **facts})  # type: ignore[arg-type]


def beat(seconds: float, last: int = 0, product: str = "BTC-USD") -> Heartbeat:
    return Heartbeat(product=product, last_trade_id=last, ts=at(seconds))


def connected(*symbols: str) -> CoinbaseMinutes:
    minutes = CoinbaseMinutes(GRACE)
    minutes.connected({symbol: symbol for symbol in symbols or ("BTC-USD",)})
    return minutes


def fed(minutes: CoinbaseMinutes, *messages: Trade | Heartbeat) -> list[Bar]:
    bars: list[Bar] = []
    for message in messages:
        bars += minutes.take(message) if isinstance(message, Trade) else minutes.heard(message)
    return bars


def withheld(minutes: CoinbaseMinutes) -> list[int]:
    """Return the withheld minutes, counted from the start."""
    return sorted(int((ts - START).total_seconds() // 60) for ts in minutes.products["BTC-USD"].withheld)


def test_a_minute_is_the_sum_of_its_trades_and_is_over_with_the_next_ones_first() -> None:
    minutes = connected()
    bars = fed(
        minutes, beat(30), trade(1, 60, "10", "0.1"), trade(2, 70, "12", "0.2"), trade(3, 119.9, "9", "0.3"),
        trade(4, 120, "11"),
    )
    assert len(bars) == 1
    bar = bars[0]
    assert (bar.ts, bar.open, bar.high, bar.low, bar.close) == (at(60), 10, 12, 9, 9)
    # As the exchange adds them up: floats would give 0.6000000000000001.
    assert (bar.volume, bar.trades, bar.source) == (0.6, 3, BarSource.STREAM)
    assert bar.vwap == float(Decimal("6.1") / Decimal("0.6"))


def test_a_minute_is_over_by_the_exchange_s_time_and_a_grace() -> None:
    minutes = connected("BTC-USD", "ETH-USD")
    assert fed(minutes, beat(30), trade(1, 61), beat(119, product="ETH-USD"), beat(121.9, product="ETH-USD")) == []
    assert [bar.ts for bar in fed(minutes, beat(122, product="ETH-USD"))] == [at(60)]


def test_what_happened_before_the_subscription_is_no_new_trade() -> None:
    minutes = connected()
    bars = fed(minutes, trade(1, 59, history=True), beat(59.5), trade(2, 65, "7"), beat(130))
    assert [(bar.ts, bar.open, bar.trades) for bar in bars] == [(at(60), 7, 1)]


def test_the_minute_in_which_the_connection_began_is_left_to_rest() -> None:
    minutes = connected()
    assert fed(minutes, trade(1, 30), trade(2, 45), trade(3, 61), beat(63)) == []
    assert withheld(minutes) == [0]


def test_a_late_trade_corrects_its_minute() -> None:
    minutes = connected()
    first = fed(minutes, beat(30), trade(1, 61, "10"), trade(2, 62, "11"), beat(125))
    late = fed(minutes, trade(3, 119.9, "15"))
    assert [(bar.close, bar.trades) for bar in first + late] == [(11, 2), (15, 3)]


def test_the_numbers_order_trades_not_their_arrival() -> None:
    minutes = connected()
    bars = fed(minutes, beat(30), trade(5, 61, "10"), trade(7, 63, "12"), trade(6, 62, "11"), beat(125))
    assert [(bar.open, bar.close, bar.trades) for bar in bars] == [(10, 12, 3)]
    bars = fed(minutes, trade(9, 130, "2"), trade(8, 129, "1"), beat(190))
    assert [(bar.open, bar.close) for bar in bars] == [(1, 2)]


def test_a_trade_that_comes_twice_counts_once() -> None:
    minutes = connected()
    bars = fed(minutes, beat(30), trade(1, 61), trade(2, 62), trade(2, 62), trade(1, 61), beat(125))
    assert [bar.trades for bar in bars] == [2]


def test_minutes_with_missing_trades_are_withheld() -> None:
    minutes = connected()
    bars = fed(minutes, beat(30), trade(1, 61), trade(3, 130), trade(4, 190), beat(250))
    assert [bar.ts for bar in bars] == [at(180)]
    assert withheld(minutes) == [0, 1, 2]


def test_the_last_missing_trade_frees_its_minutes() -> None:
    minutes = connected()
    assert fed(minutes, beat(30), trade(1, 61), trade(4, 130), trade(5, 190), trade(2, 62)) == []
    freed = fed(minutes, trade(3, 63, "3"))
    assert [(bar.ts, bar.trades) for bar in freed] == [(at(60), 3), (at(120), 1)]
    assert withheld(minutes) == [0]


def test_minutes_of_two_holes_are_free_when_both_are_filled() -> None:
    minutes = connected()
    fed(minutes, beat(30), trade(1, 61), trade(3, 63), trade(5, 65), beat(125))
    assert fed(minutes, trade(2, 62)) == []
    assert [bar.trades for bar in fed(minutes, trade(4, 64))] == [5]


def test_a_loss_shows_when_two_heartbeats_know_a_later_trade() -> None:
    minutes = connected()
    assert fed(minutes, beat(30), trade(1, 61), beat(62, 2)) == []
    assert withheld(minutes) == [0]
    fed(minutes, beat(63, 2))
    assert withheld(minutes) == [0, 1]
    assert [bar.trades for bar in fed(minutes, trade(3, 70), trade(2, 61.9), beat(125))] == [3]


def test_a_heartbeat_that_overtakes_a_trade_is_no_loss() -> None:
    minutes = connected()
    bars = fed(minutes, beat(30), trade(1, 61), beat(62, 2), trade(2, 61.9), beat(63, 3), trade(3, 62.9), beat(125, 3))
    assert [bar.trades for bar in bars] == [3]


def test_a_heartbeat_without_a_number_says_nothing_of_losses() -> None:
    minutes = connected()
    bars = fed(minutes, beat(30), trade(8, 61), beat(62, 0), beat(63, 0), beat(125, 0))
    assert len(bars) == 1


def test_a_new_connection_leaves_to_rest_what_was_not_over_and_what_it_missed() -> None:
    minutes = connected()
    fed(minutes, beat(30), trade(1, 61), beat(125), trade(2, 130))
    minutes.products["BTC-USD"].withheld.clear()
    minutes.connected({"BTC-USD": "BTC-USD"})
    bars = fed(minutes, trade(9, 200), beat(250), trade(10, 300), beat(400))
    assert [bar.ts for bar in bars] == [at(300)]
    assert withheld(minutes) == [2, 3]


def test_after_a_long_pause_only_young_minutes_are_asked_for() -> None:
    minutes = connected()
    fed(minutes, beat(30), beat(125))
    minutes.products["BTC-USD"].withheld.clear()
    minutes.connected({"BTC-USD": "BTC-USD"})
    fed(minutes, beat(6_000))
    assert withheld(minutes) == list(range(91, 101))


def test_a_late_trade_of_a_minute_that_rest_supplied_asks_rest_again() -> None:
    minutes = connected()
    fed(minutes, beat(30), trade(1, 61), trade(3, 130))
    supplied = make_bar(1, source=BarSource.REST)
    minutes.products["BTC-USD"].supply(supplied)
    assert withheld(minutes) == [0, 2]
    assert fed(minutes, trade(2, 62), beat(250)) != [supplied]
    assert 1 in withheld(minutes)


def test_what_is_known_of_old_minutes_is_forgotten() -> None:
    minutes = connected()
    for minute in range(1, 120):
        fed(minutes, beat(60 * minute - 1), trade(minute, 60 * minute + 1))
    fed(minutes, beat(7_300))
    known = minutes.products["BTC-USD"]
    assert len(known.minutes) <= 31
    assert len(known.sent) <= 31
    assert withheld(minutes) == []


def test_candles_that_agree_take_over_vwap_and_trades() -> None:
    minutes = connected()
    bars = fed(minutes, beat(30), trade(1, 61, "10", "0.1"), trade(2, 62, "12", "0.2"), beat(125))
    bar = bars[0]
    first = int(bar.ts.timestamp())
    table = BarTable(
        ts=np.array([first - 60, first]), open=np.array([1.0, 10]), high=np.array([1.0, 12]), low=np.array([1.0, 10]),
        close=np.array([1.0, 12]), volume=np.array([1.0, 0.30000000000000004]),
    )
    found = agreed(table, minutes.products["BTC-USD"], at(600))
    assert found.vwap is not None
    assert found.trades is not None
    assert np.isnan(found.vwap[0])
    assert (found.vwap[1], found.trades.tolist(), found.volume[1]) == (bar.vwap, [0, 2], 0.3)
    other = agreed(BarTable(**{**_columns(table), "close": np.array([1.0, 11])}), minutes.products["BTC-USD"], at(600))
    assert other.trades is not None
    assert other.trades.tolist() == [0, 0]


def test_a_candle_that_may_lack_trades_does_not_replace_what_the_trades_gave() -> None:
    minutes = connected()
    (bar,) = fed(minutes, beat(30), trade(1, 61, "10"), trade(2, 62, "12"), beat(125))
    first = np.array([int(bar.ts.timestamp())])
    ten, one = np.array([10.0]), np.array([1.0])
    lagging = BarTable(ts=first, open=ten, high=ten, low=ten, close=ten, volume=one)
    known = minutes.products["BTC-USD"]
    assert agreed(lagging, known, at(60)).close.tolist() == [12]
    assert agreed(lagging, known, at(120)).close.tolist() == [10]
    known.withheld.add(bar.ts)
    assert agreed(lagging, known, at(60)).close.tolist() == [10], "of what lacks trades itself REST knows more"


def test_a_withheld_minute_that_rest_confirms_keeps_its_vwap_and_trades() -> None:
    minutes = connected()
    (bar,) = fed(minutes, beat(30), trade(1, 61, "10"), trade(2, 62, "12"), beat(125))
    known = minutes.products["BTC-USD"]
    # Numbers 3 to 8 are missing, from the minute of number 2 on.
    fed(minutes, trade(9, 130))
    assert bar.ts in known.withheld
    assert supplied(known, [replace(bar, source=BarSource.REST, vwap=math.nan, trades=0)]) == []
    assert bar.ts not in known.withheld
    assert known.sent[bar.ts] == replace(bar, source=BarSource.REST)
    fed(minutes, trade(3, 63, "99"))
    assert bar.ts in known.withheld, "a later trade of it is REST's to tell"
    (told,) = supplied(known, [replace(bar, source=BarSource.REST, high=99.0, volume=3.0)])
    assert isinstance(told, Bar)
    assert told.high == 99


def _columns(table: BarTable) -> dict[str, object]:
    return {name: getattr(table, name) for name in ("ts", "open", "high", "low", "close", "volume")}
