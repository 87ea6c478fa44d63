"""Samples out of bars alone: the features, setups and trades that the fleet would make of them, without a database."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from tracker.quant.backtest.looks import looks_of, symbol_rows
from tracker.quant.backtest.market import Span, SymbolMarket
from tracker.quant.features import FEATURE_SET
from tracker.quant.labelling import TradeAlone, outcomes_of, setups_in
from tracker.quant.learning.samples import Samples
from tracker.runtime.label_building import weights_of
from tracker.runtime.labels import LabelWork
from tracker.runtime.model_data import samples_of
from tracker.store.labels import LABEL_REGIMES, SPAN_OUTCOMES, LabelSpans, LabelTable


def samples_from_bars(
    markets: Sequence[SymbolMarket], work: LabelWork, span: Span, trade_alone: TradeAlone
) -> Samples:
    """Return the ended trades of a strategy's setups in a span, as read from labels; trades end with the candles.

    Symbols have the numbers of their instruments.
    """
    tables = list(_tables(markets, work, span, trade_alone))
    joined = {name: np.concatenate([each[name] for each in tables]) for name in tables[0]}
    order = np.lexsort((joined["symbol_id"], joined["decided_at"]))
    return samples_of(LabelTable(names=FEATURE_SET.names, **{name: each[order] for name, each in joined.items()}))


def _tables(
    markets: Sequence[SymbolMarket], work: LabelWork, span: Span, trade_alone: TradeAlone
) -> Iterator[dict[str, np.ndarray]]:
    """Yield the columns of each symbol's labels that ended."""
    config = work.strategy
    by_id = {each.instrument.symbol_id: each for each in markets}
    for found in symbol_rows(markets, FEATURE_SET.names, config.timeframe, span):
        market = by_id[found.symbol_id]
        looks = looks_of(found, config.rule, config.params, config.timeframe, span)
        setups = setups_in(looks.frame, config.rule, config.params, work.params.setups)
        outcomes = outcomes_of(
            setups, market.instrument, market.candles, work.execution, work.params.notional,
            int(market.candles.closes[-1]), trade_alone,
        )  # fmt: skip
        kinds = np.array([SPAN_OUTCOMES.index(each.value) + 1 for each in outcomes.outcome], dtype=np.int64)
        ids = np.full(len(setups), found.symbol_id, dtype=np.int64)
        lives = LabelSpans(
            symbol_id=ids, decided_at=setups.decided_at, exit_at=outcomes.exit_at,
            outcome=kinds, weight=np.zeros(len(setups)),
        )  # fmt: skip
        ended = np.flatnonzero(outcomes.finished)
        p = setups.proposals
        columns = {
            "X": found.rows.values[setups.rows].astype(np.float32),
            "symbol_id": ids.astype(np.int16),
            "decided_at": setups.decided_at,
            "exit_at": outcomes.exit_at,
            "y": (kinds == 1).astype(np.int8),
            "net_return": outcomes.net_return,
            "gross_return": outcomes.gross_return,
            "mae": outcomes.mae,
            "mfe": outcomes.mfe,
            "weight": weights_of(lives),
            "strength": p.strength.astype(np.float32),
            "confirmations": p.confirmations.astype(np.int16),
            "bars_to_exit": (-(-(outcomes.exit_at - setups.decided_at) // config.timeframe.seconds)).astype(np.int32),
            "is_signal": setups.is_signal,
            "regime": np.array([LABEL_REGIMES.index(str(each)) for each in p.regime], dtype=np.int8),
            "volatility": np.zeros(len(setups), dtype=np.int8),
            "reason": np.zeros(len(setups), dtype=np.int8),
        }
        yield {name: each[ended] for name, each in columns.items()}
