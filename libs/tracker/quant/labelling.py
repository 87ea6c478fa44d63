"""What would have become of a setup: its trade alone, by the exits, fees and slippage of paper trading."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from enum import StrEnum
from typing import Annotated, Any, ClassVar

import numpy as np
from annotated_types import Gt

from tracker.domain.instrument import Instrument
from tracker.domain.label import Outcome
from tracker.quant import kernel
from tracker.quant.backtest.signals import proposed
from tracker.quant.bars import Bools, Floats, Ints, Objects
from tracker.quant.bulk import alone
from tracker.quant.bulk.desk import Market
from tracker.quant.execution import REASONS, ExecutionParams
from tracker.quant.portfolio.series import CandleSeries
from tracker.quant.strategies.base import FeatureFrame, Proposals, StrategyRule

# In the kernel's order.
_BAR_COLUMNS = ("ts", "open", "high", "low", "close", "volume")
_OPEN_GATES = ("min_strength", "min_confirmations")

TradeAlone = Callable[..., None]


class Setups(StrEnum):
    """Which looks are labelled.

    `SIGNALS`: those that the strategy would trade. `ALL`: those that passed every gate of its own but the ones for
    confirmations and strength, too.
    """

    SIGNALS = "signals"
    ALL = "all"


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelParams:
    """How labels are made; the `[labels]` table of models.toml."""

    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid"}

    setups: Setups
    notional: Annotated[float, Gt(0)]
    days: Annotated[float, Gt(0)]


@dataclass(frozen=True, slots=True, kw_only=True)
class SetupTable:
    """One symbol's setups, n of them, oldest first.

    `rows` int64 (n,) are their places in the frame, `decided_at` int64 (n,) their closes in Unix seconds;
    `is_signal` (n,) says which of them the strategy would trade.
    """

    rows: Ints
    decided_at: Ints
    proposals: Proposals
    is_signal: Bools

    def __len__(self) -> int:
        """Return the number of setups."""
        return len(self.rows)

    def take(self, rows: Bools) -> SetupTable:
        """Return some of them."""
        return SetupTable(
            rows=self.rows[rows],
            decided_at=self.decided_at[rows],
            proposals=self.proposals.take(rows),
            is_signal=self.is_signal[rows],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcomes:
    """What became of n setups; NaN, None and 0 where there is nothing to say.

    `outcome` object (n,) of Outcome, `reason` of ExitReason. `exit_at` int64 Unix seconds: of a censored one how far it
    was seen, of an unfilled one its close. Prices are averages of the fills. `net_return` is after fees, `gross_return`
    before, as fractions of what the whole ladder would cost: of what was paid, a ladder that wins after its first rung
    and loses after its last would show a gain where there is none. `mae` <= 0 <= `mfe` of the average entry.
    """

    outcome: Objects
    reason: Objects
    exit_at: Ints
    entry_price: Floats
    exit_price: Floats
    gross_return: Floats
    net_return: Floats
    mae: Floats
    mfe: Floats

    @property
    def finished(self) -> Bools:
        """Which of them ended (n,)."""
        return (self.outcome == Outcome.WIN) | (self.outcome == Outcome.LOSS)


def opened(params: Any) -> Any:
    """Return a rule's parameters with the gates for confirmations and strength wide open, where it has those."""
    known = {each.name for each in fields(params)}
    return replace(params, **{name: type(getattr(params, name))(0) for name in _OPEN_GATES if name in known})


def setups_in(frame: FeatureFrame, rule: StrategyRule[Any], params: Any, which: Setups) -> SetupTable:
    """Return the setups among the looks of a frame, with the trades that they propose."""
    signals = rule.evaluate(frame, params)
    proposals = signals if which is Setups.SIGNALS else rule.evaluate(frame, opened(params))
    rows = np.flatnonzero(proposals.is_signal)
    return SetupTable(
        rows=rows,
        decided_at=frame.decided_at[rows],
        proposals=proposals.take(rows),
        is_signal=signals.is_signal[rows],
    )


