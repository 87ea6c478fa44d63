"""A retrainer's service with a worker that the test provides, and what the tables say then."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from tracker.domain.job import JobKind
from tracker.runtime.logging import get_logger
from tracker.runtime.retraining_rules import RetrainingRules
from tracker.runtime.settings import load_settings
from tracker.store.database import Database
from tracker.store.job_facts import (
    write_job_request,
)
from tracker.testing.clock import FixedClock

from services.ml_retrainer.process import Assignment, Hear
from services.ml_retrainer.service import RetrainerService
from services.ml_retrainer.settings import RetrainerSettings

NOW = datetime(2024, 3, 1, 0, 30, tzinfo=UTC)
# Far between: tests say what is wanted.
SELDOM = {"every_minutes": 10_000_000}
RULES: dict[str, Any] = {
    "strategies": ["dca", "swing"], "memory_limit_mb": 1024, "keep_days": 30,
    "schedule": {"build_labels": SELDOM, "train": SELDOM, "watch": SELDOM},
    "breach": {"train_again_hours": 24}, "retry": {"first_seconds": 60, "longest_seconds": 600, "tries": 3},
    "longest_minutes": {"build_labels": 1, "train": 1, "watch": 1},
}  # fmt: skip


def rules(**changes: Any) -> RetrainingRules:
    return RetrainingRules.model_validate({**RULES, **changes})


class Worked:
    """A worker that notes what it is given, and returns or raises what the test says."""

    def __init__(self, *answers: dict[str, Any] | Exception) -> None:
        self.done: list[str] = []
        self._answers = list(answers)

    async def __call__(self, assignment: Assignment, hear: Hear) -> dict[str, Any]:
        self.done.append(assignment.work.key)
        hear({"event": "memory", "peak_bytes": 10_000_000})
        answer = self._answers.pop(0) if self._answers else {}
        if isinstance(answer, Exception):
            raise answer
        return answer


@dataclass(frozen=True)
class JobHouse:
    owner: Database
    retrainer: Database
    control: Database
    clock: FixedClock

    @classmethod
    async def of(cls, open_database: Callable[[str | None], Awaitable[Database]]) -> JobHouse:
        return cls(
            await open_database(None), await open_database("ml_retrainer"), await open_database("control"),
            FixedClock(NOW),
        )

    def service(self, worker: Any, clock: Any = None, found: RetrainingRules | None = None, **settings: Any) -> Any:
        return RetrainerService(
            self.retrainer, found or rules(), load_settings(RetrainerSettings, settings), clock or self.clock,
            get_logger("test"), worker,
        )

    async def quiet(self) -> None:
        """Have nothing due by the schedule: everything was tried just now."""
        await self.sql(
            "INSERT INTO tracker.job_runs (job_id, kind, strategy, reason, attempt, started_at, ended_at, outcome)"
            f" SELECT 0, k, s, 'before', 1, '{NOW}', '{NOW}', 'done'"
            " FROM unnest(ARRAY['build_labels', 'train', 'watch']) k, unnest(ARRAY['dca', 'swing']) s"
        )

    async def ask(self, kind: JobKind = JobKind.WATCH, strategy: str | None = "dca", reason: str = "") -> int:
        async with self.control.transaction() as transaction:
            number = await write_job_request(transaction, "somebody", kind, strategy, reason)
            await transaction.commit()
        return number

    async def sql(self, query: str) -> list[dict[str, Any]]:
        async with self.owner.transaction() as transaction:
            found = [dict(row) for row in await transaction.connection.fetch(query)]
            await transaction.commit()
        return found

    async def runs(self) -> list[tuple[Any, ...]]:
        found = await self.sql(
            "SELECT kind, strategy, attempt, outcome, error FROM tracker.job_runs WHERE job_id > 0 ORDER BY run_id"
        )
        return [tuple(row.values()) for row in found]

    async def queue(self) -> list[tuple[Any, ...]]:
        found = await self.sql("SELECT dedupe_key, status::text, attempts FROM tracker.pgqueuer ORDER BY id")
        return [tuple(row.values()) for row in found]
