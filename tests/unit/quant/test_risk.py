"""Which signals may become trades."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import Any

import pytest
from tracker.domain.order import RefusalReason
from tracker.domain.signal import Side, Strategy
from tracker.quant.risk import Portfolio, RiskConfig, RiskLimits, judge, signal_defect
from tracker.quant.sizing import AdaptivePositionSizer, Approved, Refused, Situation, SizingParams
from tracker.testing.trades import FREE, NOON, make_instrument, make_signal

CONFIG = RiskConfig(
    sizing=SizingParams(risk_per_trade=0.02, size_multiplier=1.5, max_position_share=0.2),
    limits=RiskLimits(max_open_positions=2),
)
SIZER = AdaptivePositionSizer(limits=CONFIG.numbers(FREE), execution=FREE)
RICH: dict[str, Any] = {"situation": Situation(equity=10_000.0, free_cash=10_000.0)}


def verdict(portfolio: Portfolio, **changes: Any) -> Approved | Refused:
    """Judge the usual signal with changes."""
    return judge(make_signal(**changes), make_instrument(), portfolio, CONFIG.limits, SIZER)


def test_an_empty_portfolio_takes_it() -> None:
    assert isinstance(verdict(Portfolio(live=frozenset(), **RICH)), Approved)


def test_another_strategy_may_hold_the_same_symbol() -> None:
    assert isinstance(verdict(Portfolio(live={(Strategy("dca"), 1)}, **RICH)), Approved)


@pytest.mark.parametrize(
    ("portfolio", "changes", "reason"),
    [
        (Portfolio(live={(Strategy("swing"), 1)}, **RICH), {}, RefusalReason.ALREADY_OPEN),
        (
            Portfolio(live={(Strategy("swing"), 2), (Strategy("dca"), 3)}, **RICH),
            {},
            RefusalReason.TOO_MANY_POSITIONS,
        ),
        (Portfolio(live=frozenset(), situation=Situation(equity=0.0, free_cash=100.0)), {}, RefusalReason.NO_EQUITY),
        (Portfolio(live=frozenset(), situation=Situation(equity=10_000.0, free_cash=1.0)), {}, RefusalReason.NO_CASH),
        (Portfolio(live=frozenset(), **RICH), {"side": Side.SHORT}, RefusalReason.SIDE_NOT_SUPPORTED),
        (Portfolio(live=frozenset(), **RICH), {"stop": 100.0}, RefusalReason.INVALID_SIGNAL),
    ],
)
def test_refusals_carry_reason_and_note(
    portfolio: Portfolio, changes: dict[str, Any], reason: RefusalReason
) -> None:
    refused = verdict(portfolio, **changes)
    assert isinstance(refused, Refused)
    assert refused.reason is reason
    assert refused.note


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"entry": math.nan}, "finite"),
        ({"target": math.inf}, "finite"),
        ({"stop": 0.0}, "above 0"),
        ({"stop": 100.0}, "rise"),
        ({"target": 100.0}, "rise"),
        ({"ladder": (97.0, 98.0), "size_weights": (0.4, 0.3, 0.3)}, "rise"),
        ({"ladder": (95.0,), "size_weights": (0.5, 0.5)}, "rise"),
        ({"ladder": (98.0,)}, "size_weights"),
        ({"size_weights": (0.9,)}, "sum to 1"),
        ({"ladder": (98.0,), "size_weights": (1.0, 0.0)}, "above 0"),
        ({"expires_at": NOON}, "expires_at"),
        ({"expires_at": NOON - timedelta(hours=1)}, "expires_at"),
        ({"trail_distance": -1.0}, "trail_distance"),
        ({"trail_distance": math.nan}, "trail_distance"),
        ({"break_even_distance": -1.0}, "break_even_distance"),
        ({"break_even_distance": math.inf}, "break_even_distance"),
        ({"target_fraction": 0.0}, "target_fraction"),
        ({"target_fraction": math.nan}, "target_fraction"),
    ],
)
def test_defects_are_named(changes: dict[str, Any], word: str) -> None:
    defect = signal_defect(make_signal(**changes))
    assert defect is not None
    assert word in defect


def test_sound_signals_have_no_defect() -> None:
    assert signal_defect(make_signal()) is None
    assert (
        signal_defect(make_signal(ladder=(98.0, 96.0), size_weights=(0.2, 0.3, 0.5), target_fraction=0.01))
        is None
    )
