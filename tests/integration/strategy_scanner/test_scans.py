"""One row a symbol and close, with its reason, and the same rows however the scanner is run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from tracker.domain.timeframe import Timeframe
from tracker.quant.strategies import RULES

from services.strategy_scanner.looks import QUIET_LIMIT

QUARTER = timedelta(minutes=15)
HISTORY = datetime(2022, 1, 8, tzinfo=UTC)
Closes = Callable[[datetime, datetime], list[datetime]]


async def test_every_symbol_gets_its_rows(floor: Any, closes: Closes) -> None:
    opened, end = floor.opened, floor.opened + timedelta(hours=12)
    hole = opened + timedelta(hours=3)
    await floor.trade("BTC-USD", (HISTORY, end))
    await floor.trade("HOLE-USD", (HISTORY, hole), (hole + 3 * QUARTER, end))
    await floor.trade("NEVER-USD")
    await floor.trade("GONE-USD", (HISTORY - timedelta(days=1), opened - QUIET_LIMIT + timedelta(hours=2)))
    await floor.trade("LATER-USD", (opened + timedelta(hours=5), end))
    await floor.trade("FARTCOIN-USD", (HISTORY, end))
    await floor.execute("UPDATE tracker.symbols SET status = 'unsupported' WHERE symbol = 'FARTCOIN-USD'")
    await floor.close(end)
    await floor.run(floor.scanner())

    seen = {symbol: await floor.looks(symbol) for symbol in floor.ids}
    moments = {symbol: [row["decided_at"] for row in rows] for symbol, rows in seen.items()}
    every = closes(opened, end)
    assert moments["BTC-USD"] == moments["HOLE-USD"] == every
    silent = [row["decided_at"] for row in seen["HOLE-USD"] if row["reason"] == "no_bar"]
    assert silent == closes(hole, hole + 3 * QUARTER)
    assert moments["NEVER-USD"] == moments["FARTCOIN-USD"] == []
    # The last bar opened a quarter before it stopped; a week later it is no longer missed.
    assert moments["GONE-USD"] == closes(opened, opened + timedelta(hours=2) - QUARTER)
    assert {row["reason"] for row in seen["GONE-USD"]} == {"no_bar"}
    assert moments["LATER-USD"] == closes(opened + timedelta(hours=5), end)
    assert {row["reason"] for row in seen["LATER-USD"]} == {"warming_up"}
    assert "warming_up" not in {row["reason"] for row in seen["BTC-USD"]}


async def test_a_new_symbol_warms_up_first(floor: Any, closes: Closes) -> None:
    opened, end = floor.opened, floor.opened + timedelta(days=3)
    await floor.trade("BTC-USD", (opened, end))
    await floor.close(end)
    await floor.run(floor.scanner())
    reasons = [row["reason"] for row in await floor.looks()]
    assert len(reasons) == len(closes(opened, end))
    warm = next(index for index, reason in enumerate(reasons) if reason != "warming_up")
    assert 48 <= warm < len(reasons)
    assert "warming_up" not in reasons[warm:]
    assert "no_bar" not in reasons


async def test_batches_restarts_and_repetition_leave_the_same_rows(floor: Any) -> None:
    opened, end = floor.opened, floor.opened + timedelta(days=4)
    hole = opened + timedelta(hours=30)
    await floor.trade("BTC-USD", (HISTORY, end))
    await floor.trade("HOLE-USD", (HISTORY, hole), (hole + 5 * QUARTER, end))
    await floor.trade("GONE-USD", (HISTORY, opened - QUIET_LIMIT + timedelta(hours=20)))
    await floor.close(end)
    for strategy in RULES:
        assert await floor.run(floor.scanner(strategy, closes_per_run=1_000)) == 1
    looks, signals = await floor.looks(), await floor.signals()
    assert {row["strategy"] for row in looks} == {"dca", "swing", "channel"}
    assert Counter(row["decision"] for row in looks)["SIGNAL"] == len(signals) > 0

    # Again over what is there already, by a scanner that starts anew each time.
    await floor.execute("TRUNCATE tracker.scan_watermarks")
    while await floor.scanner("swing", closes_per_run=50).run_once():
        pass
    assert (await floor.looks(), await floor.signals()) == (looks, signals)

    await floor.forget()
    for strategy, closes_per_run in zip(RULES, (7, 31, 200), strict=True):
        await floor.run(floor.scanner(strategy, closes_per_run=closes_per_run))
    assert (await floor.looks(), await floor.signals()) == (looks, signals)


async def test_each_signal_belongs_to_a_look_of_the_same_config(floor: Any) -> None:
    end = floor.opened + timedelta(days=4)
    await floor.trade("BTC-USD", (HISTORY, end))
    await floor.close(end)
    for strategy in RULES:
        await floor.run(floor.scanner(strategy))
    pairs = await floor.fetch(
        "SELECT h.decision, h.config_hash AS look_hash, h.signal_strength, h.market_regime AS look_regime, s.*"
        " FROM tracker.scan_history h LEFT JOIN tracker.signals s USING (strategy, symbol_id, decided_at)"
    )
    assert {row["signal_id"] is None for row in pairs if row["decision"] == "SKIP"} == {True}
    proposed = [row for row in pairs if row["decision"] == "SIGNAL"]
    assert len(proposed) == len(await floor.signals()) > 0
    for row in proposed:
        own = (row["config_hash"], row["strength"], row["market_regime"])
        assert own == (row["look_hash"], row["signal_strength"], row["look_regime"])
        assert row["expires_at"] > row["decided_at"]
        assert row["stop"] < row["entry"] < row["target"]
        assert len(row["size_weights"]) == len(row["ladder"]) + 1


async def test_before_the_first_hour_is_complete_it_scans_with_those_of_history(floor: Any, closes: Closes) -> None:
    end = floor.opened + timedelta(hours=2)
    await floor.trade("BTC-USD", (HISTORY, end))
    await floor.close(end, frames=(Timeframe.M15,))
    await floor.run(floor.scanner())
    looks = await floor.looks()
    assert [row["decided_at"] for row in looks] == closes(floor.opened, end)
    assert "warming_up" not in {row["reason"] for row in looks}


async def test_years_without_bars_leave_no_rows(floor: Any, closes: Closes) -> None:
    opened = floor.opened = datetime(2021, 12, 1, tzinfo=UTC)
    first, end = datetime(2022, 1, 1, tzinfo=UTC), datetime(2022, 1, 2, tzinfo=UTC)
    await floor.trade("BTC-USD", (first, end))
    await floor.close(end)
    assert await floor.run(floor.scanner(closes_per_run=200)) == -(-len(closes(opened, end)) // 200)
    assert [row["decided_at"] for row in await floor.looks()] == closes(first, end)
