"""A way to Slack, and what can go wrong on it; without the libraries that it takes, for who has none."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple, Protocol

from tracker.domain.errors import TrackerError


class Refusal(StrEnum):
    """What Slack's refusal is of."""

    SETTINGS = "settings"
    TARGET = "target"
    BLOCKS = "blocks"
    MESSAGE = "message"


class NotTakenError(TrackerError):
    """Slack did not take a message; it may be handed over again."""

    retryable = True

    def __init__(self, message: str, retry_after: float = 0.0) -> None:
        """`retry_after`: seconds that Slack asks for."""
        super().__init__(message)
        self.retry_after = retry_after


class NoAnswerError(TrackerError):
    """Whether Slack took a message is not known."""

    retryable = True


class RefusedError(TrackerError):
    """Slack refuses a message; another try would be refused, too."""

    def __init__(self, message: str, of: Refusal) -> None:
        """`of`: what has to change."""
        super().__init__(message)
        self.of = of


class Shown(NamedTuple):
    """Where a message is; None where Slack does not say."""

    channel: str | None
    ts: str | None


class Slack(Protocol):
    """A way to Slack; raises NotTakenError, NoAnswerError, RefusedError."""

    @property
    def name(self) -> str:
        """The word for it in slack_outbox."""
        ...

    @property
    def can_edit(self) -> bool:
        """Whether messages have threads, edits and pictures, and can be looked for."""
        ...

    async def post(self, payload: Mapping[str, Any], mark: Mapping[str, str], thread_ts: str | None) -> Shown:
        """Show a message, in a thread or in the channel."""
        ...

    async def edit(self, channel: str, ts: str, payload: Mapping[str, Any]) -> Shown:
        """Replace what a message says."""
        ...

    async def picture(self, png: bytes, name: str, title: str) -> Shown:
        """Show a picture."""
        ...

    async def find(self, mark: Mapping[str, str], since: datetime, thread_ts: str | None) -> Shown | None:
        """Look for a message by its mark; None where it is not there."""
        ...

    async def find_picture(self, name: str, since: datetime) -> Shown | None:
        """Look for a picture by its name; None where it is not there."""
        ...
