"""A small market of minutes, and swarms to try on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

from quant_builders import ROOT, rolled, walk
from tracker.domain.instrument import Instrument
from tracker.domain.signal import Strategy
from tracker.domain.timeframe import Timeframe
from tracker.quant.backtest.market import Span, SymbolMarket, whole_candles
from tracker.quant.models.scorer import Scorer, artifact_hash
from tracker.quant.models.scoring import Model
from tracker.quant.shadow.deciders import Decider
from tracker.quant.shadow.offline import Past, past_of
from tracker.quant.shadow.variation import Variation
from tracker.quant.strategies import RULES
from tracker.runtime.shadow_config import Swarm, load_swarms
from tracker.testing.models import make_artifact

HOUR = 3_600


@cache
def shipped_swarms() -> dict[Strategy, Swarm]:
    """Return the swarms of configs/shadow.toml."""
    return {each.config.strategy: each for each in load_swarms(ROOT / "configs", RULES)}


def some(strategy: str, count: int) -> list[Variation]:
    """Return so many of the shipped variations, spread over all sets; the live one is the first."""
    every = shipped_swarms()[Strategy(strategy)].variations
    return [every[len(every) * number // count] for number in range(count)]


@cache
def markets(minutes: int = 9_000, symbols: int = 3) -> tuple[SymbolMarket, ...]:
    """Return walks by the minute, liquid enough for whole fills."""
    found: list[SymbolMarket] = []
    for number in range(symbols):
        fine = walk(minutes, seed=number, step=60)
        fine = replace(fine, volume=fine.volume * 1e4)
        found.append(
            SymbolMarket(
                instrument=Instrument(symbol_id=number + 1, symbol=f"S{number}-USD"),
                decision=rolled(fine, 900),
                context=rolled(fine, HOUR),
                candles=whole_candles(fine, Timeframe.M1),
            )
        )
    return tuple(found)


@cache
def model(seed: int, known_from: int = 0, threshold: float = 0.5) -> Model:
    """Return a model of all features that gives some setups more and some less than the threshold."""
    artifact = make_artifact(seed)
    scorer = Scorer.load(artifact, artifact_hash(artifact), {"slope": 1.0, "intercept": 0.0})
    return Model(model_id=seed, scorer=scorer, known_from=known_from, threshold=threshold)


def past(
    strategy: str, chosen: Sequence[SymbolMarket] | None = None, deciders: Sequence[Decider] = ()
) -> Past:
    """Return what a strategy sees over the second half of the markets."""
    every = chosen or markets()
    config = shipped_swarms()[Strategy(strategy)].config
    first, last = int(every[0].decision.ts[0]), int(every[0].decision.ts[-1]) + 900
    span = Span(first=first + (last - first) // 2 // HOUR * HOUR, end=last)
    return past_of(every, config.rule, config.params, config.timeframe, span, deciders)


def changed_file(folder: Path, name: str, old: str, new: str) -> Path:
    """Return a copy of the configuration folder in which one file says something else."""
    import shutil

    copy = folder / "configs"
    if not copy.exists():
        shutil.copytree(ROOT / "configs", copy)
    text = (copy / name).read_text()
    assert old in text
    (copy / name).write_text(text.replace(old, new, 1))
    return copy
