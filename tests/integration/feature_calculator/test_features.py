"""Stored features are those of the bars, whatever way they were computed."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pytest
from tracker.domain.bar import Bar
from tracker.domain.errors import DatabaseUnavailableError
from tracker.domain.timeframe import Timeframe
from tracker.quant.features import FEATURE_SET, FEATURE_SPECS, Origin
from tracker.quant.regime import VOLATILITY_FEATURE
from tracker.store.bars import BarTable

QUARTER = timedelta(minutes=15)


def cut(bars: BarTable, first: datetime, end: datetime) -> BarTable:
    chosen = (bars.ts >= first.timestamp()) & (bars.ts < end.timestamp())
    return BarTable(
        **{name: getattr(bars, name)[chosen] for name in ("ts", "open", "high", "low", "close", "volume")}
    )


def bar(opens: datetime, close: float, timeframe: Timeframe = Timeframe.M15) -> Bar:
    return Bar(
        symbol="BTC-USD", timeframe=timeframe, ts=opens, open=close, high=close, low=close, close=close, volume=1.0
    )


async def test_any_batch_size_gives_the_same_bits(market: Any, bitcoin: BarTable) -> None:
    await market.store("BTC-USD", bitcoin)
    await market.close(market.end)
    expected = await market.wanted(market.opened, market.end)
    assert len(expected) == 16 * 4 + 16
    for closes, runs in ((1, 64), (7, 10), (500, 1)):
        assert await market.run(market.calculator(closes_per_run=closes)) == runs
        assert await market.features() == expected, closes
        assert await market.through() == {"15m": market.end, "1h": market.end}
        await market.forget()


async def test_restarts_and_failed_commits_leave_the_same_bits(market: Any, bitcoin: BarTable) -> None:
    await market.store("BTC-USD", bitcoin)
    await market.close(market.end)
    expected = await market.wanted(market.opened, market.end)
    for _ in range(4):
        await market.calculator(closes_per_run=3).run_once()
    # A transaction for each timeframe, and one before them that asks for the set.
    fate = (True, True, True, False, True, True, False)
    calculator = market.calculator(market.failing(*fate), closes_per_run=3)
    for _ in range(2):
        await calculator.run_once()
        with pytest.raises(DatabaseUnavailableError):
            await calculator.run_once()
    assert expected.items() > (await market.features()).items()
    await market.run(calculator)
    assert await market.features() == expected


async def test_nothing_is_computed_beyond_the_watermark(market: Any, bitcoin: BarTable) -> None:
    calculator = market.calculator(closes_per_run=7)
    assert not await calculator.run_once()
    await market.store("BTC-USD", bitcoin)
    assert not await calculator.run_once()
    # Two quarters past the hour, so that the hour that follows is still open.
    await market.close(market.middle + 2 * QUARTER)
    await market.run(calculator)
    assert await market.through() == {"15m": market.middle + 2 * QUARTER, "1h": market.middle}
    stamps = {timeframe: max(await market.stored("BTC-USD", timeframe)) for timeframe in (Timeframe.M15, Timeframe.H1)}
    assert stamps[Timeframe.M15] == (market.middle + QUARTER).timestamp()
    assert stamps[Timeframe.H1] == (market.middle - timedelta(hours=1)).timestamp()
    assert not await calculator.run_once()


async def test_a_run_completes_the_quarter_and_the_hour_that_ends_with_it(market: Any, bitcoin: BarTable) -> None:
    await market.store("BTC-USD", bitcoin)
    calculator = market.calculator(closes_per_run=1)
    moment = market.opened
    while moment < market.middle:
        moment += QUARTER
        await market.close(moment)
        await calculator.run_once()
        through = await market.through()
        assert through["15m"] == moment
        if moment - market.opened >= timedelta(hours=1):
            assert through["1h"] == Timeframe.H1.floor(moment)


async def test_each_feature_is_nan_until_its_own_warm_up(market: Any, bitcoin: BarTable) -> None:
    await market.store("BTC-USD", cut(bitcoin, market.opened, market.end))
    await market.close(market.end)
    await market.run(market.calculator())
    stored = await market.stored("BTC-USD", Timeframe.M15)
    assert len(stored) == 64
    for index, values in enumerate(stored.values()):
        # How many bars before it the latest bar has: of the quarter, the hour, the day.
        latest = {Origin.HOUR: (index + 1) // 4 - 1, Origin.DAY: -1}
        for spec, value in zip(FEATURE_SPECS, values, strict=True):
            assert np.isnan(value) == (spec.warmup_bars > latest.get(spec.origin, index)), (spec.name, index)


async def test_history_before_the_first_live_bar_is_computed_as_far_as_asked(market: Any, bitcoin: BarTable) -> None:
    await market.store("BTC-USD", bitcoin)
    await market.close(market.middle)
    await market.run(market.calculator(lookback_hours=5))
    assert min(await market.stored("BTC-USD", Timeframe.M15)) == (market.opened - timedelta(hours=5)).timestamp()
    await market.forget()
    await market.run(market.calculator(lookback_hours=10_000))
    first = min(await market.stored("BTC-USD", Timeframe.M15))
    assert first == int(bitcoin.ts[0]) // 900 * 900


async def test_what_a_correction_or_a_late_bar_finds_done_stays(market: Any, bitcoin: BarTable) -> None:
    await market.store("BTC-USD", bitcoin)
    hole = market.middle - 20 * QUARTER
    await market.execute(f"DELETE FROM tracker.ohlc_data WHERE timeframe = '15m' AND ts = '{hole.isoformat()}'")
    await market.close(market.middle)
    calculator = market.calculator(closes_per_run=7)
    await market.run(calculator)
    before = await market.features()
    assert before == await market.wanted(market.opened, market.middle)

    await market.upsert(bar(market.middle - 10 * QUARTER, 40_000.0))
    await market.upsert(bar(hole, 43_000.0))
    await market.close(market.end)
    await market.run(calculator)
    after = await market.features()
    assert {key: after[key] for key in before} == before
    later = {key: value for key, value in after.items() if key not in before}
    assert later == await market.wanted(market.middle, market.end)
    today = await market.wanted(market.opened, market.middle)
    assert {key: today[key] for key in before} != before


async def test_history_that_comes_in_later_is_used_without_a_restart(market: Any, bitcoin: BarTable) -> None:
    await market.list_symbols("ETH-USD")
    await market.store("BTC-USD", bitcoin)
    await market.store("ETH-USD", cut(bitcoin, market.middle - timedelta(hours=1), market.end))
    await market.close(market.middle)
    calculator = market.calculator()
    await market.run(calculator)
    assert len(await market.stored("ETH-USD", Timeframe.M15)) == 4
    await market.store("ETH-USD", cut(bitcoin, market.opened - timedelta(days=5), market.middle - timedelta(hours=1)))
    # The vendor's own bars are no revisions of anything.
    await market.execute(
        "TRUNCATE tracker.bar_revisions",
        "INSERT INTO tracker.backfill_chunks (symbol_id, timeframe, starts_at, ends_at, status)"
        f" VALUES ({market.ids['ETH-USD']}, '1m', '2022-01-01Z', '2022-01-02Z', 'done')",
    )
    await market.close(market.end)
    await market.run(calculator)
    later = await market.wanted(market.middle, market.end, "ETH-USD")
    assert later.items() < (await market.features("ETH-USD")).items()
    known = [spec.origin is not Origin.DAY and spec.name != VOLATILITY_FEATURE for spec in FEATURE_SPECS]
    rows = np.array([np.frombuffer(row, dtype=np.float32) for key, row in later.items() if "15m" in key])
    assert np.isfinite(rows[:, known]).all()


async def test_a_close_on_the_hour_waits_for_the_hours_bar(market: Any, bitcoin: BarTable) -> None:
    await market.store("BTC-USD", bitcoin)
    await market.close(market.middle)
    await market.close(market.middle + timedelta(hours=2), frames=(Timeframe.M15,))
    calculator = market.calculator()
    await market.run(calculator)
    # Quarters go on while the next hour is open.
    assert (await market.through())["15m"] == market.middle + 3 * QUARTER
    await market.close(market.middle + timedelta(hours=2))
    await market.run(calculator)
    assert (await market.through())["15m"] == market.middle + timedelta(hours=2)
    assert await market.features() == await market.wanted(market.opened, market.middle + timedelta(hours=2))


async def test_another_set_starts_beside_the_old_one(market: Any, bitcoin: BarTable) -> None:
    await market.store("BTC-USD", bitcoin)
    await market.close(market.middle)
    await market.run(market.calculator())
    # What an older release wrote: another set, other names.
    await market.execute(
        "UPDATE tracker.feature_sets SET version = '1', names = '{rsi_14}', hash = 'older'",
        "UPDATE tracker.ml_features SET values = '{42}'",
        "SELECT tracker.name_features(1::smallint)",
    )
    older = await market.rows("SELECT * FROM tracker.ml_features ORDER BY timeframe, ts")
    assert {row["rsi_14"] for row in await market.rows("SELECT * FROM tracker.ml_features_named")} == {42.0}

    await market.close(market.end)
    await market.run(market.calculator(lookback_hours=2))
    found = await market.rows("SELECT * FROM tracker.ml_features WHERE feature_set = 1 ORDER BY timeframe, ts")
    assert found == older
    fresh = await market.rows("SELECT timeframe, ts FROM tracker.ml_features WHERE feature_set = 2")
    # A scanner that had not yet looked at the last closes finds rows of the new set.
    assert min(row["ts"] for row in fresh if row["timeframe"] == "15m") == market.middle - timedelta(hours=2)
    # Another text, because the connection remembers the columns of the one before.
    named = await market.rows("SELECT named.* FROM tracker.ml_features_named AS named")
    assert list(named[0])[4:] == list(FEATURE_SET.names)
    assert len(named) == len(fresh)


async def test_the_feature_set_is_registered_once(market: Any, bitcoin: BarTable) -> None:
    await market.store("BTC-USD", cut(bitcoin, market.opened, market.middle))
    await market.close(market.middle)
    await market.run(market.calculator(closes_per_run=3))
    async with market.owner.transaction() as transaction:
        sets = await transaction.connection.fetch("SELECT version, names, hash FROM tracker.feature_sets")
    assert [tuple(row.values()) for row in sets] == [(FEATURE_SET.version, list(FEATURE_SET.names), FEATURE_SET.hash)]
