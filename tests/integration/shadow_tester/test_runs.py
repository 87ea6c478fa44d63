"""Closes are tried once, whatever happens in between, and as the live account would have traded them."""

from __future__ import annotations

from typing import Any

import pytest
from tracker.store.database import Database

from services.shadow_tester.tester import ShadowTester


async def test_every_close_is_tried_with_every_variation(house: Any, shadow: Database) -> None:
    tester = house.tester(shadow)
    await house.run(tester)
    rows = await house.rows()
    assert tester.variations == {"dca": 7, "swing": 7}
    closes = {row["strategy"]: row["closed_through"] for row in rows["shadow_cursor"]}
    assert len(closes) == 2
    scans = rows["shadow_testing_scans"]
    assert len(scans) == 2 * 5 * 96
    assert {row["variations"] for row in scans} == {7}
    assert sum(row["signals"] for row in scans) > 100
    assert len(rows["shadow_testing_trades"]) > 20
    assert {row["source"] for row in rows["shadow_variations"]} == {"live", "dca_draws", "swing_grid"}
    assert len(rows["shadow_outcomes"]) == 14 * 4
    counted = {(row["variation"], row["span"]): row["trades"] for row in rows["shadow_outcomes"]}
    for variation in {row["variation"] for row in rows["shadow_testing_trades"]}:
        own = sum(row["variation"] == variation for row in rows["shadow_testing_trades"])
        assert counted[variation, "all"] == own


@pytest.mark.parametrize("closes_per_run", [1, 7])
async def test_a_restart_in_the_middle_leaves_the_same_rows(
    house: Any, shadow: Database, closes_per_run: int
) -> None:
    await house.run(house.tester(shadow))
    whole = await house.rows()
    await house.forget()
    for run in range(10_000):
        tester: ShadowTester = house.tester(shadow, closes_per_run=closes_per_run if run < 20 else 64)
        if not await tester.run_once():
            break
    assert await house.rows() == whole
