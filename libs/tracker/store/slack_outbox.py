"""Messages for Slack: written down with what they tell of, delivered later, each shown once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from tracker.store.database import Transaction

# A message that failed so often lets others go first, which it might be holding up.
PATIENCE = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class NewMessage:
    """A message that is to be shown.

    `key` names what it says, and is written once. `payload` has text and blocks, and for an edit `plain`, which is
    shown on its own where nothing can be edited. `parent_id` is the message whose thread it joins or which it edits.
    """

    kind: str
    action: str
    key: str
    payload: Mapping[str, Any]
    parent_id: int | None = None
    report_id: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxMessage:
    """A message that is not delivered yet, with what became of its parent."""

    outbox_id: int
    kind: str
    action: str
    dedupe_key: str
    payload: dict[str, Any]
    parent_id: int | None
    report_id: int | None
    created_at: datetime
    not_before: datetime
    attempts: int
    state: str
    sent_at: datetime | None
    parent_state: str | None
    parent_held: bool | None
    parent_channel: str | None
    parent_ts: str | None

    @property
    def mark(self) -> dict[str, str]:
        """What tells it from every other message, of other databases, too."""
        return {"key": self.dedupe_key, "written_at": self.created_at.isoformat()}


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxCounts:
    """How many messages wait (the oldest since when), are held because of the settings, and were given up lately."""

    waiting: int
    oldest: datetime | None
    held: int
    held_because: str | None
    given_up: int


async def write_message(transaction: Transaction, message: NewMessage, now: datetime) -> int | None:
    """Write a message down; returns its number, None where it was written before."""
    return await transaction.fetch_value(
        "slack_outbox.write", message.kind, message.action, message.key,
        orjson.dumps(message.payload).decode(), message.parent_id, message.report_id, now,
    )  # fmt: skip


async def next_message(transaction: Transaction) -> OutboxMessage | None:
    """Return the message whose turn it is, None where all are closed."""
    row = await transaction.fetch_row("slack_outbox.next", PATIENCE)
    if row is None:
        return None
    return OutboxMessage(**{**dict(row.items()), "payload": orjson.loads(row["payload"])})


async def note_sending(transaction: Transaction, outbox_id: int, now: datetime) -> None:
    """Note that a message is handed over now, before that is done."""
    await transaction.execute("slack_outbox.sending", outbox_id, now)


async def note_delivered(
    transaction: Transaction, outbox_id: int, now: datetime, by: str, channel: str | None, ts: str | None
) -> None:
    """Note that a message is shown; `ts` None: not said where."""
    await transaction.execute("slack_outbox.delivered", outbox_id, now, by, channel, ts)
    if ts is not None:
        await transaction.execute("slack_outbox.thread", outbox_id, channel, ts)


async def note_failed(
    transaction: Transaction, outbox_id: int, state: str, not_before: datetime, error: str
) -> None:
    """Have a message tried again: `pending` where it was not taken, `sending` where that is not known."""
    await transaction.execute("slack_outbox.failed", outbox_id, state, not_before, error)


async def simplify_message(transaction: Transaction, outbox_id: int, now: datetime, error: str) -> None:
    """Have a message tried again as plain text."""
    await transaction.execute("slack_outbox.simplify", outbox_id, now, error)


async def free_message(transaction: Transaction, outbox_id: int) -> None:
    """Have a message shown on its own that was to join or to edit another."""
    await transaction.execute("slack_outbox.stand_alone", outbox_id)


async def give_up_message(transaction: Transaction, outbox_id: int, error: str, *, held: bool) -> None:
    """Give a message up, for now where it is `held`."""
    await transaction.execute("slack_outbox.give_up", outbox_id, error, held)


async def release_held(transaction: Transaction, since: datetime, now: datetime) -> int:
    """Have held messages tried again that are not older than `since`, give the others up; returns how many."""
    await transaction.execute("slack_outbox.drop_held", since)
    return await transaction.fetch_value("slack_outbox.release", since, now)


async def count_outbox(transaction: Transaction, since: datetime) -> OutboxCounts:
    """Return how many messages are not delivered; `given_up` of those written since a moment."""
    row = await transaction.fetch_row("slack_outbox.counts", since)
    assert row is not None  # noqa: S101 - the query returns one row always
    return OutboxCounts(**dict(row.items()))


async def find_written(transaction: Transaction, keys: Iterable[str]) -> set[str]:
    """Return those of some keys that have a message."""
    return {row["dedupe_key"] for row in await transaction.fetch("slack_outbox.was_written", list(keys))}


async def forget_messages(transaction: Transaction, before: datetime) -> None:
    """Delete closed messages that are older."""
    await transaction.execute("slack_outbox.forget", before)
