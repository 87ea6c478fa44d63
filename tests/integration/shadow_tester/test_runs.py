"""Closes are tried once, whatever happens in between, and as the live account would have traded them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from tracker.store.database import Database

from services.shadow_tester.tester import ShadowTester

QUARTER = timedelta(minutes=15)


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


async def test_a_variation_that_goes_and_comes_back_begins_anew(house: Any, shadow: Database) -> None:
    path = house.configs / "shadow.toml"
    with_six = path.read_text()
    await tried(house, shadow, closes=100)
    before = await accounts(house)
    # The draws are the same up to the fourth: two variations go.
    path.write_text(with_six.replace("count = 6", "count = 4"))
    await tried(house, shadow, closes=100)
    fewer = await accounts(house)
    gone = {name for name, row in fewer.items() if row["retired_at"] is not None}
    assert len(gone) == 2
    assert {fewer[name]["retired_at"] for name in gone} == {house.opened + 100 * QUARTER}
    path.write_text(with_six)
    await tried(house, shadow, closes=100)
    again = await accounts(house)
    assert {name: row["number"] for name, row in again.items()} == {name: row["number"] for name, row in before.items()}
    for name, row in again.items():
        assert row["retired_at"] is None
        assert row["added_at"] == (house.opened + 200 * QUARTER if name in gone else before[name]["added_at"])
    lived = {row["variation"]: row["hours"] for row in (await house.rows())["shadow_outcomes"] if row["span"] == "all"}
    assert {lived[name] for name in gone} == {25.0}
    assert {hours for name, hours in lived.items() if name not in gone} == {75.0}


async def test_what_stays_is_not_touched_by_what_goes(house: Any, shadow: Database) -> None:
    await house.run(house.tester(shadow))
    whole = await house.rows()
    await house.forget()
    await tried(house, shadow, closes=200)
    path = house.configs / "shadow.toml"
    path.write_text(path.read_text().replace("count = 6", "count = 4"))
    await house.run(house.tester(shadow))
    active = {name for name, row in (await accounts(house)).items() if row["retired_at"] is None}
    rows = await house.rows()
    for table in ("shadow_testing_trades", "shadow_outcomes"):
        columns = {"variation", "symbol_id", "decided_at", "exit_at", "pnl", "span", "trades", "total_return"}
        mine, theirs = (
            [{k: v for k, v in row.items() if k in columns} for row in found[table] if row["variation"] in active]
            for found in (rows, whole)
        )
        assert mine == theirs


async def test_a_new_symbol_joins_those_that_are_traded(house: Any, shadow: Database) -> None:
    await tried(house, shadow, closes=200)
    # Its name comes first, so that it moves the rows of all others.
    await house.execute("INSERT INTO tracker.symbols (symbol) VALUES ('A-USD')")
    await house.run(house.tester(shadow))
    joined = await house.rows()
    await house.forget()
    await house.execute("DELETE FROM tracker.symbols WHERE symbol = 'A-USD'")
    await house.run(house.tester(shadow))
    alone = await house.rows()
    for table in ("shadow_testing_trades", "shadow_outcomes", "shadow_returns", "shadow_testing_scans"):
        assert joined[table] == alone[table], table


async def tried(house: Any, shadow: Database, closes: int) -> None:
    """Try so many closes more, as a process does that is started for them."""
    tester: ShadowTester = house.tester(shadow, closes_per_run=closes)
    for _ in tester.variations:
        assert await tester.run_once()
    # No more than is due by then is judged.
    held = await house.fetch("SELECT * FROM tracker.feature_watermarks WHERE timeframe = '15m'")
    reached = await house.fetch("SELECT min(closed_through) AS moment FROM tracker.shadow_cursor")
    await house.execute(
        f"UPDATE tracker.feature_watermarks SET closed_through = '{reached[0]['moment']}' WHERE timeframe = '15m'"
    )
    assert not await tester.run_once()
    await house.execute(
        f"UPDATE tracker.feature_watermarks SET closed_through = '{held[0]['closed_through']}' WHERE timeframe = '15m'"
    )


async def accounts(house: Any) -> dict[str, dict[str, Any]]:
    return {row["id"]: row for row in await house.fetch("SELECT * FROM tracker.shadow_variations")}
