"""Each night's check: nothing differs, what is changed is reported and red, and mended it is green again."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from tracker.runtime.settings import PROJECT_ROOT

from tests.integration.parity.conftest import Nights

# What is changed behind everybody's back, how it is put right, and what the report's first difference says.
CHANGES = (
    (
        "UPDATE tracker.scan_history SET reason = 'trend_against' WHERE scan_id ="
        " (SELECT min(scan_id) FROM tracker.scan_history WHERE strategy = 'swing' AND reason = 'no_setup')",
        "UPDATE tracker.scan_history SET reason = 'no_setup' WHERE scan_id ="
        " (SELECT min(scan_id) FROM tracker.scan_history WHERE strategy = 'swing' AND reason = 'trend_against')",
        ("look", "swing", "reason"),
    ),
    (
        "UPDATE tracker.fills SET price = price + 1 WHERE fill_id = (SELECT max(fill_id) FROM tracker.fills)",
        "UPDATE tracker.fills SET price = price - 1 WHERE fill_id = (SELECT max(fill_id) FROM tracker.fills)",
        ("fill", None, "price"),
    ),
)


async def test_a_difference_is_reported_and_red_and_mended_it_is_green(nights: Nights) -> None:
    run = await nights.check()
    assert run.error is None
    report = (await nights.reports())[-1]
    assert (report["outcome"], report["differences"], report["not_compared"]) == ("same", 0, 0)
    assert report["end_at"].isoformat() == "2022-01-19T00:00:00+00:00"
    # Three strategies, from the first close of the day to midnight.
    assert report["looks"] == 3 * 72
    assert min(report[name] for name in ("signals", "orders", "fills", "trades")) > 0
    assert (await nights.verdict())[0]
    for change, mending, (what, strategy, name) in CHANGES:
        await nights.floor.execute(change)
        assert (await nights.check()).error is None
        report = (await nights.reports())[-1]
        assert (report["outcome"], report["first_what"], report["differences"]) == ("differs", what, 1)
        assert report["first_name"].startswith(name)
        assert strategy in (None, report["first_strategy"])
        ok, observed = await nights.verdict()
        assert not ok
        assert observed.startswith(f"1 differences, first {what} ")
        await nights.floor.execute(mending)
        await nights.check()
        assert (await nights.reports())[-1]["outcome"] == "same"
        assert (await nights.verdict())[0]


async def test_a_stored_feature_that_was_wrong_is_named_with_the_look_it_changed(nights: Nights) -> None:
    # The look was taken on another value than the bars give: both are told.
    await nights.floor.execute(
        "UPDATE tracker.ml_features SET values[1:array_length(values, 1)] ="
        " (SELECT array_agg(v * 1.5) FROM unnest(values) v) WHERE timeframe = '15m' AND ts = '2022-01-18 20:00Z'"
    )
    await nights.floor.execute("TRUNCATE tracker.accounts, tracker.signals CASCADE")
    await nights.floor.forget()
    for strategy in ("dca", "swing", "channel"):
        await nights.floor.run(nights.floor.scanner(strategy))
    assert (await nights.check()).error is None
    report = (await nights.reports())[-1]
    assert report["outcome"] == "differs"
    assert report["first_decided_at"] == "2022-01-18T20:15:00+00:00"
    assert '"inputs": {"' in report["first_differences"]


async def test_slices_go_on_and_a_kill_between_them_counts_nothing_twice(nights: Nights) -> None:
    await nights.check()
    wanted = (await nights.reports())[-1]
    await nights.floor.execute("TRUNCATE tracker.parity_reports, tracker.maintenance_runs")
    await nights.floor.execute(
        "INSERT INTO tracker.maintenance_runs (task, started_at, finished_at, seconds, ok, by_hand)"
        " SELECT t, now(), now(), 1, true, false FROM unnest('{make_partitions,refresh_aggregates,"
        "cluster_closed_months,archive_months,retention,analyze}'::text[]) t"
    )
    scheduler = await nights.scheduler(0.0)
    assert await scheduler.run_once()
    running = (await nights.reports())[-1]
    assert (running["outcome"], running["finished_at"]) == ("running", None)
    assert (await nights.verdict()) == (True, "no report yet")
    # Whoever comes next goes on with the same report.
    await nights.floor.execute("UPDATE tracker.service_leases SET expires_at = clock_timestamp()")
    heir = await nights.scheduler(0.0)
    while await heir.run_once():
        pass
    reports = await nights.reports()
    assert [each["report_id"] for each in reports] == [running["report_id"]]
    own = ("report_id", "started_at", "finished_at", "seconds")
    assert {k: v for k, v in reports[0].items() if k not in own} == {k: v for k, v in wanted.items() if k not in own}
    runs = await nights.floor.fetch("SELECT result FROM tracker.maintenance_runs WHERE task = 'nightly_parity'")
    assert len(runs) == 5


async def test_a_check_that_fails_is_a_report_and_red(nights: Nights, tmp_path: Path) -> None:
    configs = tmp_path / "configs"
    shutil.copytree(PROJECT_ROOT / "configs", configs)
    (configs / "risk.toml").write_text("[sizing]\n")
    run = await nights.check(configs)
    assert run.error is not None
    report = (await nights.reports())[-1]
    assert report["outcome"] == "failed"
    assert "risk.toml" in report["error"]
    ok, observed = await nights.verdict()
    assert not ok
    assert observed.startswith("the last check failed: ")
    await nights.check()
    assert (await nights.verdict())[0]


@pytest.mark.parametrize("closed", ["2022-01-18 23:59Z"])
async def test_before_a_day_is_over_there_is_nothing_to_report(nights: Nights, closed: str) -> None:
    await nights.floor.execute(f"UPDATE tracker.bar_watermarks SET closed_through = '{closed}'")
    assert (await nights.check()).outcome.result == {"looks": 0}
    assert await nights.reports() == []
    assert (await nights.verdict()) == (True, "no report yet")
