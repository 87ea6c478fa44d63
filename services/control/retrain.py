"""The work of `tracker retrain`."""

from __future__ import annotations

import asyncio
import getpass
from dataclasses import asdict
from typing import Any

from tracker.domain.errors import InputError
from tracker.domain.job import JobKind
from tracker.runtime.asking import request_work
from tracker.runtime.retraining_rules import load_retraining_rules, refusal
from tracker.store.database import Database
from tracker.store.job_facts import (
    read_last_runs,
    read_open_requests,
    read_waiting_jobs,
)

from services.control.database_at_hand import asked_database, database_at_hand
from services.control.settings import ControlSettings

ROLE = "tracker_control"
READER_ROLE = "tracker_reader"


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
    database = await Database.open(url, role=ROLE, pool_size=1, application="tracker:retrain")
    try:
        asked = await request_work(database, kind, strategy, getpass.getuser(), reason, wait)
    finally:
        await database.close()
    return {
        "request": asked.request_id, "kind": kind.value, "strategy": strategy or "all", "outcome": asked.outcome,
        "note": asked.note,
    }  # fmt: skip


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
