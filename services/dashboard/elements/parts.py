"""Small parts of pages: sections, figures, marks, and what stands where there is nothing yet."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

from nicegui import ui

from services.dashboard.elements.prose import Prose
from services.dashboard.formats import NONE

Tone = Literal["good", "bad", "warn", "plain", "quiet"]
Span = Literal[3, 4, 5, 6, 7, 8, 9, 12]
# Told apart by their shape as well as by their colour.
MARKS = {"good": "●", "warn": "▲", "bad": "■", "plain": "○", "quiet": "○"}


@contextmanager
def section(title: str, span: Span = 12, note: str = "") -> Iterator[ui.element]:
    """A card of `span` twelfths of the page's width; on a phone each takes it whole."""
    with ui.element("section").classes(f"card span-{span}") as card:
        with ui.element("div").classes("card-head"):
            ui.element("h2").add_slot("default", _text(title))
            if note:
                ui.label(note).classes("quiet")
        yield card


@contextmanager
def stack(span: Span = 6) -> Iterator[ui.element]:
    """Cards below each other in `span` twelfths of the width, beside one that is longer than each of them."""
    with ui.element("div").classes(f"stack span-{span}") as element:
        yield element


class Stat:
    """A figure with its name above and a remark below."""

    def __init__(self, name: str, value: str = NONE, note: str = "", tone: str = "plain") -> None:
        """Show a figure that is formatted already."""
        with ui.element("div").classes("stat"):
            ui.label(name).classes("stat-name")
            self._value = ui.label(value).classes("stat-value")
            self._note = ui.label(note).classes("stat-note")
        self._tone = ""
        self.show(value, note, tone)

    def show(self, value: str, note: str = "", tone: str = "plain") -> None:
        """Show another figure; its tone is told by a mark too, so that colour is never all there is."""
        self._value.set_text(value)
        self._note.set_text(note)
        if tone != self._tone:
            self._value.classes(remove=self._tone, add=tone)
            self._tone = tone


class Light:
    """A mark of a state and its words."""

    def __init__(self, text: str = "", tone: str = "quiet") -> None:
        """Show a state."""
        with ui.element("span").classes("light") as self.element:
            self._mark = ui.label(MARKS[tone]).classes("light-mark")
            self._text = ui.label(text)
        self._tone = ""
        self.show(text, tone)

    def show(self, text: str, tone: str) -> None:
        """Show another state."""
        self._text.set_text(text)
        if tone != self._tone:
            self._mark.set_text(MARKS[tone])
            self.element.classes(remove=self._tone, add=tone)
            self._tone = tone


def empty(what: str, do: str) -> ui.element:
    """Say that there is nothing yet, and what to do about it (`commands` in backticks) or when it comes."""
    with ui.element("div").classes("empty") as element:
        ui.label(what).classes("empty-what")
        Prose(do).element.classes("empty-do")
    return element


def _text(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace("{", "&#123;")
