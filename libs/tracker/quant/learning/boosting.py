"""The one place that imports XGBoost: configurations drawn within a budget, and models fitted the same each time."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import xgboost as xgb

from tracker.domain.errors import InputError
from tracker.quant.bars import Floats, Ints, Singles
from tracker.quant.learning.folds import split_tail
from tracker.quant.learning.samples import Samples
from tracker.quant.learning.settings import SearchSpace, TrainingPlan
from tracker.quant.models.trees import OBJECTIVE

LIBRARY_VERSION: str = xgb.__version__
# So many values of a feature are told apart; more only costs time on this kind of data.
BINS = 64
# The base rate is never taken for a certainty.
SUREST_RATE = 0.01
_XGB: Any = xgb


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """Parameters of one try."""

    max_depth: int
    eta: float
    min_child_weight: float
    subsample: float
    colsample: float
    reg_lambda: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """A model: its UBJ bytes, its trees, and log-loss a round on what stopped it (R,).

    `trained` is the log-loss on what it learnt from, a round (R,) or at its best alone (1,).
    `offset` is the log-odds of the base rate, which the trees were grown upon and which their margins lack.
    """

    artifact: bytes
    offset: float
    rounds: int
    trained: Floats
    stopped: Floats
    gain: Mapping[str, float]


def configurations(space: SearchSpace, count: int, seed: int) -> list[Configuration]:
    """Return so many different configurations: the middle of each range, then draws."""
    rng = np.random.default_rng([seed, 71])
    found = [_configuration(space, np.full(6, 0.5))]
    for _ in range(count * 50):
        if len(found) == count:
            break
        drawn = _configuration(space, rng.random(6))
        if drawn not in found:
            found.append(drawn)
    return found


@dataclass(frozen=True, slots=True)
class Ground:
    """Samples made ready to grow trees on, with the last part of their time apart, which says when to stop."""

    names: tuple[str, ...]
    offset: float
    train: Any
    stop: Any

    @classmethod
    def of(cls, samples: Samples, plan: TrainingPlan) -> Ground:
        """Make samples ready; raises InputError where a part is empty, or all its trades ended the same way."""
        cut = split_tail(samples.decided_at, samples.exit_at, plan.stop_share, plan.embargo)
        learnt, stop = samples.take(cut.train), samples.take(cut.test)
        for part, name in ((learnt, "to learn from"), (stop, "to stop by")):
            if np.unique(part.won).size < 2:
                raise InputError(f"{len(part)} labels {name} all ended the same way")
        rate = float(np.clip(learnt.base_rate(), SUREST_RATE, 1 - SUREST_RATE))
        offset = math.log(rate / (1 - rate))
        train = _matrix(learnt, offset, None)
        return cls(samples.names, offset, train, _matrix(stop, offset, train))


def fit(
    ground: Ground, configuration: Configuration, plan: TrainingPlan, monotone: Mapping[str, int], seed: int,
    *, curve: bool = False,
) -> Fitted:
    """Grow trees until the part kept apart gets no better; with `curve` the loss on what is learnt is kept a round.

    The same samples, configuration and seed give the same bytes.
    """
    history: dict[str, dict[str, list[float]]] = {}
    watched = [(ground.stop, "stop")]
    if curve:
        watched.insert(0, (ground.train, "train"))
    booster = _XGB.train(
        _params(configuration, ground.names, monotone, seed), ground.train, plan.most_rounds, evals=watched,
        early_stopping_rounds=plan.patience, evals_result=history, verbose_eval=False,
    )
    best = int(booster.best_iteration)
    # Prediction takes all trees there are, those after the best as well.
    booster = booster[: best + 1]
    booster.set_attr(best_iteration=None, best_score=None)
    trained = history["train"]["logloss"] if curve else [float(booster.eval(ground.train).rsplit(":", 1)[1])]
    return Fitted(
        artifact=bytes(booster.save_raw("ubj")),
        offset=ground.offset,
        rounds=best + 1,
        trained=np.array(trained),
        stopped=np.array(history["stop"]["logloss"]),
        gain={name: float(value) for name, value in booster.get_score(importance_type="total_gain").items()},
    )


def margins(artifact: bytes, features: Singles) -> Singles:
    """Return XGBoost's own log-odds of each row, float32 (n,); tests and the gate compare ours with them."""
    booster = _XGB.Booster(params={"nthread": 1})
    booster.load_model(bytearray(artifact))
    data = _XGB.DMatrix(features, feature_names=booster.feature_names, nthread=1)
    return np.asarray(booster.predict(data, output_margin=True), dtype=np.float32)


def permutation_importance(
    fitted: Fitted, samples: Samples, names: Sequence[str], most_rows: int, seed: int
) -> dict[str, float]:
    """Return by how much log-loss grows where a feature's values are dealt anew among the rows, nats a row."""
    rng = np.random.default_rng([seed, 72])
    rows: Ints = np.sort(rng.permutation(len(samples))[:most_rows])
    part = samples.take(rows)
    booster = _XGB.Booster(params={"nthread": 1})
    booster.load_model(bytearray(fitted.artifact))
    features = part.features.copy()

    def loss() -> float:
        found: Floats = np.asarray(booster.inplace_predict(features, predict_type="margin"), dtype=np.float64)
        found += fitted.offset
        return float(np.average(np.logaddexp(0.0, found) - part.won * found, weights=part.weight))

    whole = loss()
    found: dict[str, float] = {}
    for name in names:
        column = samples.names.index(name)
        kept = features[:, column].copy()
        features[:, column] = rng.permutation(kept)
        found[name] = loss() - whole
        features[:, column] = kept
    return found


def _matrix(samples: Samples, offset: float, reference: Any) -> Any:
    return _XGB.QuantileDMatrix(
        samples.features, label=samples.won, weight=samples.weight, base_margin=np.full(len(samples), offset),
        feature_names=list(samples.names), nthread=1, max_bin=BINS, ref=reference,
    )


def _configuration(space: SearchSpace, shares: Floats) -> Configuration:
    depth, eta, weight, rows, columns, pull = shares.tolist()
    low, high = space.max_depth
    return Configuration(
        max_depth=min(high, low + int(depth * (high - low + 1))),
        eta=_logarithmic(space.eta, eta),
        min_child_weight=_even(space.min_child_weight, weight),
        subsample=_even(space.subsample, rows),
        colsample=_even(space.colsample, columns),
        reg_lambda=_logarithmic(space.reg_lambda, pull),
    )


def _even(ends: tuple[float, float], share: float) -> float:
    return round(ends[0] + share * (ends[1] - ends[0]), 6)


def _logarithmic(ends: tuple[float, float], share: float) -> float:
    return round(math.exp(math.log(ends[0]) + share * (math.log(ends[1]) - math.log(ends[0]))), 6)


def _params(
    configuration: Configuration, names: Sequence[str], monotone: Mapping[str, int], seed: int
) -> dict[str, Any]:
    plain = asdict(configuration)
    plain["colsample_bytree"] = plain.pop("colsample")
    directions = {name: way for name, way in monotone.items() if name in names}
    return {
        **plain, "objective": OBJECTIVE, "eval_metric": "logloss", "base_score": 0.5, "tree_method": "hist",
        "max_bin": BINS, "nthread": 1, "seed": seed, "validate_parameters": True,
        **({"monotone_constraints": directions} if directions else {}),
    }  # fmt: skip
