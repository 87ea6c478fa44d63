"""The vendor's REST answers: read, retried, refused in one sentence."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx
import numpy as np
import pytest
from tracker.domain.clock import SystemClock
from tracker.domain.errors import FeedAuthError, FeedError
from tracker.domain.timeframe import Timeframe
from tracker.store.bar_checks import split_table
from tracker.testing.builders import START

from services.data_collector.feeds.polygon_rest import PolygonRest
from services.data_collector.rest_bars import bars_of
from services.data_collector.settings import CollectorSettings

ROW = {"t": int(START.timestamp() * 1000), "o": 1.0, "h": 2.0, "l": 0.5, "c": 1.5, "v": 7.0, "vw": 1.2, "n": 3}


def rest_that(answer: Callable[[httpx.Request], httpx.Response], **settings: Any) -> PolygonRest:
    facts = {
        "polygon_rest_url": "http://vendor", "polygon_api_key": "k", "longest_backoff_seconds": 0.01,
        "rest_attempts": 3,
    }
    client = httpx.AsyncClient(transport=httpx.MockTransport(answer))
    return PolygonRest(CollectorSettings(**{**facts, **settings}), SystemClock(), client)


def rest_saying(*bodies: httpx.Response, **settings: Any) -> PolygonRest:
    answers = iter(bodies)
    return rest_that(lambda _: next(answers), **settings)


async def test_rows_that_hold_no_numbers_are_rejected_and_the_others_stay() -> None:
    second = ROW | {"t": ROW["t"] + 60_000}
    rows = [
        ROW, second | {"o": "x"}, second | {"t": None}, 7, {"t": second["t"] + 60_000, "o": 1.0},
        second | {"t": 1e30}, second | {"v": 1e300},
    ]
    rest = rest_saying(httpx.Response(200, json={"results": rows}))
    table = await rest.aggregates("X:BTCUSD", Timeframe.M1, START, START + timedelta(minutes=5))
    kept, defects = split_table(table, "BTC-USD", Timeframe.M1, "polygon rest")
    assert (len(kept), kept.close.tolist(), kept.trades.tolist() if kept.trades is not None else []) == (1, [1.5], [3])
    assert len(defects) == 6
    assert defects[0].reason == "o is 'x', a number was expected"
    items = [type(item).__name__ for item in bars_of(table, "BTC-USD", Timeframe.M1, "polygon")]
    assert items == ["Bar"] + ["Rejection"] * 6


async def test_an_answer_without_results_is_no_bars() -> None:
    rest = rest_saying(httpx.Response(200, json={"status": "OK"}))
    assert len(await rest.aggregates("X:BTCUSD", Timeframe.M1, START, START + timedelta(minutes=5))) == 0


async def test_pages_are_followed_to_the_end() -> None:
    pages = [
        httpx.Response(200, json={"results": [ROW], "next_url": "http://vendor/more"}),
        httpx.Response(200, json={"results": [ROW | {"t": ROW["t"] + 60_000}]}),
    ]
    table = await rest_saying(*pages).aggregates("X:BTCUSD", Timeframe.M1, START, START + timedelta(minutes=5))
    assert np.diff(table.ts).tolist() == [60]


async def test_failures_and_nonsense_are_asked_again() -> None:
    answers = [httpx.Response(429), httpx.Response(200, text="<html>"), httpx.Response(200, json={"results": []})]
    rest = rest_saying(*answers, breaker_threshold=9)
    assert len(await rest.aggregates("X:BTCUSD", Timeframe.M1, START, START + timedelta(minutes=5))) == 0


async def test_after_the_last_attempt_the_failure_is_told() -> None:
    rest = rest_saying(*[httpx.Response(500, text="down")] * 3, breaker_threshold=9)
    with pytest.raises(FeedError, match="answered 500: down"):
        await rest.now()


async def test_a_rest_is_waited_out_instead_of_using_up_the_attempts() -> None:
    answers = [*[httpx.Response(503)] * 2, httpx.Response(200, json={"serverTime": START.isoformat()})]
    rest = rest_saying(*answers, breaker_threshold=1, breaker_cool_down_seconds=0.05)
    assert await rest.now() == START


@pytest.mark.parametrize("stated", [None, "noon", "2024-03-01T00:00:00"])
async def test_a_time_without_a_zone_is_no_time(stated: str | None) -> None:
    rest = rest_that(lambda _: httpx.Response(200, json={"serverTime": stated}))
    with pytest.raises(FeedError, match="serverTime"):
        await rest.now()


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (httpx.Response(401, json={"error": "Unknown API Key"}), "(HTTP 401, Unknown API Key)"),
        (httpx.Response(403, json={"message": "You are not entitled to this data. Upgrade."}), "not entitled"),
        (httpx.Response(403, text="no JSON"), "(HTTP 403, Forbidden)"),
    ],
)
async def test_a_refused_key_is_one_sentence_and_asked_once(answer: httpx.Response, said: str) -> None:
    with pytest.raises(FeedAuthError) as caught:
        await rest_saying(answer).now()
    assert said in str(caught.value)
    assert "POLYGON_API_KEY" in str(caught.value)
