"""What a person asks of an account, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, Self


class CommandKind(StrEnum):
    """What can be asked for.

    `reset` closes the books and begins new ones; `flatten` sells what is held; `halt` and `resume` stop new trades
    and let them through again, `pause` and `unpause` those of one strategy.
    """

    OPEN = "open"
    DEPOSIT = "deposit"
    WITHDRAW = "withdraw"
    RESET = "reset"
    CANCEL = "cancel"
    REPLACE = "replace"
    FLATTEN = "flatten"
    HALT = "halt"
    RESUME = "resume"
    PAUSE = "pause"
    UNPAUSE = "unpause"


class Outcome(StrEnum):
    """What came of a command."""

    DONE = "done"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One thing asked of an account; amounts among the `arguments` are decimals as text.

    `command_id` is None where the configuration asks and not a person.
    """

    account: str
    kind: CommandKind
    arguments: Mapping[str, Any] = field(default_factory=dict[str, Any])
    reason: str = ""
    requested_by: str = ""
    command_id: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came of a command, in words; `amount` is the cash that came in (below 0: went out), None for none."""

    outcome: Outcome
    note: str
    amount: Decimal | None = None

    @classmethod
    def done(cls, note: str, amount: Decimal | None = None) -> Self:
        """Return the answer to a command that was carried out."""
        return cls(outcome=Outcome.DONE, note=note, amount=amount)

    @classmethod
    def refused(cls, note: str) -> Self:
        """Return the answer to a command that changed nothing."""
        return cls(outcome=Outcome.REFUSED, note=note)


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountEvent:
    """A command with its answer, at the event time `ts` at which it took effect.

    Every bar that closes at or before `ts` was acted on before it, every later one after it.
    """

    ts: datetime
    command: Command
    answer: Answer
