"""`tracker backtest`: what a strategy would have done over a span of the past."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from tracker.domain.errors import InputError, ModelError
from tracker.domain.signal import Strategy
from tracker.domain.timeframe import EPOCH
from tracker.quant.backtest import BacktestPlan, Span, SymbolMarket
from tracker.quant.backtest.random_entry import random_entry_p
from tracker.quant.backtest.run import BacktestResult, run_backtest
from tracker.quant.backtest.summary import Summary, daily_equity, summarise
from tracker.quant.backtest.trials import ONLY_TRIAL, Trials
from tracker.quant.compiled import trade_all
from tracker.quant.metrics import period_returns, sharpe_ratio
from tracker.quant.models.scoring import Model
from tracker.quant.paper import TradingRules
from tracker.quant.portfolio.book import moment_of
from tracker.runtime.config import config_hash
from tracker.runtime.effective_strategy import effective_strategy, values_of
from tracker.runtime.live_model import load_threshold, model_named
from tracker.runtime.stored_registry import StoredRegistry
from tracker.runtime.strategies import StrategyConfig, load_rules, load_strategy, shaped_strategy
from tracker.runtime.trading_rules import load_trading_rules
from tracker.store.database import Database
from tracker.store.trials import Trial, count_trials, log_trials

from services.control.backtest_bars import markets_from_database
from services.control.backtest_candles import markets_from_files
from services.control.database_at_hand import database_at_hand
from services.control.settings import ControlSettings

__all__ = ["EPOCH", "Backtest", "BacktestRequest", "backtest", "params_of", "write_page"]

DATABASE = "database"
CHAMPION = "champion"
# Trials have one writer: whoever logs them does so in its name.
TRIALS_ROLE = "tracker_ml_retrainer"

Tell = Callable[[str, float], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class BacktestRequest:
    """What the command line asks for; `candles` is a folder or file of candles, or the word database.

    `live`: with the configuration that is in force, not that of the file. `model`: the number of a model to ask about
    signals, or the word champion; none where it is None.
    """

    strategy: Strategy
    first: datetime | None
    end: datetime | None
    symbols: Sequence[str]
    params: Mapping[str, Any]
    candles: str
    live: bool = False
    model: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Backtest:
    """A backtest with everything that is said of it."""

    request: BacktestRequest
    config: StrategyConfig
    markets: Sequence[SymbolMarket]
    result: BacktestResult
    summary: Summary
    random_entry_p: float
    seconds: float


def backtest(settings: ControlSettings, request: BacktestRequest, console: Console) -> Backtest:
    """Run it, log the try, and return what came of it.

    Raises ConfigError naming a parameter, InputError naming a symbol, a span, a candle or a model that cannot be used.
    """
    rules = load_rules(settings.strategies_dir)
    config = load_strategy(settings.config_dir, request.strategy, request.params, rules)
    trading = load_trading_rules(settings.config_dir)
    with _progress(console) as progress, database_at_hand(settings) as url:
        tell = _teller(progress)
        if request.live:
            config = asyncio.run(_in_force(url, config, settings, request.params))
        markets = read_markets(url, request, config, tell)
        started = time.monotonic()
        model = None
        if request.model is not None:
            model = asyncio.run(_model(url, request, load_threshold(settings.config_dir)))
        result = run_backtest(plan_of(config, trading, markets, request, model), markets, trade_all, tell)
        data = data_of(result.plan, request.candles, [each.instrument.symbol for each in markets])
        trials = asyncio.run(log_and_count(url, [_trial(result, data, asdict(config.params))]))
        summary = summarise(result, markets, trials)
        chance = random_entry_p(result, markets)
        tell("random entries", 1.0)
    return Backtest(
        request=request,
        config=config,
        markets=markets,
        result=result,
        summary=summary,
        random_entry_p=chance,
        seconds=time.monotonic() - started,
    )


def is_live(config: str) -> bool:
    """Tell whether --config asks for what is in force; raises InputError where it says neither file nor live."""
    if config not in ("file", "live"):
        raise InputError(f"--config: {config!r} is neither file nor live")
    return config == "live"


async def _in_force(
    url: str, config: StrategyConfig, settings: ControlSettings, changes: Mapping[str, Any]
) -> StrategyConfig:
    database = await Database.open(url, role=None, pool_size=1, application="tracker:backtest")
    try:
        async with database.transaction() as transaction:
            rules = load_rules(settings.strategies_dir)
            found = await effective_strategy(transaction, settings.config_dir, config.strategy, rules)
    finally:
        await database.close()
    raw = {"timeframe": found.config.timeframe.value, "params": {**values_of(found.config), **changes}}
    return shaped_strategy("params", config.strategy, config.rule, raw)


async def _model(url: str, request: BacktestRequest, threshold: float) -> Model:
    database = await Database.open(url, role=None, pool_size=1, application="tracker:backtest")
    try:
        async with database.transaction() as transaction:
            if request.model == CHAMPION:
                slots = await StoredRegistry().slots(transaction, request.strategy)
                found = [each.model_id for each in slots if each.is_champion]
                if not found:
                    raise InputError(f"--model: {request.strategy} has no champion")
                return await model_named(transaction, found[0], threshold)
            if not (request.model or "").isdecimal():
                raise InputError(f"--model: {request.model!r} is neither a number nor {CHAMPION}")
            return await model_named(transaction, int(request.model or ""), threshold)
    except ModelError as error:
        raise InputError(f"--model: {error}") from None
    finally:
        await database.close()


def params_of(texts: Sequence[str]) -> dict[str, int | float | str]:
    """Return NAME=VALUE texts (several in one, separated by commas, too) as numbers where they are numbers.

    Raises InputError naming a text without a name or a value.
    """
    found: dict[str, int | float | str] = {}
    for text in (part.strip() for each in texts for part in each.split(",") if part.strip()):
        name, equals, value = text.partition("=")
        if not (name.strip() and equals and value.strip()):
            raise InputError(f"--params {text!r} is not NAME=VALUE")
        found[name.strip()] = _number(value.strip())
    return found


def _number(text: str) -> int | float | str:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def write_page(path: Path, text: str) -> None:
    """Write a report; raises InputError where the file cannot be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(f"--report {path}: cannot be written: {error.strerror}") from None


