"""The compiled rules round like the plain ones, and the two forms of a trade are one."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from test_execution_properties import candles, rules, trades
from tracker.domain.candle import Candle
from tracker.quant import compiled, kernel
from tracker.quant.execution import ExecutionParams, numbers_of, observe, volume_budget
from tracker.quant.trade import Trade


@settings(deadline=None)
@given(trades(), candles(), rules(), st.sampled_from([math.inf, 300.0, 1_200.0]))
def test_the_compiled_kernel_is_the_plain_one_bit_for_bit(
    trade: Trade, bars: list[Candle], params: ExecutionParams, cash: float
) -> None:
    plain, plain_rungs = numbers_of(trade, 0.0, 0.0)
    fast, fast_rungs = np.array(plain), np.array(plain_rungs).reshape(-1, 2)
    out = [[0.0] * kernel.OUT_SIZE for _ in range(len(plain_rungs) + 2)]
    fast_out = np.zeros((len(plain_rungs) + 2, kernel.OUT_SIZE))
    numbers = params.numbers()
    for bar in bars:
        for each in (plain, fast):
            each[kernel.BUDGET], each[kernel.CASH] = volume_budget(bar, params), cash
        count = kernel.walk(plain, plain_rungs, bar, numbers, out)
        assert compiled.walk(fast, fast_rungs, np.array(bar, dtype=np.float64), np.array(numbers), fast_out) == count
        assert np.array_equal(np.array(plain), fast, equal_nan=True)
        assert np.array_equal(np.array(plain_rungs).reshape(-1, 2), fast_rungs)
        assert np.array_equal(np.array(out[:count]).reshape(-1, kernel.OUT_SIZE), fast_out[:count])


@given(trades(), candles())
def test_a_trade_observes_a_bar_as_its_numbers_do(trade: Trade, bars: list[Candle]) -> None:
    trade.held, trade.bought, trade.cost = 10.0, 10.0, 1_000.0
    numbers, rungs = numbers_of(trade, 0.0, 0.0)
    for bar in bars:
        observe(trade, bar)
        kernel.observe(numbers, bar)
        assert numbers_of(trade, 0.0, 0.0) == (numbers, rungs)
