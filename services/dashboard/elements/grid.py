"""A table of many rows: sorted, filtered and scrolled in the browser."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from nicegui import ui

from services.dashboard.elements.columns import Column, plain_rows

MODULES = [
    "ClientSideRowModelModule", "ClientSideRowModelApiModule", "RowApiModule", "TextFilterModule",
    "NumberFilterModule", "TooltipModule", "CellStyleModule", "ColumnAutoSizeModule", "RowSelectionModule",
    "LocaleModule", "ScrollApiModule", "EventApiModule", "ColumnApiModule", "GridStateModule", "RenderApiModule",
]  # fmt: skip
TEXTS = ("text", "words", "status")


class Grid:
    """An AG Grid whose rows are known by the key `row_id`, so that new rows replace old ones where they stand."""

    def __init__(
        self,
        columns: Sequence[Column],
        nothing: str,
        rows: Iterable[Mapping[str, Any]] = (),
        *,
        row_id: str,
        height: int = 420,
        chosen: Callable[[Mapping[str, Any]], None] | None = None,
    ) -> None:
        """Show rows by the columns' names; `chosen` is called with a row that was clicked. Height is in pixels."""
        self._rows = plain_rows(rows)
        self._grid = ui.aggrid(
            {
                "columnDefs": [_definition(each) for each in columns],
                "rowData": self._rows,
                ":getRowId": f"(p) => String(p.data[{row_id!r}])",
                "overlayNoRowsTemplate": f'<span class="nothing">{nothing}</span>',
                "suppressCellFocus": True,
                "enableCellTextSelection": True,
                "tooltipShowDelay": 300,
                "rowHeight": 30,
                "headerHeight": 34,
            },
            modules=MODULES,
            auto_size_columns=False,
        ).style(f"height: {height}px").classes("grid")
        if chosen is not None:
            self._grid.on("rowClicked", lambda event: chosen(event.args["data"]), ["data"])

    def set_rows(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Show other rows; those whose key stays are changed in place, and sorting and scrolling are kept."""
        plain = plain_rows(rows)
        if plain != self._rows:
            self._rows = plain
            self._grid.run_grid_method("setGridOption", "rowData", plain)


def _definition(column: Column) -> dict[str, Any]:
    name = column.look
    definition: dict[str, Any] = {
        "field": column.name,
        "headerName": column.label,
        ":valueFormatter": f"(p) => tracker.show({name!r}, p.value)",
        ":cellClass": f"(p) => [tracker.numeric({name!r}) ? 'n' : '', tracker.tone({name!r}, p.value)]",
        ":headerClass": f"() => tracker.numeric({name!r}) ? 'n' : ''",
        "sortable": True,
        "resizable": True,
        "filter": "agTextColumnFilter" if name in TEXTS else False,
    }
    if column.hint is not None:
        definition["tooltipField"] = column.hint
    if column.width is not None:
        definition["width"] = column.width
    else:
        definition["flex"] = 1
        definition["minWidth"] = 90
    return definition
