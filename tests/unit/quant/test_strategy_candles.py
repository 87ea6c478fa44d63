"""The rules on real candles: a sensible number of signals, and none that a later bar could change."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from quant_builders import default_params, frame_of, read_candles
from tracker.domain.signal import SkipReason, Strategy
from tracker.quant.strategies import RULES, Proposals

FOUR_HOURS = 4 * 3600
OTHERS = ("ETH-BTC_5m_2018-01", "LTC-BTC_5m_2018-01", "XMR-BTC_5m_2018-01", "ADA-BTC_5m_2018-01")


def spaced(times: np.ndarray) -> int:
    """Count signals at least four hours apart, as a symbol in a trade takes no second one."""
    count, last = 0, -FOUR_HOURS
    for moment in times.tolist():
        if moment - last >= FOUR_HOURS:
            count, last = count + 1, moment
    return count


def signals_of(path: Path, strategy: Strategy) -> int:
    frame = frame_of(read_candles(path))
    result = RULES[strategy].evaluate(frame, default_params(strategy))
    return spaced(frame.decided_at[result.is_signal])


@pytest.mark.parametrize("strategy", list(RULES))
def test_a_month_of_bitcoin_gives_some_trades(shared_candles: Path, strategy: Strategy) -> None:
    assert 8 <= signals_of(shared_candles / "BTC-PERP_1m_2022-01.csv", strategy) <= 150


@pytest.mark.parametrize("strategy", list(RULES))
@pytest.mark.parametrize("name", OTHERS)
def test_other_coins_give_some_trades(shared_candles: Path, strategy: Strategy, name: str) -> None:
    assert 3 <= signals_of(shared_candles / f"{name}.csv", strategy) <= 100


@pytest.mark.parametrize("strategy", list(RULES))
def test_five_days_are_enough_to_trade(shared_candles: Path, strategy: Strategy) -> None:
    fine = read_candles(shared_candles / "BTC-PERP_1m_2022-01.csv").slice(0, 5 * 1440)
    frame = frame_of(fine)
    result = RULES[strategy].evaluate(frame, default_params(strategy))
    warming = np.array([reason is SkipReason.WARMING_UP for reason in result.reason])
    assert warming.sum() <= 205
    assert not warming[205:].any()


@pytest.mark.parametrize("strategy", list(RULES))
@pytest.mark.parametrize("minutes", [7_333, 20_001, 33_615])
def test_later_bars_change_no_decision(shared_candles: Path, strategy: Strategy, minutes: int) -> None:
    fine = read_candles(shared_candles / "BTC-PERP_1m_2022-01.csv")
    rule, params = RULES[strategy], default_params(strategy)
    then = rule.evaluate(frame_of(fine.slice(0, minutes)), params)
    now = rule.evaluate(frame_of(fine), params).take(np.arange(len(then)))
    for field in fields(Proposals):
        if getattr(then, field.name).dtype == object:
            assert getattr(then, field.name).tolist() == getattr(now, field.name).tolist()
        else:
            assert getattr(then, field.name).tobytes() == getattr(now, field.name).tobytes(), field.name
