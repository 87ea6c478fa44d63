"""Looks, signals and scores of a made-up market."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np

from tracker.domain.timeframe import Timeframe
from tracker.testing.filled_market import Copier, Market

STRATEGIES = ("dca", "swing", "channel")
CONFIG_HASH = {name: f"{name}c0ffee01" for name in STRATEGIES}
CHAMPION = {name: place * 3 + 1 for place, name in enumerate(STRATEGIES)}
CANDIDATE = {name: place * 3 + 2 for place, name in enumerate(STRATEGIES)}
RETIRED = {name: place * 3 + 3 for place, name in enumerate(STRATEGIES)}
THRESHOLD = 0.55
REASONS = (
    ("no_setup", 0.62), ("trend_against", 0.14), ("volume_too_low", 0.11), ("volatility_out_of_range", 0.06),
    ("too_few_confirmations", 0.04), ("strength_too_low", 0.03),
)  # fmt: skip
# Of the looks at one symbol, how many are proposed.
SIGNAL_SHARE = 0.012


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeSignal:
    """A proposal with the minute after which it may be acted on; prices in quote currency."""

    signal_id: int
    strategy: str
    symbol: int
    minute: int
    decided_at: datetime
    entry: float
    stop: float
    target: float
    ladder: tuple[float, ...]
    confidence: float
    strength: float
    regime: str


async def write_decisions(copier: Copier, market: Market, rng: np.random.Generator) -> list[MadeSignal]:
    """Write a look of each strategy at each symbol at every close of 15 minutes, and return the proposals."""
    closes = market.rolled(Timeframe.M15)[..., 3]
    scans: list[tuple[object, ...]] = []
    scores: list[tuple[object, ...]] = []
    signals: list[MadeSignal] = []
    for strategy in STRATEGIES:
        shape = closes.shape
        draws, strengths = rng.random(shape), rng.uniform(0.4, 0.95, shape)
        reasons = rng.choice([name for name, _ in REASONS], size=shape, p=[share for _, share in REASONS])
        chances = rng.beta(14, 12, shape)
        if strategy != "dca":
            # Whatever the hour, something was bought lately that is still held.
            draws[::2, -2], chances[::2, -2] = 0.0, 0.7
        for symbol in range(shape[0]):
            for place in range(shape[1]):
                decided = market.start + (place + 1) * Timeframe.M15.duration
                is_setup = bool(draws[symbol, place] < SIGNAL_SHARE * 2)
                taken = is_setup and bool(chances[symbol, place] >= THRESHOLD)
                reason = "setup" if taken else "confidence_too_low" if is_setup else str(reasons[symbol, place])
                strength = float(strengths[symbol, place])
                regime = ("trend_up", "range", "trend_down", "range")[(place // 40 + symbol) % 4]
                scored = float(chances[symbol, place]) if is_setup else None
                scans.append((
                    decided, decided + timedelta(seconds=0.4), strategy, "15m", symbol + 1,
                    "SIGNAL" if taken else "SKIP", reason, regime, "mid", scored, strength, CONFIG_HASH[strategy],
                    CHAMPION[strategy] if is_setup else None, '{"confirmations": 3}',
                ))  # fmt: skip
                if scored is not None:
                    scores += _scores(strategy, symbol, decided, scored, taken=taken)
                if taken:
                    signals.append(
                        _signal(strategy, symbol, place, decided, float(closes[symbol, place]), strength,
                                float(chances[symbol, place]), regime)
                    )  # fmt: skip
    signals.sort(key=lambda each: (each.decided_at, each.strategy, each.symbol))
    signals = [_numbered(each, place + 1) for place, each in enumerate(signals)]
    await copier.put(
        "scan_history",
        ("decided_at", "scanned_at", "strategy", "timeframe", "symbol_id", "decision", "reason", "market_regime",
         "volatility", "confidence_score", "signal_strength", "config_hash", "model_id", "metadata"),
        scans,
    )  # fmt: skip
    await copier.put(
        "predictions",
        ("decided_at", "predicted_at", "model_id", "margin", "probability", "threshold", "symbol_id", "is_champion",
         "is_signal", "taken", "strategy", "config_hash"),
        scores,
    )  # fmt: skip
    await copier.put(
        "signals",
        ("signal_id", "decided_at", "expires_at", "created_at", "entry", "stop", "target", "ladder", "size_weights",
         "strategy", "timeframe", "symbol_id", "side", "confirmations", "strength", "confidence", "market_regime",
         "volatility", "config_hash", "model_id"),
        [_signal_row(each) for each in signals],
    )  # fmt: skip
    await copier.put("scan_champions", ("strategy", "after", "model_id", "threshold"),
                     [(name, market.start, CHAMPION[name], THRESHOLD) for name in STRATEGIES])  # fmt: skip
    await copier.put("scan_watermarks", ("strategy", "timeframe", "closed_through"),
                     [(name, "15m", market.closed(Timeframe.M15)) for name in STRATEGIES])  # fmt: skip
    return signals


async def write_labels(
    copier: Copier, market: Market, feature_set: int, width: int, rng: np.random.Generator
) -> None:
    """Write what became of the scored setups, each taken alone: won about as often as the champion said."""
    await copier.put(
        "label_configs", ("config_hash", "strategy", "timeframe", "strategy_hash", "params", "rules"),
        [(f"{name}labels", name, "15m", CONFIG_HASH[name], "{}", "{}") for name in STRATEGIES],
    )  # fmt: skip
    until = market.end - timedelta(hours=6)
    found = await copier.connection.fetch(
        "SELECT strategy, symbol_id, decided_at, probability, taken FROM tracker.predictions"
        " WHERE is_champion AND decided_at < $1", until,
    )  # fmt: skip
    rows: list[tuple[object, ...]] = []
    for row in found:
        won = bool(rng.random() < 0.15 + 0.7 * row["probability"])
        net = float(rng.normal(0.011, 0.003)) if won else float(rng.normal(-0.009, 0.003))
        won = net > 0
        rows.append((
            row["strategy"], f"{row['strategy']}labels", row["decided_at"], row["decided_at"] + timedelta(hours=3),
            row["symbol_id"], feature_set, 100.0, 100.0, 100 * (1 + net), net + 0.002, net, -0.006, 0.012,
            float(rng.uniform(0.4, 1.0)), 0.7, 12, 3, row["taken"], "long", "win" if won else "loss",
            "target" if won else "stop", "range", "mid", [0.5] * width,
        ))  # fmt: skip
    await copier.put(
        "strategy_labels",
        ("strategy", "config_hash", "decided_at", "exit_at", "symbol_id", "feature_set", "entry", "entry_price",
         "exit_price", "gross_return", "net_return", "mae", "mfe", "weight", "strength", "bars_to_exit",
         "confirmations", "is_signal", "side", "outcome", "exit_reason", "market_regime", "volatility", "features"),
        rows,
    )  # fmt: skip
    await copier.put(
        "label_cursors", ("config_hash", "symbol_id", "labelled_through"),
        [(f"{name}labels", place + 1, until) for name in STRATEGIES for place in range(len(market.names))],
    )  # fmt: skip


def _scores(
    strategy: str, symbol: int, decided: datetime, scored: float, *, taken: bool
) -> list[tuple[object, ...]]:
    beside = min(max(scored + 0.03 * ((symbol % 5) - 2), 0.01), 0.99)
    return [
        (decided, decided + timedelta(seconds=0.3), model, float(np.log(chance / (1 - chance))), chance, THRESHOLD,
         symbol + 1, is_champion, True, taken and is_champion, strategy, CONFIG_HASH[strategy])
        for model, chance, is_champion in ((CHAMPION[strategy], scored, True), (CANDIDATE[strategy], beside, False))
    ]  # fmt: skip


def _signal(
    strategy: str, symbol: int, place: int, decided: datetime, close: float, strength: float, chance: float, regime: str
) -> MadeSignal:
    return MadeSignal(
        signal_id=0, strategy=strategy, symbol=symbol, minute=(place + 1) * 15, decided_at=decided, entry=close,
        stop=close * 0.98, target=close * 1.03, ladder=(close * 0.994,) if strategy == "dca" else (),
        confidence=chance, strength=strength, regime=regime,
    )  # fmt: skip


def _numbered(signal: MadeSignal, number: int) -> MadeSignal:
    return replace(signal, signal_id=number)


def _signal_row(each: MadeSignal) -> Sequence[object]:
    weights = [0.6, 0.4] if each.ladder else [1.0]
    return (
        each.signal_id, each.decided_at, each.decided_at + timedelta(hours=12), each.decided_at, each.entry, each.stop,
        each.target, list(each.ladder), weights, each.strategy, "15m", each.symbol + 1, "long", 3, each.strength,
        each.confidence, each.regime, "mid", CONFIG_HASH[each.strategy], CHAMPION[each.strategy],
    )  # fmt: skip
