"""What stays: a lease, a queue in which the same work waits once, and tries that leave a trace."""

from __future__ import annotations

import asyncio
import itertools
from datetime import timedelta
from typing import Any

import pytest
from job_house import NOW, SELDOM, JobHouse, Worked, rules
from tracker.domain.errors import LeaseLostError
from tracker.domain.job import JobKind, Work
from tracker.store.job_facts import (
    read_request_answer,
)
from tracker.store.jobs import (
    enqueue,
)

from services.ml_retrainer.process import WorkerFailedError, WorkerRefusedError


async def until_idle(service: Any) -> None:
    while await service.run_once():
        pass


async def test_the_same_work_asked_for_twice_is_done_once(house: JobHouse) -> None:
    await house.quiet()
    first, second, both = await house.ask(), await house.ask(), await house.ask(strategy=None)
    worked = Worked()
    await until_idle(house.service(worked))
    assert worked.done == ["watch:dca", "watch:swing"]
    async with house.control.transaction() as transaction:
        answers = [await read_request_answer(transaction, each) for each in (first, second, both)]
    assert answers == [
        ("queued", "queued: dca"), ("joined", "in the queue already: dca"),
        ("queued", "queued: swing; in the queue already: dca"),
    ]  # fmt: skip
    assert await house.queue() == []


async def test_queued_at_the_same_time_by_two_it_waits_once(house: JobHouse) -> None:
    async def put() -> bool:
        async with house.retrainer.transaction() as transaction:
            queued = await enqueue(transaction, Work(kind=JobKind.TRAIN, strategy="dca", reason="race"))
            await transaction.commit()
            return queued

    assert sorted(await asyncio.gather(put(), put(), put())) == [False, False, True]
    assert await house.queue() == [("train:dca", "queued", 0)]


async def test_labels_are_brought_up_to_date_before_a_training(house: JobHouse) -> None:
    await house.quiet()
    await house.ask(JobKind.TRAIN, "swing")
    worked = Worked()
    await until_idle(house.service(worked))
    assert worked.done == ["build_labels:swing", "train:swing"]


async def test_a_strategy_that_there_is_not_is_refused_in_a_sentence(house: JobHouse) -> None:
    await house.quiet()
    number = await house.ask(strategy="wishing")
    await until_idle(house.service(Worked()))
    async with house.control.transaction() as transaction:
        answer = await read_request_answer(transaction, number)
    assert answer == ("refused", "strategy: 'wishing' is not one of dca, swing of ml_retrainer.toml")


async def test_work_without_a_schedule_is_refused(house: JobHouse) -> None:
    await house.quiet()
    number = await house.ask()
    await until_idle(house.service(Worked(), found=rules(schedule={"train": SELDOM})))
    async with house.control.transaction() as transaction:
        answer = await read_request_answer(transaction, number)
    assert answer == ("refused", "watch is not in [schedule] of ml_retrainer.toml, and is not done here")


async def test_a_night_is_trained_once_and_caught_up_after_an_outage(house: JobHouse) -> None:
    nightly = rules(schedule={"build_labels": SELDOM, "train": {"daily_at": "01:10"}, "watch": SELDOM})
    await house.quiet()
    worked = Worked()
    service = house.service(worked, found=nightly, lease_seconds=1e9)
    trained: list[tuple[str, int]] = []
    # Every ten minutes for two days, of which the fleet is down from the first noon to the next.
    for minute in range(0, 48 * 60, 10):
        house.clock.moment = NOW + timedelta(minutes=minute)
        if not 12 * 60 <= minute < 36 * 60:
            await until_idle(service)
        trained += [(f"{house.clock.moment:%d %H:%M}", worked.done.count(f"train:{s}")) for s in ("dca",)]
    changes = [each for before, each in itertools.pairwise(trained) if each[1] != before[1]]
    assert changes == [("01 01:10", 1), ("02 12:30", 2)]
    reasons = {row["reason"] for row in await house.sql(
        "SELECT reason FROM tracker.job_runs WHERE kind = 'train' AND job_id > 0")}
    assert reasons == {"schedule: daily at 01:10 UTC"}


async def test_a_breach_trains_anew_but_not_again_and_again(house: JobHouse) -> None:
    await house.quiet()
    await house.ask()
    worked = Worked({"breach": "Brier 0.31 above 0.25"})
    service = house.service(worked, lease_seconds=1e9)
    await until_idle(service)
    # The last training was just now.
    assert worked.done == ["watch:dca"]
    house.clock.moment += timedelta(hours=25)
    await house.ask()
    worked = Worked({"breach": "Brier 0.31 above 0.25"})
    service._worker = worked
    await until_idle(service)
    assert worked.done == ["watch:dca", "build_labels:dca", "train:dca"]
    found = await house.sql("SELECT reason FROM tracker.job_runs WHERE kind = 'train' ORDER BY run_id DESC LIMIT 1")
    assert found == [{"reason": "breach: Brier 0.31 above 0.25"}]


