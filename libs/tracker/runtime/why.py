"""Why there was a trade or none: one look, from the bar to what each account made of it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np

from tracker.domain.errors import ModelError
from tracker.domain.instrument import Instrument
from tracker.domain.signal import SkipReason
from tracker.quant.condition import Kind
from tracker.quant.features import FEATURE_SET
from tracker.quant.models.contributions import contributions
from tracker.quant.models.scoring import Model, judged, score_setups
from tracker.quant.strategies.explain import Explanation, Fact, explain
from tracker.quant.strategies.inputs import BAR_COLUMNS, features_read
from tracker.runtime.effective_strategy import known_configs
from tracker.runtime.live_model import Registry, usable_model
from tracker.runtime.looks import ScanInputs, Together, features_of, inputs_of, joined, look, reads_from
from tracker.runtime.no_look import why_no_bar, why_no_look
from tracker.runtime.standing import SILENT_SECONDS, Broken, Standing
from tracker.runtime.stored_registry import StoredRegistry
from tracker.runtime.strategies import StrategyConfig
from tracker.runtime.unknown_inputs import BarCount, why_unknown
from tracker.store.database import Transaction
from tracker.store.features import find_feature_set, read_features
from tracker.store.looks import (
    AccountPlace,
    Aftermath,
    LookKey,
    Record,
    read_account_places,
    read_aftermath,
    read_bar,
    read_computed_at,
    read_look,
    read_signal,
)
from tracker.store.predictions import read_predictions_at
from tracker.store.readers import read_range
from tracker.store.scans import Scan

# Features that are named as having moved a model.
MOST_MOVED = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """What a rule read: `value` None where it was not known, with `why` and, where bars decide that, their number."""

    name: str
    value: float | None
    optional: bool
    why: str = ""
    bars: BarCount | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """What the rules say of a look today, beside what was written.

    `agrees` is None where nothing was written, or by a model that cannot be read any more; `same_config` tells whether
    the parameters are those that it was decided under, which they are unless those are not known any more.
    """

    scan: Scan
    facts: Sequence[Fact]
    agrees: bool | None
    same_config: bool | None

    @property
    def confirmations(self) -> tuple[int, int]:
        """How many of how many conditions confirm."""
        asked = [fact.holds for fact in self.facts if fact.kind is Kind.CONFIRMATION]
        return int(self.scan.metadata["confirmations"]), len(asked)

    @property
    def not_held(self) -> list[Fact]:
        """The gates that do not hold; the first of them decided."""
        return [fact for fact in self.facts if fact.kind is Kind.GATE and not fact.holds]

    @property
    def failed(self) -> Fact | None:
        """The gate that decided against it."""
        return next(iter(self.not_held), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """How much a feature moved a model's log-odds; `value` None where it was not known."""

    feature: str
    value: float | None
    log_odds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Spoken:
    """What a model said of the look when it was taken; `others` are what candidates said beside it.

    `model` is None where it cannot be read any more, `trouble` says why; `moved` the features that moved it most.
    """

    model_id: int
    probability: float
    threshold: float | None
    margin: float | None
    model: Model | None
    trouble: str
    moved: Sequence[Moved]
    others: Sequence[Record]


@dataclass(frozen=True, slots=True, kw_only=True)
class Why:
    """Everything about one look; what there is not is None.

    `broken` says where the chain ends before a decision; `stored` and `signal` are the rows as they were written,
    `computed_at` is of the features; `places` tells how far each account has come.
    """

    key: LookKey
    config: StrategyConfig
    standing: Standing
    bar: Record | None
    computed_at: datetime | None
    inputs: Sequence[Input]
    decided: Decided | None
    spoken: Spoken | None
    stored: Record | None
    signal: Record | None
    aftermath: Aftermath | None
    places: Mapping[str, AccountPlace]
    broken: Broken | None


def last_close(standing: Standing, at: datetime | None) -> datetime | None:
    """Return the last close at or before a moment; without one the last that is complete, None before any.

    A close that has only just been completed is left to the scanner, as long as that is alive.
    """
    timeframe = standing.timeframe
    if at is not None:
        return timeframe.floor(at)
    if standing.bars is None:
        return None
    close, scanned = timeframe.floor(standing.bars.closed_through), standing.scanned_through
    alive = any(each.service == standing.scanner and each.age_seconds < SILENT_SECONDS for each in standing.signs)
    if alive and scanned is not None and close - scanned == timeframe.duration:
        return scanned
    return close


async def explain_look(
    transaction: Transaction, config: StrategyConfig, standing: Standing, instrument: Instrument, close: datetime,
    registry: Registry | None = None,
) -> Why:  # fmt: skip
    """Return why a strategy did or did not trade a symbol at a close."""
    key = LookKey(
        strategy=config.strategy.value, symbol=instrument.symbol, symbol_id=instrument.symbol_id, decided_at=close
    )
    opened = close - config.timeframe.duration
    number = await find_feature_set(transaction, FEATURE_SET)
    stored = await read_look(transaction, key)
    if stored is not None:
        config = await _config_of(transaction, config, stored["config_hash"])
    inputs = None if number is None else await _scan_inputs(transaction, config, key, number)
    together = None if inputs is None else joined([inputs], features_read(config.rule))
    spoken = await _spoken(transaction, key, stored, inputs, registry or StoredRegistry())
    computed = None
    if number is not None:
        computed = await read_computed_at(transaction, key.symbol_id, config.timeframe, opened, number)
    signal = await read_signal(transaction, key)
    return Why(
        key=key,
        config=config,
        standing=standing,
        bar=await read_bar(transaction, key.symbol_id, config.timeframe, opened),
        computed_at=computed,
        inputs=[] if together is None else await _inputs(transaction, config, key, together),
        decided=None if inputs is None or together is None else _decided(config, key, inputs, together, stored, spoken),
        spoken=spoken,
        stored=stored,
        signal=signal,
        aftermath=None if signal is None else await read_aftermath(transaction, key),
        places={each.account: each for each in await read_account_places(transaction)},
        broken=await _broken(transaction, standing, instrument, key, stored),
    )


