"""Which features moved a model's answer, and by how much: what `tracker why` says of a score."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from tracker.domain.errors import ModelError
from tracker.quant.bars import Floats, Singles
from tracker.quant.models.ubj import decode_ubj


def contributions(artifact: bytes, features: Singles) -> dict[str, float]:
    """Return by how much each feature moved the log-odds of one row (F,), the strongest first; those of 0 are left out.

    Formula: on the way to its leaf, each split's feature is given the change of the mean leaf below, weighted by the
    hessians that training saw there. Together with the mean over all leaves they make the margin.
    Source: Saabas (2014); XGBoost's pred_contribs with approx_contribs. Raises ModelError on bytes that are no model.
    """
    try:
        learner = decode_ubj(artifact)["learner"]
        names = tuple(learner["feature_names"])
        moved = np.zeros(len(names))
        for tree in learner["gradient_booster"]["model"]["trees"]:
            _walk(tree, features, moved)
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise ModelError(f"the model's bytes are no boosted trees: {type(error).__name__} {error}") from None
    order = np.argsort(-np.abs(moved), kind="stable")
    return {names[place]: float(moved[place]) for place in order if moved[place] != 0.0}


def _walk(tree: Mapping[str, Any], features: Singles, moved: Floats) -> None:
    left, right, column = tree["left_children"], tree["right_children"], tree["split_indices"]
    threshold, to_left = tree["split_conditions"], tree["default_left"]
    means = _means(tree)
    node = 0
    while left[node] != -1:
        value = features[column[node]]
        goes_left = bool(to_left[node]) if np.isnan(value) else value < np.float32(threshold[node])
        following = int(left[node] if goes_left else right[node])
        moved[column[node]] += means[following] - means[node]
        node = following


def _means(tree: Mapping[str, Any]) -> Floats:
    """Return the mean leaf below each node; children come after their parent."""
    left, right, cover = tree["left_children"], tree["right_children"], tree["sum_hessian"]
    means = np.asarray(tree["split_conditions"], dtype=np.float64).copy()
    for node in range(len(left) - 1, -1, -1):
        one, other = int(left[node]), int(right[node])
        if one != -1:
            weight = float(cover[one]) + float(cover[other])
            means[node] = (means[one] * float(cover[one]) + means[other] * float(cover[other])) / weight
    return means
