"""A button that commands something, after a confirmation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import orjson
from nicegui import ui

from services.dashboard.context import PageContext

ANSWER_SECONDS = 150.0
GOOD = ("done", "waiting", "queued", "joined")


class CommandButton:
    """Asks for a reason and a confirmation, then sends the command as its viewer; off for who has not signed in.

    `arguments` are those of the command, or a function that returns them when it is given.
    """

    def __init__(
        self,
        page: PageContext,
        label: str,
        action: str,
        subject: str,
        sentence: str,
        *,
        arguments: Mapping[str, Any] | Callable[[], Mapping[str, Any]] | None = None,
        icon: str | None = None,
        grave: bool = False,
    ) -> None:
        """Say in `sentence` what will happen; `grave` marks what cannot be taken back."""
        self._page = page
        self._wish = (action, subject)
        self._arguments = arguments
        self._label = label
        self._sentence = sentence
        self._grave = grave
        self.button = ui.button(label, icon=icon, on_click=self._ask).props("outline dense no-caps").classes("command")
        if grave:
            self.button.classes("grave")
        if page.token is None:
            self.button.disable()
            # A button that is off shows no tooltip of its own.
            self.button.props(f'title="{page.how_to_command}"')

    def _ask(self) -> None:
        with ui.dialog(value=True) as dialog, ui.card().classes("dialog"):
            ui.label(f"{self._label}: {self._wish[1]}").classes("dialog-title")
            ui.label(self._sentence)
            reason = ui.input("Why (kept with it)").props("outlined dense autofocus maxlength=500").classes("full")
            with ui.element("div").classes("dialog-buttons"):
                ui.button("Cancel", on_click=dialog.close).props("flat no-caps")
                sure = ui.button(self._label, on_click=lambda: self._send(dialog, sure, str(reason.value or "")))
                sure.props("unelevated no-caps").classes("sure grave" if self._grave else "sure")
        dialog.on("hide", dialog.delete)

    async def _send(self, dialog: ui.dialog, sure: ui.button, reason: str) -> None:
        sure.props("loading")
        arguments = self._arguments() if callable(self._arguments) else self._arguments
        action, subject = self._wish
        wish = {"action": action, "subject": subject, "arguments": dict(arguments or {}), "reason": reason.strip()}
        # Sent by the browser: its cookie and the page's token go along, and the answer is the server's to whoever asks.
        answer = await ui.run_javascript(
            f"return await tracker.command({orjson.dumps(wish).decode()})", timeout=ANSWER_SECONDS
        )
        dialog.close()
        outcome, note = answer["outcome"], answer["note"]
        words = f"{self._label}: {outcome}. {note}"
        ui.notify(words, type="positive" if outcome in GOOD else "negative", timeout=8000, multi_line=True)
