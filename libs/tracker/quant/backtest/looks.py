"""A strategy's looks at symbols over a span: what the scanner would have written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tracker.domain.signal import Signal, Strategy
from tracker.domain.timeframe import Timeframe
from tracker.quant.backtest.market import Span, SymbolMarket
from tracker.quant.bars import BarArrays
from tracker.quant.feature_rows import (
    ContextTable,
    FeatureRows,
    SymbolPast,
    context_names,
    context_tables,
    feature_rows,
    needs_all_symbols,
)
from tracker.quant.features import CONTEXTS, Origin
from tracker.quant.features.catalogue import Context
from tracker.quant.features.market import reference_of
from tracker.quant.frame import FeatureFrame, feature_frame
from tracker.quant.models.scoring import Model, judged, score_setups
from tracker.quant.roll_up import roll_up
from tracker.quant.strategies.base import Proposals, StrategyRule
from tracker.quant.strategies.inputs import features_read, own_columns
from tracker.quant.strategies.signals import signal_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Looks:
    """One symbol's looks: the frame with what was known at each close, and what the rule made of it.

    `model_id` is of the model that gave proposals their confidence, where one was asked.
    """

    symbol_id: int
    frame: FeatureFrame
    proposals: Proposals
    model_id: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SymbolRows:
    """One symbol's bars that had closed by the end of a span, and the `rows` of the features `names` within it."""

    symbol_id: int
    bars: BarArrays
    names: tuple[str, ...]
    rows: FeatureRows


def look_at(
    markets: Sequence[SymbolMarket],
    rule: StrategyRule[Any],
    params: Any,
    timeframe: Timeframe,
    span: Span,
    model: Model | None = None,
) -> Iterator[Looks]:
    """Evaluate a rule at every close of a span, symbol after symbol, and hold back what `model` holds back.

    Features that compare symbols do so among `markets`. Raises ModelError where the model asks for unknown features.
    """
    names = features_read(rule)
    if model is not None:
        names = tuple(dict.fromkeys((*names, *model.asked())))
    for each in symbol_rows(markets, names, timeframe, span):
        looks = looks_of(each, rule, params, timeframe, span)
        yield looks if model is None else _judged(looks, each, model)


def _judged(looks: Looks, found: SymbolRows, model: Model) -> Looks:
    scores = score_setups(
        model, looks.proposals, looks.frame.decided_at,
        lambda rows: model.arranged(found.rows.values[rows], found.names),
    )  # fmt: skip
    return replace(looks, proposals=judged(looks.proposals, scores, model.threshold), model_id=model.model_id)


def symbol_rows(
    markets: Sequence[SymbolMarket], names: Sequence[str], timeframe: Timeframe, span: Span
) -> Iterator[SymbolRows]:
    """Compute the named features at every close of a span, symbol after symbol; as look_at. None without markets."""
    if not markets:
        return
    first_ts = span.first - timeframe.seconds + 1
    reference = reference_of({each.instrument.symbol: each.instrument.symbol_id for each in markets})
    groups = [list(markets)] if needs_all_symbols(names) else [[each] for each in markets]
    for group in groups:
        pasts = {each.instrument.symbol_id: _past(each, timeframe, span, names) for each in group}
        rows = feature_rows(pasts, timeframe.seconds, first_ts, reference=reference, names=names)
        for market in group:
            symbol_id = market.instrument.symbol_id
            yield SymbolRows(
                symbol_id=symbol_id, bars=pasts[symbol_id].bars, names=tuple(names), rows=rows[symbol_id]
            )


def looks_of(found: SymbolRows, rule: StrategyRule[Any], params: Any, timeframe: Timeframe, span: Span) -> Looks:
    """Evaluate a rule on rows that hold all features it reads."""
    names, bars, rows = features_read(rule), found.bars, found.rows
    values = rows.values
    if names != found.names:
        values = values[:, [found.names.index(name) for name in names]]
    frame = feature_frame(
        close=bars.close[len(bars) - len(rows.ts) :],
        decided_at=rows.ts + timeframe.seconds,
        values=values,
        names=names,
        own=own_columns(rule, params, bars, timeframe.seconds, span.first - timeframe.seconds + 1),
    )
    return Looks(symbol_id=found.symbol_id, frame=frame, proposals=rule.evaluate(frame, params))


def signals_in(looks: Looks, rule: StrategyRule[Any], config_hash: str) -> list[Signal]:
    """Return the looks that propose a trade, oldest first."""
    return [signal_at(looks, rule.name, config_hash, int(row)) for row in np.flatnonzero(looks.proposals.is_signal)]


def signal_at(looks: Looks, strategy: Strategy, config_hash: str, row: int) -> Signal:
    """Return the trade that one look proposes, with the model that was asked about it."""
    seconds = int(looks.frame.decided_at[row])
    signal = signal_of(strategy, config_hash, looks.symbol_id, seconds, looks.proposals, row)
    return signal if signal.confidence is None else replace(signal, model_id=looks.model_id)


def _past(market: SymbolMarket, timeframe: Timeframe, span: Span, names: Sequence[str]) -> SymbolPast:
    """Return the bars that had closed by the end of the span, and the contexts that the names need."""
    bars = market.decision
    within = bars.slice(0, int(np.searchsorted(bars.ts, span.end - timeframe.seconds, side="right")))
    contexts: dict[Origin, ContextTable] = {}
    for context in CONTEXTS:
        wanted = context_names(context, names)
        if wanted:
            # The oldest bar that can still be a context of the first decision, and one more.
            first = span.first - context.max_age_seconds - 2 * context.timeframe.seconds
            series = {0: _context_bars(market, context, span)}
            contexts[context.origin] = context_tables(context, series, first, wanted)[0]
    return SymbolPast(bars=within, contexts=contexts)


def _context_bars(market: SymbolMarket, context: Context, span: Span) -> BarArrays:
    if context.origin is Origin.HOUR:
        return market.context
    return market.days if market.days is not None else roll_up(market.context, context.timeframe.seconds, span.end)
