"""The service on a real database: every task, who does it, what is left of it, and how it resumes."""

from __future__ import annotations

import json
from datetime import timedelta

from bar_house import SYMBOLS, BarHouse, finish, house_rules
from tracker.runtime.maintenance_rules import TaskName
from tracker.runtime.settings import load_settings

from services.data_scheduler.jobs import run_by_hand
from services.data_scheduler.settings import SchedulerSettings


async def test_the_first_pass_does_every_task_and_notes_it(house: BarHouse) -> None:
    scheduler = await house.scheduler()
    before = await house.exported()
    assert await finish(scheduler) == len(TaskName) + 1
    for task in TaskName:
        runs = await house.runs(task.value)
        assert [(run["ok"], run["error"], run["by_hand"]) for run in runs] == [(True, None, False)], task
        assert runs[0]["seconds"] >= 0
    assert await house.tables("ohlc_data") == [f"2024_{month:02}" for month in range(2, 8)]
    assert await house.tables("ohlc_archive") == ["2023_12", "2024_01"]
    assert await house.exported() == before
    detail = scheduler.detail()
    assert (detail["role"], detail["working"], "problem" in detail) == ("active", None, False)
    assert detail["months"] == {"kept": 6, "archived": 2}
    assert detail["tasks"]["analyze"]["schedule"] == "daily at 03:50 UTC"


async def test_nothing_is_done_twice_before_its_time(house: BarHouse) -> None:
    scheduler = await house.scheduler()
    await finish(scheduler)
    house.clock.advance(899)
    assert not await scheduler.run_once()
    house.clock.advance(1)
    assert await finish(scheduler) == 2
    house.clock.advance(86_400)
    await finish(scheduler)
    for task in ("cluster_closed_months", "archive_months"):
        assert json.loads((await house.runs(task))[1]["result"]) == {"months": []}


async def test_nothing_is_due_before_a_bar_has_closed(house: BarHouse) -> None:
    await house.execute("DELETE FROM tracker.bar_watermarks")
    scheduler = await house.scheduler()
    assert not await scheduler.run_once()
    assert await house.value("SELECT count(*) FROM tracker.maintenance_runs") == 0
    # By hand they can be run all the same, and find nothing to do.
    for task in TaskName:
        run = await run_by_hand(await house.open_as("data_scheduler"), house_rules(), load_settings(SchedulerSettings),
                                house.clock, task, lambda words: None)
        assert run.error is None
    assert await house.tables("ohlc_archive") == []


async def test_one_replica_acts(house: BarHouse) -> None:
    first, second = await house.scheduler(), await house.scheduler()
    assert await first.run_once()
    assert not await second.run_once()
    assert second.detail()["role"] == "standby"
    assert second.detail()["lease_holder"] == first.detail()["lease_holder"] is not None
    assert await house.value("SELECT count(*) FROM tracker.maintenance_runs") == 1
    await house.lease_expires()
    assert await second.run_once()
    assert second.detail()["role"] == "active"


async def test_whoever_comes_next_goes_on_where_a_killed_one_was(house: BarHouse) -> None:
    rules = house_rules().model_copy(update={"slice_seconds": 0.0})
    before = await house.exported()
    killed = await house.scheduler(rules)
    while await house.value("SELECT count(*) FROM tracker.bar_months WHERE copied_symbol = 2") == 0:
        assert await killed.run_once()
    begun = await house.rows("SELECT month, purpose, started_at FROM tracker.bar_months WHERE copied_symbol = 2")
    await house.execute("INSERT INTO tracker.maintenance_runs (task, started_at, by_hand)"
                        " VALUES ('analyze', '2024-04-05 11:59Z', false)")
    await house.lease_expires()
    heir = await house.scheduler(rules)
    while await heir.run_once():
        pass
    house.clock.advance(60)
    await finish(heir)
    assert begun[0] in await house.rows("SELECT month, purpose, started_at FROM tracker.bar_months")
    assert {row["status"] for row in await house.rows("SELECT status FROM tracker.bar_months")} == {"done"}
    assert await house.exported() == before
    assert await house.tables("ohlc_archive") == ["2023_12", "2024_01"]
    interrupted = [run for run in await house.runs("analyze") if run["error"] == "interrupted"]
    assert [run["ok"] for run in interrupted] == [False]
    assert await house.value("SELECT count(*) FROM pg_class WHERE relname LIKE 'ohlc\\_rewrite%'") == 0


