"""The hunt for look-ahead finds what is planted, names it, and accuses nobody else."""

from __future__ import annotations

import numpy as np
import pytest
from planted import LEAKS, leaking_features, with_leak
from quant_builders import M15, bars_from, default_params, walk
from tracker.domain.errors import InputError
from tracker.domain.signal import SkipReason, Strategy
from tracker.quant.bars import BarArrays
from tracker.quant.strategies import RULES
from tracker.quant.strategies.inputs import features_read
from tracker.quant.verify.lookahead import Finding, look_ahead, random_cuts
from tracker.quant.verify.subject import Known, Subject, code_of, features_subject, strategy_subject
from tracker.quant.verify.synthetic import START, synthetic_market

SERIES = dict(enumerate(synthetic_market(1_500, M15).values()))
CUTS = random_cuts(SERIES, 3, 1, M15)
NAMES = (
    "ema_21_distance", "rsi_14", "h1_ema_21_distance", "btc_beta_96", "return_rank_16", "breadth_ema_21", "hour_sin",
)  # fmt: skip
HONEST = features_subject(M15, 0, NAMES)


def by_name(findings: list[Finding]) -> dict[str, Finding]:
    return {each.column: each for each in findings}


def test_honest_features_are_clean() -> None:
    found = by_name(look_ahead([HONEST], SERIES, CUTS, M15))
    assert set(found) == set(NAMES)
    assert {each.verdict for each in found.values()} == {"clean"}
    assert all(each.known > 1_000 and each.first is None for each in found.values())


@pytest.mark.parametrize("leak", LEAKS)
def test_a_planted_leak_is_named_and_nothing_else(leak: str) -> None:
    found = by_name(look_ahead([with_leak(leak, HONEST)], SERIES, CUTS, M15))
    assert {name for name, each in found.items() if each.verdict == "leaks"} == {leak}
    first = found[leak].first
    assert first is not None
    assert first.decided_at <= CUTS[-1]
    assert not first.whole == first.other
    assert found[leak].changed > 0


@pytest.mark.parametrize("strategy", list(RULES))
@pytest.mark.parametrize("leak", ["shift_minus_1", "unclosed_hour"])
def test_a_strategy_on_a_leaking_feature_leaks(strategy: Strategy, leak: str) -> None:
    rule = RULES[strategy]
    for features, expected in (
        (features_subject, False),
        (leaking_features("natr_14", leak), True),
    ):
        subject = strategy_subject(rule, default_params(strategy), features(M15, 0, features_read(rule)))
        found = by_name(look_ahead([subject], SERIES, CUTS, M15))
        assert {"is_signal", "reason", "strength", "stop", "regime", "expires_at"} <= set(found)
        assert any(each.verdict == "leaks" for each in found.values()) == expected


def test_rows_that_come_and_go_are_a_leak() -> None:
    def compute(series: dict[int, BarArrays], _through: int) -> dict[int, Known]:
        # Only bars up to the highest of all: which one that is, is known afterwards.
        peaks = {key: int(np.argmax(bars.high)) + 1 for key, bars in series.items()}
        return {
            key: Known(decided_at=bars.ts[: peaks[key]] + M15, columns={"close": bars.close[: peaks[key]]})
            for key, bars in series.items()
        }

    bars = {0: bars_from(np.concatenate([np.linspace(100.0, 150.0, 250), np.linspace(150.0, 140.0, 150)]), 1.0)}
    found = look_ahead([Subject(name="peaks", compute=compute)], bars, random_cuts(bars, 8, 0, M15), M15)
    assert [each.verdict for each in found] == ["leaks"]


def test_what_is_never_known_is_not_called_clean() -> None:
    found = by_name(look_ahead([features_subject(M15, 0, ("d1_ema_50_distance", "rsi_14"))], SERIES, CUTS, M15))
    assert found["d1_ema_50_distance"].verdict == "never known"
    assert found["rsi_14"].verdict == "clean"


def test_too_few_bars_are_refused() -> None:
    with pytest.raises(InputError, match="5 bars are too few"):
        random_cuts({0: walk(5)}, 3, 0, M15)


def test_cuts_are_closes_and_repeat_with_the_seed() -> None:
    assert CUTS == sorted(set(CUTS)) == random_cuts(SERIES, 3, 1, M15) != random_cuts(SERIES, 3, 2, M15)
    assert all((cut - START) % M15 == 0 for cut in CUTS)


def test_every_reason_has_a_code_of_its_own() -> None:
    codes = [code_of(None), *(code_of(each) for each in SkipReason)]
    assert len(set(codes)) == len(codes)