async def _config_of(transaction: Transaction, config: StrategyConfig, config_hash: str) -> StrategyConfig:
    """Return the configuration that a look was taken under, today's where that is not known any more."""
    known = await known_configs(transaction, config, [config_hash])
    return next((each for each in known if each.hash == config_hash), config)


async def _broken(
    transaction: Transaction, standing: Standing, instrument: Instrument, key: LookKey, stored: Record | None
) -> Broken | None:
    if stored is None:
        return await why_no_look(transaction, instrument, standing, key)
    if stored["reason"] == SkipReason.NO_BAR.value:
        return await why_no_bar(transaction, instrument, standing, key.decided_at)
    return None


async def _spoken(
    transaction: Transaction, key: LookKey, stored: Record | None, inputs: ScanInputs | None, registry: Registry
) -> Spoken | None:
    if stored is None or stored["model_id"] is None:
        return None
    said = await read_predictions_at(transaction, key.strategy, key.symbol_id, key.decided_at)
    mine: Record = next((each for each in said if each["model_id"] == stored["model_id"]), {})
    model, trouble, moved = None, "", list[Moved]()
    try:
        found = await registry.stored(transaction, stored["model_id"])
        if found is None:
            raise ModelError(f"there is no model {stored['model_id']} any more")
        model = usable_model(found, mine.get("threshold", 0.0))
        if inputs is not None and found.artifact is not None:
            moved = _moved(model, found.artifact, inputs)
    except ModelError as error:
        trouble = str(error)
    return Spoken(
        model_id=stored["model_id"], probability=stored["confidence_score"], threshold=mine.get("threshold"),
        margin=mine.get("margin"), model=model, trouble=trouble, moved=moved,
        others=[each for each in said if each["model_id"] != stored["model_id"]],
    )  # fmt: skip


def _moved(model: Model, artifact: bytes, inputs: ScanInputs) -> list[Moved]:
    row = model.arranged(inputs.values[:1], FEATURE_SET.names)[0]
    values = dict(zip(model.names, row.tolist(), strict=True))
    return [
        Moved(feature=name, value=values[name] if math.isfinite(values[name]) else None, log_odds=by)
        for name, by in list(contributions(artifact, row).items())[:MOST_MOVED]
    ]


async def _scan_inputs(
    transaction: Transaction, config: StrategyConfig, key: LookKey, feature_set: int
) -> ScanInputs | None:
    """Return what the scanner reads at the close, None without bar or features."""
    close, opened = key.decided_at, key.decided_at - config.timeframe.duration
    features = (await read_features(transaction, feature_set, config.timeframe, opened, close)).get(key.symbol_id)
    first = reads_from(config, opened)
    bars = (await read_range(transaction, config.timeframe, first, close, [key.symbol_id])).get(key.symbol_id)
    if features is None or bars is None:
        return None
    inputs = inputs_of(key.symbol_id, config, features, bars, int(opened.timestamp()))
    return inputs if len(inputs.decided_at) else None


async def _inputs(
    transaction: Transaction, config: StrategyConfig, key: LookKey, together: Together
) -> list[Input]:
    optional = set(together.frame.columns) - set(config.rule.required_features)
    found: list[Input] = []
    for name, values in together.frame.columns.items():
        if name in BAR_COLUMNS:
            continue
        value = float(values[0])
        if math.isfinite(value):
            found.append(Input(name=name, value=value, optional=name in optional))
            continue
        bars, why = await why_unknown(transaction, key.symbol_id, name, config.timeframe, key.decided_at)
        found.append(Input(name=name, value=None, optional=name in optional, why=why, bars=bars))
    return found


def _decided(
    config: StrategyConfig, key: LookKey, inputs: ScanInputs, together: Together, stored: Record | None,
    spoken: Spoken | None,
) -> Decided:  # fmt: skip
    found: Explanation = explain(config.rule, together.frame, config.params)
    proposals, model = found.proposals, None if spoken is None else spoken.model
    if model is not None:
        scores = score_setups(
            model, proposals, together.frame.decided_at,
            lambda rows: model.arranged(features_of([inputs], rows), FEATURE_SET.names),
        )  # fmt: skip
        proposals = judged(proposals, scores, model.threshold)
    model_id = None if model is None else model.model_id
    scan = look(config, key.symbol_id, key.decided_at, float(together.frame.close[0]), proposals, 0, model_id)
    is_gone = spoken is not None and model is None
    return Decided(
        scan=scan,
        facts=found.facts(0),
        agrees=None if stored is None or is_gone else _as_written(scan) == _written(stored),
        same_config=None if stored is None else stored["config_hash"] == config.hash,
    )


def _as_written(scan: Scan) -> tuple[Any, ...]:
    # The column of the strength holds four bytes.
    strength = float(np.float32(scan.strength))
    return (
        scan.decision.value, scan.reason, scan.regime.value, scan.volatility.value, strength,
        scan.metadata["confirmations"], scan.confidence, scan.model_id,
    )  # fmt: skip


def _written(row: Record) -> tuple[Any, ...]:
    return (
        row["decision"], row["reason"], row["market_regime"], row["volatility"], row["signal_strength"],
        row["confirmations"], row["confidence_score"], row["model_id"],
    )  # fmt: skip