async def test_a_failure_is_noted_waits_and_rings_in_the_end(house: BarHouse) -> None:
    scheduler = await house.scheduler(house_rules(lock_patience_seconds=0.05))
    waits = [60, 120, 240]
    async with house.owner.transaction() as reader:
        await reader.connection.execute("LOCK TABLE tracker.ohlc_data IN ACCESS SHARE MODE")
        for number, wait in enumerate(waits, 1):
            await finish(scheduler)
            runs = await house.runs("make_partitions")
            assert [run["ok"] for run in runs] == [False] * number
            assert runs[-1]["error"].startswith("the months of bars are in use: canceling statement due to lock")
            assert ("problem" in scheduler.detail()) is (number == 3)
            house.clock.advance(wait - 1)
            await finish(scheduler)
            assert len(await house.runs("make_partitions")) == number
            house.clock.advance(1)
    assert "failed 3 times in a row" in scheduler.detail()["problem"]
    await finish(scheduler)
    assert (await house.runs("make_partitions"))[-1]["ok"]
    assert "problem" not in scheduler.detail()
    assert "2024_07" in await house.tables("ohlc_data")


async def test_old_rows_are_deleted_in_batches_and_young_ones_stay(house: BarHouse) -> None:
    await house.execute(
        "INSERT INTO tracker.scan_watermarks VALUES ('dca', '15m', now())",
        "INSERT INTO tracker.scan_history (decided_at, strategy, timeframe, symbol_id, decision, reason, market_regime,"
        " signal_strength, config_hash) SELECT timestamptz '2024-04-05 12:00Z' - d * interval '1 day' + s * interval"
        " '1 second', 'dca', '15m', s, 'SKIP', 'no_setup', 'range', 0, 'x' FROM generate_series(1, 200) d,"
        " generate_series(1, 3) s",
        "INSERT INTO tracker.feature_sets (version, names, hash) VALUES ('x', '{}', 'x')",
        "INSERT INTO tracker.feature_watermarks VALUES ('15m', now())",
        "INSERT INTO tracker.ml_features (ts, timeframe, symbol_id, feature_set, values)"
        " SELECT timestamptz '2024-04-05 12:00Z' - d * interval '1 day', '15m', 1, 1, '{}'"
        " FROM generate_series(0, 410) d",
        "INSERT INTO tracker.rejected_bars (received_at, source, reason, frame)"
        " SELECT timestamptz '2024-04-05 12:00Z' - d * interval '1 day', 's', 'r', 'f' FROM generate_series(0, 99) d",
        "INSERT INTO tracker.label_configs VALUES ('x', 'dca', '15m', 'x', '{}', '{}')",
        "INSERT INTO tracker.strategy_labels (strategy, config_hash, symbol_id, feature_set, side, decided_at, exit_at,"
        " outcome, market_regime, volatility, is_signal, confirmations, strength, entry, weight, features)"
        " SELECT 'dca', 'x', 1, 1, 'long', t, t, 'censored', 'range', 'low', true, 2, 1, 1, 1, '{}' FROM ("
        " SELECT timestamptz '2024-04-05 12:00Z' - d * interval '1 day' AS t FROM generate_series(0, 410) d) days",
        "INSERT INTO tracker.predictions (strategy, config_hash, symbol_id, decided_at, model_id, is_champion, margin,"
        " probability, threshold, is_signal, taken) SELECT 'dca', 'x', 1, timestamptz '2024-04-05 12:00Z' - d *"
        " interval '1 day', 1, true, 0, 0.5, 0.55, true, false FROM generate_series(0, 410) d",
    )
    rules = house_rules()
    rules = rules.model_copy(update={
        "retention": rules.retention.model_copy(update={"batch_rows": 7}), "slice_seconds": 0.0,
    })
    scheduler = await house.scheduler(rules)
    await finish(scheduler)
    # 200 days less 180, and the seconds keep the 180th day's in; of features and of rejections the edge stays.
    assert await house.value("SELECT count(*) FROM tracker.scan_history") == 180 * SYMBOLS
    assert await house.value("SELECT count(*) FROM tracker.ml_features") == 401
    assert await house.value("SELECT count(*) FROM tracker.rejected_bars") == 90
    assert await house.value("SELECT count(*) FROM tracker.strategy_labels") == 401
    assert await house.value("SELECT count(*) FROM tracker.predictions") == 401
    runs = await house.runs("retention")
    assert len(runs) > 10
    deleted = [sum(json.loads(run["result"])["deleted"].values()) for run in runs]
    assert sum(deleted) == 20 * SYMBOLS + 10 + 10 + 10 + 10
    assert max(deleted) <= 7 * 3


