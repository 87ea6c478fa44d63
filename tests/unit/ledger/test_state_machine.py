"""Whatever market, strategies, people and restarts do: never a digit apart from a ledger written from words."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import replace
from typing import ClassVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test
from paper_machine import PaperMachine

# `TRACKER_MACHINE_RUNS=200 pytest tests/unit/ledger -s` runs it long, and prints what it saw.
RUNS = int(os.environ.get("TRACKER_MACHINE_RUNS", "24"))
STEPS = 50


def run(machine: type[PaperMachine], *phases: Phase) -> None:
    """Run a machine; raises AssertionError where the ledgers are apart."""
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=RUNS,
            stateful_step_count=STEPS,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            phases=phases or tuple(Phase),
            database=None,
        ),
    )


@pytest.mark.timeout(3600)
def test_the_ledger_is_never_apart_from_a_naive_one() -> None:
    run(PaperMachine)
    counts = PaperMachine.counts
    print(dict(sorted(counts.items())))
    for what in ("fills", "restarts", "closed trades", "refused for stale_price", "refused for already_open"):
        assert counts[what] > 0, what


class DearerMachine(PaperMachine):
    """The same, but for a naive ledger that pays a hundredth of a basis point more when it crosses the market."""

    counts: ClassVar[Counter[str]] = Counter()

    def begin(self) -> None:
        """Change the fee of the one ledger."""
        execution = self.naive.execution
        self.naive.execution = replace(execution, taker_fee_bps=execution.taker_fee_bps + 0.01)


class LateMachine(PaperMachine):
    """The same, but for a naive ledger that keeps an entry waiting for one bar more."""

    counts: ClassVar[Counter[str]] = Counter()

    def begin(self) -> None:
        """Change the patience of the one ledger."""
        execution = self.naive.execution
        self.naive.execution = replace(execution, entry_valid_bars=execution.entry_valid_bars + 1)


@pytest.mark.parametrize("machine", [DearerMachine, LateMachine])
def test_a_ledger_that_is_apart_is_found_out(machine: type[PaperMachine]) -> None:
    with pytest.raises(AssertionError):
        run(machine, Phase.generate)
