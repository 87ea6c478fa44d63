"""Two simulated hours of random faults: the database ends with exactly the exchange's truth."""

from __future__ import annotations

from pathlib import Path

import pytest
from tracker.testing.exchange import exchanges
from tracker.testing.fault_run import FaultRun

from services.market_simulator.faults import FaultKind
from services.market_simulator.script import FaultCase

SEED = 1
GROWTH_MB, MEMORY_MB = 6, 150


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_two_hours_of_every_fault_leave_exactly_the_exchanges_truth(database_url: str, tmp_path: Path) -> None:
    with exchanges() as start_exchange:
        report = FaultRun(seed=SEED, start_exchange=start_exchange, database_url=database_url, folder=tmp_path).run()
    assert not report.problems, "\n".join((f"seed {SEED}, {tmp_path}:", *report.problems))
    told = f"seed {SEED}, {tmp_path}: {report}"
    # What should have happened did: every fault struck, bars were compared, corrections and bad bars among them.
    assert report.faults.keys() == set(FaultCase), told
    assert report.strokes.keys() == set(FaultKind), told
    assert report.not_ordered == 0, told
    assert report.bars > 84 * 140, told
    assert report.revised > 0, told
    assert report.rejected > 0, told
    assert report.empty > 0, told
    assert report.rss_growth < GROWTH_MB, told
    assert report.rss_last < MEMORY_MB, told
