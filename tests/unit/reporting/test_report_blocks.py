"""A report says what there is, and stays a message that Slack takes however much that is."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tracker.runtime.reporting.block_kit import readable
from tracker.runtime.reporting.presentation import money, percent, price
from tracker.runtime.reporting.report_blocks import lay_out
from tracker.testing.slack_limits import refusal

AT = "2024-03-01T12:00:00+00:00"
NAMES = st.text(min_size=1, max_size=300)
AMOUNTS = st.floats(-1e12, 1e12) | st.none()
KINDS = st.sampled_from(["morning", "evening", "weekly"])


def empty(**more: Any) -> dict[str, Any]:
    return {
        "kind": "morning", "due_at": AT, "made_at": AT, "since": AT, "zone": "Europe/Berlin", "tag": None,
        "source": "polygon", "late": False, "skipped": 0, "asked_by": None, "accounts": [],
        "curve": {"points": []}, "positions": [], "scanned_through": None, "funnel": [], "stopped_by": [],
        "funnel_since": None, "shadow": [], "champions": [], "verdicts": [], "coverage": [],
        "data": {"active": 0, "unsupported": 0, "paused": 0, "closed_through": None, "open_gaps": 0, "gap_symbols": 0,
                 "gap_since": None, "healed_bars": 0, "rejected": 0},
        "looked_at": None, "findings": 0, "failing": [], "trading": [], "alerts": [],
        "fleet": {"services": 0, "rss_bytes": 0, "restarts": 0, "unwell": 0}, **more,
    }  # fmt: skip


def account(name: str, amount: float, trades: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "account": name, "currency": "USD", "state": "ACTIVE", "equity": amount, "capital": 1_000.0, "pnl": amount,
        "pnl_today": amount, "pnl_since": amount, "through": AT, "since": AT, "day": AT, "open_positions": 3,
        "all_trades": 9, "books_since": AT, "trades": trades, "trade_count": len(trades) + 7, "trade_wins": 1,
        "trade_pnl": amount, "symbols_since": AT, "drawdown": {"now": 0.01, "worst": None},
        "symbols": [{"symbol": name, "trades": 2, "pnl": amount or 0.0}],
    }  # fmt: skip


def row(name: str, amount: float | None) -> dict[str, Any]:
    """Return a row that does for positions, trades and findings alike."""
    return {
        "account": name, "symbol": name, "strategy": name, "unrealised_pnl": amount, "average_price": amount,
        "last_price": amount, "stop_price": amount, "target_price": amount, "pnl": amount, "move": amount,
        "exit_reason": name, "exit_time": AT, "name": name, "group": name, "severity": "critical", "observed": name,
        "limit": name, "since": AT, "advice": name, "fingerprint": name, "state": "open", "first_at": AT,
        "recovered_at": None, "repeats": 3, "variation": name, "total_return": amount, "trades": 3, "dsr": amount,
        "max_drawdown": amount, "changes": "{}", "variations": 9, "step": name, "count": 4, "reason": name,
        "model_id": 3, "promoted": True, "passed": False, "failed": name, "note": name,
    }  # fmt: skip


@given(
    names=st.lists(NAMES, max_size=90), amount=AMOUNTS, kind=KINDS,
    tag=st.sampled_from([None, "SIMULATED", "REPLAY"]),
)  # fmt: skip
def test_slack_takes_every_report(names: list[str], amount: float | None, kind: str, tag: str | None) -> None:
    rows = [row(name, amount) for name in names]
    document = empty(
        kind=kind, tag=tag, positions=rows, shadow=rows, failing=rows, findings=len(rows), looked_at=AT, alerts=rows,
        trading=rows, funnel=rows, stopped_by=rows, verdicts=rows,
        accounts=[account(name, amount or 0.0, rows[:40]) for name in names[:30]],
    )  # fmt: skip
    message = lay_out(document)
    assert refusal(message.payload) is None
    if tag is not None:
        assert message.text.startswith(f"[{tag}] ")
        assert f"[{tag}] " in message.blocks[0]["text"]["text"]


def test_what_is_not_there_says_why() -> None:
    said = readable(lay_out(empty()))
    for words in ("No paper account yet", "Nothing was scanned", "No variation has traded", "so no model is asked",
                  "The health monitor has never looked", "None was closed.", "No gap is open."):  # fmt: skip
        assert words in said


def test_a_real_market_bears_no_mark() -> None:
    assert "[" not in lay_out(empty()).text


@pytest.mark.parametrize(("written", "words"), [
    (money(1234.5, "USD", sign=True), "+1,234.50 USD"), (money(-0.001), "0.00"), (money(None), "n/a"),
    (money(-250_000.4, "USD"), "-250,000 USD"), (money(float("nan")), "n/a"), (money(0.0, sign=True), "0.00"),
    (percent(0.01234, sign=True), "+1.23%"), (percent(-0.5, 1), "-50.0%"), (percent(None), "n/a"),
    (price(0.000012345), "0.000012345"), (price(64_123.456), "64,123"), (price(1.5), "1.5000"), (price(0.0), "0"),
])  # fmt: skip
def test_numbers_read_well(written: str, words: str) -> None:
    assert written == words
