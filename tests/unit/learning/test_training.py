"""Noise is refused, an edge is found, and whatever has seen the future is caught."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tracker.domain.errors import ConfigError, InputError
from tracker.quant.backtest.trials import Trials
from tracker.quant.learning.boosting import Ground, configurations, fit, margins
from tracker.quant.learning.evidence import NO_SHADOW, ShadowFigures, evidence_of, overfitting_of, strongest_feature
from tracker.quant.learning.folds import Fold
from tracker.quant.learning.gate import Verdict, judge
from tracker.quant.learning.model import Trained, sharpe_spread, train
from tracker.quant.learning.samples import Samples, effective_number, settled
from tracker.quant.learning.settings import ModelsConfig
from tracker.quant.learning.training import Prepared, prepare
from tracker.quant.models.scorer import Scorer, artifact_hash
from tracker.runtime.models_config import load_models_config
from tracker.testing.label_world import make_samples

CONFIG_DIR = Path(__file__).parents[3] / "configs"
EDGE = 0.9


@pytest.fixture(scope="module")
def config() -> ModelsConfig:
    """The shipped one with a smaller budget, and without what only a live fleet can show."""
    found = load_models_config(CONFIG_DIR)
    plan = replace(found.training, trials=2, folds=2, most_rounds=60, patience=8, min_labels=500)
    gate = replace(found.gate, bootstraps=400, min_as_of_rows=0, min_shadow_hours=0.0)
    return replace(found, training=plan, gate=gate)


def verdict(trained: Trained, config: ModelsConfig, **changes: object) -> Verdict:
    facts = {
        "champion": None, "champion_saw": 0.0, "shadow": NO_SHADOW, "features_changed": 0,
        "base_rate": trained.base_rate,
        "trials": Trials(count=len(trained.tried), sharpe_variance=sharpe_spread(trained.tried)),
        **changes,
    }  # fmt: skip
    limits = facts.pop("limits", config.gate)
    window = facts.pop("window", trained.window)
    return judge(evidence_of(trained.facts, trained.scorer, window=window, limits=limits, **facts), limits)  # type: ignore[arg-type]


def failed(found: Verdict) -> set[str]:
    return {each.name for each in found.failed}


@pytest.fixture(scope="module")
def edged(config: ModelsConfig) -> Trained:
    return train(make_samples(1, days=110, edge=EDGE), config, {})


@pytest.mark.parametrize("seed", [1, 2])
def test_noise_is_never_promoted(config: ModelsConfig, seed: int) -> None:
    found = verdict(train(make_samples(seed, days=90), config, {}), config)
    assert not found.passed
    assert "lower bound of the log-loss gained on the base rate" in failed(found)


def test_an_edge_that_features_know_of_is_promoted(config: ModelsConfig, edged: Trained) -> None:
    found = verdict(edged, config)
    assert found.passed, [each.sentence for each in found.failed]
    assert edged.facts.unlike_loaded == 0
    assert {each.feature for each in edged.importance[:3]} == {"f0", "f1", "f2"}


def test_training_twice_gives_the_same_bytes(config: ModelsConfig, edged: Trained) -> None:
    again = train(make_samples(1, days=110, edge=EDGE), config, {})
    assert again.fitted.artifact == edged.fitted.artifact
    assert again.calibration == edged.calibration
    assert again.facts == edged.facts
    other = replace(config, training=replace(config.training, seed=5))
    assert train(make_samples(1, days=110, edge=EDGE), other, {}).fitted.artifact != edged.fitted.artifact


def test_an_edge_that_ended_before_the_window_is_refused(config: ModelsConfig) -> None:
    samples = make_samples(3, days=110, edge=EDGE, edge_until=80)
    found = verdict(train(samples, config, {}), config)
    assert "lower bound of the log-loss gained on the base rate" in failed(found)


def test_the_champion_itself_is_not_better_than_the_champion(config: ModelsConfig, edged: Trained) -> None:
    found = verdict(edged, config, champion=edged.scorer)
    assert failed(found) == {
        "lower bound of the log-loss gained on the champion", "lower bound of the Brier score gained on the champion",
    }  # fmt: skip
    late = verdict(edged, config, champion=edged.scorer, champion_saw=3.0)
    assert "hours of the window that the champion was trained on" in failed(late)


def test_an_edge_beats_a_champion_that_has_none(config: ModelsConfig, edged: Trained) -> None:
    blind = train(make_samples(2, days=110), config, {})
    assert verdict(edged, config, champion=blind.scorer).passed


def test_many_logged_trials_make_the_same_model_luck(config: ModelsConfig, edged: Trained) -> None:
    assert "Deflated Sharpe over all logged trials" in failed(
        verdict(edged, config, trials=Trials(count=10**7, sharpe_variance=0.2))
    )


def test_shuffled_labels_leave_nothing_to_learn(config: ModelsConfig, edged: Trained) -> None:
    assert edged.facts.shuffled_gain <= config.gate.max_shuffled_gain
    samples = make_samples(1, days=110, edge=EDGE)
    won = np.random.default_rng(5).permutation(samples.won)
    assert not verdict(train(replace(samples, won=won), config, {}), config).passed


def test_a_feature_of_the_next_decision_is_caught(config: ModelsConfig) -> None:
    samples = make_samples(4, days=90)
    # What only the next hours know: how the trade ends, with noise, as a close shifted by -1 would.
    noise = np.random.default_rng(6).normal(size=len(samples))
    leak = (samples.won * 2.0 - 1.0 + 0.8 * noise).astype(np.float32)
    features = samples.features.copy()
    features[:, 5] = leak
    trained = train(replace(samples, features=features), config, {})
    area, name = strongest_feature(samples.take(np.arange(len(samples))))
    assert area < 0.6, name
    assert trained.facts.feature_auc_of == "f5"
    assert "area under the curve of one feature alone" in failed(verdict(trained, config))


def test_feature_rows_that_were_not_known_live_are_refused(config: ModelsConfig, edged: Trained) -> None:
    limits = replace(config.gate, min_as_of_rows=50)
    compared, same = "feature rows compared with live ones", "feature rows unlike the live ones"
    for rows, unlike, fails in ((400, 0, set[str]()), (400, 1, {same}), (0, None, {compared, same})):
        facts = replace(edged.facts, as_of_rows=rows, unlike_as_of=unlike)
        assert failed(verdict(replace(edged, facts=facts), config, limits=limits)) == fails


def test_unpurged_folds_are_counted_and_refused(config: ModelsConfig, edged: Trained) -> None:
    samples = make_samples(1, days=110, edge=EDGE)
    prepared = prepare(samples, config.training)
    assert prepared.overlaps == 0
    rows = len(prepared.learning)
    unpurged = replace(prepared, folds=[Fold(train=np.arange(rows // 2), test=np.arange(rows // 2, rows))])
    assert unpurged.overlaps > 0
    late = Prepared(learning=samples.take(np.arange(rows + 50)), holdout=prepared.holdout, folds=[])
    assert late.overlaps > 0
    found = verdict(replace(edged, facts=replace(edged.facts, overlaps=unpurged.overlaps)), config)
    assert failed(found) == {"training labels that reach into a test"}


def test_the_shadow_has_to_last_and_to_gain(config: ModelsConfig, edged: Trained) -> None:
    limits = replace(config.gate, min_shadow_hours=24.0)
    names = {"hours of live scores with outcomes", "live scores with outcomes", "log-loss gained on the base rate live"}
    assert failed(verdict(edged, config, limits=limits)) == names
    good = ShadowFigures(hours=30.0, trades=40, base_gain=0.01)
    assert verdict(edged, config, limits=limits, shadow=good).passed
    bad = replace(good, base_gain=-0.01)
    assert failed(verdict(edged, config, limits=limits, shadow=bad)) == {"log-loss gained on the base rate live"}


def test_another_feature_set_is_refused_and_a_single_symbol_too(config: ModelsConfig, edged: Trained) -> None:
    assert failed(verdict(edged, config, features_changed=2)) == {"features that are computed otherwise now"}
    window = edged.window
    lucky = replace(window, net_return=np.where(window.symbol == 3, 0.05, -0.0001))
    assert "share of the gain from one symbol" in failed(verdict(edged, config, window=lucky))


def test_what_is_stored_is_cut_after_the_best_tree_and_scores_as_xgboost(config: ModelsConfig) -> None:
    samples = make_samples(7, days=60, edge=EDGE)
    one = configurations(config.search, 3, 1)
    assert len({str(each) for each in one}) == 3
    found = fit(Ground.of(samples, config.training), one[0], config.training, {}, 1, curve=True)
    assert found.trained.size == found.stopped.size
    scorer = Scorer.load(found.artifact, artifact_hash(found.artifact), {"slope": 1.0, "intercept": 0.0})
    assert scorer.trees.count == found.rounds == int(np.argmin(found.stopped)) + 1
    np.testing.assert_array_equal(scorer.trees.margins(samples.features), margins(found.artifact, samples.features))


def test_a_monotone_feature_only_ever_helps(config: ModelsConfig) -> None:
    samples = make_samples(8, days=60, edge=EDGE)
    ground = Ground.of(samples, config.training)
    found = fit(ground, configurations(config.search, 1, 1)[0], config.training, {"f0": -1, "unknown": 1}, 1)
    row = np.repeat(samples.features[:1], 50, axis=0)
    row[:, 0] = np.linspace(-3, 3, 50)
    assert (np.diff(margins(found.artifact, row)) <= 0).all()


def test_the_latest_decisions_wait_until_all_of_them_have_ended() -> None:
    samples = make_samples(9, days=30)
    kept = settled(samples)
    life = (samples.exit_at - samples.decided_at).max()
    assert kept.decided_at.max() <= samples.exit_at.max() - life
    assert 0 < len(kept) < len(samples)


@pytest.mark.parametrize(
    ("weights", "expected"), [([], 0.0), ([1.0] * 5, 5.0), ([0.2] * 5, 1.0), ([3.0, 0.0001], 1.00006)]
)
def test_how_many_independent_outcomes_weights_stand_for(weights: list[float], expected: float) -> None:
    assert effective_number(np.array(weights)) == pytest.approx(expected, rel=1e-3)


def test_tries_that_do_not_move_have_no_overfitting_to_speak_of() -> None:
    assert np.isnan(overfitting_of(np.zeros((40, 3))))
    rng = np.random.default_rng(1)
    steady = rng.normal(size=(60, 5)) * 0.1 + np.arange(5)
    assert overfitting_of(steady) < 0.05


def changed(samples: Samples, **columns: object) -> Samples:
    return replace(samples, **columns)  # type: ignore[arg-type]


def test_what_cannot_be_learnt_from_is_said(config: ModelsConfig) -> None:
    samples = make_samples(10, days=40)
    with pytest.raises(InputError, match="min_labels"):
        prepare(samples.take(np.arange(100)), config.training)
    with pytest.raises(InputError, match="ended the same way"):
        train(changed(samples, won=np.ones(len(samples))), config, {})
    for columns, says in (
        ({"won": np.full(len(samples), 0.5)}, "neither 0 nor 1"),
        ({"weight": np.zeros(len(samples))}, "weight"),
        ({"exit_at": samples.decided_at - 1}, "before decided_at"),
        ({"symbol": samples.symbol[:-1]}, "rows"),
    ):
        with pytest.raises(InputError, match=says):
            changed(samples, **columns)


@pytest.mark.parametrize(
    ("was", "becomes", "says"),
    [
        ("eta = [0.03, 0.15]", "eta = [0.3, 0.15]", "search.eta"),
        ("folds = 4", "folds = 1", "folds"),
        ("h1_adx_14 = 1", "h1_adx = 1", "monotone.swing.h1_adx"),
        ("threshold = 0.55", "threshold = 1.5", "threshold"),
        ("min_days = 20", "min_days = 20\nmin_dayz = 20", "min_dayz"),
    ],
)
def test_a_mistake_in_the_file_names_its_field(tmp_path: Path, was: str, becomes: str, says: str) -> None:
    text = (CONFIG_DIR / "models.toml").read_text()
    assert was in text
    (tmp_path / "models.toml").write_text(text.replace(was, becomes))
    with pytest.raises(ConfigError, match=says):
        load_models_config(tmp_path)
