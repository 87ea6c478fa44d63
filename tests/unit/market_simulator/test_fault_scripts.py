"""Scripts of random faults: the same seed is the same script, and no fault is left out."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from services.market_simulator.faults import FaultKind
from services.market_simulator.script import FaultCase, ScriptOrder, fault_script

START = 1_772_488_800
SYMBOLS = ("ADA-USD", "BTC-USD", "ETH-USD")


@given(seed=st.integers(0, 2**40), hours=st.floats(0.5, 6), per_hour=st.floats(1, 90))
def test_a_script_is_its_seed_and_stays_within_its_hours(seed: int, hours: float, per_hour: float) -> None:
    order = ScriptOrder(seed=seed, hours=hours, per_hour=per_hour)
    plan = fault_script(order, START, SYMBOLS).plan
    assert fault_script(order, START, SYMBOLS).plan == plan
    assert len(plan) == round(hours * per_hour)
    assert [each.at for each in plan] == sorted(each.at for each in plan)
    assert all(START < each.at <= START + hours * 3600 for each in plan)
    assert {symbol for each in plan for order in each.orders for symbol in order.symbols} <= set(SYMBOLS)


def test_another_seed_is_another_script() -> None:
    plans = [fault_script(ScriptOrder(seed=seed), START, SYMBOLS).plan for seed in (1, 2)]
    assert plans[0] != plans[1]


def test_every_fault_comes_before_any_comes_again() -> None:
    plan = fault_script(ScriptOrder(seed=3, hours=1, per_hour=2 * len(FaultCase)), START, SYMBOLS).plan
    first, second = plan[: len(FaultCase)], plan[len(FaultCase) :]
    assert {each.case for each in first} == {each.case for each in second} == set(FaultCase)
    kinds = {order.kind for each in plan for order in each.orders}
    assert kinds == set(FaultKind) - {FaultKind.AUTH_FAILURE}


def test_what_falls_due_comes_one_by_one() -> None:
    script = fault_script(ScriptOrder(seed=3, hours=1, per_hour=3), START, SYMBOLS)
    assert script.take_due(START) is None
    taken = [script.take_due(START + 3600) for _ in range(4)]
    assert taken == [*script.plan, None]
    assert script.ahead == 0
