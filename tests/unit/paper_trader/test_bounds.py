"""How far the ledger may go."""

from __future__ import annotations

from datetime import datetime

import pytest
from tracker.domain.errors import ConfigError
from tracker.domain.signal import Strategy
from tracker.domain.timeframe import Timeframe
from tracker.quant.strategies import RULES
from tracker.runtime.settings import load_settings
from tracker.store.bars import Watermark
from tracker.store.paper import ScanWatermark
from tracker.testing.clock import FixedClock
from tracker.testing.paper_world import minutes
from tracker.testing.trades import NOON

from services.paper_trader.bounds import ScanPatience, bars_bound, finest_watermark
from services.paper_trader.service import strategies_of
from services.paper_trader.settings import PaperTraderSettings


def mark(timeframe: Timeframe, closed_through: datetime) -> Watermark:
    """Return a watermark opened at noon."""
    return Watermark(timeframe=timeframe, opened_at=NOON, closed_through=closed_through)


def scan(closed_through: datetime) -> ScanWatermark:
    """Return the scan watermark of a strategy on 15m closes."""
    return ScanWatermark(timeframe=Timeframe.M15, closed_through=closed_through)


def test_bars_bound_is_the_last_minute_with_all_its_closes() -> None:
    marks = {
        Timeframe.M1: mark(Timeframe.M1, NOON + minutes(12)),
        Timeframe.M5: mark(Timeframe.M5, NOON + minutes(5)),
    }
    assert bars_bound(marks, {Timeframe.M1}) == NOON + minutes(12)
    assert bars_bound(marks, {Timeframe.M1, Timeframe.M5}) == NOON + minutes(9)
    assert bars_bound(marks, {Timeframe.M15}) is None
    assert bars_bound({}, {Timeframe.M1}) is None


def test_the_finest_watermark_starts_the_ledger() -> None:
    marks = {Timeframe.H1: mark(Timeframe.H1, NOON), Timeframe.M5: mark(Timeframe.M5, NOON)}
    finest = finest_watermark(marks)
    assert finest is not None
    assert finest.timeframe is Timeframe.M5
    assert finest_watermark({}) is None


def patience(grace: float | None) -> ScanPatience:
    """Return patience with two strategies."""
    return ScanPatience((Strategy("dca"), Strategy("swing")), grace, FixedClock(NOON))


def test_every_strategy_is_waited_for() -> None:
    waiting = patience(None)
    wanted = NOON + minutes(40)
    assert waiting.bound({}, NOON, wanted) is None
    assert waiting.bound({Strategy("dca"): scan(NOON)}, NOON, wanted) is None
    both = {Strategy("dca"): scan(NOON + minutes(15)), Strategy("swing"): scan(NOON + minutes(60))}
    assert waiting.bound(both, NOON, wanted) == NOON + minutes(29)
    assert waiting.bound(dict.fromkeys(RULES, scan(NOON + minutes(60))), NOON, wanted) == wanted


def test_the_wait_without_grace_has_no_end() -> None:
    waiting = patience(None)
    waiting.bound({}, NOON, NOON + minutes(1))
    waiting.clock.advance(1e9)  # type: ignore[attr-defined]
    assert waiting.bound({}, NOON, NOON + minutes(1)) is None


def test_only_standing_still_uses_the_grace_up() -> None:
    waiting = patience(60)
    wanted = NOON + minutes(240)
    for quarter in range(8):
        waiting.clock.advance(50)  # type: ignore[attr-defined]
        scans = dict.fromkeys((Strategy("dca"), Strategy("swing")), scan(NOON + minutes(15 * quarter)))
        assert waiting.bound(scans, NOON, wanted) == NOON + minutes(15 * quarter + 14)
    assert waiting.given_up == set()
    waiting.clock.advance(61)  # type: ignore[attr-defined]
    assert waiting.bound(scans, NOON, wanted) == wanted
    assert waiting.given_up == {Strategy("dca"), Strategy("swing")}


def test_one_that_was_given_up_is_waited_for_again_once_it_caught_up() -> None:
    waiting = ScanPatience((Strategy("dca"),), 60, FixedClock(NOON))
    wanted = NOON + minutes(100)
    waiting.bound({}, NOON, wanted)
    waiting.clock.advance(61)  # type: ignore[attr-defined]
    assert waiting.bound({}, NOON, wanted) == wanted
    assert waiting.bound({Strategy("dca"): scan(NOON + minutes(15))}, wanted, wanted) == wanted
    behind = {Strategy("dca"): scan(NOON + minutes(90))}
    assert waiting.bound(behind, wanted, wanted + minutes(30)) == NOON + minutes(104)
    assert waiting.given_up == set()


def test_settings_from_words() -> None:
    chosen = load_settings(PaperTraderSettings, {"strategies": "dca, swing", "signal_grace_seconds": "none"})
    assert chosen.strategies == (Strategy("dca"), Strategy("swing"))
    assert chosen.signal_grace_seconds is None
    assert load_settings(PaperTraderSettings, {"signal_grace_seconds": "5"}).signal_grace_seconds == 5
    assert strategies_of(chosen) == chosen.strategies


def test_all_that_are_scanned_are_waited_for_unless_told_otherwise() -> None:
    assert sorted(strategies_of(load_settings(PaperTraderSettings))) == ["channel", "dca", "swing"]


def test_one_that_is_nowhere_is_not_waited_for() -> None:
    chosen = load_settings(PaperTraderSettings, {"strategies": "dca,scalping"})
    with pytest.raises(ConfigError, match="strategies = 'scalping': there is no such file in configs/strategies"):
        strategies_of(chosen)


@pytest.mark.parametrize(
    ("name", "value"),
    [("strategies", "dca,Scalping"), ("signal_grace_seconds", "-1"), ("batch_minutes", "0")],
)
def test_bad_settings_are_named(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"PAPER_TRADER_{name.upper()}", value)
    with pytest.raises(ConfigError, match=name):
        load_settings(PaperTraderSettings)
