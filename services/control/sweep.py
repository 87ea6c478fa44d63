"""`tracker sweep`: many configurations of a strategy over the same past, and what choosing among them is worth."""

from __future__ import annotations

import asyncio
import tempfile
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from tracker.domain.errors import ConfigError, InputError
from tracker.quant.backtest.looks import look_at
from tracker.quant.backtest.plan import BacktestPlan
from tracker.quant.backtest.selection import WalkForward, overfitting, sharpes, stands_alone, walk_forward
from tracker.quant.backtest.trials import Trials
from tracker.quant.backtest.variations import Number, draw, grid_of, grid_points, ranges_of
from tracker.quant.metrics import kurtosis, sharpe_ratio, skewness
from tracker.quant.overfitting import deflated_sharpe_ratio
from tracker.quant.portfolio.book import moment_of
from tracker.runtime.cluster import cluster_of
from tracker.runtime.strategies import Rules, StrategyConfig, load_rules, load_strategy
from tracker.runtime.sweep_work import Outcome, try_block, write_work
from tracker.runtime.trading_rules import load_trading_rules
from tracker.store.trials import Trial

from services.control.backtest import (
    BacktestRequest,
    data_of,
    joint_hash,
    log_and_count,
    plan_of,
    read_markets,
)
from services.control.database_at_hand import database_at_hand
from services.control.settings import ControlSettings

# Enough for a task to last longer than it takes to send, few enough for the bar to move.
BLOCK = 4
MOST_REDRAWS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepRequest:
    """What the command line asks for: a `grid`, or `random` draws of the parameters in `vary` (all where empty)."""

    backtest: BacktestRequest
    grid: str
    random: int
    vary: Sequence[str]
    seed: int
    folds: int
    jobs: int
    dask: str | None


