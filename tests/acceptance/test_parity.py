"""`tracker verify parity` after a replay: nothing differs, and whatever is changed afterwards is named."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tracker.testing.candle_files import cut_candles

from tests.acceptance.conftest import Outcome

# Each changes one thing of what was decided or booked, or what it was decided on.
CHANGES = {
    "a look's reason": (
        "UPDATE tracker.scan_history SET reason = 'trend_against' WHERE scan_id ="
        " (SELECT min(scan_id) FROM tracker.scan_history WHERE reason = 'no_setup')",
        ("look", "reason", "trend_against", "no_setup"),
    ),
    "a look that was not taken": (
        "DELETE FROM tracker.scan_history WHERE scan_id = (SELECT max(scan_id) FROM tracker.scan_history"
        " WHERE decision = 'SKIP')",
        ("look", "row", None, "there"),
    ),
    "a signal's stop": (
        "UPDATE tracker.signals SET stop = stop * 1.001 WHERE signal_id = (SELECT max(signal_id) FROM tracker.signals)",
        ("signal", "stop", None, None),
    ),
    "a fill's price": (
        "UPDATE tracker.fills SET price = price + 1 WHERE fill_id = (SELECT max(fill_id) FROM tracker.fills)",
        ("fill", "price", None, None),
    ),
    "an order that never was": (
        "DELETE FROM tracker.orders WHERE order_id ="
        " (SELECT max(order_id) FROM tracker.orders WHERE status = 'refused')",
        ("order", "row entry", None, "there"),
    ),
    "a bar": (
        "UPDATE tracker.ohlc_data SET close = high, volume = volume * 3 WHERE timeframe = '15m'"
        " AND ts = (SELECT max(ts) - interval '6 hours' FROM tracker.ohlc_data WHERE timeframe = '15m')",
        ("look", "strength", None, None),
    ),
}


@pytest.mark.timeout(300)
def test_a_replay_decides_as_a_backtest_does_and_what_is_changed_is_named(
    tracker: Callable[..., Outcome], shared_candles: Path, tmp_path: Path
) -> None:
    cut = cut_candles(
        shared_candles / "BTC-PERP_1m_2022-01.csv", tmp_path / "candles" / "BTC-PERP_1m_cut.csv", skip=5_000, rows=9_000
    )
    assert tracker("replay", "--candles", str(cut), "--json").code == 0
    outcome = tracker("verify", "parity", "--json")
    assert outcome.code == 0, outcome.err
    found = outcome.document
    assert found["ok"] is True
    assert found["differences"] == []
    assert found["looks"] > 1_500
    assert min(found[name] for name in ("signals", "orders", "fills", "trades")) > 0
    known: list[Any] = []
    for name, (statement, (what, field, was, now)) in CHANGES.items():
        assert tracker("psql", "--replay", "-c", statement).code == 0
        outcome = tracker("verify", "parity", "--json")
        assert outcome.code == 1, name
        fresh = [each for each in outcome.document["differences"] if each not in known]
        known += fresh
        named = [each for each in fresh if each["what"] == what and each["name"].split(" ")[0] == field.split(" ")[0]]
        assert named, (name, fresh)
        if was is not None or now is not None:
            assert (named[0]["was"], named[0]["now"]) == (was, now), name
        if name == "a bar":
            assert named[0]["inputs"]
    assert "differences" in tracker("verify", "parity").out
    assert tracker("psql", "--replay", "-c", "DELETE FROM tracker.scan_history WHERE strategy = 'dca'").code == 0
    outcome = tracker("verify", "parity", "--json")
    assert (outcome.code, outcome.document["never_scanned"]) == (1, ["dca"])


def test_nothing_decided_is_one_sentence(tracker: Callable[..., Outcome]) -> None:
    outcome = tracker("verify", "parity")
    assert outcome.code == 2
    assert "nothing was decided" in outcome.err
    assert len(outcome.err.strip().splitlines()) == 1
