"""Boosted trees evaluated with NumPy, to the same float32 margins as XGBoost's own.

A process that only scores needs no XGBoost: importing it takes 171 MB, three scanners half a gigabyte.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tracker.domain.errors import InputError, ModelError
from tracker.quant.bars import Bools, Singles
from tracker.quant.models.ubj import decode_ubj

OBJECTIVE = "binary:logistic"
# A tree is laid out with all nodes a full one of its depth would have.
MOST_LEVELS = 12
Places = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Trees:
    """All trees side by side, each filled up to the depth of the deepest.

    `columns` and `thresholds` hold an array a level, (T * 2**level,): a row goes left where its value in the column is
    below the threshold. `leaves` (T * 2**levels,). Columns count through two copies of the features: in the first a
    missing value is minus infinity and goes left, in the second infinity and goes right.
    """

    names: tuple[str, ...]
    columns: Sequence[Places]
    thresholds: Sequence[Singles]
    leaves: Singles
    count: int

    @classmethod
    def of(cls, artifact: bytes) -> Trees:
        """Read a model that XGBoost saved as UBJ; raises ModelError where it is no such model, or of another kind."""
        try:
            return _trees_of(decode_ubj(artifact)["learner"])
        except (KeyError, IndexError, TypeError, ValueError, OverflowError) as error:
            raise ModelError(f"the model's bytes are no boosted trees: {type(error).__name__} {error}") from None

    def margins(self, features: Singles) -> Singles:
        """Return the log-odds of each row, float32 (n,), of `features` (n, F) in the order of `names`; NaN: missing.

        Raises InputError where columns are missing or a value is infinite.
        """
        if features.ndim != 2 or features.shape[1] != len(self.names):
            raise InputError(f"features have shape {features.shape}, and the model has {len(self.names)} columns")
        if np.isinf(features).any():
            row, column = np.argwhere(np.isinf(features))[0].tolist()
            raise InputError(f"feature {self.names[column]} of row {row} is infinite")
        rows = features.shape[0]
        table = self._two_copies(features)
        start = (np.arange(rows, dtype=np.intp) * table.shape[1])[None, :]
        flat = table.ravel()
        tree: Places = np.arange(self.count, dtype=np.intp)[:, None]
        place: Places = np.zeros((self.count, rows), dtype=np.intp)
        for level, (columns, thresholds) in enumerate(zip(self.columns, self.thresholds, strict=True)):
            node: Places = np.add(place, tree << level)
            value: Singles = np.take(flat, np.add(np.take(columns, node), start))
            right: Bools = np.greater_equal(value, np.take(thresholds, node))
            place = np.add(np.left_shift(place, 1), right)
        leaves = np.take(self.leaves, place + (tree << len(self.columns)))
        # One after the other, as XGBoost adds them: a sum in pairs ends in other digits.
        sums: Singles = np.add.accumulate(leaves, axis=0, dtype=np.float32)
        return sums[-1]

    def _two_copies(self, features: Singles) -> Singles:
        values = np.asarray(features, dtype=np.float32)
        missing = np.isnan(values)
        infinity = np.float32(np.inf)
        return np.concatenate((np.where(missing, -infinity, values), np.where(missing, infinity, values)), axis=1)


def _trees_of(learner: Mapping[str, Any]) -> Trees:
    booster, objective = learner["gradient_booster"], learner["objective"]["name"]
    if booster["name"] != "gbtree" or objective != OBJECTIVE:
        raise ModelError(f"the model is a {booster['name']} for {objective}, not a gbtree for {OBJECTIVE}")
    names = tuple(learner["feature_names"])
    trees: Sequence[Mapping[str, Any]] = booster["model"]["trees"]
    if len(names) != int(learner["learner_model_param"]["num_feature"]) or not trees:
        raise ModelError(f"the model has {len(trees)} trees and {len(names)} names of features")
    levels = max(_depth(each, len(names)) for each in trees)
    # Of any other probability the logarithm is taken, whose last digit differs between libraries.
    base = learner["learner_model_param"]["base_score"]
    if np.float32(base.strip("[]")) != np.float32(0.5):
        raise ModelError(f"the model's base_score is {base}, not 0.5: its margins do not start at 0")
    if levels > MOST_LEVELS:
        raise ModelError(f"the model's trees are {levels} levels deep, more than {MOST_LEVELS}")
    grown = [_grown(each, levels, len(names)) for each in trees]
    return Trees(
        names=names,
        columns=[np.concatenate([each[0][level] for each in grown]) for level in range(levels)],
        thresholds=[np.concatenate([each[1][level] for each in grown]) for level in range(levels)],
        leaves=np.concatenate([each[2] for each in grown]),
        count=len(trees),
    )


def _depth(tree: Mapping[str, Any], features: int) -> int:
    """Return how many splits lie on the longest way to a leaf; raises ModelError where the nodes are no tree."""
    left, right, column = tree["left_children"], tree["right_children"], tree["split_indices"]
    kinds = tree.get("split_type", ())
    if np.any(np.asarray(kinds) != 0):
        raise ModelError("the model splits by categories, and features have none")
    depth, seen, nodes = 0, 0, [0]
    while nodes:
        seen += len(nodes)
        inner = [node for node in nodes if left[node] != -1]
        if seen > len(left) or any(not 0 <= column[node] < features for node in inner):
            raise ModelError("the model's nodes are no tree over its features")
        nodes = [int(side[node]) for node in inner for side in (left, right)]
        depth += bool(nodes)
        if any(not 0 < node < len(left) for node in nodes):
            raise ModelError("the model's nodes are no tree over its features")
    return depth


def _grown(tree: Mapping[str, Any], levels: int, features: int) -> tuple[list[Places], list[Singles], Singles]:
    """Return columns and thresholds a level, and the leaves; a leaf that comes early is repeated below it."""
    left, right = tree["left_children"], tree["right_children"]
    # A leaf's value stands where a split has its threshold.
    value = np.asarray(tree["split_conditions"], dtype=np.float32)
    to_left = np.asarray(tree["default_left"])
    nodes = [0]
    columns: list[Places] = []
    thresholds: list[Singles] = []
    for _ in range(levels):
        inner = [left[node] != -1 for node in nodes]
        columns.append(
            np.array(
                [
                    int(tree["split_indices"][node]) + (0 if to_left[node] else features) if splits else 0
                    for node, splits in zip(nodes, inner, strict=True)
                ],
                dtype=np.intp,
            )
        )
        thresholds.append(np.where(inner, value[nodes], np.float32(0)).astype(np.float32))
        nodes = [
            int(side[node]) if splits else node
            for node, splits in zip(nodes, inner, strict=True)
            for side in (left, right)
        ]
    return columns, thresholds, value[nodes]
