"""What stays and what works: a lease, a worker in a process of its own, and what /health shows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from tracker.domain.clock import SystemClock
from tracker.domain.errors import LeaseLostError
from tracker.runtime.logging import get_logger
from tracker.runtime.settings import load_settings
from tracker.store.database import Database

from services.shadow_tester.service import (
    ShadowService,
    WorkerFailedError,
    WorkerRefusedError,
    work_in_process,
)
from services.shadow_tester.settings import ShadowTesterSettings


def service(database: Database, work: Any, **settings: Any) -> ShadowService:
    chosen = load_settings(ShadowTesterSettings, settings)
    return ShadowService(database, chosen, SystemClock(), get_logger("test"), work)


async def test_a_worker_tries_what_is_due_and_tells_of_it(
    house: Any, shadow: Database, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("TRACKER_CONFIG_DIR", str(house.configs))
    monkeypatch.setenv("SHADOW_TESTER_LINGER_SECONDS", "0.1")
    resident = service(shadow, work_in_process)
    assert not await resident.run_once()
    detail = resident.detail()
    assert detail["variations"] == {"dca": 7, "swing": 7}
    assert detail["closes_behind"] == {"dca": 0, "swing": 0}
    assert detail["role"] == "active"
    assert {"evaluation", "trading", "writing", "all"} <= set(detail["last_seconds"])
    assert "trouble" not in detail
    assert len((await house.rows())["shadow_testing_trades"]) > 20


async def test_a_worker_without_usable_variations_says_so_in_a_sentence(
    house: Any, shadow: Database, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("TRACKER_CONFIG_DIR", str(house.configs))
    path = house.configs / "shadow.toml"
    path.write_text(path.read_text().replace("min_strength = [0.3, 0.5]", "min_strength = [0.3, 1.5]"))
    with pytest.raises(WorkerRefusedError, match=r"shadow.toml: set swing_grid: params.min_strength = 1.5"):
        await service(shadow, work_in_process).run_once()


async def test_nothing_is_started_while_nothing_is_due(house: Any, shadow: Database) -> None:
    await house.run(house.tester(shadow))
    started: list[str] = []

    async def work(lease: str, holder: str, hear: Callable[[dict[str, Any]], None]) -> None:
        started.append(holder)

    resident = service(shadow, work)
    # Once, to look at the configuration: it may have changed since.
    for _ in range(3):
        await resident.run_once()
    assert len(started) == 1
    # Again where a strategy is scanned for the first time, since nobody has begun with it yet.
    await house.execute(
        "INSERT INTO tracker.scan_watermarks (strategy, timeframe, closed_through)"
        " SELECT 'channel', timeframe, closed_through FROM tracker.scan_watermarks LIMIT 1"
    )
    for _ in range(3):
        await resident.run_once()
    assert len(started) == 2


async def test_only_one_of_them_works(house: Any, shadow: Database) -> None:
    started: list[str] = []

    async def work(lease: str, holder: str, hear: Callable[[dict[str, Any]], None]) -> None:
        started.append(holder)

    first, second = service(shadow, work), service(shadow, work)
    await first.run_once()
    await second.run_once()
    assert len(started) == 1
    assert second.detail()["role"] == "standby"
    assert second.detail()["lease_holder"] == started[0]


async def test_a_worker_commits_nothing_once_its_lease_is_anothers(house: Any, shadow: Database) -> None:
    from tracker.store.fence import Fence

    tester = house.tester(shadow, fence=Fence("shadow_tester", "somebody:1:dead#1"))
    with pytest.raises(LeaseLostError):
        await tester.run_once()
    assert not any((await house.rows()).values())


async def test_a_failure_of_the_worker_is_repeated_and_not_swallowed(house: Any, shadow: Database) -> None:
    async def work(lease: str, holder: str, hear: Callable[[dict[str, Any]], None]) -> None:
        raise WorkerFailedError("the worker ended with code 137")

    resident = service(shadow, work)
    with pytest.raises(WorkerFailedError, match="137") as raised:
        await resident.run_once()
    assert raised.value.retryable
