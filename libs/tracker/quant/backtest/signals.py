"""Signals as columns, in the order in which the paper trader acts on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from tracker.quant.backtest.market import SymbolMarket
from tracker.quant.bars import Floats, Ints, Objects
from tracker.quant.bulk.desk import (
    PLAN_BREAK_EVEN,
    PLAN_CONFIDENCE,
    PLAN_CONFIRMATIONS,
    PLAN_ENTRY,
    PLAN_EXPIRES_AT,
    PLAN_FRACTION,
    PLAN_REGIME,
    PLAN_SIZE,
    PLAN_STOP,
    PLAN_STRENGTH,
    PLAN_TARGET,
    PLAN_TRAIL,
    PLAN_VOLATILITY,
    Plans,
)
from tracker.quant.sizing import REGIMES, VOLATILITIES
from tracker.quant.strategies.base import Proposals

if TYPE_CHECKING:
    from tracker.quant.backtest.looks import Looks


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalTable:
    """Columns (n,): `market` is a row of the markets; `strength` 0 to 1; `regime` of Regime, `volatility`
    of Volatility; `plans` for trading."""

    market: Ints
    strength: Floats
    regime: Objects
    volatility: Objects
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
    chosen = [np.flatnonzero(each.proposals.is_signal) for each in looks]
    return proposed(
        joined_proposals([each.proposals.take(rows) for each, rows in zip(looks, chosen, strict=True)]),
        np.concatenate([each.frame.decided_at[rows] for each, rows in zip(looks, chosen, strict=True)]),
        np.repeat(np.arange(len(looks), dtype=np.int64), [len(rows) for rows in chosen]),
        [each.instrument.symbol for each in markets],
    )


def proposed(proposals: Proposals, decided_at: Ints, market: Ints, names: Sequence[str]) -> SignalTable:
    """Return proposals that are all signals as a table; `market` int64 (n,) is each one's place among the `names`."""
    by_name = np.argsort(np.array(names, dtype=object), kind="stable")
    place = np.empty(len(names), dtype=np.int64)
    place[by_name] = np.arange(len(names))
    order = np.lexsort((place[market], decided_at))
    ordered = proposals.take(order)
    return SignalTable(
        market=market[order],
        strength=ordered.strength,
        regime=ordered.regime,
        volatility=ordered.volatility,
        plans=Plans(
            times=decided_at[order],
            symbol_of=place[market][order],
            rank_of=np.zeros(len(order), dtype=np.int64),
            plans=plan_numbers(ordered),
            ladders=np.ascontiguousarray(ordered.ladder),
            weights=np.ascontiguousarray(ordered.size_weights),
        ),
    )


def joined_proposals(parts: Sequence[Proposals]) -> Proposals:
    """Return the rows of several proposals of one rule and one set of parameters, one after the other."""
    columns: dict[str, Any] = {
        each.name: np.concatenate([getattr(part, each.name) for part in parts]) for each in fields(Proposals)
    }
    return Proposals(**columns)


def _codes(values: Objects, known: Sequence[Any]) -> Ints:
    """Return the place of each value among the known ones, int64 (n,)."""
    codes = np.zeros(len(values), dtype=np.int64)
    for code, each in enumerate(known):
        codes[values == each] = code
    return codes


def plan_numbers(proposals: Proposals) -> Floats:
    """Return the numbers of proposed trades (n, PLAN_SIZE), as bulk trading reads them."""
    plans = np.empty((len(proposals), PLAN_SIZE))
    plans[:, PLAN_ENTRY] = proposals.entry
    plans[:, PLAN_STOP] = proposals.stop
    plans[:, PLAN_TARGET] = proposals.target
    plans[:, PLAN_FRACTION] = proposals.target_fraction
    plans[:, PLAN_TRAIL] = proposals.trail_distance
    plans[:, PLAN_BREAK_EVEN] = proposals.break_even_distance
    plans[:, PLAN_EXPIRES_AT] = proposals.expires_at
    plans[:, PLAN_CONFIDENCE] = proposals.confidence
    plans[:, PLAN_STRENGTH] = proposals.strength
    plans[:, PLAN_CONFIRMATIONS] = proposals.confirmations
    plans[:, PLAN_VOLATILITY] = _codes(proposals.volatility, VOLATILITIES)
    plans[:, PLAN_REGIME] = _codes(proposals.regime, REGIMES)
    return plans
