"""What signed-in people may do from the page; each is written down with who, when, from where and what came of it."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import orjson
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass as checked
from tracker.domain.clock import Clock
from tracker.domain.command import Command, CommandKind
from tracker.domain.errors import InputError, TrackerError
from tracker.domain.job import JobKind
from tracker.runtime.asking import check_work, give_command, request_work
from tracker.runtime.logging import Logger
from tracker.runtime.promotion_order import PromotionOrder
from tracker.runtime.settings import describe, environment
from tracker.store.audit import AuditEntry, settle_audit, write_audit
from tracker.store.database import Database
from tracker.store.pages.shell import read_accounts

from services.dashboard.access.guard import address_of, session_of
from services.dashboard.access.sessions import same_token

PATH = "/commands"
TOKEN_HEADER = "x-tracker-token"  # noqa: S105 - a header's name
WRITER = "tracker_control"
WAIT_SECONDS = 5.0
LONGEST_BODY = 10_000
PROMOTION = (sys.executable, "-m", "tracker.runtime.promotion_work")
PROMOTION_SECONDS = 120.0
ACCOUNT_ACTIONS = (
    CommandKind.HALT, CommandKind.RESUME, CommandKind.FLATTEN, CommandKind.PAUSE, CommandKind.UNPAUSE,
)  # fmt: skip


@checked(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class Wish:
    """What the page asks for; `subject` is an account, a strategy (or all) to train, or the number of a model."""

    action: str
    subject: str
    arguments: dict[str, str | int | bool | None] = field(default_factory=dict)
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of it: done, waiting or refused (of a request to the retrainer queued or joined too), in words."""

    outcome: str
    note: str


Carrier = Callable[[Wish, AuditEntry], Awaitable[Outcome]]


class Commands:
    """POST /commands: refused without a session, its token and our own origin."""

    def __init__(
        self, database: Database, config_dir: Path, clock: Clock, log: Logger, *, behind_proxy: bool
    ) -> None:
        """Act on the database; the guard before the pages has looked where requests come from."""
        self._reading = database
        self._database = database.acting_as(WRITER)
        self._config_dir = config_dir
        self._clock = clock
        self._log = log
        self._behind_proxy = behind_proxy
        self._carriers: Mapping[str, Carrier] = {
            **{each.value: self._tell_account for each in ACCOUNT_ACTIONS},
            "retrain": self._retrain,
            "promote": self._promote,
        }

    def mount(self, app: FastAPI) -> None:
        """Add the route."""

        @app.post(PATH, include_in_schema=False)
        async def command(request: Request) -> JSONResponse:
            return await self._answer(request)

        _ = command

    async def _answer(self, request: Request) -> JSONResponse:
        session = session_of(request.scope)
        if session is None:
            return _refusal(401, "Sign in first.")
        if not same_token(session, request.headers.get(TOKEN_HEADER, "")):
            return _refusal(403, "Refused: the request does not come from a page of this session.")
        try:
            wish = await _wish(request)
            outcome = await self.carry_out(
                wish, session.who, address_of(request, behind_proxy=self._behind_proxy)
            )
        except InputError as error:
            return _refusal(400, str(error))
        except TrackerError as error:
            self._log.error("a command failed", action="command_failed", error=str(error))
            return _refusal(503 if error.retryable else 500, str(error))
        return JSONResponse(asdict(outcome))

    async def carry_out(self, wish: Wish, who: str, address: str) -> Outcome:
        """Do what is asked, and write it down also where it is refused; raises InputError, DatabaseUnavailableError."""
        entry = AuditEntry(
            who=who, address=address, action=wish.action, outcome="asked", subject=wish.subject,
            arguments=wish.arguments, reason=wish.reason,
        )  # fmt: skip
        carrier = self._carriers.get(wish.action)
        try:
            if carrier is None:
                raise InputError(f"action = {wish.action!r} is not one of {', '.join(self._carriers)}")
            outcome = await carrier(wish, entry)
        except InputError as error:
            await self._write(replace(entry, action=wish.action[:40] or "nothing", outcome="refused", note=str(error)))
            raise
        self._log.info(
            "a command was given", action="command_given", who=who, address=address, what=wish.action,
            subject=wish.subject, outcome=outcome.outcome,
        )  # fmt: skip
        return outcome

    async def _tell_account(self, wish: Wish, entry: AuditEntry) -> Outcome:
        async with self._reading.transaction() as transaction:
            known = [each.account for each in await read_accounts(transaction)]
        if wish.subject not in known:
            raise InputError(f"account = {wish.subject!r} is not one of {', '.join(known) or 'none'}")
        command = Command(
            account=wish.subject,
            kind=CommandKind(wish.action),
            arguments={name: value for name, value in wish.arguments.items() if value is not None},
            reason=wish.reason,
            requested_by=entry.who,
        )
        given = await give_command(self._database, command, WAIT_SECONDS, self._clock, entry)
        if given.event is None:
            return Outcome(outcome="waiting", note=given.note)
        return Outcome(outcome=given.event.answer.outcome.value, note=given.note)

    async def _retrain(self, wish: Wish, entry: AuditEntry) -> Outcome:
        strategy = None if wish.subject == "all" else wish.subject
        check_work(self._config_dir, JobKind.TRAIN, strategy)
        asked = await request_work(
            self._database, JobKind.TRAIN, strategy, entry.who, wish.reason, WAIT_SECONDS, entry
        )
        return Outcome(outcome=asked.outcome, note=asked.note)

    async def _promote(self, wish: Wish, entry: AuditEntry) -> Outcome:
        if not wish.subject.isascii() or not wish.subject.isdigit():
            raise InputError(f"model = {wish.subject!r} is not the number of a model")
        force = wish.arguments.get("force") is True
        order = PromotionOrder(
            model_id=int(wish.subject), who=entry.who, reason=wish.reason, force=force,
            config_dir=str(self._config_dir),
        )  # fmt: skip
        audit_id = await self._write(entry)
        answer = await _promotion(order)
        outcome = _promotion_outcome(answer)
        async with self._database.transaction() as transaction:
            await settle_audit(transaction, audit_id, outcome.outcome, outcome.note)
            await transaction.commit()
        return outcome

    async def _write(self, entry: AuditEntry) -> int:
        async with self._database.transaction() as transaction:
            audit_id = await write_audit(transaction, entry)
            await transaction.commit()
        return audit_id


