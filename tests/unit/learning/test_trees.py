"""Our evaluation of boosted trees against XGBoost's own."""

from __future__ import annotations

import numpy as np
import pytest
import xgboost as xgb
from tracker.domain.errors import InputError, ModelError
from tracker.quant.models.scorer import Scorer, artifact_hash
from tracker.quant.models.trees import Trees
from tracker.quant.models.ubj import decode_ubj


def booster(seed: int, **params: object) -> tuple[xgb.Booster, np.ndarray]:
    """Return a model and the features it was trained on, some of them missing, many of them tied."""
    rng = np.random.default_rng(seed)
    rows, columns = int(rng.integers(30, 800)), int(rng.integers(1, 25))
    features = rng.normal(size=(rows, columns)).astype(np.float32)
    if seed % 3 == 0:
        features = np.round(features * 2) / np.float32(2)
    features[rng.random(features.shape) < 0.15] = np.nan
    won = (rng.random(rows) < 0.2 + 0.6 * (np.nan_to_num(features[:, 0]) > 0)).astype(float)
    chosen = {
        "objective": "binary:logistic", "tree_method": "hist", "nthread": 1, "seed": seed,
        "max_depth": int(rng.integers(1, 9)), "eta": float(rng.uniform(0.02, 0.5)), "subsample": 0.8,
        "base_score": 0.5, **params,
    }  # fmt: skip
    data = xgb.DMatrix(features, label=won, feature_names=[f"f{each}" for each in range(columns)])
    return xgb.train(chosen, data, int(rng.integers(1, 60))), features


@pytest.mark.parametrize("seed", range(24))
def test_margins_are_those_of_xgboost_to_the_last_bit(seed: int) -> None:
    model, features = booster(seed)
    trees = Trees.of(bytes(model.save_raw("ubj")))
    fresh = np.random.default_rng(seed + 1).normal(size=features.shape).astype(np.float32)
    for some in (features, fresh, features[:1], np.full_like(features[:2], np.nan)):
        named = xgb.DMatrix(some, feature_names=list(trees.names))
        np.testing.assert_array_equal(trees.margins(some), model.predict(named, output_margin=True))


def test_a_sliced_model_scores_with_the_trees_that_are_left() -> None:
    model, features = booster(5)
    part = model[:1]
    trees = Trees.of(bytes(part.save_raw("ubj")))
    assert trees.count == 1
    data = xgb.DMatrix(features, feature_names=list(trees.names))
    np.testing.assert_array_equal(trees.margins(features), part.predict(data, output_margin=True))


def test_a_split_at_a_value_sends_that_value_to_the_right() -> None:
    features = np.repeat(np.array([[0.0], [1.0]], dtype=np.float32), 20, axis=0)
    data = xgb.DMatrix(features, label=features[:, 0], feature_names=["only"])
    model = xgb.train({"objective": "binary:logistic", "max_depth": 1, "base_score": 0.5}, data, 1)
    low, high = Trees.of(bytes(model.save_raw("ubj"))).margins(np.array([[0.0], [1.0]], dtype=np.float32))
    assert low < 0 < high


@pytest.mark.parametrize(
    ("params", "says"),
    [
        ({"objective": "reg:squarederror"}, "reg:squarederror"),
        ({"base_score": 0.4}, "base_score"),
        ({"booster": "dart"}, "dart"),
        ({"booster": "gblinear", "tree_method": None, "max_depth": None, "subsample": None}, "gblinear"),
        ({"max_depth": 14, "min_child_weight": 0, "eta": 1.0, "subsample": 1.0, "lambda": 0}, "levels deep"),
    ],
)
def test_a_model_of_another_kind_is_refused(params: dict[str, object], says: str) -> None:
    rng = np.random.default_rng(1)
    features = rng.normal(size=(4000, 2)).astype(np.float32)
    chosen = {"objective": "binary:logistic", "max_depth": 3, "base_score": 0.5, **params}
    data = xgb.DMatrix(features, label=rng.random(4000) < 0.5, feature_names=["a", "b"])
    model = xgb.train({k: v for k, v in chosen.items() if v is not None}, data, 5)
    with pytest.raises(ModelError, match=says):
        Trees.of(bytes(model.save_raw("ubj")))


def test_features_that_are_infinite_or_too_few_are_refused() -> None:
    model, features = booster(7)
    trees = Trees.of(bytes(model.save_raw("ubj")))
    wrong = features.copy()
    wrong[3, 0] = np.inf
    with pytest.raises(InputError, match="f0 of row 3 is infinite"):
        trees.margins(wrong)
    with pytest.raises(InputError, match="columns"):
        trees.margins(features[:, :0])


def test_damaged_bytes_are_refused_at_load_wherever_the_damage_is() -> None:
    model, features = booster(8)
    good = bytes(model.save_raw("ubj"))
    stored = artifact_hash(good)
    calibration = {"slope": 1.0, "intercept": 0.0}
    assert Scorer.load(good, stored, calibration).score(features).shape == (len(features),)
    rng = np.random.default_rng(3)
    for place in rng.integers(0, len(good), 40).tolist():
        bad = bytes([*good[:place], good[place] ^ 0x55, *good[place + 1 :]])
        with pytest.raises(ModelError, match="sha256"):
            Scorer.load(bad, stored, calibration)
    for bad in (b"", good[: len(good) // 2], good + b"x", b"{}", b"[]", b"not a model"):
        with pytest.raises(ModelError):
            Trees.of(bad)


@pytest.mark.parametrize("seed", range(4))
def test_damage_that_no_hash_guards_is_an_error_of_ours_or_a_model(seed: int) -> None:
    model, features = booster(seed)
    good = bytes(model.save_raw("ubj"))
    rng = np.random.default_rng(seed)
    for _ in range(60):
        place = int(rng.integers(0, len(good)))
        bad = bytes([*good[:place], int(rng.integers(0, 256)), *good[place + 1 :]])
        try:
            trees = Trees.of(bad)
        except ModelError:
            continue
        assert trees.margins(features[:, : len(trees.names)]).dtype == np.float32


@pytest.mark.parametrize("calibration", [{}, {"slope": -1.0, "intercept": 0.0}, {"slope": "x", "intercept": 0}, None])
def test_a_calibration_that_cannot_be_used_is_refused(calibration: object) -> None:
    model, _ = booster(9)
    good = bytes(model.save_raw("ubj"))
    with pytest.raises(ModelError, match="calibration"):
        Scorer.load(good, artifact_hash(good), calibration)


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b"Z", None), (b"T", True), (b"i\xff", -1), (b"U\xff", 255), (b"I\x01\x00", 256), (b"Si\x02ab", "ab"),
        (b"[i\x01i\x02]", [1, 2]), (b"[#i\x02TF", [True, False]), (b"{i\x01aT}", {"a": True}),
        (b"D\x3f\xf0\0\0\0\0\0\0", 1.0),
    ],
)  # fmt: skip
def test_documents_of_the_format(data: bytes, value: object) -> None:
    assert decode_ubj(data) == value


def test_typed_arrays_keep_their_type() -> None:
    found = decode_ubj(b"[$d#i\x02\x3f\x80\0\0\xbf\x80\0\0")
    assert found.dtype == np.float32
    assert found.tolist() == [1.0, -1.0]
