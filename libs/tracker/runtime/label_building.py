"""Labels out of stored bars, a stretch of time after the other, a symbol after the other, each kept as it is done."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from tracker.domain.instrument import Instrument
from tracker.domain.label import Outcome
from tracker.domain.timeframe import Timeframe
from tracker.quant.backtest.looks import SymbolRows, looks_of, symbol_rows
from tracker.quant.backtest.market import Span
from tracker.quant.features import FEATURE_SET
from tracker.quant.labelling import (
    Outcomes,
    SetupTable,
    TradeAlone,
    outcomes_of,
    setups_in,
    uniqueness,
    uniqueness_within,
)
from tracker.quant.portfolio.book import moment_of, seconds_of
from tracker.quant.portfolio.series import CandleSeries
from tracker.quant.windows import BLOCK_BARS
from tracker.runtime.labels import LabelWork
from tracker.runtime.stored_markets import bar_arrays, decision_markets, finest_stored
from tracker.store.bars import read_watermarks
from tracker.store.database import Database, Transaction
from tracker.store.labels import (
    LABEL_CENSORED,
    LABEL_UNFILLED,
    LabelRow,
    LabelSpans,
    put_label_config,
    read_label_cursors,
    read_label_spans,
    read_stored_features,
    replace_labels,
    write_label_weights,
)
from tracker.store.readers import read_latest, read_symbol_range
from tracker.store.symbols import read_symbols

DAY_SECONDS = 86_400
# Beyond the last time-out: a large trade in a thin market leaves in parts.
SLACK_SECONDS = DAY_SECONDS
# What differs by less is the rounding of sums of other lengths.
WEIGHT_DIGITS = 9

# Told how much of the work is done, 0 to 1.
Tell = Callable[[float], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelRequest:
    """Closes in (first, end], None: as far back as configured, and all that have closed.

    `since_last`: of each symbol only the closes after those that were labelled, and again those whose trades had not
    ended.
    """

    first: datetime | None = None
    end: datetime | None = None
    since_last: bool = False


@dataclass(slots=True, kw_only=True)
class BuiltLabels:
    """What a build did for one strategy; `features_stored` of its setups have the row that the calculator wrote."""

    work: LabelWork
    first: datetime | None = None
    end: datetime | None = None
    symbols: set[int] = field(default_factory=set[int])
    setups: int = 0
    changed: int = 0
    reweighed: int = 0
    features_stored: int = 0
    features_computed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Task:
    """One strategy's labels, and from where to where each symbol is looked at, Unix seconds."""

    work: LabelWork
    spans: Mapping[int, Span]
    built: BuiltLabels


