"""The work of `tracker retrain`."""

from __future__ import annotations

import asyncio
import getpass
from dataclasses import asdict
from typing import Any

from tracker.domain.clock import SystemClock
from tracker.domain.errors import InputError
from tracker.domain.job import JobKind
from tracker.runtime.retraining_rules import load_retraining_rules, refusal
from tracker.store.database import Database
from tracker.store.job_facts import (
    read_last_runs,
    read_open_requests,
    read_request_answer,
    read_waiting_jobs,
    write_job_request,
)

from services.control.database_at_hand import asked_database, database_at_hand
from services.control.settings import ControlSettings

ROLE = "tracker_control"
READER_ROLE = "tracker_reader"
LOOK_SECONDS = 0.5


def request_job(
    settings: ControlSettings, kind: JobKind, strategy: str | None, reason: str, wait: float
) -> dict[str, Any]:
    """Ask ml_retrainer for work, and return its answer if it gives one within `wait` seconds.

    Raises InputError where it does no such work.
    """
    refused = refusal(load_retraining_rules(settings.config_dir), kind, strategy)
    if refused is not None:
        raise InputError(f"tracker retrain: {refused}")
    with database_at_hand(settings) as url:
        return asyncio.run(_request(url, kind, strategy, reason, wait))


async def _request(url: str, kind: JobKind, strategy: str | None, reason: str, wait: float) -> dict[str, Any]:
    clock = SystemClock()
    database = await Database.open(url, role=ROLE, pool_size=1, application="tracker:retrain")
    try:
        async with database.transaction() as transaction:
            number = await write_job_request(transaction, getpass.getuser(), kind, strategy, reason)
            await transaction.commit()
        give_up_at = clock.monotonic() + wait
        while True:
            async with database.transaction() as transaction:
                answer = await read_request_answer(transaction, number)
            if answer is not None or clock.monotonic() >= give_up_at:
                break
            await asyncio.sleep(LOOK_SECONDS)
    finally:
        await database.close()
    outcome, note = answer or ("waiting", "ml_retrainer has not come to it: it does when it runs")
    return {"request": number, "kind": kind.value, "strategy": strategy or "all", "outcome": outcome, "note": note}


def job_status(settings: ControlSettings) -> dict[str, Any]:
    """Return what waits, what was given up, and how the last try of each kind of work ended."""
    strategies = load_retraining_rules(settings.config_dir).strategies
    with asked_database(settings, replay=False) as url:
        return asyncio.run(status_at(url, strategies))


async def status_at(url: str, strategies: tuple[str, ...]) -> dict[str, Any]:
    """Return the same of the database at `url`."""
    database = await Database.open(url, role=READER_ROLE, pool_size=1, application="tracker:retrain")
    try:
        async with database.transaction() as transaction:
            return {
                "requests": [asdict(each) for each in await read_open_requests(transaction)],
                "queue": [asdict(each) for each in await read_waiting_jobs(transaction)],
                "last": [asdict(each) for each in await read_last_runs(transaction, strategies)],
            }
    finally:
        await database.close()