def outcomes_of(
    setups: SetupTable,
    instrument: Instrument,
    candles: CandleSeries,
    execution: ExecutionParams,
    notional: float,
    until: int,
    trade_alone: TradeAlone,
) -> Outcomes:
    """Trade each setup of a symbol alone over the candles that close by `until`, Unix seconds.

    `notional` in quote currency is what its whole ladder would cost. `trade_alone` is that of
    `tracker.quant.compiled`, or the plain one of `tracker.quant.bulk.alone` that it is made of.
    """
    places = np.zeros(len(setups), dtype=np.int64)
    plans = proposed(setups.proposals, setups.decided_at, places, [instrument.symbol]).plans
    width = plans.ladders.shape[1]
    results = np.zeros((len(setups), alone.ALONE_SIZE))
    trade_alone(
        plans,
        _market(instrument, candles, execution),
        notional,
        execution.max_volume_share,
        execution.max_price_age_seconds,
        np.array(execution.numbers()),
        until,
        np.zeros(kernel.TRADE_SIZE),
        np.zeros((width, 2)),
        np.zeros((width + 2, kernel.OUT_SIZE)),
        results,
    )
    return _outcomes(setups.decided_at, results, notional)


def uniqueness(begins: Ints, ends: Ints) -> Floats:
    """Return the mean, over the life (begin, end] of each label, of 1 / how many labels are alive, (n,).

    Times in Unix seconds, in any order; a life of no length counts as one second. López de Prado, Advances in
    Financial Machine Learning, chapter 4. The sum is the number of labels that say different things.
    """
    if len(begins) == 0:
        return np.empty(0)
    ends = np.maximum(ends, begins + 1)
    moments = np.unique(np.concatenate((begins, ends)))
    first, last = np.searchsorted(moments, begins), np.searchsorted(moments, ends)
    count = len(moments)
    alive = np.cumsum(np.bincount(first, minlength=count) - np.bincount(last, minlength=count))[:-1]
    shares = np.where(alive > 0, np.diff(moments) / np.maximum(alive, 1), 0.0)
    summed = np.concatenate(([0.0], np.cumsum(shares)))
    return (summed[last] - summed[first]) / (ends - begins)


def uniqueness_within(groups: Ints, begins: Ints, ends: Ints) -> Floats:
    """Return the uniqueness of each label among those of its group, such as its symbol, (n,)."""
    weights = np.empty(len(begins))
    for group in np.unique(groups):
        mine = groups == group
        weights[mine] = uniqueness(begins[mine], ends[mine])
    return weights


def _market(instrument: Instrument, candles: CandleSeries, execution: ExecutionParams) -> Market:
    seconds = float(instrument.base_timeframe.seconds)
    symbol = (
        float(instrument.lot_step), float(instrument.min_notional), execution.entry_valid_bars * seconds, seconds
    )  # fmt: skip
    return Market(
        symbols=np.array([symbol]),
        bars=np.column_stack([getattr(candles.bars, name).astype(np.float64) for name in _BAR_COLUMNS]),
        closes=candles.closes,
        offsets=np.array([0, len(candles)], dtype=np.int64),
        hours=np.empty((1, 0)),
        first_hour=np.zeros(1, dtype=np.int64),
    )


def _outcomes(decided_at: Ints, results: Floats, notional: float) -> Outcomes:
    bought, cost, proceeds = (results[:, each] for each in (alone.ALONE_BOUGHT, alone.ALONE_COST, alone.ALONE_PROCEEDS))
    live, filled = results[:, alone.ALONE_LIVE] != 0.0, bought > 0.0
    finished = filled & ~live
    entry = np.where(filled, cost, np.nan) / np.where(filled, bought, np.nan)
    gross = np.where(finished, proceeds - cost, np.nan)
    net = gross - results[:, alone.ALONE_FEES]
    kinds = np.array([Outcome.UNFILLED, Outcome.CENSORED, Outcome.LOSS, Outcome.WIN], dtype=object)
    seen = np.where(live, results[:, alone.ALONE_SEEN], results[:, alone.ALONE_LAST_FILL]).astype(np.int64)
    return Outcomes(
        outcome=kinds[np.where(live, 1, np.where(finished, 2 + (net > 0.0), 0))],
        reason=np.array(REASONS, dtype=object)[np.where(finished, results[:, alone.ALONE_REASON], 0).astype(np.int64)],
        exit_at=np.maximum(seen, decided_at),
        entry_price=entry,
        exit_price=np.where(finished, proceeds, np.nan) / np.where(filled, bought, np.nan),
        gross_return=gross / notional,
        net_return=net / notional,
        mae=np.where(filled, np.minimum(results[:, alone.ALONE_LOWEST] / entry - 1.0, 0.0), np.nan),
        mfe=np.where(filled, np.maximum(results[:, alone.ALONE_HIGHEST] / entry - 1.0, 0.0), np.nan),
    )
