"""A small market made of seeded walks, with what makes features go wrong: holes, a young symbol, a dead one."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from tracker.quant.bars import BarArrays, Bools, Floats

SYMBOLS = ("BTC-USD", "ETH-USD", "ETH-BTC", "HOLED-USD", "YOUNG-USD", "QUIET-USD")
# Midnight of a Monday.
START = 1_672_617_600 - 1_672_617_600 % 86_400


def synthetic_market(bars: int, seconds: int, seed: int = 7) -> Mapping[str, BarArrays]:
    """Return bars of `seconds` by symbol: a market factor, moves of their own, volatility that comes and goes."""
    generator = np.random.default_rng(seed)
    scale = 0.004 * np.sqrt(seconds / 900)
    calm = np.exp(np.cumsum(generator.normal(0.0, 0.02, bars)) * 0.3)
    market = generator.normal(0.0, scale, bars) * np.clip(calm, 0.3, 3.0)
    found: dict[str, BarArrays] = {}
    for number, symbol in enumerate(SYMBOLS):
        own = generator.normal(0.0, 0.5 * scale, bars)
        close = 10.0 ** (4 - 2 * number) * np.exp(np.cumsum(market + own * (number > 0)))
        found[symbol] = _bars(close, generator, seconds)
    found["HOLED-USD"] = _kept(found["HOLED-USD"], generator.random(bars) > 0.1)
    found["YOUNG-USD"] = _kept(found["YOUNG-USD"], np.arange(bars) >= bars // 2)
    found["QUIET-USD"] = _still(found["QUIET-USD"], bars // 3, bars // 3 + bars // 20)
    return found


def steady_market(bars: int, seconds: int, seed: int = 7) -> Mapping[str, BarArrays]:
    """Return the symbols of a synthetic market that have all their bars."""
    market = synthetic_market(bars, seconds, seed)
    return {symbol: market[symbol] for symbol in ("BTC-USD", "ETH-USD", "ETH-BTC")}


def _bars(close: Floats, generator: np.random.Generator, seconds: int) -> BarArrays:
    before = np.concatenate((close[:1], close[:-1]))
    up, down = (1.0 + np.abs(generator.normal(0.0, 0.001, close.size)) for _ in range(2))
    return BarArrays(
        ts=START + np.arange(close.size, dtype=np.int64) * seconds,
        open=before,
        high=np.maximum(before, close) * up,
        low=np.minimum(before, close) / down,
        close=close,
        volume=generator.gamma(2.0, 5.0, close.size),
    )


def _kept(bars: BarArrays, rows: Bools) -> BarArrays:
    return BarArrays(**{name: getattr(bars, name)[rows] for name in BarArrays.__dataclass_fields__})


def _still(bars: BarArrays, first: int, stop: int) -> BarArrays:
    """Return the bars with a stretch in which nothing was traded."""
    columns = {name: getattr(bars, name).copy() for name in BarArrays.__dataclass_fields__}
    for name in ("open", "high", "low", "close"):
        columns[name][first:stop] = columns["close"][first - 1]
    columns["volume"][first:stop] = 0.0
    return BarArrays(**columns)
