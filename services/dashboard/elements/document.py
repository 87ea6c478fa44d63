"""A page that stands alone, shown within another."""

from __future__ import annotations

from nicegui.element import Element


class Document(Element):
    """An HTML document in a frame of its own, which may run no scripts and reach nothing of the page around it."""

    def __init__(self, title: str) -> None:
        """Show nothing yet; `title` is what a screen reader calls it."""
        super().__init__("iframe")
        self._props["sandbox"] = ""
        self._props["title"] = title

    def set_html(self, html: str) -> None:
        """Show another document."""
        if self._props.get("srcdoc") != html:
            self._props["srcdoc"] = html
            self.update()
