"""A close of 90 symbols scored: our trees in NumPy against XGBoost itself, on the same model in the same run.

Probabilities are compared before any time is printed. Timed is what a scanner does at a close: setups found, their
features gathered from the symbols' arrays, the trees, the calibration, and the proposals that are left. XGBoost is
given the gathered features, once as a DMatrix made anew and once in place. Prints a table; `--json` prints JSON.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable

import numpy as np
import xgboost as xgb
from tracker.domain.signal import SkipReason
from tracker.quant.features import FEATURE_SET
from tracker.quant.models.scorer import Scorer, artifact_hash, sigmoid
from tracker.quant.models.scoring import Model, judged, score_setups
from tracker.quant.strategies.base import Proposals
from tracker.runtime.looks import ScanInputs, features_of
from tracker.testing.models import make_artifact

from benchmarks.timing import Times, times_of

SYMBOLS = 90
ROUNDS = 300
CALIBRATION = {"slope": 0.9, "intercept": 0.05}


def inputs() -> list[ScanInputs]:
    """Return one close of every symbol, some features of each unknown."""
    rng = np.random.default_rng(1)
    found: list[ScanInputs] = []
    for symbol in range(SYMBOLS):
        values = rng.normal(size=(1, len(FEATURE_SET.names))).astype(np.float32)
        values[rng.random(values.shape) < 0.05] = np.nan
        found.append(
            ScanInputs(symbol_id=symbol, decided_at=np.array([900]), close=np.ones(1), values=values, own={})
        )
    return found


def all_setups(n: int) -> Proposals:
    """Return proposals that are setups all, every other one a signal."""
    signal = np.arange(n) % 2 == 0
    reason = np.full(n, SkipReason.STRENGTH_TOO_LOW, dtype=object)
    reason[signal] = None
    price = np.where(signal, 1.0, np.nan)
    return Proposals(
        is_signal=signal, reason=reason, entry=price, stop=price, target=price, strength=np.ones(n),
        confirmations=np.ones(n, dtype=np.int64), expires_at=np.where(signal, 1, 0), ladder=price[:, None],
        size_weights=price[:, None], target_fraction=price, trail_distance=price,
        regime=np.full(n, None, dtype=object), volatility=np.full(n, None, dtype=object),
    )  # fmt: skip


def timed(work: Callable[[], object], n: int) -> Times:
    """Time `work` n times after a few that warm up."""
    for _ in range(20):
        work()
    seconds: list[float] = []
    for _ in range(n):
        started = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - started)
    return times_of(seconds)


def measure(rounds: int, n: int) -> dict[str, Times]:
    """Compare both on one model and return how long each takes; ends the program where they do not agree."""
    artifact = make_artifact(1, rounds=rounds)
    model = Model(
        model_id=1, scorer=Scorer.load(artifact, artifact_hash(artifact), CALIBRATION), known_from=0, threshold=0.55
    )
    symbols, proposals = inputs(), all_setups(SYMBOLS)
    decided_at = np.full(SYMBOLS, 900, dtype=np.int64)
    booster = xgb.Booster(params={"nthread": 1}, model_file=bytearray(artifact))
    names = list(model.names)

    def close() -> Proposals:
        scores = score_setups(
            model, proposals, decided_at, lambda rows: model.arranged(features_of(symbols, rows), FEATURE_SET.names)
        )
        return judged(proposals, scores, model.threshold)

    rows = features_of(symbols, np.arange(SYMBOLS))
    theirs = booster.predict(xgb.DMatrix(rows, feature_names=names), output_margin=True)
    expected = sigmoid(0.9 * theirs.astype(np.float64) + 0.05).astype(np.float32)
    if not np.array_equal(close().confidence, expected.astype(np.float64)):
        sys.exit("the two do not say the same")
    return {
        "a close: gather, score, hold back": timed(close, n),
        "trees and calibration alone": timed(lambda: model.scorer.score(rows), n),
        "XGBoost, a DMatrix made anew": timed(lambda: booster.predict(xgb.DMatrix(rows, feature_names=names)), n),
        "XGBoost, in place": timed(lambda: booster.inplace_predict(rows, validate_features=False), n),
        "loading a model": timed(lambda: Scorer.load(artifact, artifact_hash(artifact), CALIBRATION), max(n // 50, 5)),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeat", type=int, default=1_000)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    found = {rounds: measure(rounds, arguments.repeat) for rounds in (50, ROUNDS)}
    if arguments.json:
        plain = {
            str(rounds): {name: {"p50": each.p50, "p99": each.p99} for name, each in times.items()}
            for rounds, times in found.items()
        }
        sys.stdout.write(json.dumps(plain) + "\n")
        return
    for rounds, times in found.items():
        sys.stdout.write(f"{SYMBOLS} setups, {rounds} trees of depth 4, {len(FEATURE_SET.names)} features\n")
        for name, each in times.items():
            sys.stdout.write(f"  {name:36} p50 {each.p50:8.3f} ms   p99 {each.p99:8.3f} ms\n")


if __name__ == "__main__":
    main()
