"""What the fleet decided and booked, held against what the same rules make of the stored bars today."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any

import numpy as np

from tracker.domain.instrument import Instrument, InstrumentStatus
from tracker.domain.signal import Decision, Signal, SkipReason
from tracker.quant.backtest.looks import Looks, look_at
from tracker.quant.backtest.market import Span, SymbolMarket
from tracker.quant.features import FEATURE_SET
from tracker.quant.paper import TradingRules
from tracker.quant.portfolio.book import moment_of, seconds_of
from tracker.quant.strategies.inputs import features_read
from tracker.quant.strategies.signals import signal_of
from tracker.runtime.parity_difference import Difference, difference, facts_of, plain
from tracker.runtime.parity_ledger import compare_ledger
from tracker.runtime.stored_markets import decision_markets
from tracker.runtime.strategies import StrategyConfig
from tracker.store.database import Transaction
from tracker.store.features import find_feature_set, read_features
from tracker.store.paper import read_scan_watermarks, read_signals
from tracker.store.parity import (
    StoredLook,
    read_first_look,
    read_looks,
)
from tracker.store.symbols import read_symbols

SIGNAL_REASON = "setup"
# Differences are kept with their inputs, which cost a read each.
MOST_INPUTS = 200
# Of decisions compared together: more are faster, fewer need less memory.
STRETCH_DAYS = 7
DAY_SECONDS = 86_400

Tell = Callable[[str, float], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parity:
    """How much was compared and what differs; `other_config` looks were taken by another configuration.

    `never_scanned` are strategies of which the database holds no look at all in the span.
    """

    first: datetime
    end: datetime
    looks: int
    signals: int
    orders: int
    fills: int
    trades: int
    other_config: int
    other_rules: int
    never_scanned: Sequence[str]
    differences: Sequence[Difference]


@dataclass(slots=True)
class LookParity:
    """How much of one strategy was compared in a span; the first `keep` differences are kept, all are counted."""

    span: Span
    keep: int | None = None
    looks: int = 0
    signals: int = 0
    other_config: int = 0
    found: int = 0
    differences: list[Difference] = field(default_factory=list[Difference])

    def add(self, differences: Sequence[Difference]) -> None:
        """Count them, and keep those for which there is room."""
        self.found += len(differences)
        self.differences += differences[: None if self.keep is None else max(self.keep - len(self.differences), 0)]


async def check_parity(
    transaction: Transaction,
    strategies: Sequence[StrategyConfig],
    trading: TradingRules,
    span: tuple[datetime | None, datetime | None],
    tell: Tell,
) -> Parity | None:
    """Compare decisions in (first, end], everything scanned by default, and the whole ledger; None before a look.

    Decisions are worked out again from stored bars; the ledger from the stored signals, so that a decision that
    differs does not make every later trade differ too.
    """
    instruments = {each.symbol_id: each for each in await read_symbols(transaction)}
    compared, unscanned = list[LookParity](), list[str]()
    for number, config in enumerate(strategies, start=1):
        mine = await check_looks(transaction, config, span)
        if mine is None:
            unscanned.append(str(config.strategy))
        else:
            compared.append(mine)
        tell("looks", number / len(strategies))
    if not compared:
        return None
    differences = [difference for each in compared for difference in each.differences]
    ledger = await compare_ledger(transaction, trading, instruments, differences)
    tell("ledger", 1.0)
    return Parity(
        first=moment_of(min(each.span.first for each in compared)),
        end=moment_of(max(each.span.end for each in compared)),
        looks=sum(each.looks for each in compared),
        signals=sum(each.signals for each in compared),
        orders=ledger["orders"],
        fills=ledger["fills"],
        trades=ledger["trades"],
        other_config=sum(each.other_config for each in compared),
        other_rules=ledger["other_rules"],
        never_scanned=unscanned,
        differences=differences,
    )


async def check_looks(
    transaction: Transaction,
    config: StrategyConfig,
    span: tuple[datetime | None, datetime | None],
    *,
    keep: int | None = None,
    stretch_days: int = STRETCH_DAYS,
) -> LookParity | None:
    """Compare one strategy's decisions in (first, end], everything it scanned by default; None before its first.

    So many days are held in memory at a time; of the differences `keep` are kept, all of them by default.
    """
    mine = await _scanned(transaction, config, span)
    if mine is None:
        return None
    instruments = {each.symbol_id: each for each in await read_symbols(transaction)}
    count = LookParity(span=mine, keep=keep)
    for first in range(mine.first, mine.end, stretch_days * DAY_SECONDS):
        stretch = Span(first=first, end=min(first + stretch_days * DAY_SECONDS, mine.end))
        await _compare_looks(transaction, config, stretch, instruments, count)
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
) -> None:
    stored = await read_looks(transaction, config.strategy, moment_of(span.first), moment_of(span.end))
    signals = {
        (each.symbol_id, seconds_of(each.decided_at)): each
        for each in await read_signals(transaction, moment_of(span.first), moment_of(span.end))
        if each.strategy == config.strategy
    }
    markets = await decision_markets(transaction, list(instruments.values()), config.timeframe, span)
    seen: set[tuple[int, int]] = set()
    found: list[Difference] = []
    for looks in look_at(markets, config.rule, config.params, config.timeframe, span):
        symbol = instruments[looks.symbol_id].symbol
        for row, seconds in enumerate(looks.frame.decided_at.tolist()):
            key = (looks.symbol_id, seconds)
            was = stored.get(key)
            if was is None:
                # A symbol that is collected and has a bar must have been looked at, or its bar came too late for that.
                if instruments[looks.symbol_id].status is InstrumentStatus.ACTIVE:
                    found.append(difference("look", config.strategy, symbol, seconds, "row", None, "there"))
                continue
            seen.add(key)
            if was.config_hash != config.hash:
                count.other_config += 1
                continue
            count.looks += 1
            found += _look_differences(config, symbol, was, looks, row)
            if looks.proposals.is_signal[row] or key in signals:
                count.signals += 1
                found += _signal_differences(config, symbol, signals.get(key), looks, row)
    for key, was in stored.items():
        if key not in seen and was.reason != SkipReason.NO_BAR.value:
            found.append(
                difference("look", config.strategy, instruments[key[0]].symbol, key[1], "bar", "there", "gone")
            )
        elif key not in seen:
            count.looks += 1
    room = found if count.keep is None else found[: max(count.keep - len(count.differences), 0)]
    count.add(await _with_inputs(transaction, config, markets, span, room, instruments))
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
    now = signal_of(config.strategy, config.hash, looks.symbol_id, seconds, looks.proposals, row)
    return [
        difference("signal", config.strategy, symbol, seconds, name, value, getattr(now, name))
        for name, value in facts_of(was).items()
        if name not in ("signal_id", "confidence") and value != _as_stored(name, getattr(now, name))
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
