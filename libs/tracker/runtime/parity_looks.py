"""What the scanners decided, held against what the rules make of the stored bars today."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any

import numpy as np

from tracker.domain.errors import ModelError
from tracker.domain.instrument import Instrument, InstrumentStatus
from tracker.domain.signal import Decision, Signal, SkipReason
from tracker.quant.backtest.looks import Looks, look_at, signal_at
from tracker.quant.backtest.market import Span, SymbolMarket
from tracker.quant.features import FEATURE_SET
from tracker.quant.models.scoring import Model
from tracker.quant.portfolio.book import moment_of, seconds_of
from tracker.quant.strategies.inputs import features_read
from tracker.runtime.effective_strategy import known_configs
from tracker.runtime.live_model import Registry, model_named
from tracker.runtime.parity_difference import Difference, difference, facts_of, plain
from tracker.runtime.stored_markets import decision_markets
from tracker.runtime.strategies import StrategyConfig
from tracker.store.database import Transaction
from tracker.store.features import find_feature_set, read_features
from tracker.store.paper import read_scan_watermarks, read_signals
from tracker.store.parity import StoredLook, read_first_look, read_looks
from tracker.store.symbols import read_symbols

# What a signal has beside what its rule proposes.
NOT_PROPOSED = ("signal_id", "priced_at")
SIGNAL_REASON = "setup"
# Differences are kept with their inputs, which cost a read each.
MOST_INPUTS = 200
# Of decisions compared together: more are faster, fewer need less memory.
STRETCH_DAYS = 7
DAY_SECONDS = 86_400

# Symbol id, and close in Unix seconds.
Key = tuple[int, int]


@dataclass(slots=True)
class LookParity:
    """How much of one strategy was compared in a span; the first `keep` differences are kept, all are counted.

    `other_config` looks were taken by a configuration that is known nowhere, or with a model that cannot be read.
    """

    span: Span
    keep: int | None = None
    looks: int = 0
    signals: int = 0
    other_config: int = 0
    found: int = 0
    differences: list[Difference] = field(default_factory=list[Difference])

    def add(self, differences: Sequence[Difference]) -> None:
        """Take in what differs."""
        self.found += len(differences)
        self.differences += differences


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stretch:
    """One strategy's stored decisions in a span, and what they are worked out from."""

    span: Span
    instruments: Mapping[int, Instrument]
    markets: Sequence[SymbolMarket]
    looks: Mapping[Key, StoredLook]
    signals: Mapping[Key, Signal]


async def check_looks(
    transaction: Transaction,
    config: StrategyConfig,
    span: tuple[datetime | None, datetime | None],
    *,
    keep: int | None = None,
    stretch_days: int = STRETCH_DAYS,
    registry: Registry | None = None,
) -> LookParity | None:
    """Compare one strategy's decisions in (first, end], everything it scanned by default; None before its first.

    Each look is taken again with the model that it names, from `registry`, the table of models by default.

    So many days are held in memory at a time; of the differences `keep` are kept, all of them by default.
    """
    mine = await _scanned(transaction, config, span)
    if mine is None:
        return None
    instruments = {each.symbol_id: each for each in await read_symbols(transaction)}
    count = LookParity(span=mine, keep=keep)
    for first in range(mine.first, mine.end, stretch_days * DAY_SECONDS):
        stretch = Span(first=first, end=min(first + stretch_days * DAY_SECONDS, mine.end))
        await _compare_looks(transaction, config, stretch, instruments, count, registry)
    return count


async def _scanned(
    transaction: Transaction, config: StrategyConfig, span: tuple[datetime | None, datetime | None]
) -> Span | None:
    first = await read_first_look(transaction, config.strategy)
    mark = (await read_scan_watermarks(transaction)).get(config.strategy)
    if first is None or mark is None:
        return None
    begin = max(seconds_of(first) - config.timeframe.seconds, seconds_of(span[0]) if span[0] else 0)
    end = min(seconds_of(mark.closed_through), seconds_of(span[1]) if span[1] else seconds_of(mark.closed_through))
    return Span(first=begin, end=end) if begin < end else None