async def test_a_failure_that_may_mend_is_tried_again_later_and_then_given_up(house: JobHouse) -> None:
    await house.quiet()
    await house.ask()
    error = WorkerFailedError("the worker ended with code 1")
    worked = Worked(error, error, error)
    service = house.service(worked)
    for tries, wait in ((1, 60), (2, 120)):
        await until_idle(service)
        due = (await house.sql("SELECT execute_after - now() AS wait FROM tracker.pgqueuer"))[0]["wait"]
        assert timedelta(seconds=wait - 30) < due <= timedelta(seconds=wait)
        assert await house.queue() == [("watch:dca", "queued", tries)]
        await house.sql("UPDATE tracker.pgqueuer SET execute_after = now() - interval '1 second'")
    await until_idle(service)
    assert await house.queue() == [("watch:dca", "failed", 2)]
    assert [run[2:4] for run in await house.runs()] == [(1, "retried"), (2, "retried"), (3, "failed")]
    assert service.detail()["problem"] == "1 given up, first watch of dca: the worker ended with code 1"
    # Asked for again it may succeed, and then nothing is wrong any more.
    await house.ask()
    await until_idle(service)
    assert await house.queue() == []
    assert "problem" not in service.detail()


async def test_a_failure_that_cannot_mend_is_given_up_at_once_and_others_go_on(house: JobHouse) -> None:
    await house.quiet()
    await house.ask(strategy=None)
    worked = Worked(WorkerRefusedError("models.toml: gate.min_days = -1"))
    service = house.service(worked)
    await until_idle(service)
    assert worked.done == ["watch:dca", "watch:swing"]
    assert await house.queue() == [("watch:dca", "failed", 0)]
    log = await house.sql("SELECT traceback::jsonb->>'exception_message' AS said FROM tracker.pgqueuer_log"
                          " WHERE status = 'failed'")
    assert log == [{"said": "models.toml: gate.min_days = -1"}]


async def test_only_one_of_two_works_and_the_other_goes_on_for_it(house: JobHouse) -> None:
    await house.quiet()
    first, second = house.service(Worked()), house.service(worked := Worked())
    await first.run_once()
    await house.ask()
    await second.run_once()
    assert worked.done == []
    assert second.detail()["role"] == "standby"
    await first._lease.release()
    await until_idle(second)
    assert worked.done == ["watch:dca"]
    with pytest.raises(LeaseLostError):
        async with first._lease.transaction():
            pass


async def test_a_job_whose_process_vanished_waits_again_and_is_given_up_in_the_end(house: JobHouse) -> None:
    await house.quiet()
    await house.ask()

    class Vanishes:
        """Never comes back, as a process that is killed outright."""

        async def __call__(self, assignment: Any, hear: Any) -> dict[str, Any]:
            await asyncio.Event().wait()
            return {}

    for number in range(3):
        gone = house.service(Vanishes())
        working = asyncio.create_task(gone.run_once())
        while len(await house.runs()) <= number or (await house.runs())[-1][3] is not None:
            await asyncio.sleep(0.02)
        # As after kill -9: nothing is noted, and the lease runs out.
        gone._lease = None
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)
        await house.sql("UPDATE tracker.service_leases SET expires_at = now() - interval '1 second'")
    service = house.service(worked := Worked())
    await until_idle(service)
    assert worked.done == []
    assert [run[2:4] for run in await house.runs()] == [(1, "lost"), (2, "lost"), (3, "lost")]
    assert await house.queue() == [("watch:dca", "failed", 0)]


async def test_told_to_stop_it_puts_the_job_back_without_counting_it(house: JobHouse) -> None:
    await house.quiet()
    await house.ask()

    async def forever(assignment: Any, hear: Any) -> dict[str, Any]:
        await asyncio.Event().wait()
        return {}

    service = house.service(forever)
    working = asyncio.create_task(service.run_once())
    while not service.detail()["working"]:
        await asyncio.sleep(0.02)
    working.cancel()
    with pytest.raises(asyncio.CancelledError):
        await working
    assert await house.queue() == [("watch:dca", "queued", 0)]
    assert [run[3] for run in await house.runs()] == ["interrupted"]
    await service._lease.release()
    await until_idle(house.service(worked := Worked()))
    assert worked.done == ["watch:dca"]


async def test_what_is_done_is_kept_for_its_days_and_the_last_good_try_for_ever(house: JobHouse) -> None:
    await house.quiet()
    long_ago = NOW - timedelta(days=100)
    await house.sql(
        "INSERT INTO tracker.job_runs (job_id, kind, strategy, reason, attempt, started_at, ended_at, outcome)"
        f" SELECT n, 'train', 'old', 'x', 1, '{long_ago}'::timestamptz + n * interval '1 hour',"
        f" '{long_ago}'::timestamptz + n * interval '1 hour', 'done' FROM generate_series(1, 5) n"
    )
    await until_idle(house.service(Worked()))
    kept = await house.sql("SELECT job_id FROM tracker.job_runs WHERE strategy = 'old'")
    assert kept == [{"job_id": 5}]

