"""What a model is asked, what it holds back, and what it says of its reasons."""

from __future__ import annotations

import numpy as np
import pytest
import xgboost as xgb
from hypothesis import given
from hypothesis import strategies as st
from tracker.domain.errors import ModelError
from tracker.domain.signal import SkipReason
from tracker.quant.features import FEATURE_SET
from tracker.quant.models.contributions import contributions
from tracker.quant.models.scorer import Scorer, artifact_hash
from tracker.quant.models.scoring import Model, Scores, judged, score_setups, setups
from tracker.quant.strategies.base import Proposals
from tracker.testing.models import make_artifact

NAMES = ("alpha", "beta", "gamma")
REASONS = (
    None, SkipReason.NO_SETUP, SkipReason.TOO_FEW_CONFIRMATIONS, SkipReason.STRENGTH_TOO_LOW, SkipReason.WARMING_UP,
)  # fmt: skip
ARTIFACT = make_artifact(3, names=NAMES)


def model_of(artifact: bytes = ARTIFACT, *, known_from: int = 0, threshold: float = 0.55) -> Model:
    calibration = {"slope": 0.9, "intercept": 0.05}
    scorer = Scorer.load(artifact, artifact_hash(artifact), calibration)
    return Model(model_id=7, scorer=scorer, known_from=known_from, threshold=threshold)


def proposals_of(reasons: list[SkipReason | None]) -> Proposals:
    n = len(reasons)
    is_signal = np.array([each is None for each in reasons], dtype=np.bool_)
    reason = np.empty(n, dtype=object)
    reason[:] = reasons
    trade = np.where(is_signal, 1.0, np.nan)
    return Proposals(
        is_signal=is_signal, reason=reason, entry=trade, stop=trade, target=trade, strength=np.full(n, 0.7),
        confirmations=np.full(n, 2), expires_at=np.where(is_signal, 99, 0), ladder=trade[:, None],
        size_weights=np.repeat(trade[:, None], 2, axis=1), target_fraction=trade, trail_distance=trade,
        regime=np.full(n, None, dtype=object), volatility=np.full(n, None, dtype=object),
    )  # fmt: skip


def table(n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, len(NAMES))).astype(np.float32)


@given(
    reasons=st.lists(st.sampled_from(REASONS), min_size=1, max_size=30),
    threshold=st.sampled_from([0.0, 0.4, 0.5, 0.6, 1.0]),
    known_from=st.integers(0, 30),
)
def test_setups_alone_are_asked_and_signals_below_the_threshold_are_none(
    reasons: list[SkipReason | None], threshold: float, known_from: int
) -> None:
    model = model_of(known_from=known_from, threshold=threshold)
    proposals, values = proposals_of(reasons), table(len(reasons))
    decided_at = np.arange(len(reasons), dtype=np.int64)
    scores = score_setups(model, proposals, decided_at, lambda rows: values[rows])
    due = [row for row, each in enumerate(reasons) if each in REASONS[:1] + REASONS[2:4] and row >= known_from]
    assert scores.rows.tolist() == due
    # One by one they are the same numbers as together.
    for row, probability in zip(scores.rows.tolist(), scores.probability.tolist(), strict=True):
        alone = model.scorer.score(values[row : row + 1])[0]
        assert probability == float(np.float32(alone))

    after = judged(proposals, scores, threshold)
    for row, reason in enumerate(reasons):
        confidence = float(after.confidence[row])
        held = reason is None and row in due and confidence < threshold
        assert np.isfinite(confidence) == (row in due)
        assert bool(after.is_signal[row]) == (reason is None and not held)
        assert after.reason[row] == (SkipReason.CONFIDENCE_TOO_LOW if held else reason)
        assert np.isfinite(after.entry[row]) == bool(after.is_signal[row]) == np.isfinite(after.ladder[row, 0])
        assert bool(after.expires_at[row]) == bool(after.is_signal[row])
        assert after.strength[row] == proposals.strength[row]
    # What was proposed is left as it was.
    assert setups(proposals).tolist() == [each in REASONS[:1] + REASONS[2:4] for each in reasons]


def test_an_infinite_feature_is_not_scored_and_a_missing_one_is() -> None:
    values = table(3)
    values[0, 1], values[1, 1] = np.inf, np.nan
    scores = score_setups(model_of(), proposals_of([None] * 3), np.zeros(3, dtype=np.int64), lambda rows: values[rows])
    assert scores.rows.tolist() == [1, 2]


def test_nothing_said_changes_nothing() -> None:
    proposals = proposals_of([None, SkipReason.NO_SETUP])
    nothing = Scores(rows=np.empty(0, dtype=np.int64), margin=np.empty(0), probability=np.empty(0))
    assert judged(proposals, nothing, 0.9) is proposals
    assert np.isnan(proposals.confidence).all()


def test_features_are_brought_into_the_model_s_order() -> None:
    model, values = model_of(), table(5)
    mixed = np.column_stack([values[:, 2], np.zeros(5, dtype=np.float32), values[:, 0], values[:, 1]])
    found = model.arranged(mixed, ("gamma", "other", "alpha", "beta"))
    np.testing.assert_array_equal(found, values)
    assert set(model.asked()) <= set(NAMES)
    with pytest.raises(ModelError, match="model 7 asks for 'alpha', which is no feature"):
        model.arranged(values[:, 1:], NAMES[1:])


def test_what_no_tree_asks_for_may_be_missing() -> None:
    model = model_of(make_artifact(5, names=FEATURE_SET.names, rounds=2))
    asked = model.asked()
    assert 0 < len(asked) < len(FEATURE_SET.names)
    values = np.random.default_rng(1).normal(size=(20, len(FEATURE_SET.names))).astype(np.float32)
    places = [FEATURE_SET.names.index(name) for name in asked]
    np.testing.assert_array_equal(
        model.scorer.score(model.arranged(values[:, places], asked)), model.scorer.score(values)
    )


@pytest.mark.parametrize("seed", range(6))
def test_contributions_are_those_of_xgboost(seed: int) -> None:
    artifact = make_artifact(seed, names=NAMES, rounds=15)
    booster = xgb.Booster(model_file=bytearray(artifact))
    rows = table(20, seed)
    rows[rows > 1.5] = np.nan
    data = xgb.DMatrix(rows, feature_names=list(NAMES))
    theirs = booster.predict(data, pred_contribs=True, approx_contribs=True)
    for row, expected in zip(rows, theirs, strict=True):
        ours = contributions(artifact, row)
        np.testing.assert_allclose([ours.get(name, 0.0) for name in NAMES], expected[:-1], rtol=1e-4, atol=1e-5)
        sizes = [abs(each) for each in ours.values()]
        assert sizes == sorted(sizes, reverse=True)


def test_contributions_of_damaged_bytes() -> None:
    with pytest.raises(ModelError, match="UBJSON"):
        contributions(ARTIFACT[:-40], table(1)[0])
