"""Features in bulk and at a live close, against bare TA-Lib and pandas on the same bars in the same run.

Values are compared before any time is printed. Bulk: 180 days of quarter hours a symbol, rows/s of one process and of
two. Live: one close of 90 symbols out of the window that the feature calculator holds. Prints a table; `--json` prints
JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np
import pandas as pd
import talib
from tracker.quant.bars import BarArrays, Floats
from tracker.quant.feature_rows import SymbolPast, context_tables, feature_rows
from tracker.quant.features import CONTEXTS, FEATURE_SET, OWN_NAMES
from tracker.quant.roll_up import roll_up
from tracker.quant.verify.synthetic import START
from tracker.quant.windows import BLOCK_BARS, all_anchored_features, anchored_features

M15 = 900
DAYS = 180
BULK_SYMBOLS = 8
LIVE_SYMBOLS = 90
# As many outputs as the goal counts: the first 40 of the catalogue.
NAMES = OWN_NAMES[:40]
PANDAS_NAMES = (
    "ema_9_distance", "ema_21_distance", "ema_50_distance", "ema_100_distance", "ema_9_21_spread", "macd_pct",
    "macd_hist_pct", "rsi_14", "rsi_7", "stoch_k_14", "willr_14", "roc_12", "log_return_1", "log_return_16",
    "realised_vol_20", "donchian_20_position", "natr_14",
)  # fmt: skip
SETTLED = 1_000


def walk(seed: int, bars: int, start: int) -> BarArrays:
    """Return a seeded random walk of quarter hours."""
    generator = np.random.default_rng(seed)
    close = 100.0 * np.exp(np.cumsum(generator.normal(0.0, 0.004, bars)))
    opened = np.concatenate((close[:1], close[:-1]))
    wick = np.abs(generator.normal(0.0, 0.001, bars))
    return BarArrays(
        ts=start + np.arange(bars, dtype=np.int64) * M15, open=opened, high=np.maximum(opened, close) * (1 + wick),
        low=np.minimum(opened, close) * (1 - wick), close=close, volume=generator.gamma(2.0, 5.0, bars),
    )


def bare(bars: BarArrays) -> list[Floats]:
    """Make the TA-Lib calls that the same outputs are made of, each once over the whole series, and nothing else."""
    o, h, l, c, v = bars.open, bars.high, bars.low, bars.close, bars.volume  # noqa: E741
    del o
    moves = np.abs(np.diff(c, prepend=c[:1]))
    returns = np.diff(np.log(c), prepend=np.log(c[0]))
    found: list[Floats] = [talib.EMA(c, period) for period in (9, 21, 50, 100)]
    found += [talib.ADX(h, l, c, 14), talib.PLUS_DI(h, l, c, 14), talib.MINUS_DI(h, l, c, 14)]
    found += talib.MACD(c, 12, 26, 9)
    found += [talib.AROONOSC(h, l, 25), talib.LINEARREG(c, 48), talib.LINEARREG_SLOPE(c, 48), talib.VAR(c, 48)]
    found += [talib.SUM(moves, 20), talib.RSI(c, 14), talib.RSI(c, 7), talib.WILLR(h, l, c, 14)]
    found += [talib.CCI(h, l, c, 20), talib.MFI(h, l, c, v, 14), talib.ROC(c, 12)]
    found.append(talib.LN(c))
    found += [talib.MOM(c, lag) for lag in (1, 4, 16, 96)]
    found += [talib.NATR(h, l, c, 14), talib.ATR(h, l, c, 14), talib.TRANGE(h, l, c)]
    found += [talib.STDDEV(returns, 20), talib.STDDEV(returns, 96)]
    found += talib.BBANDS(c, 20, 2.0, 2.0)
    found += [talib.MAX(h, 20), talib.MIN(l, 20), talib.MAX(h, 96), talib.MIN(l, 96)]
    return found


def with_pandas(bars: BarArrays) -> dict[str, pd.Series]:
    """Return 17 of the outputs as one writes them with pandas."""
    h, l, c = pd.Series(bars.high), pd.Series(bars.low), pd.Series(bars.close)  # noqa: E741
    ema = {period: c.ewm(span=period, adjust=False).mean() for period in (9, 12, 21, 26, 50, 100)}
    macd = ema[12] - ema[26]
    change = c.diff()
    up, down = change.clip(lower=0), -change.clip(upper=0)

    def wilder(values: pd.Series, period: int) -> pd.Series:
        return values.ewm(alpha=1 / period, adjust=False).mean()

    def rsi(period: int) -> pd.Series:
        return 100 - 100 / (1 + wilder(up, period) / wilder(down, period))

    top, bottom = h.rolling(14).max(), l.rolling(14).min()
    fast = 100 * (c - bottom) / (top - bottom)
    high, low = h.rolling(20).max(), l.rolling(20).min()
    logs = np.log(c)
    before = c.shift()
    ranges = np.maximum(h - l, np.maximum((h - before).abs(), (l - before).abs()))
    return {
        **{f"ema_{period}_distance": 100 * (c / ema[period] - 1) for period in (9, 21, 50, 100)},
        "ema_9_21_spread": 100 * (ema[9] / ema[21] - 1),
        "macd_pct": 100 * macd / c,
        "macd_hist_pct": 100 * (macd - macd.ewm(span=9, adjust=False).mean()) / c,
        "rsi_14": rsi(14),
        "rsi_7": rsi(7),
        "stoch_k_14": fast.rolling(3).mean(),
        "willr_14": fast - 100,
        "roc_12": 100 * (c / c.shift(12) - 1),
        "log_return_1": 100 * logs.diff(),
        "log_return_16": 100 * logs.diff(16),
        "realised_vol_20": 100 * logs.diff().rolling(20).std(ddof=0),
        "donchian_20_position": (c - low) / (high - low),
        "natr_14": 100 * wilder(ranges, 14) / c,
    }


def require_agreement(bars: BarArrays) -> None:
    """Refuse to time anything that does not yield the same numbers."""
    ts, ours = anchored_features(bars, M15, 0, PANDAS_NAMES)
    theirs = with_pandas(bars)
    assert len(ts) == len(bars)  # noqa: S101
    for place, name in enumerate(PANDAS_NAMES):
        np.testing.assert_allclose(
            ours[SETTLED:, place], theirs[name].to_numpy()[SETTLED:], rtol=1e-3, atol=1e-4, err_msg=name
        )
    alone = bars.close[-1] / talib.EMA(bars.close, 21)[-1] - 1
    np.testing.assert_allclose(ours[-1, 1], 100 * alone, rtol=1e-4, err_msg="bare TA-Lib")
    some = anchored_features(bars, M15, 0, NAMES)[1]
    whole = anchored_features(bars, M15, 0)[1]
    assert some.tobytes() == whole[:, : len(NAMES)].tobytes()  # noqa: S101


def fastest(work: Callable[[], object], seconds: float) -> tuple[float, float]:
    """Return the best wall-clock and processor time of repetitions within some seconds."""
    wall = busy = float("inf")
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        begun, used = time.perf_counter(), time.process_time()
        work()
        wall, busy = min(wall, time.perf_counter() - begun), min(busy, time.process_time() - used)
    return wall, busy


def compute_symbols(seeds: Sequence[int], seconds: float) -> tuple[float, float]:
    """Compute the outputs of some symbols over and over, as a worker process; return the fastest symbol's times."""
    series = [walk(seed, DAYS * 96, START) for seed in seeds]
    times = [fastest(lambda bars=bars: anchored_features(bars, M15, 0, NAMES), seconds) for bars in series]
    return min(wall for wall, _ in times), min(busy for _, busy in times)


