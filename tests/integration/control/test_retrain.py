"""`tracker retrain` in a real database: what is asked for, and what people see of the queue."""

from __future__ import annotations

import io
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from rich.console import Console, RenderableType
from tracker.domain.errors import InputError
from tracker.domain.job import JobKind, RunOutcome, Work
from tracker.runtime.settings import load_settings
from tracker.store.database import Database
from tracker.store.jobs import RunEnd, end_job_run, enqueue, retry_job, start_job_run, take_next

from services.control.retrain import request_job, status_at
from services.control.retrain_view import answer_view, status_view
from services.control.settings import ControlSettings

NOW = datetime(2024, 3, 1, tzinfo=UTC)


def told(view: RenderableType) -> str:
    written = io.StringIO()
    Console(width=160, file=written).print(view)
    return written.getvalue()


def test_what_is_asked_for_waits_for_the_retrainer(database_url: str) -> None:
    settings = load_settings(ControlSettings, {"database_url": database_url})
    report = request_job(settings, JobKind.TRAIN, "dca", "a new market", 0)
    assert report["outcome"] == "waiting"
    assert told(answer_view(report)).strip() == "train of dca: ml_retrainer has not come to it: it does when it runs"


@pytest.mark.parametrize(
    ("kind", "strategy", "words"),
    [
        (JobKind.TRAIN, "wishing", "strategy: 'wishing' is not one of dca, swing, channel of ml_retrainer.toml"),
        (JobKind.WATCH, "hoping", "strategy: 'hoping' is not one of dca, swing, channel of ml_retrainer.toml"),
    ],
)
def test_what_is_not_done_is_refused_in_a_sentence(
    database_url: str, kind: JobKind, strategy: str | None, words: str
) -> None:
    settings = load_settings(ControlSettings, {"database_url": database_url})
    with pytest.raises(InputError, match=words):
        request_job(settings, kind, strategy, "", 0)


async def test_the_queue_and_the_last_tries_are_shown(
    database_url: str, open_database: Callable[[str | None], Awaitable[Database]]
) -> None:
    assert "nothing was done yet" in told(status_view(await status_at(database_url, ("dca",))))
    database = await open_database("ml_retrainer")
    async with database.transaction() as transaction:
        await enqueue(transaction, Work(kind=JobKind.TRAIN, strategy="dca", reason="test"))
        await transaction.commit()
    async with database.transaction() as transaction:
        job = await take_next(transaction, uuid4(), timedelta(seconds=30))
        assert job is not None
        run = await start_job_run(transaction, job, NOW)
        error = RuntimeError("the worker ended with code 1")
        end = RunEnd(outcome=RunOutcome.RETRIED, error=str(error), result={}, peak_bytes=2**28)
        await end_job_run(transaction, run, NOW + timedelta(seconds=90), end)
        await retry_job(transaction, job, timedelta(minutes=1), error, NOW)
        await transaction.commit()
    text = told(status_view(await status_at(database_url, ("dca",))))
    for words in ("Queue", "waits", "the worker ended with code 1", "90.0", "retried", "256"):
        assert words in text
