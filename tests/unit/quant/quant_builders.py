"""Bars for the tests of the quant layer: drawn by hypothesis, by a seeded walk, or read from real candles."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from hypothesis import strategies as st
from pydantic import TypeAdapter
from tracker.domain.signal import Strategy
from tracker.quant.bars import BarArrays
from tracker.quant.feature_rows import SymbolPast, context_tables, feature_rows
from tracker.quant.features import CONTEXTS, FEATURE_SET, OWN_NAMES
from tracker.quant.features.matrix import feature_matrix
from tracker.quant.frame import FeatureFrame, feature_frame
from tracker.quant.strategies import RULES

ROOT = Path(__file__).resolve().parents[3]
CONFIGS = ROOT / "configs" / "strategies"
M15 = 900
H1 = 3600
# A Saturday in 2024, on the boundary of every timeframe up to a day.
START = 1_704_499_200


def default_params(strategy: Strategy) -> Any:
    """Return the shipped parameters, validated the way the services do."""
    table = tomllib.loads((CONFIGS / f"{strategy}.toml").read_text())
    return TypeAdapter(RULES[strategy].params).validate_python(table["params"])


def bars_from(
    close: Any, volume: Any, *, wick: Any = 0.001, start: int = START, step: int = M15
) -> BarArrays:
    """Return bars through the given closes, each opening at the close before, with wicks of that share."""
    close = np.asarray(close, dtype=np.float64)
    open_ = np.concatenate([close[:1], close[:-1]])
    return BarArrays(
        ts=start + np.arange(close.size, dtype=np.int64) * step,
        open=open_,
        high=np.maximum(open_, close) * (1.0 + np.asarray(wick)),
        low=np.minimum(open_, close) * (1.0 - np.asarray(wick)),
        close=close,
        volume=np.broadcast_to(np.asarray(volume, dtype=np.float64), close.shape).copy(),
    )


def walk(n: int, *, seed: int = 7, start: int = START, step: int = M15, price: float = 100.0) -> BarArrays:
    """Return a seeded random walk of n bars."""
    rng = np.random.default_rng(seed)
    close = price * np.exp(np.cumsum(rng.normal(0.0, 0.004, n)))
    return bars_from(
        close, rng.gamma(2.0, 5.0, n), wick=np.abs(rng.normal(0, 0.001, n)), start=start, step=step
    )


@st.composite
def hostile_bars(draw: st.DrawFn, min_size: int = 1, max_size: int = 330) -> BarArrays:
    """Draw walks with flat stretches, jumps, bars without range or volume, at any price level."""
    n = draw(st.integers(min_size, max_size))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    steps = rng.normal(0.0, draw(st.sampled_from([0.0, 1e-6, 0.003, 0.05])), n)
    steps[rng.random(n) < draw(st.sampled_from([0.0, 0.3, 0.95]))] = 0.0
    steps[rng.random(n) < draw(st.sampled_from([0.0, 0.01]))] += rng.choice([-0.7, 0.7])
    close = draw(st.sampled_from([5.3e-8, 5.3e-5, 0.97, 123.4, 64_000.0])) * np.exp(np.cumsum(steps))
    volume = rng.gamma(1.0, draw(st.sampled_from([1e-6, 1.0, 1e9])), n)
    volume[rng.random(n) < draw(st.sampled_from([0.0, 0.5, 1.0]))] = 0.0
    quiet = draw(st.integers(0, n))
    volume[quiet : quiet + 120] = 0.0
    return bars_from(close, volume, wick=np.abs(rng.normal(0, 0.002, n)) * draw(st.sampled_from([0.0, 1.0])))


def read_candles(path: Path) -> BarArrays:
    """Return the bars of a candle file."""
    table = pd.read_csv(path, parse_dates=["ts"])
    seconds = table["ts"].dt.tz_localize(None).to_numpy().astype("datetime64[s]").astype(np.int64)
    columns = {
        name: table[name].to_numpy(dtype=np.float64) for name in ("open", "high", "low", "close", "volume")
    }
    return BarArrays(ts=seconds, **columns)


def rolled(bars: BarArrays, seconds: int) -> BarArrays:
    """Return the bars summed up to a longer timeframe, without the unfinished last bucket."""
    bucket = bars.ts // seconds
    first = np.flatnonzero(np.concatenate([[True], bucket[1:] != bucket[:-1]]))
    last = np.concatenate([first[1:], [len(bars)]]) - 1
    result = BarArrays(
        ts=bucket[first] * seconds,
        open=bars.open[first],
        high=np.maximum.reduceat(bars.high, first),
        low=np.minimum.reduceat(bars.low, first),
        close=bars.close[last],
        volume=np.add.reduceat(bars.volume, first),
    )
    return result.slice(0, len(result) - 1)


def frame_of(fine: BarArrays) -> FeatureFrame:
    """Return the frame of all 15m closes of a symbol with its context."""
    past = past_of(fine)
    rows = feature_rows({0: past}, M15, 0, reference=None)[0]
    return feature_frame(
        close=past.bars.close, decided_at=rows.ts + M15, values=rows.values, names=FEATURE_SET.names
    )


def past_of(fine: BarArrays, step: int = M15) -> SymbolPast:
    """Return the bars of a step, and the contexts, that the finer bars make."""
    contexts = {
        each.origin: context_tables(each, {0: rolled(fine, each.timeframe.seconds)}, 0)[0] for each in CONTEXTS
    }
    return SymbolPast(bars=rolled(fine, step), contexts=contexts)


def column(bars: BarArrays, name: str) -> Any:
    """Return one feature of the bars."""
    return feature_matrix(bars)[:, OWN_NAMES.index(name)]
