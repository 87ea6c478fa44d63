"""The strategy of docs/write-a-strategy.md scans as it is backtested, to the last bit."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tracker.domain.instrument import Instrument
from tracker.domain.signal import Strategy
from tracker.domain.timeframe import Timeframe
from tracker.quant.backtest import Span, SymbolMarket
from tracker.quant.backtest.looks import look_at, signals_in
from tracker.quant.backtest.market import whole_candles
from tracker.quant.bars import BarArrays
from tracker.runtime.strategies import load_rules, load_strategy
from tracker.store.readers import read_range
from tracker.testing.written_strategy import write_strategy

HISTORY = datetime(2022, 1, 1, tzinfo=UTC)


async def stored(floor: Any, timeframe: Timeframe, symbol: str, end: datetime) -> BarArrays:
    async with floor.owner.transaction() as transaction:
        table = (await read_range(transaction, timeframe, HISTORY, end))[floor.ids[symbol]]
    return BarArrays(
        ts=table.ts, open=table.open, high=table.high, low=table.low, close=table.close, volume=table.volume
    )


async def test_it_scans_as_it_is_backtested(floor: Any, tmp_path: Path) -> None:
    configs, folder = write_strategy(tmp_path)
    config = load_strategy(configs, Strategy("ema_cross"), rules=load_rules(folder))
    end = floor.opened + timedelta(days=4)
    hole = floor.opened + timedelta(hours=30)
    await floor.trade("BTC-USD", (HISTORY, end))
    await floor.trade("HOLE-USD", (HISTORY, hole), (hole + timedelta(hours=3), end))
    await floor.trade("SHORT-USD", (HISTORY, hole))
    await floor.close(end)
    await floor.run(floor.scanner(config, closes_per_run=7))
    looks, signals = await floor.looks(), await floor.signals()
    await floor.forget()
    await floor.run(floor.scanner(config, closes_per_run=1_000))
    assert (await floor.looks(), await floor.signals()) == (looks, signals)
    assert len(signals) > 5

    span = Span(first=int(floor.opened.timestamp()), end=int(end.timestamp()))
    for symbol, number in floor.ids.items():
        decision = await stored(floor, Timeframe.M15, symbol, end)
        market = SymbolMarket(
            instrument=Instrument(symbol_id=number, symbol=symbol),
            decision=decision,
            context=await stored(floor, Timeframe.H1, symbol, end),
            candles=whole_candles(decision, Timeframe.M15),
        )
        (tried,) = look_at([market], config.rule, config.params, config.timeframe, span)
        scanned = [row for row in looks if row["symbol_id"] == number and row["reason"] != "no_bar"]
        assert [int(row["decided_at"].timestamp()) for row in scanned] == tried.frame.decided_at.tolist()
        assert [row["reason"] for row in scanned] == [each or "setup" for each in tried.proposals.reason.tolist()]
        assert [row["market_regime"] for row in scanned] == tried.proposals.regime.tolist()
        assert [row["volatility"] for row in scanned] == tried.proposals.volatility.tolist()
        proposed = signals_in(tried, config.rule, config.hash)
        written = [row for row in signals if row["symbol_id"] == number]
        for name in ("decided_at", "entry", "stop", "target", "expires_at", "config_hash"):
            assert [row[name] for row in written] == [getattr(each, name) for each in proposed], name
