"""The vendor's frames: read, refused with a reason, never lost."""

from __future__ import annotations

import math
from datetime import UTC, datetime

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tracker.domain.bar import Bar
from tracker.domain.timeframe import Timeframe
from tracker.store.bars import Rejection

from services.data_collector.feeds.polygon_messages import Status, parse_frame

SYMBOLS = {"BTC-USD": "BTC-USD"}
MINUTE = {
    "ev": "XA", "pair": "BTC-USD", "v": 951.6112, "vw": 0.7756, "z": 73, "o": 0.772, "c": 0.784, "h": 0.784,
    "l": 0.771, "s": 1610463240000, "e": 1610463300000,
}


def frame(**changes: object) -> bytes:
    return orjson.dumps([{**MINUTE, **changes}])


def test_a_minute_bar_is_read() -> None:
    [bar] = parse_frame(frame(), SYMBOLS)
    assert isinstance(bar, Bar)
    assert bar.ts == datetime(2021, 1, 12, 14, 54, tzinfo=UTC)
    assert (bar.open, bar.high, bar.low, bar.close, bar.volume) == (0.772, 0.784, 0.771, 0.784, 951.6112)
    assert bar.vwap == 0.7756
    assert bar.trades == 13
    assert bar.timeframe is Timeframe.M1


def test_status_and_bars_may_share_a_frame_and_other_channels_are_passed_over() -> None:
    text = orjson.dumps([
        {"ev": "status", "status": "success", "message": "subscribed to: XA.BTC-USD"}, MINUTE,
        {"ev": "XT", "pair": "BTC-USD", "p": 1.0},
    ])
    status, bar = parse_frame(text, SYMBOLS)
    assert status == Status(status="success", message="subscribed to: XA.BTC-USD")
    assert isinstance(bar, Bar)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"[{", "the frame is not JSON"),
        (b"[7]", "an object was expected, not int"),
        (frame(pair="DOGE-USD"), "pair is 'DOGE-USD'"),
        (frame(pair=None), "pair is None"),
        (frame(o="abc"), "o is 'abc', a number was expected"),
        (frame(v=None), "v is None"),
        (frame(c=True), "c is True"),
        (frame(s="x"), "s is 'x'"),
        (frame(e=1610463241000), "e - s is 1000 ms"),
        (frame(h=0.1), "high is 0.1"),
        (frame(l=-1), "low is -1.0"),
        (frame(s=1610463240500, e=1610463300500), "not the start of a 1m bucket"),
        (frame(s=10**17, e=10**17 + 60000), "not a moment"),
        (frame(s=0, e=60000), "not a moment of a crypto market"),
        (frame(ev="ZZ"), "ev is 'ZZ'"),
        (frame(v=1e300, z=1e-300), "v is 1e+300, an absurd number"),
        (frame(pair="BTC\0USD"), "pair is 'BTC"),
    ],
)
def test_what_cannot_be_believed_comes_back_with_its_reason_and_frame(text: bytes, reason: str) -> None:
    [rejection] = parse_frame(text, SYMBOLS)
    assert isinstance(rejection, Rejection)
    assert reason in rejection.reason
    assert rejection.frame


def test_a_rejection_says_which_bar_is_missing() -> None:
    [bar] = parse_frame(frame(o="abc"), SYMBOLS)
    [whole] = parse_frame(b"[{", SYMBOLS)
    [foreign] = parse_frame(b"[7]", SYMBOLS)
    assert isinstance(bar, Rejection)
    assert (bar.symbol, bar.ts, bar.whole_frame) == ("BTC-USD", datetime(2021, 1, 12, 14, 54, tzinfo=UTC), False)
    assert isinstance(whole, Rejection)
    assert whole.whole_frame
    assert isinstance(foreign, Rejection)
    assert not foreign.whole_frame


def test_numbers_that_do_not_fit_break_nothing() -> None:
    [bar] = parse_frame(frame(v=1e17, z=5e-324), SYMBOLS)
    assert isinstance(bar, Bar)
    assert bar.trades == 2_147_483_647
    [rejection] = parse_frame(frame(pair="A\0" * 60), SYMBOLS)
    assert isinstance(rejection, Rejection)
    assert rejection.symbol == "A" * 20


def test_a_useless_vwap_is_unknown_rather_than_fatal() -> None:
    [bar] = parse_frame(frame(vw=None), SYMBOLS)
    assert isinstance(bar, Bar)
    assert math.isnan(bar.vwap)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=3), children, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from([*MINUTE, "x"]), json_values))
def test_no_object_whatever_it_holds_breaks_the_reader(changes: dict[str, object]) -> None:
    for message in parse_frame(orjson.dumps([{**MINUTE, **changes}]), SYMBOLS):
        assert isinstance(message, (Bar, Rejection, Status))


@given(st.binary(max_size=60))
def test_no_bytes_break_the_reader(text: bytes) -> None:
    assert isinstance(parse_frame(text, SYMBOLS), list)