@dataclass(frozen=True, slots=True, kw_only=True)
class _Group:
    """Strategies of one timeframe, that share bars and features; `end` is up to where all bars are known."""

    timeframe: Timeframe
    feature_set: int
    instruments: Mapping[int, Instrument]
    end: int
    tasks: Sequence[_Task]

    def stretches(self) -> list[Span]:
        """Return the spans to work on, cut where the windows of features are."""
        begins = [each.first for task in self.tasks for each in task.spans.values()]
        ends = [each.end for task in self.tasks for each in task.spans.values()]
        if not begins:
            return []
        step, cuts = BLOCK_BARS * self.timeframe.seconds, [min(begins)]
        while (following := (cuts[-1] // step + 1) * step) < max(ends):
            cuts.append(following)
        cuts.append(max(ends))
        return [Span(first=first, end=end) for first, end in pairwise(cuts)]


async def build_labels(
    database: Database,
    works: Sequence[LabelWork],
    feature_set: int,
    request: LabelRequest,
    trade_alone: TradeAlone,
    tell: Tell | None = None,
) -> list[BuiltLabels]:
    """Label the setups of strategies, and return what was done for each.

    `database` acts as ml_retrainer, `feature_set` is the number of FEATURE_SET. A symbol's stretch is one transaction:
    killed anywhere, a build with `since_last` goes on where this one was. `trade_alone` as for outcomes_of.
    """
    built: list[BuiltLabels] = []
    groups: list[_Group] = []
    for timeframe in dict.fromkeys(each.strategy.timeframe for each in works):
        mine = [each for each in works if each.strategy.timeframe is timeframe]
        async with database.transaction() as transaction:
            groups.append(await _planned(transaction, timeframe, mine, feature_set, request))
            await transaction.commit()
        built += [each.built for each in groups[-1].tasks]
    total = sum(len(group.stretches()) for group in groups)
    done = 0
    for group in groups:
        for stretch in group.stretches():
            at = done

            def within(part: float, at: int = at) -> None:
                if tell is not None:
                    tell((at + part) / total)

            await _label_stretch(database, group, stretch, trade_alone, within)
            done += 1
    order = {id(each): place for place, each in enumerate(works)}
    return sorted(built, key=lambda each: order[id(each.work)])


async def _planned(
    transaction: Transaction,
    timeframe: Timeframe,
    works: Sequence[LabelWork],
    feature_set: int,
    request: LabelRequest,
) -> _Group:
    instruments = {
        each.symbol_id: each
        for each in await read_symbols(transaction)
        if each.base_timeframe.seconds <= timeframe.seconds
    }
    latest = await read_latest(transaction, timeframe, list(instruments))
    closes = {
        symbol_id: ts + timeframe.seconds
        for symbol_id, ts in zip(latest.symbol_ids.tolist(), latest.ts.tolist(), strict=True)
    }
    mark = (await read_watermarks(transaction)).get(timeframe)
    end = max(closes.values(), default=0)
    # Behind the watermark bars of some symbols may still be on their way.
    end = end if mark is None else min(end, seconds_of(mark.closed_through))
    last = end if request.end is None else min(end, seconds_of(request.end))
    tasks: list[_Task] = []
    for work in works:
        await put_label_config(transaction, work.config)
        spans = await _spans(transaction, work, closes, last, request)
        tasks.append(_Task(work=work, spans=spans, built=BuiltLabels(work=work)))
    return _Group(timeframe=timeframe, feature_set=feature_set, instruments=instruments, end=end, tasks=tasks)


async def _spans(
    transaction: Transaction, work: LabelWork, closes: Mapping[int, int], last: int, request: LabelRequest
) -> dict[int, Span]:
    """Return which closes of each symbol are to be looked at."""
    begin = last - round(work.params.days * DAY_SECONDS) if request.first is None else seconds_of(request.first)
    firsts = dict.fromkeys(closes, max(begin, 0))
    if request.since_last:
        cursors = await read_label_cursors(transaction, work.config.hash)
        firsts |= {key: seconds_of(each) for key, each in cursors.items() if key in closes}
        lives = await read_label_spans(transaction, work.config.strategy, work.config.hash)
        pending = lives.outcome == LABEL_CENSORED
        for key, decided_at, seen in zip(
            lives.symbol_id[pending].tolist(), lives.decided_at[pending].tolist(), lives.exit_at[pending].tolist(),
            strict=True,
        ):  # fmt: skip
            # Bars that came since may end it.
            if min(closes.get(key, 0), last) > seen:
                firsts[key] = min(firsts[key], decided_at - 1)
    ends = {key: min(close, last) for key, close in closes.items()}
    return {key: Span(first=first, end=ends[key]) for key, first in firsts.items() if first < ends[key]}


async def _label_stretch(
    database: Database, group: _Group, stretch: Span, trade_alone: TradeAlone, tell: Tell
) -> None:
    async with database.transaction() as transaction:
        markets = await decision_markets(transaction, list(group.instruments.values()), group.timeframe, stretch)
    for number, rows in enumerate(symbol_rows(markets, FEATURE_SET.names, group.timeframe, stretch), start=1):
        tasks = [each for each in group.tasks if _part(each, rows.symbol_id, stretch) is not None]
        if tasks and len(rows.rows.ts):
            async with database.transaction() as transaction:
                await _label_symbol(transaction, group, tasks, stretch, rows, trade_alone)
                await transaction.commit()
        tell(number / len(markets))
    for task in group.tasks:
        async with database.transaction() as transaction:
            task.built.reweighed += await _weigh(transaction, task.work)
            await transaction.commit()


def _part(task: _Task, symbol_id: int, stretch: Span) -> Span | None:
    """Return what of a stretch is to be looked at."""
    mine = task.spans.get(symbol_id)
    if mine is None or mine.first >= stretch.end or mine.end <= stretch.first:
        return None
    return Span(first=max(mine.first, stretch.first), end=min(mine.end, stretch.end))


async def _label_symbol(
    transaction: Transaction,
    group: _Group,
    tasks: Sequence[_Task],
    stretch: Span,
    rows: SymbolRows,
    trade_alone: TradeAlone,
) -> None:
    """Label one symbol's setups of a stretch, of all strategies."""
    instrument = group.instruments[rows.symbol_id]
    found: list[tuple[_Task, Span, SetupTable]] = []
    for task in tasks:
        part = _part(task, rows.symbol_id, stretch)
        assert part is not None  # noqa: S101 - the tasks were chosen by it
        config = task.work.strategy
        looks = looks_of(rows, config.rule, config.params, group.timeframe, stretch)
        setups = setups_in(looks.frame, config.rule, config.params, task.work.params.setups)
        within = (setups.decided_at > part.first) & (setups.decided_at <= part.end)
        found.append((task, part, setups.take(within)))
    features, stored = await _features(transaction, group, rows, [setups for _, _, setups in found])
    candles = _Candles(transaction, instrument, group, stretch)
    for task, part, setups in found:
        outcomes = await candles.outcomes(task.work, setups, trade_alone)
        chosen = [int(row) for row in setups.rows]
        values = features[chosen] if chosen else np.empty((0, len(FEATURE_SET.names)), dtype=np.float32)
        built = task.built
        built.changed += await replace_labels(
            transaction, task.work.config, rows.symbol_id, (moment_of(part.first), moment_of(part.end)),
            _rows_of(setups, outcomes, group.timeframe.seconds), group.feature_set, values,
        )  # fmt: skip
        built.setups += len(setups)
        built.features_stored += sum(row in stored for row in chosen)
        built.features_computed += sum(row not in stored for row in chosen)
        built.symbols.add(rows.symbol_id)
        first, end = moment_of(part.first), moment_of(part.end)
        built.first = first if built.first is None else min(built.first, first)
        built.end = end if built.end is None else max(built.end, end)


async def _features(
    transaction: Transaction, group: _Group, rows: SymbolRows, setups: Sequence[SetupTable]
) -> tuple[NDArray[np.float32], set[int]]:
    """Return the symbol's rows of features, as stored where a setup's were, and which those are.

    What is stored is what the decision saw: a bar may have been corrected since.
    """
    values = rows.rows.values
    wanted = np.unique(np.concatenate([each.rows for each in setups]))
    if not len(wanted):
        return values, set()
    opens = rows.rows.ts[wanted]
    found = await read_stored_features(transaction, rows.symbol_id, group.timeframe, group.feature_set, opens)
    stored: set[int] = set()
    values = values.copy()
    for row, ts in zip(wanted.tolist(), opens.tolist(), strict=True):
        if ts in found:
            values[row] = found[ts]
            stored.add(row)
    return values, stored


@dataclass(slots=True)
class _Candles:
    """One symbol's candles from a stretch on, read as far as its trades need them."""

    transaction: Transaction
    instrument: Instrument
    group: _Group
    stretch: Span
    _series: CandleSeries | None = None
    _through: int = 0

    async def outcomes(self, work: LabelWork, setups: SetupTable, trade_alone: TradeAlone) -> Outcomes:
        """Trade the setups until all have ended, or nothing more is known."""
        last = int(setups.proposals.expires_at.max(initial=0)) + SLACK_SECONDS
        while True:
            until = min(max(last, self._through), self.group.end)
            candles = await self._read(until)
            outcomes = outcomes_of(
                setups, self.instrument, candles, work.execution, work.params.notional, until, trade_alone
            )
            if until == self.group.end or not np.any(outcomes.outcome == Outcome.CENSORED):
                return outcomes
            last = until + 7 * DAY_SECONDS

    async def _read(self, until: int) -> CandleSeries:
        if self._series is None or until > self._through:
            timeframe = self.group.timeframe
            span = (timeframe.floor(moment_of(self.stretch.first)), timeframe.floor(moment_of(until)))
            table = await read_symbol_range(self.transaction, self.instrument.symbol_id, timeframe, *span)
            self._series = await finest_stored(
                self.transaction, self.instrument, timeframe, bar_arrays(table), span
            )
            self._through = until
        return self._series


def _rows_of(setups: SetupTable, outcomes: Outcomes, seconds: int) -> list[LabelRow]:
    p = setups.proposals
    filled = outcomes.outcome != Outcome.UNFILLED
    weights = np.zeros(len(setups))
    # Those of the same stretch are most of what overlaps; the rest is made good when all are there.
    weights[filled] = _rounded(uniqueness(setups.decided_at[filled], outcomes.exit_at[filled]))
    finished = outcomes.finished
    bars = -(-(outcomes.exit_at - setups.decided_at) // seconds)
    return [
        LabelRow(
            decided_at=moment_of(int(setups.decided_at[row])),
            exit_at=moment_of(int(outcomes.exit_at[row])),
            outcome=outcomes.outcome[row].value,
            exit_reason=outcomes.reason[row].value if finished[row] else None,
            regime=str(p.regime[row]),
            volatility=str(p.volatility[row]),
            is_signal=bool(setups.is_signal[row]),
            confirmations=int(p.confirmations[row]),
            strength=float(p.strength[row]),
            bars_to_exit=int(bars[row]) if finished[row] else None,
            entry=float(p.entry[row]),
            entry_price=float(outcomes.entry_price[row]),
            exit_price=float(outcomes.exit_price[row]),
            gross_return=float(outcomes.gross_return[row]),
            net_return=float(outcomes.net_return[row]),
            mae=float(outcomes.mae[row]),
            mfe=float(outcomes.mfe[row]),
            weight=float(weights[row]),
        )
        for row in range(len(setups))
    ]


async def _weigh(transaction: Transaction, work: LabelWork) -> int:
    """Bring the weights of all labels of a configuration up to date; return how many were not."""
    lives = await read_label_spans(transaction, work.config.strategy, work.config.hash)
    weights = weights_of(lives)
    stale = np.abs(weights - lives.weight) > 2.0 * 10.0**-WEIGHT_DIGITS
    if stale.any():
        await write_label_weights(
            transaction, work.config.strategy, work.config.hash, lives.symbol_id[stale], lives.decided_at[stale],
            weights[stale],
        )  # fmt: skip
    return int(np.count_nonzero(stale))


def weights_of(lives: LabelSpans) -> NDArray[np.float64]:
    """Return each label's uniqueness among those of its symbol (n,); 0 where nothing was bought."""
    weights = np.zeros(len(lives.weight))
    filled = lives.outcome != LABEL_UNFILLED
    weights[filled] = _rounded(
        uniqueness_within(lives.symbol_id[filled], lives.decided_at[filled], lives.exit_at[filled])
    )
    return weights


def _rounded(weights: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.round(weights, WEIGHT_DIGITS)