def two_processes() -> tuple[float, float]:
    """Return rows/s of two processes at work at once: by the clock, and by processor time."""
    halves = [range(0, BULK_SYMBOLS, 2), range(1, BULK_SYMBOLS, 2)]
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        times = list(pool.map(compute_symbols, halves, [0.6, 0.6]))
    rows = DAYS * 96
    return sum(rows / wall for wall, _ in times), sum(rows / busy for _, busy in times)


def live_tick() -> dict[str, float]:
    """Return milliseconds of one close of 90 symbols: the 40 outputs, and whole rows with contexts and the market."""
    block = START - START % (BLOCK_BARS * M15) + BLOCK_BARS * M15
    # The middle of a block: windows hold 1,000 to 3,000 bars.
    first = block - 1_000 * M15
    series = {number: walk(number, 2_000, first) for number in range(LIVE_SYMBOLS)}
    close = int(series[0].ts[-1])
    pasts = {number: past_of(bars, close + M15) for number, bars in series.items()}
    some = fastest(lambda: all_anchored_features(series, M15, close, NAMES), 3.0)
    rows = fastest(lambda: feature_rows(pasts, M15, close, reference=0), 3.0)
    return {
        "live_40_outputs_ms": some[0] * 1e3, "live_40_outputs_cpu_ms": some[1] * 1e3,
        "live_whole_rows_ms": rows[0] * 1e3, "live_whole_rows_cpu_ms": rows[1] * 1e3,
        "live_pandas_17_outputs_ms": fastest(lambda: [with_pandas(bars) for bars in series.values()], 2.0)[0] * 1e3,
    }


