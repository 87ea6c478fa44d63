"""The page of features is what the catalogue says, and the command on it makes it."""

from __future__ import annotations

from pathlib import Path

from tracker.quant.features import FEATURE_SET
from tracker.quant.features_page import COMMAND, features_page

PAGE = Path(__file__).resolve().parents[3] / "docs" / "features.md"


def test_the_committed_page_is_the_made_one() -> None:
    assert PAGE.read_text() == features_page()
    assert COMMAND in features_page()


def test_every_feature_has_one_row() -> None:
    rows = [line.split("`")[1] for line in features_page().splitlines() if line.startswith("| `")]
    assert tuple(rows) == FEATURE_SET.names