async def test_what_the_shadow_did_is_kept_for_its_days(house: BarHouse) -> None:
    days = "SELECT timestamptz '2024-04-05 12:00Z' - d * interval '1 day' AS t FROM generate_series(0, 420) d"
    await house.execute(
        "INSERT INTO tracker.shadow_testing_scans SELECT 'dca', t, 1, 0, 0, '{}', '' FROM (" + days + ") days",
        "INSERT INTO tracker.shadow_returns SELECT 'dca', p, t, 1, '' FROM (" + days + ") days,"
        " unnest(ARRAY['1h', '1d']) p",
        "INSERT INTO tracker.shadow_variations VALUES"
        " ('x', 'dca', 0, '15m', '{}', '{}', '{}', 'c', 'r', 'live', '2020-01-01Z')",
        "INSERT INTO tracker.shadow_testing_trades SELECT 'x', 1, t, t, t, 1, 1, 1, 0, 0, 'stop' FROM ("
        + days + ") days",
    )
    await finish(await house.scheduler())
    counts = {
        table: await house.value(f"SELECT count(*) FROM tracker.{table}")
        for table in ("shadow_testing_scans", "shadow_testing_trades", "shadow_variations")
    }
    assert counts == {"shadow_testing_scans": 31, "shadow_testing_trades": 91, "shadow_variations": 1}
    periods = "SELECT count(*) FROM tracker.shadow_returns WHERE period = '{}'"
    assert [await house.value(periods.format(each)) for each in ("1h", "1d")] == [36, 401]


async def test_notes_are_forgotten_but_never_a_tasks_last_good_one(house: BarHouse) -> None:
    scheduler = await house.scheduler()
    await finish(scheduler)
    house.clock.moment += timedelta(days=366)
    await finish(scheduler)
    house.clock.moment += timedelta(days=1)
    await finish(scheduler)
    for task in TaskName:
        assert [run["ok"] for run in await house.runs(task.value)] == [True, True], task


async def test_aggregates_say_what_the_bars_say(house: BarHouse) -> None:
    await house.execute(
        "DELETE FROM tracker.ohlc_data WHERE symbol_id = 2 AND ts >= '2024-04-04 06:00Z' AND ts < '2024-04-04 12:00Z'",
        "UPDATE tracker.symbols SET status = 'unsupported' WHERE symbol_id = 3",
        "INSERT INTO tracker.scan_watermarks VALUES ('dca', '15m', now())",
        "INSERT INTO tracker.scan_history (decided_at, strategy, timeframe, symbol_id, decision, reason, market_regime,"
        " signal_strength, config_hash) SELECT timestamptz '2024-04-05 11:15Z' + q * interval '15 min', 'dca', '15m',"
        " s, CASE WHEN s = 1 AND q = 0 THEN 'SIGNAL' ELSE 'SKIP' END,"
        " CASE WHEN s = 1 AND q = 0 THEN 'setup' ELSE 'no_setup' END, 'range', 0.5, 'x'"
        " FROM generate_series(0, 2) q, generate_series(1, 3) s",
    )
    await finish(await house.scheduler())
    reader = await house.open_as("dashboard")
    async with reader.transaction() as transaction:
        fetch = transaction.connection.fetch
        coverage = await fetch("SELECT symbol, bars, expected, first_bar FROM dashboards.coverage"
                               " WHERE day = '2024-04-04Z' ORDER BY symbol")
        assert [(row["symbol"], row["bars"], row["expected"]) for row in coverage] == [
            ("BTC-USD", 24, 1440), ("ETH-USD", 18, 1440),
        ]
        today = await fetch("SELECT bars, expected FROM dashboards.coverage WHERE day = '2024-04-05Z'")
        assert [tuple(row) for row in today] == [(12, 720)] * 2
        activity = await fetch("SELECT looks, signals, symbols, signal_share, commonest_skip"
                               " FROM dashboards.strategy_activity")
        assert [tuple(row) for row in activity] == [(9, 1, 3, 1 / 9, "no_setup")]
        hours = await fetch("SELECT open, close, volume, turnover, trades, bars FROM dashboards.hourly_bars"
                            " WHERE symbol = 'BTC-USD' AND hour = '2024-04-02 05:00Z'")
        assert [tuple(row) for row in hours] == [(101, 102, 2, 3, 1, 1)]
        assert await fetch("SELECT * FROM dashboards.daily_pnl") == []
        tasks = await fetch("SELECT task FROM dashboards.maintenance WHERE ok")
        assert {row["task"] for row in tasks} == set(TaskName)


async def test_every_dashboard_view_says_what_it_is(house: BarHouse) -> None:
    views = await house.rows(
        "SELECT c.relname, obj_description(c.oid) AS words FROM pg_class c"
        " WHERE c.relnamespace = 'dashboards'::regnamespace AND c.relkind = 'v'"
    )
    assert len(views) >= 5
    assert [view["relname"] for view in views if not view["words"]] == []