async def _compare_looks(
    transaction: Transaction,
    config: StrategyConfig,
    span: Span,
    instruments: Mapping[int, Instrument],
    count: LookParity,
    registry: Registry | None,
) -> None:
    first, end = moment_of(span.first), moment_of(span.end)
    stretch = _Stretch(
        span=span,
        instruments=instruments,
        markets=await decision_markets(transaction, list(instruments.values()), config.timeframe, span),
        looks=await read_looks(transaction, config.strategy, first, end),
        signals={
            (each.symbol_id, seconds_of(each.decided_at)): each
            for each in await read_signals(transaction, first, end)
            if each.strategy == config.strategy
        },
    )
    known = await known_configs(transaction, config, {each.config_hash for each in stretch.looks.values()})
    models = await _models(transaction, stretch, registry)
    lookable: set[Key] = set()
    for each in known:
        for asked, model in models.items():
            found, lookable = _taken_with(each, asked, model, stretch, count)
            await _add(transaction, each, stretch, found, count)
    await _add(transaction, config, stretch, _untaken(config, stretch, lookable, count), count)
    hashes = {each.hash for each in known}
    taken = (stretch.looks[key] for key in lookable & stretch.looks.keys())
    count.other_config += sum(1 for each in taken if each.config_hash not in hashes or _asked(each) not in models)


# The number of the model that was asked and the probability that was asked for, None where none was.
Asked = tuple[int, float] | None


def _asked(look: StoredLook) -> Asked:
    return None if look.model_id is None else (look.model_id, math.nan if look.threshold is None else look.threshold)


async def _models(
    transaction: Transaction, stretch: _Stretch, registry: Registry | None
) -> Mapping[Asked, Model | None]:
    """Return the models that decided in a stretch, those that can still be read; that none was asked is one of them."""
    found: dict[Asked, Model | None] = {None: None}
    for asked in {_asked(each) for each in stretch.looks.values()} - {None}:
        assert asked is not None  # noqa: S101 - taken out above
        try:
            if math.isfinite(asked[1]):
                found[asked] = await model_named(transaction, asked[0], asked[1], registry)
        except ModelError:
            continue  # its looks count as of an unknown configuration
    return found


def _taken_with(
    config: StrategyConfig, asked: Asked, model: Model | None, stretch: _Stretch, count: LookParity
) -> tuple[list[Difference], set[Key]]:
    """Compare looks of a configuration and a model; return what differs, and all looks that could be taken."""
    found: list[Difference] = []
    lookable: set[Key] = set()
    for looks in look_at(stretch.markets, config.rule, config.params, config.timeframe, stretch.span, model):
        symbol = stretch.instruments[looks.symbol_id].symbol
        for row, seconds in enumerate(looks.frame.decided_at.tolist()):
            key = (looks.symbol_id, seconds)
            lookable.add(key)
            was = stretch.looks.get(key)
            if was is None or was.config_hash != config.hash or _asked(was) != asked:
                continue
            count.looks += 1
            found += _look_differences(config, symbol, was, looks, row)
            if looks.proposals.is_signal[row] or key in stretch.signals:
                count.signals += 1
                found += _signal_differences(config, symbol, stretch.signals.get(key), looks, row)
    return found, lookable


def _untaken(config: StrategyConfig, stretch: _Stretch, lookable: set[Key], count: LookParity) -> list[Difference]:
    """Return the looks that nobody took, and those of which the bar is gone."""
    found: list[Difference] = []
    for symbol_id, seconds in sorted(lookable - stretch.looks.keys()):
        # A symbol that is collected and has a bar must have been looked at, or its bar came too late for that.
        instrument = stretch.instruments[symbol_id]
        if instrument.status is InstrumentStatus.ACTIVE:
            found.append(difference("look", config.strategy, instrument.symbol, seconds, "row", None, "there"))
    for symbol_id, seconds in sorted(stretch.looks.keys() - lookable):
        if stretch.looks[symbol_id, seconds].reason == SkipReason.NO_BAR.value:
            count.looks += 1
        else:
            symbol = stretch.instruments[symbol_id].symbol
            found.append(difference("look", config.strategy, symbol, seconds, "bar", "there", "gone"))
    return found


