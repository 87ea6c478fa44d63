"""`tracker verify warmup`: how features and decisions change with shorter history."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from tracker.domain.signal import SkipReason
from tracker.domain.timeframe import Timeframe
from tracker.quant.bars import BarArrays, Floats
from tracker.quant.features import CONTEXTS, FEATURE_SPECS, OWN_SPECS, Origin
from tracker.quant.features.matrix import feature_matrix
from tracker.quant.verify.subject import Series, code_of, features_subject
from tracker.quant.verify.synthetic import steady_market
from tracker.quant.verify.warmup import LONGER, DecisionWarmUp, WarmUp, decision_warm_up, warm_ups
from tracker.runtime.strategies import load_strategies

from services.control.settings import ControlSettings
from services.control.verify_bars import Sample, file_sample
from services.control.verify_lookahead import STEP, subjects_of

BARS = 6_000
DECISION_DAYS = 140
SAMPLES = 12
DECISION_SAMPLES = 6
_OWN = {spec.name: spec.warmup_bars for spec in OWN_SPECS}


def measure(settings: ControlSettings, candles: Path | None, console: Console) -> dict[str, Any]:
    """Return each feature's need of history on made bars, own features on the candles where given, and decisions'."""
    sources: list[dict[str, Any]] = []
    with console.status("features on synthetic bars"):
        sources.append({"source": "synthetic", "features": [_document(each) for each in _synthetic()]})
    if candles is not None:
        with console.status(f"features on {candles}"):
            sources.append({"source": str(candles), "features": [_document(each) for each in _on_files(candles)]})
    with console.status("decisions on synthetic bars"):
        decisions = [_decision_document(each) for each in _decisions(settings)]
    return {"sources": sources, "decisions": decisions}


def _synthetic() -> list[WarmUp]:
    found = _own(steady_market(BARS, STEP.seconds), STEP, _OWN)
    for context in CONTEXTS:
        declared = {name: _OWN[name] for name in context.names}
        for each in _own(steady_market(BARS, context.timeframe.seconds), context.timeframe, declared):
            found.append(replace(each, name=context.prefix + each.name))
    return found + _market()


def _own(bars: Mapping[str, BarArrays], timeframe: Timeframe, declared: Mapping[str, int]) -> list[WarmUp]:
    names = tuple(declared)

    def latest(series: Series) -> Mapping[int, Floats]:
        return {key: feature_matrix(each, names)[-1].astype(np.float64) for key, each in series.items()}

    series = dict(enumerate(bars.values()))
    return warm_ups(declared, latest, series, _moments(series, timeframe, SAMPLES), timeframe.seconds)


def _market() -> list[WarmUp]:
    sample = Sample(source="synthetic", bars=steady_market(BARS, STEP.seconds))
    declared = {
        spec.name: spec.warmup_bars for spec in FEATURE_SPECS if spec.origin in (Origin.MARKET, Origin.CLOCK)
    }
    subject = features_subject(STEP.seconds, sample.reference, tuple(declared))

    def latest(series: Series) -> Mapping[int, Floats]:
        through = max(int(each.ts[-1]) for each in series.values()) + STEP.seconds
        return {
            key: np.array([each[-1] for each in known.columns.values()], dtype=np.float64)
            for key, known in subject.compute(series, through).items()
        }

    return warm_ups(declared, latest, sample.series, _moments(sample.series, STEP, SAMPLES), STEP.seconds)


def _on_files(path: Path) -> list[WarmUp]:
    """Return the worst of the symbols that have enough bars; those of other symbols at other times do not mix."""
    worst: dict[str, WarmUp] = {}
    for symbol, bars in file_sample(path, STEP).bars.items():
        if len(bars) > LONGER[-1] + SAMPLES + 1:
            for each in _own({symbol: bars}, STEP, _OWN):
                worst[each.name] = _worse(worst.get(each.name), each)
    return list(worst.values())


def _worse(one: WarmUp | None, other: WarmUp) -> WarmUp:
    if one is None:
        return other
    needed = None if one.needed is None or other.needed is None else max(one.needed, other.needed)
    return WarmUp(
        name=one.name, declared=one.declared, deviation=max(one.deviation, other.deviation), needed=needed
    )


def _decisions(settings: ControlSettings) -> list[DecisionWarmUp]:
    found: list[DecisionWarmUp] = []
    configs = load_strategies(settings.config_dir, settings.strategies_dir)
    for timeframe in {each.timeframe for each in configs}:
        count = DECISION_DAYS * 86_400 // timeframe.seconds
        sample = Sample(source="synthetic", bars=steady_market(count, timeframe.seconds))
        moments = _moments(sample.series, timeframe, DECISION_SAMPLES, among=count // 10)
        found += [
            decision_warm_up(each, code_of(SkipReason.WARMING_UP), sample.series, moments, timeframe.seconds)
            for each in subjects_of(configs, timeframe, sample.reference)
        ]
    return found


def _moments(series: Series, timeframe: Timeframe, count: int, among: int | None = None) -> Sequence[int]:
    """Return closes spread over the last bars of those after the longest history tried."""
    closes = next(iter(series.values())).ts + timeframe.seconds
    first = LONGER[-1] + 1 if among is None else len(closes) - among
    return [int(closes[place]) for place in np.linspace(first, len(closes) - 1, count).astype(int)]


def _document(each: WarmUp) -> dict[str, Any]:
    return {
        "feature": each.name, "declared": each.declared,
        "deviation": each.deviation if math.isfinite(each.deviation) else None, "needed": each.needed,
    }


def _decision_document(each: DecisionWarmUp) -> dict[str, Any]:
    return {
        "strategy": each.strategy, "decisions": each.decisions, "first_days": each.first, "needed_days": each.needed,
        "changed": {str(days): count for days, count in each.changed.items()},
    }
