"""`tracker verify lookahead`: every feature and every strategy with the future taken away, and with another one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

from rich.console import Console
from tracker.domain.timeframe import EPOCH, Timeframe
from tracker.quant.features import FEATURE_SET
from tracker.quant.strategies.inputs import features_read
from tracker.quant.verify.lookahead import Change, Finding, look_ahead, random_cuts
from tracker.quant.verify.subject import Subject, features_subject, strategy_subject
from tracker.quant.verify.synthetic import synthetic_market
from tracker.runtime.strategies import StrategyConfig, load_strategies

from services.control.settings import ControlSettings
from services.control.verify_bars import Sample, file_sample

# Makes the subject of bars of some seconds, the reference's number and names of features.
Features: TypeAlias = Callable[[int, int | None, Sequence[str]], Subject]

Maker: TypeAlias = Callable[[Timeframe], Sample]

STEP = Timeframe.M15
# The slowest feature of the day needs a hundred of them.
SYNTHETIC_DAYS = 160
FEWEST_BARS, MOST_BARS = 2_000, 16_000


def hunt(
    settings: ControlSettings,
    candles: Path | None,
    cuts: int,
    seed: int,
    console: Console,
    features: Features = features_subject,
) -> dict[str, Any]:
    """Test on made bars, and on the candles where given; return the findings, and the names of what leaks.

    A strategy that decides on other bars than features are tested on is tested on those. What was never known, and a
    strategy that never proposed a trade, was not tested.
    """
    configs = load_strategies(settings.config_dir, settings.strategies_dir)
    makers: list[Maker] = [made_sample] + ([] if candles is None else [partial(file_sample, candles)])
    sources = [_tested(make, configs, cuts, seed, console, features) for make in makers]
    verdicts = _verdicts(sources)
    leaks = [name for name, found in verdicts.items() if "leaks" in found]
    never_known = [
        name
        for name, found in verdicts.items()
        if found == {"never known"} and ("." not in name or name.endswith(".entry"))
    ]
    return {"ok": not leaks and not never_known, "leaks": leaks, "never_known": never_known, "sources": sources}


def made_sample(timeframe: Timeframe) -> Sample:
    """Return the bars that are tested on when there are no others."""
    count = min(max(SYNTHETIC_DAYS * 86_400 // timeframe.seconds, FEWEST_BARS), MOST_BARS)
    return Sample(source="synthetic", bars=synthetic_market(count, timeframe.seconds))


def subjects_of(
    configs: Iterable[StrategyConfig],
    timeframe: Timeframe,
    reference: int | None,
    features: Features = features_subject,
) -> Sequence[Subject]:
    """Return the strategies that decide on bars of a timeframe, each on the features it reads."""
    return [
        strategy_subject(
            config.rule,
            config.params,
            features(timeframe.seconds, reference, features_read(config.rule)),
        )
        for config in configs
        if config.timeframe is timeframe
    ]


def _tested(
    make: Maker, configs: Sequence[StrategyConfig], cuts: int, seed: int, console: Console, features: Features
) -> dict[str, Any]:
    findings: list[Finding] = []
    first = make(STEP)
    names = list(first.ids)
    for timeframe in sorted({STEP, *(each.timeframe for each in configs)}, key=lambda each: each.seconds):
        sample = first if timeframe is STEP else make(timeframe)
        series = sample.series
        subjects = [*subjects_of(configs, timeframe, sample.reference, features)]
        if timeframe is STEP:
            subjects.insert(0, features(STEP.seconds, sample.reference, FEATURE_SET.names))
        moments = random_cuts(series, cuts, seed, timeframe.seconds)
        with console.status(f"{sample.source}, {timeframe}") as line:
            findings += look_ahead(
                subjects, series, moments, timeframe.seconds, seed,
                lambda name, share, source=sample.source: line.update(f"{source}: {name} {share:.0%}"),
            )
    return {
        "source": first.source, "symbols": names, "bars": sum(len(each) for each in first.bars.values()),
        "cuts": cuts, "seed": seed, "findings": [_document(each, names) for each in findings],
    }


def _document(finding: Finding, names: Sequence[str]) -> dict[str, Any]:
    return {
        "subject": finding.subject, "column": finding.column, "verdict": finding.verdict, "known": finding.known,
        "changed": finding.changed, "first": None if finding.first is None else _change(finding.first, names),
    }


def _change(change: Change, names: Sequence[str]) -> dict[str, Any]:
    return {
        "symbol": names[change.symbol], "decided_at": (EPOCH + timedelta(seconds=change.decided_at)).isoformat(),
        "with_all_bars": change.whole, f"with_{change.future.replace(' ', '_')}": change.other,
    }


def _verdicts(sources: Sequence[dict[str, Any]]) -> dict[str, set[str]]:
    verdicts: dict[str, set[str]] = {}
    for source in sources:
        for each in source["findings"]:
            name = each["column"] if each["subject"] == "features" else f"{each['subject']}.{each['column']}"
            verdicts.setdefault(name, set()).add(each["verdict"])
    return verdicts
