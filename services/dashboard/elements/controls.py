"""What a viewer chooses with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nicegui import ui

Options = list[Any] | dict[Any, Any]
Chosen = Callable[..., Any]


def toggle(options: Options, value: object, chosen: Chosen | None = None) -> ui.toggle:
    """A few choices side by side, of which one is taken."""
    return ui.toggle(options, value=value, on_change=chosen).props("dense no-caps unelevated")


def chooser(
    label: str,
    options: Options,
    value: object,
    chosen: Chosen | None = None,
    *,
    typed: bool = False,
    many: bool = False,
) -> ui.select:
    """A list to choose from; `typed` narrows it down by what is typed, `many` takes several."""
    made = ui.select(options, value=value, on_change=chosen, with_input=typed, multiple=many, label=label)
    return made.props("dense outlined options-dense")
