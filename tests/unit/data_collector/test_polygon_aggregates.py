"""The body of an aggregates answer: the quick way and the careful way say the same."""

from __future__ import annotations

from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tracker.domain.timeframe import Timeframe
from tracker.testing.builders import START

from services.data_collector.feeds.polygon_aggregates import bar_table, read_body, rows_of

MOMENT = int(START.timestamp() * 1000)
ROW = {"v": 7.0, "vw": 1.2, "o": 1.0, "c": 1.5, "h": 2.0, "l": 0.5, "t": MOMENT, "n": 3}
numbers = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**53), 2**53)
rows = st.lists(
    st.tuples(*[numbers] * len(ROW)).map(lambda values: dict(zip(ROW, values, strict=True))), min_size=1, max_size=20
)


def body_of(results: Any) -> bytes:
    return orjson.dumps({"ticker": "X:BTCUSD", "results": results, "status": "OK", "next_url": "http://more"})


@given(rows)
def test_rows_of_the_usual_form_are_read_without_an_object_each(given_rows: list[dict[str, Any]]) -> None:
    body = read_body(body_of(given_rows))
    assert (body["ticker"], body["status"], body["next_url"]) == ("X:BTCUSD", "OK", "http://more")
    assert isinstance(body["results"], np.ndarray)
    np.testing.assert_array_equal(rows_of(body["results"]), rows_of(given_rows))


@pytest.mark.parametrize("odd", [
    {name: value for name, value in ROW.items() if name != "vw"},
    ROW | {"o": "1.0"}, ROW | {"o": None}, ROW | {"o": True}, ROW | {"x": 1.0}, ROW | {"o": [1.0]}, ROW | {"o": {}},
    dict(reversed(ROW.items())), 7, "}]", {},
])
def test_rows_of_another_form_are_read_one_by_one(odd: Any) -> None:
    given_rows = [ROW, odd, ROW | {"t": MOMENT + 60_000}]
    body = read_body(body_of(given_rows))
    assert body["results"] == given_rows
    assert bar_table(rows_of(given_rows)).ts[[0, 2]].tolist() == [MOMENT // 1000, MOMENT // 1000 + 60]


@pytest.mark.parametrize("content", [
    b"", b'{"results":[{"v":1', b'{"results":[{"v":,"vw":,"o":,"c":,"h":,"l":,"t":,"n":}]}',
    b'{"results":[{"v":1.2.3,"vw":1,"o":1,"c":1,"h":1,"l":1,"t":1,"n":1}]}', b'{"results":[}]}', b"\xff",
])
def test_what_is_no_json_is_an_error(content: bytes) -> None:
    with pytest.raises(orjson.JSONDecodeError):
        read_body(content)


@pytest.mark.parametrize("body", [{"status": "OK"}, {"results": []}, {"results": None}])
def test_an_answer_without_bars_is_an_empty_table(body: dict[str, Any]) -> None:
    read = read_body(orjson.dumps(body))
    assert read == body
    assert len(bar_table(rows_of(read.get("results")))) == 0


def test_a_table_keeps_what_a_bar_has() -> None:
    table = bar_table(rows_of([ROW]))
    assert [column[0] for column in (table.open, table.high, table.low, table.close, table.volume)] == [
        1.0, 2.0, 0.5, 1.5, 7.0
    ]
    assert table.vwap is not None
    assert table.trades is not None
    assert (table.ts[0], table.vwap[0], table.trades[0]) == (MOMENT // 1000, 1.2, 3)
    assert table.ts[0] % Timeframe.M1.seconds == 0
