"""Backtests: one rule on the same bars in ours, freqtrade, backtesting.py and vectorbt; then a strategy and a sweep.

The rule is an EMA cross with an ATR bracket (`tracker.testing.ema_cross`). It trades seeded candles of many symbols and
the real ones of ../shared/data, with one fee, no slippage and the same cash a trade. Trades are compared one by one
before any time is printed; a difference that no rule of the peer explains ends the run with exit code 1.

A time runs from bars in memory, in each one's own shape, to its result; the best of the runs counts. `make bench-peers`
installs the peers; one that is missing is named and left out.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import platform
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial, reduce
from pathlib import Path
from typing import Any

import numpy as np
from joblib import Parallel, delayed
from tracker.domain.errors import InputError
from tracker.domain.signal import Strategy
from tracker.domain.timeframe import Timeframe
from tracker.quant.backtest import BacktestPlan, Span, SymbolMarket
from tracker.quant.backtest.looks import look_at
from tracker.quant.backtest.run import run_backtest
from tracker.quant.bars import BarArrays
from tracker.quant.compiled import trade_all
from tracker.quant.roll_up import roll_up
from tracker.runtime.candles import read_candles
from tracker.runtime.settings import PROJECT_ROOT
from tracker.runtime.strategies import load_strategy
from tracker.runtime.sweep_work import try_block, write_work
from tracker.runtime.trading_rules import load_trading_rules
from tracker.testing.ema_cross import EmaCrossParams, backtest, market_of, trades_of

from benchmarks.peers.agreement import Agreement, compare
from benchmarks.peers.series import Effort, Series, Watch, series_of

PEERS = {"freqtrade": "freqtrade_", "backtesting": "backtesting_py", "vectorbt": "vectorbt_"}
SHARED = PROJECT_ROOT.parent / "shared" / "data" / "candles"
REAL = [
    ("BTC-PERP_1m_2022-01.csv", Timeframe.M1),
    ("BTC-PERP_1m_2022-01.csv", Timeframe.M5),
    ("BTC-PERP_1m_2022-01.csv", Timeframe.M15),
    ("ETH-BTC_5m_2018-01.csv", Timeframe.M5),
]
START = 1_704_067_200
DAY = 86_400
# The shipped strategies' features are known after so many days.
WARM_UP_DAYS = 60
SWEPT = 100
BLOCK = 10
CONFIGS = PROJECT_ROOT / "configs"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One measurement: the least seconds by the clock and of the processor, trades, and how many a peer made as we did.

    The ratios say how many times ours a peer took.
    """

    bars: str
    what: str
    who: str
    seconds: float
    processor: float | None
    trades: int
    same: int | None = None
    ratio: float | None = None
    processor_ratio: float | None = None
    causes: dict[str, int] | None = None


def seeded(symbols: int, days: int) -> list[BarArrays]:
    """Return 15m bars of random walks with fat tails and gaps, the same each time; volume limits nothing."""
    count, found = days * DAY // 900, list[BarArrays]()
    for number in range(symbols):
        random = np.random.default_rng(number)
        close = 100.0 * np.exp(np.cumsum(random.standard_t(4, count) * 0.002))
        opened = np.concatenate(([100.0], close[:-1])) * np.exp(random.standard_t(3, count) * 0.0003)
        wicks = np.abs(random.normal(0.0, 0.001, (2, count)))
        found.append(
            BarArrays(
                ts=START + 900 * np.arange(count, dtype=np.int64),
                open=opened,
                high=np.maximum(opened, close) * (1.0 + wicks[0]),
                low=np.minimum(opened, close) * (1.0 - wicks[1]),
                close=close,
                volume=random.gamma(2.0, 5e8, count),
            )
        )
    return found


def best(runs: int, work: Callable[[], Any]) -> tuple[Effort, Any]:
    """Return the effort of the fastest run, and what the last one returned."""
    effort, result = Effort(float("inf"), float("inf")), None
    for _ in range(runs):
        watch = Watch()
        result = work()
        effort = effort.least(watch.read())
    return effort, result


def is_installed(name: str) -> bool:
    """Return whether a package can be imported."""
    return importlib.util.find_spec(name) is not None


