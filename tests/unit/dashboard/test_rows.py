"""Rows and words that the pages Market, Strategies and Paper are made of."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from tracker.domain.funnel import FunnelStep, LookCount, funnel_of
from tracker.domain.timeframe import Timeframe
from tracker.runtime.standing import Broken
from tracker.store.pages.market import Candles, Filled, Held, Proposal, SymbolTrading
from tracker.store.pages.paper import Lock
from tracker.store.pages.strategies import Champion

from services.dashboard.charts.candles import MarkKind
from services.dashboard.elements.funnel_bars import bar_widths
from services.dashboard.market_panel import Choice, aligned, events_of, features_of, first_moment, lives_of, marks_of
from services.dashboard.pages.market import compact
from services.dashboard.pages.paper import lock_row
from services.dashboard.pages.strategies import reason_rows, state_light
from services.dashboard.rulebook import StrategyState
from services.dashboard.why_card import BLANK, condition_rows, decision_light, feature_rows, moment_in

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
TRADING = SymbolTrading(
    signals=(
        Proposal(strategy="dca", decided_at=NOON, entry=100.0, stop=95.0, target=110.0, strength=0.7, confidence=0.6),
    ),
    fills=(
        Filled(strategy="dca", leg="entry", side="buy", filled_at=NOON + MINUTE, quantity=2.0, price=100.5),
        Filled(strategy="dca", leg="stop", side="sell", filled_at=NOON + timedelta(hours=1), quantity=2.0, price=95.0),
    ),
    lives=(
        Held(strategy="dca", opened_at=NOON, closed_at=None, entry=None, stop=95.0, initial_stop=94.0, target=110.0),
    ),
)  # fmt: skip


def test_signals_and_fills_are_marks_and_events() -> None:
    marks = marks_of(TRADING)
    assert [each.kind for each in marks] == [MarkKind.SIGNAL, MarkKind.BUY, MarkKind.SELL]
    assert marks[0].says == "dca signal, strength 0.70, confidence 0.60"
    assert marks[1].says == "dca bought 2 at 100.50 (entry)"
    assert [each["what"] for each in events_of(TRADING)] == ["sold", "bought", "signal"]
    (life,) = lives_of(TRADING, now=NOON.timestamp() + 7200)
    assert (life.first, life.last) == (NOON.timestamp(), NOON.timestamp() + 7200)


def test_features_are_put_beside_the_bars_they_are_of() -> None:
    bars = Candles(ts=(0, 900, 1800))
    (column,) = aligned({"rsi_14": ((900, 1800, 2700), (50.0, None, 60.0))}, bars).values()
    np.testing.assert_array_equal(column, [np.nan, 50.0, np.nan])
    choice = Choice(symbol="A-B", timeframe=Timeframe.M15, over=("bollinger", "ema_9"), below="rsi_14")
    assert features_of(choice) == ("bb_20_percent_b", "bb_20_width", "ema_9_distance", "rsi_14")


def test_charts_of_the_same_bars_ask_for_marks_from_the_same_moment() -> None:
    first = [first_moment(Candles(ts=(90_000 * 5 + 900 * shift,)), Timeframe.M15) for shift in (0, 1, 99, 100)]
    assert first[0] == first[1] == first[2] < first[3]


@pytest.mark.parametrize(("value", "text"), [
    (None, "\u2013"), (12.4, "12"), (1_234.0, "1.2 k"), (435_783_382.0, "435.8 M"), (2.5e9, "2.5 B"),
])  # fmt: skip
def test_large_amounts_are_told_shortly(value: float | None, text: str) -> None:
    assert compact(value) == text


def test_one_trade_among_thousands_of_looks_is_still_seen() -> None:
    assert bar_widths([10_000, 100, 1, 0]) == [100.0, 10.0, 1.0, 0.0]
    assert bar_widths([0, 0]) == [0.0, 0.0]


def test_reasons_are_ranked_over_all_steps() -> None:
    steps = funnel_of(
        [
            LookCount(strategy="dca", account=None, last_step=FunnelStep.SCANS, stopped_by="no_setup", looks=90),
            LookCount(strategy="dca", account="paper", last_step=FunnelStep.SCORED, stopped_by="no_cash", looks=8),
            LookCount(strategy="dca", account="paper", last_step=FunnelStep.CLOSED, stopped_by=None, looks=2),
        ],
        "paper",
    )
    assert reason_rows(steps) == [
        {"reason": "no_setup", "after": "looks", "count": 90},
        {"reason": "no_cash", "after": "signals", "count": 8},
    ]
    assert reason_rows(funnel_of([], None)) == []


BROKEN = Broken(where="features", says="no 15m features", do="start it")


@pytest.mark.parametrize(("changes", "light"), [
    ({}, ("scanning", "good")),
    ({"is_alive": False}, ("its scanner is silent", "bad")),
    ({"broken": BROKEN}, ("held up: features", "warn")),
    ({"broken": BROKEN, "is_alive": False}, ("held up: features", "bad")),
    ({"is_scanned": False, "is_alive": False}, ("has no scanner", "quiet")),
])  # fmt: skip
def test_a_strategy_s_light_says_what_holds_it_up(changes: dict[str, Any], light: tuple[str, str]) -> None:
    usual: dict[str, Any] = {
        "strategy": "dca", "timeframe": Timeframe.M15, "is_scanned": True, "is_alive": True, "looked_at": NOON,
        "broken": None, "parameters": "its file", "trouble": None,
        "champion": Champion(strategy="dca", model_id=3, promoted_at=None),
    }  # fmt: skip
    assert state_light(StrategyState(**usual | changes)) == light


@pytest.mark.parametrize(("text", "zone", "moment"), [
    ("2026-03-01T13:00", "Europe/Berlin", NOON),
    ("2026-03-01T07:00", "America/New_York", NOON),
    ("2026-03-01T12:00", "UTC", NOON),
    ("", "UTC", None), (None, "UTC", None), ("soon", "UTC", None),
    ("2026-03-01T12:00", "Moon/Base", NOON), ("2026-03-01T12:00", "Europe", NOON),
    ("0001-01-01T00:00", "Asia/Tokyo", None), ("9999-12-31T23:59", "America/New_York", None),
])  # fmt: skip
def test_what_is_typed_is_a_moment_in_the_viewer_s_zone(text: str | None, zone: str, moment: datetime | None) -> None:
    assert moment_in(text, zone) == moment


def fact(**changes: Any) -> dict[str, Any]:
    return {
        "name": "rsi_14", "kind": "gate", "holds": False, "observed": 45.3391, "relation": "<=", "limit": 38.0,
        "of": "max_rsi", "margin": -7.3391, "reason": "no_setup", "points": None, "parts": [],
    } | changes  # fmt: skip


def test_conditions_are_told_with_numbers_under_titles_and_parts_under_their_whole() -> None:
    part = fact(name="adx", relation=">", of="", limit=45.0, observed=None, margin=None)
    rows = condition_rows([
        fact(), fact(name="no knife", relation="any of", limit=None, of="", observed=None, margin=None, parts=[part]),
        fact(name="drop", kind="score", relation="0 at 0, 1 at", points=0.25, of="", reason=None),
    ])  # fmt: skip
    assert [each["name"] for each in rows] == ["GATES", "rsi_14", "no knife", "\u2003adx", "SCORES", "drop"]
    assert rows[1] | {} == {
        "met": "\u2718", "name": "rsi_14", "observed": 45.34, "must": "\u2264 38 (max rsi)", "off": 7.339,
        "reason": "no_setup",
    }  # fmt: skip
    assert (rows[3]["must"], rows[3]["observed"], rows[3]["reason"]) == ("> 45", BLANK, BLANK)
    assert (rows[5]["met"], rows[5]["off"]) == ("=", 0.25)


def test_features_that_were_not_known_come_first_with_the_reason() -> None:
    features = [
        {"name": "natr_14", "value": 0.4, "optional": False, "why": ""},
        {"name": "h1_rsi_14", "value": None, "optional": True, "why": "the hour is not there"},
    ]
    assert feature_rows(features) == [
        {"name": "h1_rsi_14 (optional)", "value": None, "why": "the hour is not there"},
        {"name": "natr_14", "value": 0.4, "why": BLANK},
    ]


@pytest.mark.parametrize(("decision", "reason", "light"), [
    (None, None, ("no look", "quiet")), ("SIGNAL", "setup", ("signal", "good")),
    ("SKIP", "no_setup", ("skipped: no setup", "plain")),
])  # fmt: skip
def test_the_decision_has_a_light(decision: str | None, reason: str | None, light: tuple[str, str]) -> None:
    assert decision_light({"decision": decision, "reason": reason}) == light


def test_a_lock_of_years_is_one_until_somebody_ends_it() -> None:
    lock = Lock(protection="pause", symbol=None, strategy="dca", locked_at=NOON, until=NOON, note="paused by me")
    assert lock_row(lock)["what"] == "dca"
    assert lock_row(lock)["until"] == NOON
    long = Lock(
        protection="halt", symbol=None, strategy=None, locked_at=NOON, until=NOON + timedelta(days=3650), note="halted"
    )
    assert lock_row(long) | {"locked_at": None} == {
        "protection": "halt", "symbol": None, "strategy": None, "locked_at": None, "until": None,
        "note": "halted; until somebody ends it", "what": "all of it",
    }  # fmt: skip
