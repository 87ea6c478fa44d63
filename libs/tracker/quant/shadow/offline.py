"""The shadow over stored or made-up bars, without a database: for tests, measurements and questions about the past."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tracker.domain.timeframe import Timeframe
from tracker.quant.backtest.looks import looks_of, symbol_rows
from tracker.quant.backtest.market import Span, SymbolMarket
from tracker.quant.backtest.trading import bulk_market
from tracker.quant.bars import Ints, Singles
from tracker.quant.frame import FeatureFrame
from tracker.quant.models.scoring import Model
from tracker.quant.shadow.accounts import Accounts, longest_memory, open_accounts, rungs_of
from tracker.quant.shadow.deciders import Decider, minimums_of, under_models
from tracker.quant.shadow.engine import ClosedTrades, Period, ResumeDesks, Rows, Step, Swarming, TradeMany
from tracker.quant.shadow.evaluation import BlockRule
from tracker.quant.shadow.variation import Variation
from tracker.quant.strategies.base import StrategyRule
from tracker.quant.strategies.inputs import features_read


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """Everything that is known at the closes of a span, of one strategy: `frame` and what its rows are of.

    `values` float32 (n, F) of the features `names`, for the models that decide, `deciders`, ascending.
    """

    frame: FeatureFrame
    rows: Rows
    values: Singles
    names: Sequence[str]
    deciders: Sequence[Decider]
    markets: Sequence[SymbolMarket]
    span: Span
    timeframe: Timeframe
    rule: StrategyRule[Any]


@dataclass(slots=True, kw_only=True)
class Run:
    """What came of a run: the accounts at its end, trades, and returns by the hour and day."""

    accounts: Accounts
    signals: int = 0
    held_back: int = 0
    trades: list[ClosedTrades] = field(default_factory=list[ClosedTrades])
    hours: list[Period] = field(default_factory=list[Period])
    days: list[Period] = field(default_factory=list[Period])


def past_of(
    markets: Sequence[SymbolMarket],
    rule: StrategyRule[Any],
    params: Any,
    timeframe: Timeframe,
    span: Span,
    deciders: Sequence[Decider] = (),
) -> Past:
    """Return what a rule sees at the closes of a span; one with indicators of its own, for these parameters.

    Raises ModelError where a model asks for unknown features.
    """
    ordered = sorted(markets, key=lambda each: each.instrument.symbol)
    asked = [name for each in deciders if each.model is not None for name in each.model.asked()]
    names = tuple(dict.fromkeys((*features_read(rule), *asked)))
    found = list(symbol_rows(ordered, names, timeframe, span))
    looks = [looks_of(each, rule, params, timeframe, span) for each in found]
    symbol = np.repeat(np.arange(len(looks), dtype=np.int64), [len(each.frame) for each in looks])
    ids = np.array([each.instrument.symbol_id for each in ordered], dtype=np.int64)
    decided_at = np.concatenate([each.frame.decided_at for each in looks])
    order = np.lexsort((symbol, decided_at))
    frame = FeatureFrame(
        close=np.concatenate([each.frame.close for each in looks])[order],
        decided_at=decided_at[order],
        columns={
            name: np.concatenate([each.frame[name] for each in looks])[order] for name in looks[0].frame.columns
        },
    )
    rows = Rows(symbol=symbol[order], symbol_ids=ids[symbol[order]], decided_at=decided_at[order])
    values = np.concatenate([each.rows.values for each in found])[order]
    return Past(
        frame=frame, rows=rows, values=values, names=names, deciders=deciders, markets=ordered, span=span,
        timeframe=timeframe, rule=rule,
    )  # fmt: skip


def run(
    past: Past,
    variations: Sequence[Variation],
    resume: ResumeDesks,
    trade_many: TradeMany,
    closes_at_once: int = 96,
    accounts: Accounts | None = None,
) -> Run:
    """Try the variations over the past, so many closes at a time."""
    rules = [each.rules for each in variations]
    accounts = accounts or open_accounts(rules, rungs_of([each.params for each in variations]), len(past.markets))
    swarm = Swarming(variations, accounts, resume, trade_many)
    looking = BlockRule(past.rule, [each.params for each in variations])
    market, minimums = bulk_market(past.markets, longest_memory(rules), past.span), minimums_of(variations)
    done = Run(accounts=accounts)
    for begin, end in _batches(past.span, past.timeframe.seconds * closes_at_once):
        first, last = np.searchsorted(past.rows.decided_at, (begin, end), side="right").tolist()
        chosen: Ints = np.arange(first, last, dtype=np.int64)
        frame = past.frame.take(chosen)
        found = looking.evaluate(lambda _, frame=frame: frame)
        rows = Rows(
            symbol=past.rows.symbol[chosen],
            symbol_ids=past.rows.symbol_ids[chosen],
            decided_at=past.rows.decided_at[chosen],
        )
        found, held = under_models(found, rows.decided_at, past.deciders, _values_of(past, chosen), minimums)
        done.signals += len(found)
        done.held_back += len(held)
        _add(done, swarm.advance(found, rows, market, begin, end))
    return done


def _values_of(past: Past, chosen: Ints) -> Callable[[Model, Ints], Singles]:
    return lambda model, rows: model.arranged(past.values[chosen[rows]], past.names)


def _add(done: Run, step: Step) -> None:
    done.trades.append(step.trades)
    done.hours.extend(step.hours)
    done.days.extend(step.days)


def _batches(span: Span, seconds: int) -> Iterator[tuple[int, int]]:
    begin = span.first
    while begin < span.end:
        end = min(begin + seconds, span.end)
        yield begin, end
        begin = end