async def _wish(request: Request) -> Wish:
    body = await request.body()
    if len(body) > LONGEST_BODY:
        raise InputError(f"the request has {len(body)} bytes, more than {LONGEST_BODY}")
    try:
        return TypeAdapter(Wish).validate_json(body)
    except ValidationError as error:
        raise InputError(describe("the request", error)) from None


async def _promotion(order: PromotionOrder) -> dict[str, Any]:
    """Run the child that judges; one that fails or takes too long is said to have refused."""
    process = await asyncio.create_subprocess_exec(
        *PROMOTION, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, env=environment()
    )
    try:
        told, _ = await asyncio.wait_for(process.communicate(orjson.dumps(order)), PROMOTION_SECONDS)
        answer: dict[str, Any] = orjson.loads(told)
    except TimeoutError:
        return {"failed_to_run": f"judging the model took more than {PROMOTION_SECONDS:.0f} s"}
    except ValueError:
        return {"failed_to_run": f"judging the model ended with {process.returncode}: the log says more"}
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return answer


def _promotion_outcome(answer: Mapping[str, Any]) -> Outcome:
    if "failed_to_run" in answer:
        return Outcome(outcome="failed", note=answer["failed_to_run"])
    if "refused" in answer:
        return Outcome(outcome="refused", note=answer["refused"])
    if not answer["promoted"]:
        return Outcome(outcome="refused", note="the gate refused it: " + "; ".join(answer["failed"]))
    forced = "" if answer["passed"] else ", though the gate refused it: " + "; ".join(answer["failed"])
    return Outcome(outcome="done", note=f"it is the champion now{forced}")


def _refusal(status: int, words: str) -> JSONResponse:
    return JSONResponse({"outcome": "refused", "note": words}, status_code=status)