def read_markets(url: str, request: BacktestRequest, config: StrategyConfig, tell: Tell) -> list[SymbolMarket]:
    """Read the bars the request names, and refuse a span without any."""
    if request.first is not None and request.end is not None and request.end <= request.first:
        raise InputError(f"--to {request.end.isoformat()} is not after --from {request.first.isoformat()}")
    if request.candles == DATABASE:
        span = (request.first, request.end)
        return asyncio.run(markets_from_database(url, request.symbols, config.timeframe, span, tell))
    markets = markets_from_files(Path(request.candles), request.symbols, config.timeframe)
    tell("bars", 1.0)
    for each in markets:
        _require_bars(each, request)
    return markets


def plan_of(
    config: StrategyConfig,
    trading: TradingRules,
    markets: Sequence[SymbolMarket],
    request: BacktestRequest,
    model: Model | None = None,
) -> BacktestPlan:
    """Return the plan: the fleet's rules of trading over the span, or over all there is."""
    step = config.timeframe.seconds
    first = min(int(each.candles.bars.ts[0]) for each in markets)
    end = max(int(each.decision.ts[-1]) for each in markets) + step
    if request.first is not None:
        first = max(first, int(request.first.timestamp()))
    if request.end is not None:
        end = min(end, int(request.end.timestamp()))
    return BacktestPlan(
        rule=config.rule,
        params=config.params,
        config_hash=config.hash,
        timeframe=config.timeframe,
        trading=trading,
        rules_hash=config_hash(trading),
        span=Span(first=first, end=end),
        model=model,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Data:
    """What a try was made on, and the hash by which tries on the same are known."""

    facts: Mapping[str, Any]
    hash: str


def data_of(plan: BacktestPlan, candles: str, symbols: Sequence[str]) -> Data:
    """Return where the bars come from, which they are, and when."""
    facts = {
        "candles": candles,
        "symbols": list(symbols),
        "timeframe": plan.timeframe.value,
        "first": plan.span.first,
        "end": plan.span.end,
    }
    return Data(facts=facts, hash=hashlib.sha256(orjson.dumps(facts)).hexdigest()[:16])


def joint_hash(*hashes: str) -> str:
    """Return the identity of a configuration made of several."""
    return hashlib.sha256(":".join(hashes).encode()).hexdigest()[:16]


async def log_and_count(url: str, trials: Sequence[Trial]) -> Trials:
    """Note the tries, all of one strategy on the same data, and return how many there were ever."""
    database = await Database.open(url, role=TRIALS_ROLE, pool_size=1, application="tracker:backtest")
    try:
        async with database.transaction() as transaction:
            await log_trials(transaction, trials)
            count, variance = await count_trials(transaction, trials[0].strategy, trials[0].data_hash)
            await transaction.commit()
    finally:
        await database.close()
    return replace(ONLY_TRIAL, count=count, sharpe_variance=variance)


def _asked(plan: BacktestPlan) -> list[str]:
    return [] if plan.model is None else [f"model {plan.model.model_id} at {plan.model.threshold}"]


def _trial(result: BacktestResult, data: Data, params: Mapping[str, Any]) -> Trial:
    plan = result.plan
    equity = result.curve.equity
    returns = period_returns(daily_equity(result.curve.ts, equity))
    return Trial(
        strategy=plan.rule.name.value,
        config_hash=joint_hash(plan.config_hash, plan.rules_hash, *_asked(plan)),
        params=params,
        data_hash=data.hash,
        data=data.facts,
        starts_at=moment_of(plan.span.first),
        ends_at=moment_of(plan.span.end),
        sweep=None,
        trades=len(result.traded.trades),
        total_return=float(equity[-1] / equity[0] - 1.0),
        daily_sharpe=sharpe_ratio(returns, 1),
        days=len(returns),
    )


def _require_bars(market: SymbolMarket, request: BacktestRequest) -> None:
    first, end = int(market.candles.bars.ts[0]), int(market.candles.closes[-1])
    wanted = (request.first, request.end)
    late = request.first is not None and request.first.timestamp() >= end
    early = request.end is not None and request.end.timestamp() <= first
    if late or early:
        there = f"{moment_of(first).isoformat()} to {moment_of(end).isoformat()}"
        said = " to ".join("..." if each is None else each.isoformat() for each in wanted)
        raise InputError(f"{market.instrument.symbol}: no candles in {said}, its candles are of {there}")


def _progress(console: Console) -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    return Progress(*columns, console=console, transient=True)


def _teller(progress: Progress) -> Tell:
    tasks = {name: progress.add_task(name, total=1.0) for name in ("bars", "looks", "trades", "random entries")}

    def tell(part: str, done: float) -> None:
        progress.update(tasks[part], completed=done)

    return tell
