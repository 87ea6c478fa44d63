"""What comes into the queue: by the schedule, by request, and where a model broke its promise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from tracker.domain.job import Job, JobKind, Work
from tracker.runtime.retraining_rules import RetrainingRules, refusal
from tracker.store.database import Transaction
from tracker.store.job_facts import (
    JobRequest,
    answer_request,
    read_last_starts,
    read_open_requests,
    read_waiting_jobs,
)
from tracker.store.jobs import (
    enqueue,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is due by the schedule and not in the queue yet, and what was asked for."""

    due: Sequence[Work]
    requests: Sequence[JobRequest]


async def read_wanted(transaction: Transaction, rules: RetrainingRules, now: datetime) -> Wanted:
    """Return what is to be queued now."""
    requests = await read_open_requests(transaction)
    started = await read_last_starts(transaction, rules.strategies)
    # One that was given up is no obstacle: the next time it is due it is tried anew.
    waiting = {(each.kind, each.strategy) for each in await read_waiting_jobs(transaction) if each.status != "failed"}
    due = [work for work in rules.due(now, started) if (work.kind.value, work.strategy) not in waiting]
    return Wanted(due=due, requests=requests)


async def queue_wanted(transaction: Transaction, rules: RetrainingRules, wanted: Wanted) -> list[Work]:
    """Queue what is wanted and answer who asked; return what was not in the queue already."""
    queued: list[Work] = []
    for work in wanted.due:
        queued += await _queue(transaction, work)
    for request in wanted.requests:
        queued += await _answer(transaction, rules, request)
    return queued


async def heed(
    transaction: Transaction, rules: RetrainingRules, job: Job, result: Mapping[str, Any], now: datetime
) -> None:
    """Queue a training where a model no longer does what was promised, unless there was one lately."""
    breach = result.get("breach")
    if job.work.kind is not JobKind.WATCH or not breach:
        return
    started = await read_last_starts(transaction, [job.work.strategy])
    last = started.get((JobKind.TRAIN.value, job.work.strategy))
    if last is None or now - last >= timedelta(hours=rules.breach.train_again_hours):
        await _queue(transaction, Work(kind=JobKind.TRAIN, strategy=job.work.strategy, reason=f"breach: {breach}"))


async def _answer(transaction: Transaction, rules: RetrainingRules, request: JobRequest) -> list[Work]:
    note = refusal(rules, request.kind, request.strategy)
    if note is not None:
        await answer_request(transaction, request.request_id, "refused", note)
        return []
    asked = rules.strategies if request.strategy is None else (request.strategy,)
    reason = f"asked for by {request.requested_by}" + (f": {request.reason}" if request.reason else "")
    queued: list[Work] = []
    for strategy in asked:
        queued += await _queue(transaction, Work(kind=request.kind, strategy=strategy, reason=reason))
    fresh = [work.strategy for work in queued if work.kind is request.kind]
    joined = [strategy for strategy in asked if strategy not in fresh]
    said = (("queued:", fresh), ("in the queue already:", joined))
    note = "; ".join(f"{words} {', '.join(names)}" for words, names in said if names)
    await answer_request(transaction, request.request_id, "queued" if fresh else "joined", note)
    return queued


async def _queue(transaction: Transaction, work: Work) -> list[Work]:
    """Queue work, and before a training the labels that it learns from; return what was not there already."""
    works = [work]
    if work.kind is JobKind.TRAIN:
        reason = f"before training: {work.reason}"
        works = [Work(kind=JobKind.BUILD_LABELS, strategy=work.strategy, reason=reason), work]
    return [each for each in works if await enqueue(transaction, each)]
