"""Signals as columns, in the order in which the paper trader acts on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tracker.quant.backtest.looks import Looks
from tracker.quant.backtest.market import SymbolMarket
from tracker.quant.bars import Floats, Ints, Objects
from tracker.quant.bulk.desk import (
    PLAN_ENTRY,
    PLAN_EXPIRES_AT,
    PLAN_FRACTION,
    PLAN_SIZE,
    PLAN_STOP,
    PLAN_TARGET,
    PLAN_TRAIL,
    Plans,
)
from tracker.quant.strategies.base import Proposals


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalTable:
    """Columns (n,): `market` is a row of the markets; `strength` 0 to 1; `regime` of Regime; `plans` for trading."""

    market: Ints
    strength: Floats
    regime: Objects
    plans: Plans

    def __len__(self) -> int:
        """Return the number of signals."""
        return int(self.market.shape[0])

    @property
    def decided_at(self) -> Ints:
        """The closes at which they were decided, Unix seconds."""
        return self.plans.times

    @property
    def risk(self) -> Floats:
        """What a unit bought at the entry loses at the stop, in quote currency."""
        return self.plans.plans[:, PLAN_ENTRY] - self.plans.plans[:, PLAN_STOP]


def signal_table(looks: Sequence[Looks], markets: Sequence[SymbolMarket]) -> SignalTable:
    """Return every look that proposes a trade, by time and then by the symbol's name; `looks` is one a market."""
    parts = [each.proposals.take(np.flatnonzero(each.proposals.is_signal)) for each in looks]
    times = [each.frame.decided_at[each.proposals.is_signal] for each in looks]
    counts = [len(each) for each in parts]
    names = [each.instrument.symbol for each in markets]
    by_name = np.argsort(np.array(names, dtype=object), kind="stable")
    place = np.empty(len(names), dtype=np.int64)
    place[by_name] = np.arange(len(names))
    market = np.repeat(np.arange(len(looks), dtype=np.int64), counts)
    when = _joined(times, np.int64)
    order = np.lexsort((place[market], when))
    rungs = max((each.ladder.shape[1] for each in parts), default=0)
    return SignalTable(
        market=market[order],
        strength=_joined([each.strength for each in parts], np.float64)[order],
        regime=_joined([each.regime for each in parts], object)[order],
        plans=Plans(
            times=when[order],
            symbol_of=place[market][order],
            rank_of=np.zeros(len(order), dtype=np.int64),
            plans=_joined([_plans(each) for each in parts], np.float64, PLAN_SIZE)[order],
            ladders=_joined([_wide(each.ladder, rungs) for each in parts], np.float64, rungs)[order],
            weights=_joined([_wide(each.size_weights, rungs + 1) for each in parts], np.float64, rungs + 1)[order],
        ),
    )


def _plans(proposals: Proposals) -> Floats:
    plans = np.empty((len(proposals), PLAN_SIZE))
    plans[:, PLAN_ENTRY] = proposals.entry
    plans[:, PLAN_STOP] = proposals.stop
    plans[:, PLAN_TARGET] = proposals.target
    plans[:, PLAN_FRACTION] = proposals.target_fraction
    plans[:, PLAN_TRAIL] = proposals.trail_distance
    plans[:, PLAN_EXPIRES_AT] = proposals.expires_at
    return plans


def _wide(table: Floats, width: int) -> Floats:
    wide = np.full((len(table), width), np.nan)
    wide[:, : table.shape[1]] = table
    return wide


def _joined(parts: Sequence[Any], kind: Any, width: int | None = None) -> Any:
    joined: Any = np.empty(0 if width is None else (0, width), dtype=kind)
    return np.concatenate([joined, *parts])
