"""What all variations of a strategy see at some closes, and the bars in which they trade."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tracker.domain.instrument import Instrument, InstrumentStatus
from tracker.domain.timeframe import Timeframe
from tracker.quant.backtest.market import Span as BacktestSpan
from tracker.quant.backtest.market import SymbolMarket, whole_candles
from tracker.quant.backtest.trading import bulk_market
from tracker.quant.bars import BarArrays
from tracker.quant.bulk.desk import Market
from tracker.quant.features import FEATURE_SET
from tracker.quant.frame import FeatureFrame
from tracker.quant.models.scoring import Model
from tracker.quant.portfolio.book import seconds_of
from tracker.quant.shadow.accounts import longest_memory
from tracker.quant.shadow.deciders import ValuesOf
from tracker.quant.shadow.engine import Rows
from tracker.quant.strategies.inputs import WithIndicators, features_read
from tracker.runtime.looks import ScanInputs, bar_arrays, features_of, inputs_of, joined, reads_from
from tracker.runtime.shadow_config import Swarm
from tracker.store.bars import BarTable
from tracker.store.database import Transaction
from tracker.store.features import FeatureTable, find_feature_set, read_features
from tracker.store.readers import read_range

_WHOLE = np.empty(0, dtype=np.int64)
_NO_BARS = BarArrays(
    ts=_WHOLE, **{name: np.empty(0) for name in ("open", "high", "low", "close", "volume")}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """The rows of all symbols at all closes; `frame_of` returns their frame as some parameters need it.

    `values_of` returns the features (k, F) of some rows as a model reads them.
    """

    closes: NDArray[np.int64]
    rows: Rows
    frame_of: Callable[[Any], FeatureFrame]
    values_of: ValuesOf
    market: Market


async def read_seen(
    transaction: Transaction, swarm: Swarm, instruments: Sequence[Instrument], first: datetime, end: datetime
) -> Seen:
    """Return what is seen at the closes in (first, end]; `instruments` by name, as the scanner looks at them."""
    config = swarm.config
    feature_set = await find_feature_set(transaction, FEATURE_SET)
    frame = config.timeframe
    features: dict[int, FeatureTable] = {}
    if feature_set is not None:
        features = await read_features(transaction, feature_set, frame, first, end)
    bars = await read_range(transaction, frame, reads_from(config, first), end)
    looked = [
        each
        for each in instruments
        if each.status is InstrumentStatus.ACTIVE and each.symbol_id in features and each.symbol_id in bars
    ]
    begin = seconds_of(first)

    def inputs(params: Any) -> list[ScanInputs]:
        own = replace(config, params=params)
        ids = [each.symbol_id for each in looked]
        return [inputs_of(number, own, features[number], bars[number], begin) for number in ids]

    own = inputs(config.params)
    rows, order = _rows(own, {each.symbol_id: row for row, each in enumerate(instruments)})
    closes = np.arange(begin, seconds_of(end), frame.seconds, dtype=np.int64) + frame.seconds
    names = features_read(config.rule)

    def values_of(model: Model, some: NDArray[np.int64]) -> NDArray[np.float32]:
        return model.arranged(features_of(own, order[some]), FEATURE_SET.names)

    whole: list[FeatureFrame] = []

    def frame_of(params: Any) -> FeatureFrame:
        if isinstance(config.rule, WithIndicators):
            return joined(inputs(params), names).frame.take(order)
        if not whole:
            whole.append(joined(own, names).frame.take(order))
        return whole[0]

    market = await _market(transaction, swarm, instruments, first, end)
    return Seen(closes=closes, rows=rows, frame_of=frame_of, values_of=values_of, market=market)


def _rows(inputs: Sequence[ScanInputs], place: dict[int, int]) -> tuple[Rows, NDArray[np.int64]]:
    """Return what the rows are of by time and then by symbol, and where each stands symbol after symbol."""
    if not inputs:
        return Rows(symbol=_WHOLE, symbol_ids=_WHOLE, decided_at=_WHOLE), _WHOLE
    counts = [len(each.decided_at) for each in inputs]
    ids = np.repeat(np.array([each.symbol_id for each in inputs], dtype=np.int64), counts)
    symbol = np.repeat(np.array([place[each.symbol_id] for each in inputs], dtype=np.int64), counts)
    decided_at = np.concatenate([each.decided_at for each in inputs])
    order = np.lexsort((symbol, decided_at))
    return Rows(symbol=symbol[order], symbol_ids=ids[order], decided_at=decided_at[order]), order


async def _market(
    transaction: Transaction, swarm: Swarm, instruments: Sequence[Instrument], first: datetime, end: datetime
) -> Market:
    """Return the finest bars of all symbols that close in (first, end]."""
    by_length: dict[Timeframe, list[int]] = {}
    for each in instruments:
        by_length.setdefault(each.base_timeframe, []).append(each.symbol_id)
    rules = longest_memory([each.rules for each in swarm.variations])
    back = (rules.risk.limits.cluster_hours + 2) * Timeframe.H1.duration
    hours = await read_range(transaction, Timeframe.H1, Timeframe.H1.floor(first) - back, end)
    found: dict[int, BarTable] = {}
    for frame, ids in by_length.items():
        found |= await read_range(transaction, frame, frame.floor(first), frame.floor(end), ids)
    markets = [
        SymbolMarket(
            instrument=each,
            decision=_NO_BARS,
            context=bar_arrays(hours[each.symbol_id]) if each.symbol_id in hours else _NO_BARS,
            candles=whole_candles(
                bar_arrays(found[each.symbol_id]) if each.symbol_id in found else _NO_BARS, each.base_timeframe
            ),
        )
        for each in instruments
    ]
    return bulk_market(markets, rules, BacktestSpan(first=seconds_of(first), end=seconds_of(end)))
