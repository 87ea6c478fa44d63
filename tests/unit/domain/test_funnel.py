"""Whatever looks come to, the steps of the funnel add up."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from tracker.domain.funnel import LAST_STEP, FunnelStep, LookCount, funnel_of
from tracker.domain.signal import SkipReason

BY_ACCOUNT = (FunnelStep.SCORED, FunnelStep.APPROVED, FunnelStep.FILLED, FunnelStep.CLOSED)
skipped = st.builds(
    lambda reason, looks: LookCount(
        strategy="dca", account=None, last_step=LAST_STEP[reason], stopped_by=reason.value, looks=looks
    ),
    st.sampled_from(SkipReason),
    st.integers(1, 500),
)
signalled = st.builds(
    lambda account, step, reason, looks: LookCount(
        strategy="dca",
        account=account,
        last_step=step,
        stopped_by=None if step is FunnelStep.CLOSED else reason,
        looks=looks,
    ),
    st.sampled_from(["paper", "bold"]),
    st.sampled_from(BY_ACCOUNT),
    st.sampled_from(["already_open", "expired", "still_open"]),
    st.integers(1, 50),
)


def test_every_reason_to_skip_has_a_last_step() -> None:
    assert set(LAST_STEP) == set(SkipReason)
    assert set(LAST_STEP.values()) == {FunnelStep.SCANS, FunnelStep.SETUPS}


@given(st.lists(skipped), st.lists(signalled), st.sampled_from(["paper", "bold", None]))
def test_in_is_out_and_what_fell_out(skips: list[LookCount], signals: list[LookCount], account: str | None) -> None:
    steps = funnel_of([*skips, *signals], account)
    mine = [each for each in signals if each.account == account]
    assert [each.step for each in steps] == list(FunnelStep)
    for here, after in pairwise(steps):
        assert here.count == after.count + here.fell_out
    for step in steps:
        assert step.fell_out == sum(each.count for each in step.reasons)
        assert [each.count for each in step.reasons] == sorted((each.count for each in step.reasons), reverse=True)
    assert steps[0].count == sum(each.looks for each in [*skips, *mine])
    assert steps[2].count == sum(each.looks for each in mine)
    assert steps[-1].fell_out == 0