def past_of(bars: BarArrays, through: int) -> SymbolPast:
    """Return a symbol's bars and its contexts, which the calculator computes once an hour and keeps."""
    contexts = {
        each.origin: context_tables(each, {0: roll_up(bars, each.timeframe.seconds, through)}, 0)[0]
        for each in CONTEXTS
    }
    return SymbolPast(bars=bars, contexts=contexts)


def measure() -> dict[str, float]:
    """Return every figure, after the values were seen to agree."""
    bars = walk(1, DAYS * 96, START)
    require_agreement(bars)
    rows = len(bars)
    ours, cpu = fastest(lambda: anchored_features(bars, M15, 0, NAMES), 4.0)
    every, _ = fastest(lambda: anchored_features(bars, M15, 0), 2.0)
    few, _ = fastest(lambda: anchored_features(bars, M15, 0, PANDAS_NAMES), 2.0)
    library, library_cpu = fastest(lambda: bare(bars), 4.0)
    pandas, _ = fastest(lambda: with_pandas(bars), 2.0)
    two, two_cpu = two_processes()
    return {
        "rows": rows, "outputs": len(NAMES), "own_features": len(OWN_NAMES), "row_features": len(FEATURE_SET.names),
        "bulk_40_rows_per_s": rows / ours, "bulk_40_rows_per_cpu_s": rows / cpu, "bulk_own_rows_per_s": rows / every,
        "bulk_40_two_processes_rows_per_s": two, "bulk_40_two_processes_rows_per_cpu_s": two_cpu,
        "bare_talib_rows_per_s": rows / library, "bare_talib_rows_per_cpu_s": rows / library_cpu,
        "bulk_17_rows_per_s": rows / few, "pandas_17_rows_per_s": rows / pandas, **live_tick(),
    }


def table(found: dict[str, float]) -> str:
    """Return the figures as lines."""
    million = {name: value / 1e6 for name, value in found.items()}
    lines = [
        f"bulk, {found['outputs']} outputs, one process      {million['bulk_40_rows_per_s']:8.2f} M rows/s",
        f"bulk, {found['outputs']} outputs, two processes    "
        f"{million['bulk_40_two_processes_rows_per_s']:8.2f} M rows/s",
        f"bulk, all {found['own_features']} own features          {million['bulk_own_rows_per_s']:8.2f} M rows/s",
        f"bare TA-Lib, its part of the 40      {million['bare_talib_rows_per_s']:8.2f} M rows/s",
        f"17 outputs, ours                     {million['bulk_17_rows_per_s']:8.2f} M rows/s",
        f"17 outputs, pandas                   {million['pandas_17_rows_per_s']:8.2f} M rows/s",
        f"live close of 90, 40 outputs         {found['live_40_outputs_ms']:8.1f} ms",
        f"live close of 90, rows of {found['row_features']}         {found['live_whole_rows_ms']:8.1f} ms",
        f"live close of 90, 17 outputs, pandas {found['live_pandas_17_outputs_ms']:8.1f} ms",
    ]
    return "\n".join(lines)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    as_json = parser.parse_args().json
    found = measure()
    found["load_average"] = os.getloadavg()[0]
    sys.stdout.write((json.dumps(found, indent=2) if as_json else table(found)) + "\n")


if __name__ == "__main__":
    main()
