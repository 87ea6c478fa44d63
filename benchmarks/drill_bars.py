"""The market of a drill out of the market simulator's own bars, with the edge that its configuration can plant."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
from tracker.domain.instrument import Instrument
from tracker.domain.signal import Strategy
from tracker.domain.timeframe import Timeframe
from tracker.quant.backtest.market import CONTEXT, Span, SymbolMarket, finest_candles
from tracker.quant.bars import BarArrays
from tracker.quant.compiled import trade_alone
from tracker.quant.learning.samples import DAY, Samples
from tracker.quant.roll_up import roll_up
from tracker.runtime.config import load_toml
from tracker.runtime.labels import LabelWork, label_work, load_label_params
from tracker.runtime.settings import PROJECT_ROOT
from tracker.runtime.strategies import load_strategy
from tracker.runtime.trading_rules import load_trading_rules
from tracker.runtime.universe import load_universe
from tracker.testing.labelled_bars import samples_from_bars
from tracker.testing.model_drill import DrillPlan

from services.market_simulator.bars import CLOSE, HIGH, LOW, OPEN, VOLUME
from services.market_simulator.generated import MINUTE, GeneratedMarket, generated_market
from services.market_simulator.parameters import EdgeParameters, MarketParameters

CONFIGS = PROJECT_ROOT / "configs"
# Before the first decision, for the features that look back over days; and after the last, for its trade to end.
WARM_UP_DAYS = 60
TAIL_DAYS = 4
# With two cycles a day no feature alone says what the hour says, which the gate might take for a leak.
CYCLES = 2
EPOCH_DAY = date(1970, 1, 1)


def work_of(strategy: Strategy) -> LabelWork:
    """Return the labels of a strategy as it ships."""
    execution = load_trading_rules(CONFIGS).paper.execution
    return label_work(load_strategy(CONFIGS, strategy), execution, load_label_params(CONFIGS))


def market_from_bars(plan: DrillPlan, cycles: int = CYCLES) -> Samples:
    """Return what became of a strategy's setups in an invented market of the plan's seed, edge and days.

    `plan.edge` is the edge's strength, `cycles` how often a day it comes; it ends where the plan says.
    """
    parameters = load_toml(CONFIGS / "market_simulator.toml", MarketParameters)
    first = plan.start // DAY
    edge = None
    if plan.edge > 0:
        last_day = EPOCH_DAY + timedelta(days=first + plan.edge_ends - 1)
        edge = EdgeParameters(strength=plan.edge, cycles=cycles, last_day=last_day)
    parameters = parameters.model_copy(update={"seed": plan.seed, "edge": edge})
    invented = generated_market(parameters, load_universe(CONFIGS / "universe.toml"))
    work = work_of(plan.strategy)
    names = list(invented.traded)[: plan.symbols]
    days = (first - WARM_UP_DAYS, first + plan.last_day + TAIL_DAYS)
    markets = [
        _market(invented, name, number, days, work.strategy.timeframe) for number, name in enumerate(names, start=1)
    ]
    span = Span(first=plan.start, end=plan.start + plan.last_day * DAY)
    samples = samples_from_bars(markets, work, span, trade_alone)
    # A drill numbers its symbols from 0.
    return replace(samples, symbol=samples.symbol - 1)


def _market(
    invented: GeneratedMarket, name: str, number: int, days: tuple[int, int], timeframe: Timeframe
) -> SymbolMarket:
    bars = invented.rows(name, MINUTE, days[0] * DAY, days[1] * DAY)
    fine = BarArrays(
        ts=bars.ts.astype(np.int64), open=bars.table[OPEN], high=bars.table[HIGH], low=bars.table[LOW],
        close=bars.table[CLOSE], volume=bars.table[VOLUME],
    )  # fmt: skip
    end = days[1] * DAY
    decision = roll_up(fine, timeframe.seconds, end)
    return SymbolMarket(
        instrument=Instrument(symbol_id=number, symbol=name),
        decision=decision,
        context=roll_up(fine, CONTEXT.seconds, end),
        candles=finest_candles(decision, timeframe, fine, Timeframe.M1),
    )
