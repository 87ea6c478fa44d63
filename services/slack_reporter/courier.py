"""From the outbox to Slack: one message at a time, each at least once, and shown once."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from typing import Any, TypeAlias

from prometheus_client import Counter
from tracker.domain.clock import Clock
from tracker.runtime.dependency import Dependency
from tracker.runtime.logging import Logger
from tracker.runtime.reporting.rules import DeliveryRules
from tracker.store.database import Transaction
from tracker.store.reports import read_report_picture
from tracker.store.slack_outbox import (
    OutboxMessage,
    free_message,
    give_up_message,
    next_message,
    note_delivered,
    note_failed,
    note_sending,
    release_held,
    simplify_message,
)

from services.slack_reporter.way import NoAnswerError, NotTakenError, Refusal, RefusedError, Shown, Slack

MESSAGES = Counter("tracker_slack_messages_total", "Messages for Slack by what became of a try", ["kind", "outcome"])
NOWHERE = "neither SLACK_BOT_TOKEN nor SLACK_WEBHOOK_URL is set"

# A transaction that commits at its end, if the lease is still held then.
Leading: TypeAlias = Callable[[], AbstractAsyncContextManager[Transaction]]


class Courier:
    """Delivers; what it knows of a message is in the outbox, so that any replica can go on for another.

    A message is marked as `sending` before it is handed over. One that is found so afterwards was handed over without
    an answer: it is looked for before it is handed over again.
    """

    def __init__(self, slack: Slack | None, rules: DeliveryRules, clock: Clock, log: Logger, leading: Leading) -> None:
        """`slack` None: messages are held until it is known where they go."""
        self._slack = slack
        self._rules = rules
        self._clock = clock
        self._log = log
        self._leading = leading
        self._dependency = Dependency("slack", rules.policy, clock)
        self._rests_until = clock.monotonic()
        self.error: str | None = None
        self.held = 0

    async def deliver(self) -> None:
        """Deliver the message whose turn it is, if one is due."""
        if self._clock.monotonic() < self._rests_until:
            return
        message = await self._take()
        if message is None:
            return
        try:
            shown = await self._found(message)
            if shown is None:
                async with self._leading() as transaction:
                    await note_sending(transaction, message.outbox_id, self._clock.now())
                shown = await self._send(message)
        except NotTakenError as error:
            await self._again(message, "pending", error, error.retry_after)
        except NoAnswerError as error:
            await self._again(message, "sending", error, self._rules.verify_seconds)
        except RefusedError as error:
            await self._refused(message, error)
        else:
            await self._delivered(message, shown)

    async def release(self) -> None:
        """Have messages tried again that the settings stood against: these may be others now."""
        async with self._leading() as transaction:
            await self._release(transaction)

    async def _release(self, transaction: Transaction) -> None:
        now = self._clock.now()
        count = await release_held(transaction, now - timedelta(hours=self._rules.resume_hours), now)
        if count and self._slack is not None:
            self._log.info("messages are tried again", action="slack_released", count=count)
        self.held = 0

    async def _take(self) -> OutboxMessage | None:
        """Return a message that is to be handed over now; those that cannot be are closed on the way."""
        now = self._clock.now()
        async with self._leading() as transaction:
            message = await next_message(transaction)
            if message is None or message.not_before > now:
                return None
            if self._slack is None:
                await self._hold(transaction, message, NOWHERE)
                return None
            if message.parent_held:
                await self._hold(transaction, message, "the message that it belongs to is held")
                return None
            if now - message.created_at > timedelta(hours=self._rules.give_up_hours):
                await self._give_up(transaction, message, "it could not be delivered for too long")
                return None
            if message.action in ("reply", "edit") and not self._reaches(message, self._slack):
                await self._alone(transaction, message)
                return None
        return message

    def _reaches(self, message: OutboxMessage, slack: Slack) -> bool:
        return slack.can_edit and message.parent_ts is not None

    async def _alone(self, transaction: Transaction, message: OutboxMessage) -> None:
        """Have a reply or an edit shown on its own; an edit that says nothing new is dropped."""
        if message.action == "edit" and "plain" not in message.payload:
            await self._give_up(transaction, message, "there is no message that it could edit")
        else:
            await free_message(transaction, message.outbox_id)

    async def _found(self, message: OutboxMessage) -> Shown | None:
        """Return where a message is that was handed over without an answer, None where it is not there."""
        slack = self._slack
        if message.state != "sending" or message.action == "edit" or slack is None or not slack.can_edit:
            return None
        sent_at = message.sent_at or message.created_at
        rest = self._rules.verify_seconds - (self._clock.now() - sent_at).total_seconds()
        if rest > 0:
            raise NotYetError(rest)
        try:
            if message.action == "picture":
                return await slack.find_picture(_file_name(message), message.created_at)
            thread = message.parent_ts if message.action == "reply" else None
            return await slack.find(message.mark, message.created_at, thread)
        except RefusedError as error:
            # Twice is better than never.
            self._log.error("whether a message arrived cannot be looked for: it is sent again", action="slack_blind",
                            error=str(error), **_named(message))  # fmt: skip
            return None

    async def _send(self, message: OutboxMessage) -> Shown:
        slack, payload = self._slack, message.payload
        assert slack is not None  # noqa: S101 - checked when the message was taken
        if message.action == "picture":
            return await self._send_picture(slack, message)
        if message.action == "edit":
            assert message.parent_channel is not None and message.parent_ts is not None  # noqa: S101, PT018 - likewise
            return await slack.edit(message.parent_channel, message.parent_ts, payload)
        return await slack.post(payload, message.mark, message.parent_ts if message.action == "reply" else None)

    async def _send_picture(self, slack: Slack, message: OutboxMessage) -> Shown:
        assert message.report_id is not None  # noqa: S101 - the table's own condition
        async with self._leading() as transaction:
            found = await read_report_picture(transaction, message.report_id)
        if found is None or found[2] is None:
            raise RefusedError("the report has no picture any more", Refusal.MESSAGE)
        return await slack.picture(found[2], _file_name(message), message.payload["text"])

    async def _delivered(self, message: OutboxMessage, shown: Shown) -> None:
        assert self._slack is not None  # noqa: S101 - something was delivered
        async with self._leading() as transaction:
            await note_delivered(
                transaction, message.outbox_id, self._clock.now(), self._slack.name, shown.channel, shown.ts
            )
            if self.held:
                await self._release(transaction)
        self._dependency.succeeded()
        self.error = None
        self._rests_until = self._clock.monotonic() + self._rules.pace_seconds
        MESSAGES.labels(message.kind, "delivered").inc()
        self._log.info("a message was delivered", action="slack_delivered", **_named(message))

    async def _again(
        self, message: OutboxMessage, state: str, error: NotTakenError | NoAnswerError, at_least: float
    ) -> None:
        """Wait, with Slack left alone altogether where it fails again and again."""
        if isinstance(error, NotYetError):
            self._rests_until = self._clock.monotonic() + at_least
            return
        self._dependency.failed(type(error).__name__)
        wait = max(self._dependency.next_wait(), at_least)
        self._rests_until = self._clock.monotonic() + wait
        self.error = str(error)
        async with self._leading() as transaction:
            # What was handed over once stays so: that it was not taken now says nothing of then.
            kept = "sending" if message.state == "sending" else state
            not_before = self._clock.now() + timedelta(seconds=wait)
            await note_failed(transaction, message.outbox_id, kept, not_before, str(error))
        MESSAGES.labels(message.kind, "failed").inc()
        self._log.warning("a message was not delivered and will be tried again", action="slack_failed",
                          error=str(error), wait_seconds=round(wait, 1), **_named(message))  # fmt: skip

    async def _refused(self, message: OutboxMessage, error: RefusedError) -> None:
        self._rests_until = self._clock.monotonic() + self._rules.pace_seconds
        async with self._leading() as transaction:
            if error.of is Refusal.SETTINGS:
                self.error = str(error)
                await self._hold(transaction, message, str(error))
            elif error.of is Refusal.TARGET and message.action in ("reply", "edit"):
                await self._alone(transaction, message)
            elif error.of is Refusal.BLOCKS and "blocks" in message.payload:
                await simplify_message(transaction, message.outbox_id, self._clock.now(), str(error))
                self._log.error("Slack takes no blocks of this message: it goes as text", action="slack_blocks",
                                error=str(error), **_named(message))  # fmt: skip
            else:
                await self._give_up(transaction, message, str(error))

    async def _hold(self, transaction: Transaction, message: OutboxMessage, reason: str) -> None:
        await give_up_message(transaction, message.outbox_id, reason, held=True)
        self.held += 1
        MESSAGES.labels(message.kind, "held").inc()
        if self._slack is not None:
            self._log.error("a message is held", action="slack_held", error=reason, **_named(message))

    async def _give_up(self, transaction: Transaction, message: OutboxMessage, reason: str) -> None:
        await give_up_message(transaction, message.outbox_id, reason, held=False)
        MESSAGES.labels(message.kind, "given_up").inc()
        self._log.error("a message was given up", action="slack_given_up", error=reason, **_named(message))


class NotYetError(NotTakenError):
    """It is too early to look for a message that was handed over without an answer."""

    def __init__(self, seconds: float) -> None:
        """`seconds`: until it can be."""
        super().__init__("whether the message arrived is looked for later", seconds)


def _file_name(message: OutboxMessage) -> str:
    return f"equity-{message.created_at:%Y%m%dT%H%M%S}-{message.outbox_id}.png"


def _named(message: OutboxMessage) -> dict[str, Any]:
    return {"outbox_id": message.outbox_id, "kind": message.kind, "what": message.action, "key": message.dedupe_key,
            "attempt": message.attempts + 1}  # fmt: skip

