"""What the pages Market, Strategies and Paper read, against plain questions to the same filled database."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from tracker.domain.errors import ConfigError
from tracker.domain.funnel import FunnelStep, funnel_of
from tracker.domain.timeframe import EPOCH, Timeframe
from tracker.runtime.settings import PROJECT_ROOT
from tracker.store.database import Database, Transaction
from tracker.store.pages.market import (
    read_candles,
    read_coverage,
    read_feature_columns,
    read_heat,
    read_symbol_trading,
    read_watched,
)
from tracker.store.pages.paper import (
    read_account_figures,
    read_equity,
    read_positions,
    read_resting_orders,
    read_strategy_figures,
    read_symbol_figures,
    read_trade_page,
)
from tracker.testing.filled_database import Filled

from services.dashboard.charts.candles import MOST_BARS, with_running
from services.dashboard.reader import Question
from services.dashboard.rulebook import Rulebook

CONFIGS, STRATEGIES = PROJECT_ROOT / "configs", PROJECT_ROOT / "strategies"
BTC = "BTC-USD"


@pytest.fixture
async def page(filled: tuple[str, Filled]) -> AsyncIterator[Transaction]:
    """A transaction as the dashboard has it."""
    database = await Database.open(filled[0], role="tracker_dashboard", pool_size=1, application="test")
    try:
        async with database.transaction(snapshot=True) as transaction:
            yield transaction
    finally:
        await database.close()


@pytest.fixture
async def plain(filled: tuple[str, Filled]) -> AsyncIterator[asyncpg.Connection[Any]]:
    """The same database without any of our code."""
    connection = await asyncpg.connect(filled[0])
    yield connection
    await connection.close()


@pytest.fixture
def held(filled: tuple[str, Filled]) -> Filled:
    return filled[1]


async def asked(page: Transaction, question: Question[Any], *arguments: object) -> Any:
    return await question.read(page, *arguments)


async def newest_minute(plain: asyncpg.Connection[Any], symbol: str) -> tuple[float, datetime]:
    (row,) = await plain.fetch(
        "SELECT close, ts FROM tracker.latest_bar JOIN tracker.symbols USING (symbol_id)"
        " WHERE symbol = $1 AND timeframe = '1m'", symbol,
    )  # fmt: skip
    return row["close"], row["ts"]


async def test_every_symbol_can_be_chosen_and_the_heat_map_has_its_price(
    page: Transaction, plain: asyncpg.Connection[Any], held: Filled
) -> None:
    watched = {each.symbol for each in await read_watched(page)}
    assert set(held.symbols) <= watched
    heat = {each.symbol: each for each in await read_heat(page)}
    close, ts = await newest_minute(plain, BTC)
    hour_ago = await plain.fetchval(
        "SELECT close FROM tracker.ohlc_data JOIN tracker.symbols USING (symbol_id) WHERE symbol = $1"
        " AND timeframe = '1m' AND ts <= $2 ORDER BY ts DESC LIMIT 1", BTC, ts - timedelta(hours=1),
    )  # fmt: skip
    assert heat[BTC].price == close
    assert heat[BTC].change_1h == pytest.approx(close / hour_ago - 1)


@pytest.mark.parametrize("timeframe", list(Timeframe))
async def test_the_last_candle_ends_with_the_newest_minute_whatever_the_timeframe(
    page: Transaction, plain: asyncpg.Connection[Any], timeframe: Timeframe
) -> None:
    bars = with_running(await read_candles(page, BTC, timeframe, MOST_BARS), timeframe)
    close, ts = await newest_minute(plain, BTC)
    assert bars.close[-1] == close
    assert EPOCH + timedelta(seconds=bars.ts[-1]) == timeframe.floor(ts)
    assert list(bars.ts) == sorted(set(bars.ts))
    assert 0 < len(bars) <= MOST_BARS
    for at in bars.ts[-3:-1]:
        stored = await plain.fetchrow(
            "SELECT open, high, low, close, volume FROM tracker.ohlc_data JOIN tracker.symbols USING (symbol_id)"
            " WHERE symbol = $1 AND timeframe = $2 AND ts = $3", BTC, timeframe.value, EPOCH + timedelta(seconds=at),
        )  # fmt: skip
        place = bars.ts.index(at)
        drawn = tuple(getattr(bars, name)[place] for name in ("open", "high", "low", "close", "volume"))
        assert stored is None or tuple(stored) == drawn


async def test_a_symbol_without_bars_has_no_candles(page: Transaction) -> None:
    tail = await read_candles(page, "NOPE-USD", Timeframe.M15, MOST_BARS)
    assert len(with_running(tail, Timeframe.M15)) == 0


async def test_features_come_by_the_bar_and_only_those_that_were_asked_for(
    page: Transaction, plain: asyncpg.Connection[Any], held: Filled
) -> None:
    since = held.end - timedelta(days=1)
    found = await read_feature_columns(page, BTC, Timeframe.M15, ("ema_21_distance", "rsi_14"), since)
    assert set(found) == {"ema_21_distance", "rsi_14"}
    stamps, values = found["rsi_14"]
    stored = await plain.fetchval(
        "SELECT rsi_14 FROM tracker.ml_features_named JOIN tracker.symbols USING (symbol_id)"
        " WHERE symbol = $1 AND timeframe = '15m' AND ts = $2", BTC, EPOCH + timedelta(seconds=stamps[-1]),
    )  # fmt: skip
    assert values[-1] == pytest.approx(stored, nan_ok=True)
    assert await read_feature_columns(page, BTC, Timeframe.M15, (), since) == {}


async def test_what_happened_to_a_symbol_is_what_stands_in_the_ledger(
    page: Transaction, plain: asyncpg.Connection[Any], held: Filled
) -> None:
    counted = 0
    for symbol in held.symbols:
        found = await read_symbol_trading(page, symbol, held.accounts[0], held.start)
        fills = await plain.fetchval(
            "SELECT count(*) FROM tracker.fills i JOIN tracker.orders o USING (order_id)"
            " JOIN tracker.symbols s USING (symbol_id) WHERE s.symbol = $1 AND o.account = $2",
            symbol, held.accounts[0],
        )  # fmt: skip
        assert len(found.fills) == fills
        counted += fills
        for each in found.lives:
            assert each.closed_at is None or each.closed_at >= each.opened_at
    assert counted > 0
    nobody = await read_symbol_trading(page, BTC, None, held.start)
    assert nobody.fills == () == nobody.lives


async def test_coverage_of_all_is_the_sum_of_each(page: Transaction, held: Filled) -> None:
    everything = {each.day: each for each in await read_coverage(page, None)}
    assert everything
    bars = dict.fromkeys(everything, 0)
    for symbol in (each.symbol for each in await read_watched(page)):
        for each in await read_coverage(page, symbol):
            bars[each.day] += each.bars
    assert bars == {day: each.bars for day, each in everything.items()}


async def test_the_account_s_figures_positions_and_trades_are_those_of_the_ledger(
    page: Transaction, plain: asyncpg.Connection[Any], held: Filled
) -> None:
    account = held.accounts[0]
    figures = await read_account_figures(page, account)
    assert figures is not None
    equity = await plain.fetchval(
        "SELECT equity FROM tracker.equity_curve WHERE account = $1 ORDER BY ts DESC LIMIT 1", account
    )
    (trades,) = await plain.fetch(
        "SELECT count(*) AS trades, sum(pnl) AS pnl FROM tracker.trade_logs WHERE account = $1", account
    )
    assert figures.equity == float(equity)
    assert figures.trades == trades["trades"]
    live = await plain.fetchval(
        "SELECT count(*) FROM tracker.positions WHERE account = $1 AND status IN ('pending', 'open')", account
    )
    assert len(await read_positions(page, account)) == live
    resting = await plain.fetchval(
        "SELECT count(*) FROM tracker.orders WHERE account = $1 AND status IN ('pending', 'partial')", account
    )
    assert len(await read_resting_orders(page, account)) == resting
    by_strategy, by_symbol = await read_strategy_figures(page, account), await read_symbol_figures(page, account)
    for figures_of in (by_strategy, by_symbol):
        assert sum(each.trades for each in figures_of) == trades["trades"]
        assert sum(each.pnl for each in figures_of) == pytest.approx(float(trades["pnl"]))
    assert await read_account_figures(page, "nobody") is None


async def test_trades_are_turned_page_by_page_without_loss(page: Transaction, held: Filled) -> None:
    account = held.accounts[0]
    found, first = [], 0
    while True:
        turned = await read_trade_page(page, account, None, None, first, 7)
        found += turned.rows
        first += 7
        if first >= turned.total:
            break
    assert len({each.trade_id for each in found}) == len(found) == turned.total > 0
    assert [each.exit_time for each in found] == sorted((each.exit_time for each in found), reverse=True)
    one = await read_trade_page(page, account, found[0].symbol, found[0].strategy, 0, 100)
    assert one.total == sum(
        each.symbol == found[0].symbol and each.strategy == found[0].strategy for each in found
    )


@pytest.mark.parametrize("span", [timedelta(days=1), timedelta(days=30), None])
async def test_the_equity_ends_where_the_account_stands(
    page: Transaction, held: Filled, span: timedelta | None
) -> None:
    account = held.accounts[0]
    points = await read_equity(page, account, span, 200)
    figures = await read_account_figures(page, account)
    assert figures is not None
    assert points[-1].equity == figures.equity
    assert 1 <= len(points) <= 202
    assert all(0 <= (each.drawdown or 0.0) < 1 for each in points)


async def test_the_funnel_of_the_page_is_that_of_the_overview(page: Transaction, held: Filled) -> None:
    rules = Rulebook(CONFIGS, STRATEGIES)
    looks = await asked(page, rules.looks, 1)
    rows = await page.fetch("pages_overview.funnel", held.accounts[0])
    assert rows
    for strategy in {row["strategy"] for row in rows}:
        steps = funnel_of([each for each in looks.counts if each.strategy == strategy], held.accounts[0])
        told = {row["step"]: row["count"] for row in rows if row["strategy"] == strategy}
        assert {step.step.value: step.count for step in steps} == told
    assert FunnelStep.SCANS.value in told


async def test_a_week_of_looks_is_the_days_before_and_today(
    page: Transaction, plain: asyncpg.Connection[Any]
) -> None:
    rules = Rulebook(CONFIGS, STRATEGIES)
    for _ in range(2):
        looks = await asked(page, rules.looks, 7)
        skipped = await plain.fetchval(
            "SELECT count(*) FROM tracker.scan_history WHERE decision = 'SKIP' AND decided_at BETWEEN $1 AND $2",
            looks.first, looks.end,
        )  # fmt: skip
        assert sum(each.looks for each in looks.counts if each.account is None) == skipped > 0


async def test_the_rulebook_tells_states_and_why(page: Transaction, held: Filled) -> None:
    rules = Rulebook(CONFIGS, STRATEGIES)
    states = {each.strategy: each for each in await asked(page, rules.states)}
    assert set(held.strategies) <= set(states)
    assert states["dca"].looked_at == held.decided_through
    document = await asked(page, rules.why, "dca", held.symbols[0], None)
    assert document["symbol"] == held.symbols[0]
    assert document["strategy"] == "dca"
    assert document["answer"]
    assert await asked(page, rules.why, "dca", "NOPE-USD", None) is None
    assert await asked(page, rules.why, "nothing", held.symbols[0], None) is None


def test_the_rulebook_names_a_file_that_cannot_be_used(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="fleet"):
        Rulebook(tmp_path, tmp_path)