def peers_at_hand(wanted: Sequence[str], installed: Callable[[str], bool] = is_installed) -> list[Any]:
    """Return the modules of the peers that are installed, and name the others."""
    found: list[Any] = []
    for name in wanted:
        if installed(name):
            found.append(importlib.import_module(f"benchmarks.peers.{PEERS[name]}"))
        else:
            sys.stderr.write(f"{name} is not installed and left out: `make bench-peers` installs it in .venv-peers.\n")
    return found


def measure(name: str, series: Sequence[Series], peers: Sequence[Any], runs: int, peer_runs: int) -> list[Row]:
    """Return the rows of one set of bars, the trading alone and with each one's own indicators."""
    params, timeframe = EmaCrossParams(), series[0].timeframe
    markets = [market_of(place, each.bars, timeframe) for place, each in enumerate(series)]
    entries = [each.entries for each in series]
    rows: list[Row] = []
    for what, given in (("trading", entries), ("all", None)):
        effort, result = best(runs, partial(backtest, markets, timeframe, params, trade_all, given))
        ours = trades_of(result)
        rows.append(Row(bars=name, what=what, who="ours", trades=len(ours), **asdict(effort)))
        for peer in peers:
            tries = [peer.run(series, params, own_indicators=given is None) for _ in range(peer_runs)]
            theirs, took = tries[-1].trades, reduce(Effort.least, (each.effort for each in tries))
            found = compare(ours, theirs, series, peer.CAUSES, max(peer.RTOL, 1e-12))
            refuse_unexplained(name, peer, found)
            rows.append(
                Row(
                    bars=name,
                    what=what,
                    who=f"{peer.NAME} {peer.version()}",
                    trades=len(theirs),
                    same=found.same,
                    ratio=took.seconds / effort.seconds,
                    processor_ratio=took.processor / effort.processor,
                    causes=dict(found.causes),
                    **asdict(took),
                )
            )
    return rows


def refuse_unexplained(name: str, peer: Any, found: Agreement) -> None:
    """Raise InputError where trades differ for no reason that is known."""
    if found.unexplained:
        shown = "; ".join(found.unexplained[:3])
        raise InputError(
            f"{name}: {len(found.unexplained)} trades differ from {peer.NAME}'s without a known reason, such as {shown}"
        )


def real_series(name: str, timeframe: Timeframe) -> list[Series]:
    """Return one real series, rolled up where its file is finer."""
    read = read_candles(SHARED / name)
    bars = BarArrays(ts=read.ts, open=read.o, high=read.h, low=read.l, close=read.c, volume=read.v)
    if bars.ts[1] - bars.ts[0] < timeframe.seconds:
        bars = roll_up(bars, timeframe.seconds, int(bars.ts[-1]))
    bars = replace(bars, volume=np.full(len(bars), 1e12))
    return series_of([name], [bars], timeframe, EmaCrossParams())


def shipped(symbols: int, days: int, runs: int) -> list[Row]:
    """Return the rows of the swing strategy as it is configured, once and over many parameter sets."""
    config = load_strategy(CONFIGS, Strategy("swing"))
    bars = seeded(symbols, days + WARM_UP_DAYS)
    markets: list[SymbolMarket] = [
        replace(market_of(place, each, config.timeframe), days=roll_up(each, DAY, int(each.ts[-1]) + 900))
        for place, each in enumerate(bars)
    ]
    plan = BacktestPlan(
        rule=config.rule,
        params=config.params,
        config_hash=config.hash,
        timeframe=config.timeframe,
        trading=load_trading_rules(CONFIGS),
        rules_hash="",
        span=Span(first=START + WARM_UP_DAYS * DAY, end=int(bars[0].ts[-1]) + 900),
    )
    name = f"{symbols} x {days} days of 15m"
    effort, result = best(runs, lambda: run_backtest(plan, markets, trade_all))
    rows = [Row(bars=name, what="swing, all", who="ours", trades=len(result.traded.trades), **asdict(effort))]
    effort, trades = best(1, lambda: sweep(plan, markets))
    what = f"swing, {SWEPT} parameter sets, 2 processes"
    # The processor's time of the workers is not ours to see.
    rows.append(Row(bars=name, what=what, who="ours", trades=trades, seconds=effort.seconds, processor=None))
    return rows


