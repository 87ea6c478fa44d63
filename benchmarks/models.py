"""Models measured: training the three of a fleet, scoring, and how often the gate lets noise and an edge pass.

    .venv/bin/python benchmarks/models.py            # 90 symbols x 180 days, and 20 seeds each of noise and edge
    .venv/bin/python benchmarks/models.py --seeds 3  # fewer seeds; --card FILE writes the last edge's page
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
from joblib import Parallel, delayed
from tracker.quant.backtest.trials import Trials
from tracker.quant.features import FEATURE_SET
from tracker.quant.learning.evidence import NO_SHADOW, evidence_of
from tracker.quant.learning.gate import judge
from tracker.quant.learning.model import Trained, sharpe_spread, train
from tracker.quant.learning.settings import ModelsConfig
from tracker.quant.promotion import Verdict
from tracker.runtime.model_card import CardFacts, model_card
from tracker.runtime.model_work import train_all
from tracker.runtime.models_config import load_models_config
from tracker.testing.label_world import make_samples

CONFIG = Path(__file__).parents[1] / "configs"
STRATEGIES = ("dca", "swing", "channel")
SYMBOLS, DAYS, PER_DAY = 90, 180, 5.0
EDGE = 1.2


def gate_of_history(config: ModelsConfig) -> ModelsConfig:
    """Leave out what only a live fleet can show: stored features and live scores."""
    return replace(config, gate=replace(config.gate, min_as_of_rows=0, min_shadow_hours=0.0))


def verdict_of(trained: Trained, config: ModelsConfig) -> tuple[Verdict, CardFacts]:
    """Judge a model without a champion, deflated by its own tries."""
    evidence = evidence_of(
        trained.facts, trained.scorer, None, trained.window, base_rate=trained.base_rate, champion_saw=0.0,
        trials=Trials(count=len(trained.tried), sharpe_variance=sharpe_spread(trained.tried)), shadow=NO_SHADOW,
        features_changed=0, limits=config.gate,
    )  # fmt: skip
    verdict = judge(evidence, config.gate)
    facts = CardFacts(
        strategy="made-up", lineage={"source": "benchmarks/models.py"}, window=evidence.window, verdict=verdict,
        threshold=config.gate.threshold, symbols={each: f"S{each}-USD" for each in range(SYMBOLS)},
        regimes=("range", "up", "down"),
    )  # fmt: skip
    return verdict, facts


def training(config: ModelsConfig) -> Trained:
    """Train three models on label tables of a fleet's size; print time and the largest memory of all processes."""
    names = FEATURE_SET.names
    tables = {
        name: make_samples(
            seed, days=DAYS, symbols=SYMBOLS, per_day=PER_DAY, edge=0.6, names=names, features=len(names)
        )
        for seed, name in enumerate(STRATEGIES)
    }
    labels = sum(len(each) for each in tables.values())
    peak = _Peak()
    started = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="tracker-bench-") as folder:
        trained = train_all(Path(folder), tables, config, -1, lambda done, total: peak.look())
    seconds = time.perf_counter() - started
    plan = config.training
    print(f"training: 3 models, {labels:,} labels x {len(names)} features, {plan.trials} configurations x {plan.folds} "
          f"folds: {seconds:.1f} s, at most {peak.megabytes:,.0f} MB in all processes")  # fmt: skip
    return trained["swing"]


def scoring(trained: Trained) -> None:
    """Score 90 candidates at a time, as a scanner does at a close."""
    scorer, rows = trained.scorer, trained.window.features[:SYMBOLS]
    spent: list[float] = []
    for _ in range(400):
        started = time.perf_counter()
        scorer.score(rows)
        spent.append((time.perf_counter() - started) * 1e3)
    print(f"scoring: {SYMBOLS} candidates, {trained.fitted.rounds} trees: p50 {statistics.median(spent):.2f} ms, "
          f"p99 {np.quantile(spent, 0.99):.2f} ms; xgboost imported by a process that only scores: no")  # fmt: skip


def one_seed(seed: int, edge: float) -> tuple[int, float, list[str]]:
    """Train on one made-up market; return what the gate holds against the model."""
    config = gate_of_history(load_models_config(CONFIG))
    samples = make_samples(seed, days=150, symbols=12, per_day=5.0, edge=edge, features=20)
    verdict, _ = verdict_of(train(samples, config, {}), config)
    return seed, edge, [each.name for each in verdict.failed]


def promotions(seeds: int) -> None:
    """Count what the gate lets pass, of noise and of a planted edge."""
    jobs = [(seed, edge) for edge in (0.0, EDGE) for seed in range(100, 100 + seeds)]
    found = Parallel(n_jobs=-1)(delayed(one_seed)(*each) for each in jobs)
    for edge, name in ((0.0, "noise"), (EDGE, f"an edge of {EDGE}")):
        mine = [failed for _, of, failed in found if of == edge]
        print(f"gate: {name}: {sum(not each for each in mine)} of {len(mine)} seeds promoted")
        for criterion in sorted({each for failed in mine for each in failed}):
            print(f"    {sum(criterion in failed for failed in mine):3d} x {criterion}")


class _Peak:
    """The largest resident memory of this process and its workers together, looked at as tasks end."""

    def __init__(self) -> None:
        self.megabytes = 0.0

    def look(self) -> None:
        me = psutil.Process()
        total = 0
        for each in (me, *me.children(recursive=True)):
            try:
                total += each.memory_info().rss
            except psutil.NoSuchProcess:
                continue
        self.megabytes = max(self.megabytes, total / 1e6)


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--card", type=Path)
    asked = parser.parse_args()
    config = gate_of_history(load_models_config(CONFIG))
    trained = training(config)
    scoring(trained)
    sys.stdout.flush()
    if asked.seeds:
        promotions(asked.seeds)
    if asked.card is not None:
        _, facts = verdict_of(trained, config)
        asked.card.write_text(model_card(trained, facts), encoding="utf-8")


if __name__ == "__main__":
    main()
