"""Builders of nouns with sensible values for what a test does not care about."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from tracker.domain.bar import Bar, BarSource
from tracker.domain.instrument import Instrument
from tracker.domain.timeframe import Timeframe

START = datetime(2024, 3, 1, tzinfo=UTC)


def make_bar(
    minute: int = 0,
    *,
    symbol: str = "BTC-USD",
    timeframe: Timeframe = Timeframe.M1,
    close: float = 100.0,
    spread: float = 1.0,
    volume: float = 10.0,
    source: BarSource = BarSource.STREAM,
) -> Bar:
    """Return a bar that opens `minute` minutes after START and reaches `spread` to both sides of `close`."""
    return Bar(
        symbol=symbol,
        timeframe=timeframe,
        ts=START + timedelta(minutes=minute),
        open=close,
        high=close + spread,
        low=close - spread,
        close=close,
        volume=volume,
        vwap=close,
        trades=3,
        source=source,
    )


def make_instrument(symbol: str = "BTC-USD", **facts: object) -> Instrument:
    """Return an instrument with Polygon's tickers, still without a number."""
    tickers = {"polygon_stream": symbol, "polygon_rest": "X:" + symbol.replace("-", "")}
    return Instrument(symbol_id=0, symbol=symbol, vendor_tickers=tickers, **facts)  # type: ignore[arg-type]
