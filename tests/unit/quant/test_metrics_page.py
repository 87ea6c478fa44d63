"""docs/metrics.md says what the code does."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest
from tracker.quant import metrics, overfitting
from tracker.quant.metrics_page import COMMAND, metrics_page, parts_of

PAGE = Path(__file__).resolve().parents[3] / "docs" / "metrics.md"
FIGURES = {
    name: getattr(module, name)
    for module in (metrics, overfitting)
    for name in module.__all__
    if inspect.isfunction(getattr(module, name))
}


def test_the_page_is_made_from_the_docstrings() -> None:
    assert PAGE.read_text(encoding="utf-8") == metrics_page(), f"run {COMMAND}"


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_is_on_the_page_with_formula_unit_edges_and_errors(name: str) -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert text.count(f"### `{name}(") == 1
    entry = text.partition(f"### `{name}(")[2].partition("\n#")[0]
    parts = parts_of(FIGURES[name])
    for label in ("Formula", "Unit", "Edges", "Raises"):
        assert len(parts[label]) > 5
        assert f"- {label}: {parts[label]}" in entry