def sweep(plan: BacktestPlan, markets: Sequence[SymbolMarket]) -> int:
    """Do what `tracker sweep` does for many stops and targets, in two processes; return how many trades that were."""
    changes = ((1.5 + 0.2 * (number % 10), 1.0 + 0.2 * (number // 10)) for number in range(SWEPT))
    points = [
        (number, asdict(replace(plan.params, stop_atr=stop, reward_multiple=reward)))
        for number, (stop, reward) in enumerate(changes)
    ]
    looks = list(look_at(markets, plan.rule, plan.params, plan.timeframe, plan.span))
    with tempfile.TemporaryDirectory(prefix="tracker-bench-") as folder:
        write_work(Path(folder), plan, markets, looks, PROJECT_ROOT / "strategies")
        blocks = [points[begin : begin + BLOCK] for begin in range(0, SWEPT, BLOCK)]
        outcomes = Parallel(n_jobs=2)(delayed(try_block)(folder, block) for block in blocks)
    return sum(each.trades for block in outcomes for each in block)


def table(rows: Sequence[Row]) -> str:
    """Return the rows as Markdown, and what differed under them."""
    heads = ("bars", "what", "who", "seconds", "processor", "trades", "as ours", "times ours", "by processor")
    lines = [f"| {' | '.join(heads)} |", "|---|---|---" + "|---:" * 6 + "|"]
    notes: list[str] = []
    for row in rows:
        figures = (
            f"{row.seconds:.3f}",
            "" if row.processor is None else f"{row.processor:.3f}",
            str(row.trades),
            "" if row.same is None else str(row.same),
            "" if row.ratio is None else f"{row.ratio:.1f}",
            "" if row.processor_ratio is None else f"{row.processor_ratio:.1f}",
        )
        lines.append(f"| {' | '.join((row.bars, row.what, row.who, *figures))} |")
        causes = (row.causes or {}).items()
        notes += [f"- {row.bars}, {row.what}, {row.who}, {count}: {cause}." for cause, count in causes]
    return "\n".join([*lines, "", *notes]) + "\n"


def arguments() -> argparse.Namespace:
    """Return the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--symbols", type=int, default=90)
    parser.add_argument("--days", type=int, default=180)
    parser.add_argument("--runs", type=int, default=5, help="how often ours runs; the best counts")
    parser.add_argument("--peer-runs", type=int, default=2, help="how often a peer runs; the best counts")
    parser.add_argument("--peers", nargs="*", choices=sorted(PEERS), default=list(PEERS))
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def main() -> int:
    """Compare, measure, print."""
    wanted = arguments()
    peers = peers_at_hand(wanted.peers)
    names = [f"S{place:03d}" for place in range(wanted.symbols)]
    walks = series_of(names, seeded(wanted.symbols, wanted.days), Timeframe.M15, EmaCrossParams())
    sets = [(f"{wanted.symbols} x {wanted.days} days of 15m", walks)]
    if SHARED.is_dir():
        sets += [(f"{name.split('_')[0]} {timeframe.value}", real_series(name, timeframe)) for name, timeframe in REAL]
    else:
        sys.stderr.write(f"{SHARED} is not there, so real candles are left out.\n")
    try:
        # What is compiled at its first use is compiled before.
        measure("warm-up", series_of(names[:1], seeded(1, 30), Timeframe.M15, EmaCrossParams()), peers, 1, 1)
        rows = [row for name, series in sets for row in measure(name, series, peers, wanted.runs, wanted.peer_runs)]
    except InputError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    rows += shipped(wanted.symbols, wanted.days, wanted.runs)
    machine = f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}, Python {platform.python_version()}"
    load = f"load {os.getloadavg()[0]:.1f}"
    if wanted.json:
        sys.stdout.write(json.dumps({"machine": machine, "load": load, "rows": [asdict(row) for row in rows]}) + "\n")
    else:
        sys.stdout.write(f"{machine}, {load}; best of {wanted.runs} runs, of peers {wanted.peer_runs}\n\n{table(rows)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
