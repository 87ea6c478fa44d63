"""A champion that keeps its word is kept, one that does not goes, and one that is hardly known is left alone."""

from __future__ import annotations

import json
import math
import shutil
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from tracker.domain.errors import ConfigError
from tracker.quant.learning.drift import STEPS, Distribution, FeatureDrift, distributions_of, drift_from, drift_of
from tracker.quant.learning.watch import (
    Action,
    Expected,
    LiveFigures,
    LiveScores,
    WatchLimits,
    judge_live,
    live_figures,
)
from tracker.runtime.models_config import load_watch_limits
from tracker.runtime.settings import PROJECT_ROOT

from services.control.config_check import check_configs

LIMITS: WatchLimits = load_watch_limits(PROJECT_ROOT / "configs")
EXPECTED = Expected(base_rate=0.45, brier=0.235, mean_return=0.006)
GAINS = {"alpha": 60.0, "beta": 30.0, "gamma": 10.0}


def scores(seed: int, *, edge: float, rows: int = 900, days: int = 30) -> LiveScores:
    """Return scores whose trades are won as said with an edge of 1, as often as ever with 0; days are alike within."""
    rng = np.random.default_rng(seed)
    p = np.clip(rng.normal(0.47, 0.10, rows), 0.05, 0.95)
    day = np.sort(rng.integers(0, days, rows))
    luck = rng.normal(0, 0.03, days)[day]
    won = (rng.random(rows) < np.clip(0.42 + edge * (p - 0.42) + luck, 0, 1)).astype(np.float64)
    return LiveScores(
        probability=p, won=won, net_return=np.where(won == 1, 0.012, -0.012) - 0.001, weight=np.full(rows, 0.8),
        days=day + 19_000, taken=p >= 0.55,
    )  # fmt: skip


def figures(
    live: LiveScores, drift: list[FeatureDrift] | None = None, *, rows: int = 900, age: float = 5.0
) -> LiveFigures:
    return live_figures(live, EXPECTED, drift or [], rows, GAINS, age, LIMITS)


def test_over_many_markets_a_good_champion_stays_and_one_without_an_edge_goes() -> None:
    kept = [judge_live(figures(scores(seed, edge=1.0)), LIMITS).action for seed in range(20)]
    gone = [judge_live(figures(scores(seed, edge=-1.0)), LIMITS).action for seed in range(20)]
    assert kept.count(Action.DEMOTE) <= 1
    assert gone.count(Action.DEMOTE) >= 19


def test_what_is_hardly_known_holds() -> None:
    few = figures(scores(1, edge=-1.0, rows=40, days=10))
    watched = judge_live(few, LIMITS)
    assert watched.action is Action.KEEP
    assert {each.number for each in watched.demotes} == {None}
    nothing = figures(scores(1, edge=1.0, rows=0))
    assert judge_live(nothing, LIMITS).action is Action.KEEP


def test_what_is_promised_is_what_is_asked_for() -> None:
    watched = judge_live(figures(scores(3, edge=1.0)), LIMITS)
    floor = next(each for each in watched.demotes if "return" in each.name)
    assert floor.limit == pytest.approx(0.25 * 0.006)


@pytest.mark.parametrize(
    ("moved", "action"), [(["alpha"], Action.RETRAIN), (["beta", "gamma"], Action.KEEP), ([], Action.KEEP)]
)
def test_drift_asks_for_training_where_the_model_leans_on_it(moved: list[str], action: Action) -> None:
    drift = [FeatureDrift(feature=name, psi=0.6 if name in moved else 0.01, ks=0.3) for name in GAINS]
    assert judge_live(figures(scores(2, edge=1.0), drift), LIMITS).action is action
    # Of a few rows it says nothing.
    assert judge_live(figures(scores(2, edge=1.0), drift, rows=50), LIMITS).action is Action.KEEP


def test_an_old_model_asks_for_training() -> None:
    watched = judge_live(figures(scores(2, edge=1.0), age=LIMITS.max_age_days + 1), LIMITS)
    assert watched.action is Action.RETRAIN
    assert [each.name for each in watched.broken] == ["age in days"]


