"""A strategy's looks at one symbol over a span: what the scanner would have written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tracker.domain.signal import Signal
from tracker.domain.timeframe import Timeframe
from tracker.quant.backtest.market import CONTEXT, Span, SymbolMarket
from tracker.quant.bars import BarArrays, Floats, Ints
from tracker.quant.features import FEATURE_SET
from tracker.quant.frame import FeatureFrame, closed_context, feature_frame
from tracker.quant.strategies.base import Proposals, StrategyRule
from tracker.quant.strategies.signals import signal_of
from tracker.quant.windows import anchored_features

# The oldest hourly bar that can still be a decision's context.
CONTEXT_SPAN_SECONDS = 4 * 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class Looks:
    """One symbol's looks: the frame with what was known at each close, and what the rule made of it."""

    symbol_id: int
    frame: FeatureFrame
    proposals: Proposals


def look_at(market: SymbolMarket, rule: StrategyRule[Any], params: Any, timeframe: Timeframe, span: Span) -> Looks:
    """Evaluate a rule at every close of a span."""
    opens_from = span.first - timeframe.seconds + 1
    ts, base = _features(market.decision, timeframe, opens_from)
    inside = ts + timeframe.seconds <= span.end
    ts, base = ts[inside], base[inside]
    hours, context = _features(market.context, CONTEXT, span.first - CONTEXT_SPAN_SECONDS)
    decided_at = ts + timeframe.seconds
    frame = feature_frame(
        close=market.decision.close[np.searchsorted(market.decision.ts, ts)],
        decided_at=decided_at,
        base=base,
        context=closed_context(decided_at=decided_at, context_ts=hours, context=context),
    )
    return Looks(symbol_id=market.instrument.symbol_id, frame=frame, proposals=rule.evaluate(frame, params))


def signals_in(looks: Looks, rule: StrategyRule[Any], config_hash: str) -> list[Signal]:
    """Return the looks that propose a trade, oldest first."""
    return [
        signal_of(rule.name, config_hash, looks.symbol_id, int(looks.frame.decided_at[row]), looks.proposals, int(row))
        for row in np.flatnonzero(looks.proposals.is_signal)
    ]


def _features(bars: BarArrays, timeframe: Timeframe, first: int) -> tuple[Ints, Floats]:
    if len(bars) == 0:
        return np.empty(0, dtype=np.int64), np.empty((0, len(FEATURE_SET.names)))
    return anchored_features(bars, timeframe.seconds, first)