async def _add(
    transaction: Transaction, config: StrategyConfig, stretch: _Stretch, found: list[Difference], count: LookParity
) -> None:
    room = found if count.keep is None else found[: max(count.keep - len(count.differences), 0)]
    count.add(
        await _with_inputs(transaction, config, stretch.markets, stretch.span, room, stretch.instruments)
    )
    count.found += len(found) - len(room)


def _look_differences(config: StrategyConfig, symbol: str, was: StoredLook, looks: Looks, row: int) -> list[Difference]:
    proposals = looks.proposals
    is_signal = bool(proposals.is_signal[row])
    strength = float(proposals.strength[row])
    now = {
        "decision": (Decision.SIGNAL if is_signal else Decision.SKIP).value,
        "reason": SIGNAL_REASON if is_signal else SkipReason(proposals.reason[row]).value,
        "regime": str(proposals.regime[row]),
        "volatility": str(proposals.volatility[row]),
        "strength": float(np.float32(strength if math.isfinite(strength) else 0.0)),
        "confirmations": int(proposals.confirmations[row]),
        "confidence": float(confidence) if math.isfinite(confidence := proposals.confidence[row]) else None,
    }
    return [
        difference("look", config.strategy, symbol, was.decided_at, name, getattr(was, name), value)
        for name, value in now.items()
        if getattr(was, name) != value
    ]


def _signal_differences(
    config: StrategyConfig, symbol: str, was: Signal | None, looks: Looks, row: int
) -> list[Difference]:
    seconds = int(looks.frame.decided_at[row])
    if was is None:
        return [difference("signal", config.strategy, symbol, seconds, "signal", None, "proposed")]
    if not looks.proposals.is_signal[row]:
        return [difference("signal", config.strategy, symbol, seconds, "signal", "proposed", None)]
    now = signal_at(looks, config.strategy, config.hash, row)
    return [
        difference("signal", config.strategy, symbol, seconds, name, value, getattr(now, name))
        for name, value in facts_of(was).items()
        if name not in NOT_PROPOSED and value != _as_stored(name, getattr(now, name))
    ]


def _as_stored(name: str, value: Any) -> Any:
    # The column holds four bytes.
    return float(np.float32(value)) if name == "strength" else value


async def _with_inputs(
    transaction: Transaction,
    config: StrategyConfig,
    markets: Sequence[SymbolMarket],
    span: Span,
    found: Sequence[Difference],
    instruments: Mapping[int, Instrument],
) -> list[Difference]:
    """Add to each difference the features of its row, as stored and as computed today, where they are not the same."""
    if not found:
        return []
    feature_set = await find_feature_set(transaction, FEATURE_SET)
    frames = {
        each.symbol_id: each.frame for each in look_at(markets, config.rule, config.params, config.timeframe, span)
    }
    ids = {each.symbol: each.symbol_id for each in instruments.values()}
    names = features_read(config.rule)
    result: list[Difference] = []
    for each in found:
        inputs: dict[str, Any] = {}
        close = datetime.fromisoformat(each.decided_at)
        frame = frames.get(ids[each.symbol])
        rows = np.flatnonzero(frame.decided_at == seconds_of(close)) if frame is not None else np.empty(0, np.int64)
        if feature_set is not None and frame is not None and rows.size and len(result) < MOST_INPUTS:
            opened = close - config.timeframe.duration
            table = (await read_features(transaction, feature_set, config.timeframe, opened, close)).get(
                ids[each.symbol]
            )
            for name in names:
                now = float(frame[name][rows[0]])
                was = None if table is None else float(table.values[0][FEATURE_SET.names.index(name)])
                if was is None or not (was == now or (math.isnan(was) and math.isnan(now))):
                    inputs[name] = [plain(was), plain(now)]
        result.append(
            Difference(
                **{item.name: getattr(each, item.name) for item in fields(each) if item.name != "inputs"}, inputs=inputs
            )
        )
    return result
