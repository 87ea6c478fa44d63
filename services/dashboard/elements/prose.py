"""Sentences in which `commands` stand out."""

from __future__ import annotations

import re
from html import escape

from nicegui import ui

CODE = re.compile(r"`([^`]+)`")


class Prose:
    """A paragraph; what stands between backticks is shown as code."""

    def __init__(self, text: str = "") -> None:
        """Show a text."""
        self.element = ui.html(_html(text), sanitize=False, tag="p").style("margin: 0")

    def set_text(self, text: str) -> None:
        """Show another text."""
        self.element.set_content(_html(text))


def _html(text: str) -> str:
    return CODE.sub(r'<code class="code">\1</code>', escape(text))
