"""A table of a few rows that are all seen at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from nicegui.element import Element

from services.dashboard.elements.columns import Column, plain_rows


class SmallTable(Element, component="small_table.js"):
    """A plain table; scrolls sideways by itself on a phone, and says `nothing` where it has no rows."""

    def __init__(
        self,
        columns: Sequence[Column],
        nothing: str,
        rows: Iterable[Mapping[str, Any]] = (),
        chosen: Callable[[Mapping[str, Any]], Any] | None = None,
    ) -> None:
        """Show rows by the columns' names; `chosen` is called with a row that was clicked."""
        super().__init__()
        self._props["choosable"] = chosen is not None
        if chosen is not None:
            self.on("chosen", lambda event: chosen(event.args))
        self._props["columns"] = [asdict(each) for each in columns]
        self._props["nothing"] = nothing
        self._props["rows"] = plain_rows(rows)

    def set_rows(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Show other rows."""
        plain = plain_rows(rows)
        if plain != self._props["rows"]:
            self._props["rows"] = plain
            self.update()
