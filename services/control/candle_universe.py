"""The symbols of a folder of candles, as a universe for the collector."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from tracker.domain.timeframe import Timeframe
from tracker.runtime.candles import CandleFile


def write_universe(path: Path, files: Iterable[CandleFile]) -> tuple[str, ...]:
    """Write a universe with the symbols of `files`, each with its finest timeframe; return their names."""
    finest: dict[str, Timeframe] = {}
    for file in files:
        known = finest.get(file.symbol)
        if known is None or file.timeframe.seconds < known.seconds:
            finest[file.symbol] = file.timeframe
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        "".join(_entry(symbol, timeframe) for symbol, timeframe in sorted(finest.items())), encoding="utf-8"
    )
    return tuple(sorted(finest))


def _entry(symbol: str, timeframe: Timeframe) -> str:
    ticker = "X:" + symbol.replace("-", "")
    return (
        f'[[symbol]]\nsymbol = "{symbol}"\nbase_timeframe = "{timeframe}"\n'
        f'polygon = {{ stream = "{symbol}", rest = "{ticker}" }}\n\n'
    )
