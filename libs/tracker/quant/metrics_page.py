"""docs/metrics.md, made from the docstrings of the figures."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from types import ModuleType
from typing import Any

from tracker.quant import cross_validation, overfitting
from tracker.quant.metrics import account, chance, drawdown, excursions, returns, trades

LABELS = ("Formula", "Unit", "Edges", "Source", "Raises")
SECTIONS: tuple[tuple[str, ModuleType], ...] = (
    ("Returns", returns),
    ("Drawdown", drawdown),
    ("Trades", trades),
    ("Excursions", excursions),
    ("Account", account),
    ("Chance", chance),
    ("Overfitting", overfitting),
)
COMMAND = (
    """.venv/bin/python -c "from tracker.quant.metrics_page import metrics_page; """
    """print(metrics_page(), end='')" > docs/metrics.md"""
)
_INTRODUCTION = f"""# Metrics

One definition each, the same in every report. A figure that is not defined for its input (no trades, no variance) is
NaN, one without bound infinity; a value that is not a finite number is refused, naming the list and the index.
Fractions are fractions: 0.05 is 5%. `std(x, ddof=1)` divides by n - 1, a mean by n.

Made from the docstrings of `tracker.quant.metrics` and `tracker.quant.overfitting`:

    {COMMAND}
"""


def figures_of(module: ModuleType) -> list[Callable[..., Any]]:
    """Return the public functions of a module in the order in which they are written."""
    public = [getattr(module, name) for name in module.__all__]
    functions = [each for each in public if inspect.isfunction(each)]
    return sorted(functions, key=lambda each: (each.__module__ == cross_validation.__name__, _line(each)))


def metrics_page() -> str:
    """Return docs/metrics.md."""
    parts = [_INTRODUCTION]
    for title, module in SECTIONS:
        note = _paragraph(inspect.getdoc(module) or "")
        parts.append(f"## {title}\n\n{note}\n")
        parts.extend(_entry(figure) for figure in figures_of(module))
    return "\n".join(parts)


def parts_of(figure: Callable[..., Any]) -> dict[str, str]:
    """Return the labelled parts of a figure's docstring: Formula, Unit, Edges, Raises, Source where it has one."""
    body = (inspect.getdoc(figure) or "").partition("\n\n")[2]
    pieces = re.split(rf"^({'|'.join(LABELS)})\b:? ", body, flags=re.MULTILINE)
    return {label: _paragraph(text) for label, text in zip(pieces[1::2], pieces[2::2], strict=True)}


def _entry(figure: Callable[..., Any]) -> str:
    summary = (inspect.getdoc(figure) or "").partition("\n")[0]
    parameters = ", ".join(_parameter(each) for each in inspect.signature(figure).parameters.values())
    parts = parts_of(figure)
    rows = [f"- {label}: {parts[label]}" for label in LABELS if label in parts]
    return "\n".join([f"### `{figure.__name__}({parameters})`", "", summary, "", *rows, ""])


def _parameter(parameter: inspect.Parameter) -> str:
    if parameter.default is inspect.Parameter.empty:
        return parameter.name
    return f"{parameter.name}={parameter.default}"


def _line(figure: Callable[..., Any]) -> int:
    return figure.__code__.co_firstlineno


def _paragraph(text: str) -> str:
    return "\n\n".join(" ".join(each.split()) for each in text.split("\n\n"))
