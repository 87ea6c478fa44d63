"""A moment, in the viewer's zone."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from nicegui.element import Element

from services.dashboard.formats import NONE

Look = Literal["time", "day", "moment", "full", "ago"]


class LocalTime(Element, component="local_time.js"):
    """Shows a moment in the viewer's zone, or, with the look `ago`, how long it is past, counting on by itself."""

    def __init__(self, at: datetime | None = None, look: Look = "moment", none: str = NONE) -> None:
        """Show `at`, or `none` where there is no such moment."""
        super().__init__()
        self._props["look"] = look
        self._props["none"] = none
        self.set_at(at)

    def set_at(self, at: datetime | None) -> None:
        """Show another moment."""
        text = None if at is None else at.isoformat()
        if self._props.get("at", "") != text:
            self._props["at"] = text
            self.update()