def test_drift_of_the_same_market_is_small_and_of_another_large() -> None:
    rng = np.random.default_rng(5)
    before = rng.normal(size=(8_000, 4)).astype(np.float32)
    now = rng.normal(size=(1_000, 4)).astype(np.float32)
    now[:, 1] += 1.0
    now[:600, 2] = np.nan
    before[:, 3], now[:, 3] = 1.0, 1.0
    found = {each.feature: each for each in drift_of(("same", "moved", "lost", "constant"), before, now)}
    assert list(found) == sorted(found, key=lambda name: -found[name].psi)
    assert found["same"].psi < 0.05
    assert found["moved"].psi > 0.5
    assert found["lost"].psi > 0.5
    assert found["constant"].psi == pytest.approx(0.0, abs=1e-2)
    for place, name in enumerate(("same", "moved")):
        theirs = stats.ks_2samp(before[:, place], now[:, place]).statistic
        assert theirs - 1 / STEPS <= found[name].ks <= theirs + 1e-9


@given(
    before=st.lists(st.floats(-5, 5, width=32) | st.sampled_from([0.0, 1.0, math.nan]), min_size=1, max_size=300),
    now=st.lists(st.floats(-6, 6, width=32) | st.sampled_from([0.0, 1.0, math.nan]), min_size=1, max_size=60),
)
def test_what_is_kept_says_what_the_rows_say(before: list[float], now: list[float]) -> None:
    then, later = (np.array(each, dtype=np.float32)[:, None] for each in (before, now))
    (kept,) = distributions_of(("a",), then)
    assert (kept.rows, kept.known) == (len(before), int(np.isfinite(then).sum()))
    # As it comes back from JSON, and beside a feature that nobody counted.
    told = Distribution(**json.loads(json.dumps(asdict(kept))))
    (found,) = drift_from([told], ("other", "a"), np.column_stack((later, later)))
    ends = [-math.inf, *kept.edges, math.inf]
    sides = then[:, 0], later[:, 0]
    counts = [[sum(low <= x < high for x in side) for low, high in pairwise(ends)] for side in sides]
    shares = [np.array([*each, len(side) - sum(each)]) + 0.5 for each, side in zip(counts, sides, strict=True)]
    p, q = (each / each.sum() for each in shares)
    assert found.psi == pytest.approx(float(((q - p) * np.log(q / p)).sum()))
    one, other = (each[np.isfinite(each)] for each in sides)
    steps = np.concatenate((one, other))
    known = bool(one.size and other.size)
    exact = np.abs((one[:, None] <= steps).mean(0) - (other[:, None] <= steps).mean(0)).max() if known else 0.0
    assert exact - 1 / STEPS - 1 / max(kept.known, 1) <= found.ks <= exact + 1e-9


def test_drift_without_rows() -> None:
    assert drift_of(("a",), np.empty((0, 1), dtype=np.float32), np.zeros((3, 1), dtype=np.float32)) == []


@pytest.mark.parametrize(
    ("was", "becomes", "says"),
    [
        ("window_days = 30 ", "window_days = 0 ", "watch.*window_days"),
        ("max_ks = 0.15", "max_kss = 0.15", "watch.*max_ks"),
        ("notional = 2000.0", "notional = -1", "models.toml: labels.*notional"),
        ('setups = "all"', 'setups = "some"', "models.toml: labels.*setups"),
        ("threshold = 0.55", "threshold = 1.55", "threshold"),
    ],
)
def test_a_number_that_cannot_be_is_found_before_a_start(tmp_path: Path, was: str, becomes: str, says: str) -> None:
    configs = Path(shutil.copytree(PROJECT_ROOT / "configs", tmp_path / "configs"))
    path = configs / "models.toml"
    text = path.read_text(encoding="utf-8")
    assert was in text
    path.write_text(text.replace(was, becomes), encoding="utf-8")
    with pytest.raises(ConfigError, match=says):
        check_configs(configs, PROJECT_ROOT / "strategies")