@dataclass(frozen=True, slots=True)
class Configured:
    """Where configurations come from: the folder of the toml files, and the rules there are."""

    config_dir: Path
    rules: Rules

    def strategy(self, base: BacktestRequest, changes: Mapping[str, Number]) -> StrategyConfig:
        """Return the strategy with the request's parameters and these; raises ConfigError as load_strategy does."""
        return load_strategy(self.config_dir, base.strategy, {**base.params, **changes}, self.rules)


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One configuration to try; `changes` are the parameters that the sweep varies."""

    changes: Mapping[str, Number]
    config: StrategyConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """A sweep with everything that is said of it; rows of `daily` are days, columns the outcomes."""

    request: SweepRequest
    config: StrategyConfig
    plan: BacktestPlan
    symbols: Sequence[str]
    points: Sequence[Point]
    outcomes: Sequence[Outcome]
    daily: NDArray[np.float64]
    sharpes: NDArray[np.float64]
    best: int
    walk: WalkForward
    pbo: float
    deflated: float
    trials: Trials
    alone: bool
    sweep_id: str
    seconds: float


def sweep(settings: ControlSettings, request: SweepRequest, console: Console) -> Sweep:
    """Try everything, log every try, and return what came of it.

    Raises ConfigError naming a parameter, InputError naming a grid, a symbol, a span or a cluster that cannot be used.
    """
    configured = Configured(settings.config_dir, load_rules(settings.strategies_dir))
    config = configured.strategy(request.backtest, {})
    trading = load_trading_rules(settings.config_dir)
    points = points_of(request, configured)
    sweep_id = uuid.uuid4().hex[:12]
    with _progress(console) as progress, database_at_hand(settings) as url:
        parts = {name: progress.add_task(name, total=1) for name in ("bars", "looks")}
        markets = read_markets(
            url, request.backtest, config, lambda part, done: progress.update(parts[part], completed=done)
        )
        started = time.monotonic()
        plan = plan_of(config, trading, markets, request.backtest)
        looks = list(look_at(markets, plan.rule, plan.params, plan.timeframe, plan.span))
        progress.update(parts["looks"], completed=1)
        with tempfile.TemporaryDirectory(prefix="tracker-sweep-") as folder:
            write_work(Path(folder), plan, markets, looks, settings.strategies_dir)
            tries = progress.add_task("tries", total=len(points))
            outcomes: list[Outcome] = []
            for each in _outcomes(folder, points, request):
                outcomes.append(each)
                progress.advance(tries)
        outcomes.sort(key=lambda each: each.number)
        symbols = [each.instrument.symbol for each in markets]
        trials = asyncio.run(log_and_count(url, _trials(request, plan, points, outcomes, symbols, sweep_id)))
    daily = np.column_stack([each.daily for each in outcomes])
    found = sharpes(daily)
    best = int(np.argmax(np.where(np.isnan(found), -np.inf, found)))
    return Sweep(
        request=request,
        config=config,
        plan=plan,
        symbols=symbols,
        points=points,
        outcomes=outcomes,
        daily=daily,
        sharpes=found,
        best=best,
        walk=walk_forward(daily, request.folds),
        pbo=overfitting(daily),
        deflated=_deflated(daily[:, best], trials),
        trials=trials,
        alone=bool(request.grid) and stands_alone([each.changes for each in points], found, best),
        sweep_id=sweep_id,
        seconds=time.monotonic() - started,
    )


def points_of(request: SweepRequest, configured: Configured) -> list[Point]:
    """Return the configurations to try, each once and each valid.

    Raises InputError where neither or both of grid and random are asked for, ConfigError naming a value out of bounds.
    """
    base = request.backtest
    if bool(request.grid) == (request.random > 0):
        raise InputError("sweep: say either --grid NAME=VALUES,... or --random N")
    if request.grid:
        wanted = (_point(base, changes, configured) for changes in grid_points(grid_of(request.grid)))
        return list({each.config.hash: each for each in wanted}.values())
    ranges = ranges_of(configured.strategy(base, {}).params, request.vary)
    rng = np.random.default_rng(request.seed)
    points: dict[str, Point] = {}
    for _ in range(request.random * MOST_REDRAWS):
        try:
            drawn = _point(base, draw(ranges, rng), configured)
        except ConfigError:
            continue  # parameters that contradict each other, such as a low above its high: drawn again
        points[drawn.config.hash] = drawn
        if len(points) == request.random:
            return list(points.values())
    raise InputError(f"random: only {len(points)} of {request.random} different valid configurations could be drawn")


def _point(base: BacktestRequest, changes: Mapping[str, Number], configured: Configured) -> Point:
    return Point(changes=changes, config=configured.strategy(base, changes))


def _outcomes(folder: str, points: Sequence[Point], request: SweepRequest) -> Iterator[Outcome]:
    """Yield the outcomes as they come, from this machine's processes or from a Dask cluster."""
    numbered = [(number, asdict(each.config.params)) for number, each in enumerate(points)]
    work = (delayed(try_block)(folder, numbered[at : at + BLOCK]) for at in range(0, len(numbered), BLOCK))
    with cluster_of(request.dask):
        blocks: Any = Parallel(n_jobs=request.jobs, return_as="generator_unordered", pre_dispatch="2*n_jobs")(work)
        yield from chain.from_iterable(blocks)


def _trials(
    request: SweepRequest,
    plan: BacktestPlan,
    points: Sequence[Point],
    outcomes: Sequence[Outcome],
    symbols: Sequence[str],
    sweep_id: str,
) -> list[Trial]:
    data = data_of(plan, request.backtest.candles, symbols)
    return [
        Trial(
            strategy=plan.rule.name.value,
            config_hash=joint_hash(point.config.hash, plan.rules_hash),
            params=asdict(point.config.params),
            data_hash=data.hash,
            data=data.facts,
            starts_at=moment_of(plan.span.first),
            ends_at=moment_of(plan.span.end),
            sweep=sweep_id,
            trades=each.trades,
            total_return=each.total_return,
            daily_sharpe=sharpe_ratio(each.daily, 1),
            days=len(each.daily),
        )
        for point, each in zip(points, outcomes, strict=True)
    ]


def _deflated(daily: NDArray[np.float64], trials: Trials) -> float:
    """Return the chance that the best try's Sharpe ratio is above what the best of so many would have by luck."""
    found = sharpe_ratio(daily, 1)
    if np.isnan(found) or trials.count < 2:
        return float("nan")
    return deflated_sharpe_ratio(
        found, trials.sharpe_variance, trials.count, len(daily), skewness(daily), kurtosis(daily)
    )


def _progress(console: Console) -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=console, transient=True)
