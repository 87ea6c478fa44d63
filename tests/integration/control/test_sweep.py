"""`tracker sweep` on this machine and on a cluster, one of whose workers dies half-way."""

from __future__ import annotations

import asyncio
import io
import os
import signal
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from distributed import Client, LocalCluster
from pydantic import SecretStr
from rich.console import Console
from tracker.domain.errors import ConfigError, InputError
from tracker.domain.signal import Strategy
from tracker.store.database import Database
from tracker.testing.made_up_candles import write_candles
from tracker.testing.written_strategy import write_strategy

from services.control.backtest import BacktestRequest, backtest
from services.control.settings import ControlSettings
from services.control.sweep import Sweep, SweepRequest, sweep
from services.control.sweep_view import document, report, sweep_view

QUIET = Console(quiet=True)
GRID = "min_strength=0.4|0.5|0.6|0.7,min_confirmations=1|2|3"


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> ControlSettings:
    return ControlSettings(DATABASE_URL=SecretStr(database_url), TRACKER_STATE_DIR=tmp_path)


@pytest.fixture
def candles(tmp_path: Path) -> Path:
    folder = tmp_path / "candles"
    folder.mkdir()
    for number, symbol in enumerate(("ADA-USD", "BTC-USD")):
        write_candles(folder / f"{symbol}_5m.csv", seed=number)
    return folder


def request(candles: Path, **changes: Any) -> SweepRequest:
    base = BacktestRequest(
        strategy=Strategy("channel"), first=None, end=None, symbols=(), params={}, candles=str(candles)
    )
    plain: dict[str, Any] = {
        "backtest": base,
        "grid": "",
        "random": 0,
        "vary": (),
        "seed": 1,
        "folds": 4,
        "jobs": 1,
        "dask": None,
    }
    return SweepRequest(**(plain | changes))


async def logged(url: str) -> list[Any]:
    """Return the tries that the database knows."""
    database = await Database.open(url, role=None, pool_size=1, application="test")
    try:
        async with database.transaction() as transaction:
            return await transaction.connection.fetch("SELECT sweep, times, days, trades FROM tracker.trials")
    finally:
        await database.close()


def shown(done: Sweep) -> str:
    """Return what is printed on a terminal of 80 columns."""
    out = io.StringIO()
    Console(file=out, width=80, soft_wrap=True).print(sweep_view(done))
    return out.getvalue()


def same(one: Sweep, other: Sweep) -> bool:
    """Return whether two sweeps came to the same, bit for bit."""
    return np.array_equal(one.daily, other.daily) and [each.trades for each in one.outcomes] == [
        each.trades for each in other.outcomes
    ]


def test_every_try_is_what_a_backtest_of_it_is_and_is_logged(
    settings: ControlSettings, candles: Path, database_url: str
) -> None:
    done = sweep(settings, request(candles, grid=GRID), QUIET)
    assert len(done.outcomes) == 12
    point = done.points[7]
    alone = backtest(settings, replace(request(candles).backtest, params=dict(point.changes)), QUIET)
    assert done.outcomes[7].trades == len(alone.result.traded.trades) > 3
    assert done.outcomes[7].total_return == pytest.approx(alone.summary.figures.total_return, rel=1e-12)
    assert alone.summary.figures.trials == 12
    rows = asyncio.run(logged(database_url))
    assert len(rows) == 12
    assert sum(row["times"] for row in rows) == 13


def test_a_rule_with_indicators_of_its_own_is_tried_with_each_of_its_parameters(
    database_url: str, candles: Path, tmp_path: Path
) -> None:
    configs, strategies = write_strategy(tmp_path)
    settings = ControlSettings(
        DATABASE_URL=SecretStr(database_url), TRACKER_STATE_DIR=tmp_path, TRACKER_CONFIG_DIR=configs,
        TRACKER_STRATEGIES_DIR=strategies,
    )
    base = replace(request(candles).backtest, strategy=Strategy("ema_cross"))
    done = sweep(settings, request(candles, backtest=base, grid="fast=5|9|12"), QUIET)
    assert len({each.trades for each in done.outcomes}) > 1
    for number, point in enumerate(done.points):
        alone = backtest(settings, replace(base, params=dict(point.changes)), QUIET)
        assert done.outcomes[number].trades == len(alone.result.traded.trades) > 3
        assert done.outcomes[number].total_return == pytest.approx(alone.summary.figures.total_return, rel=1e-12)


def test_processes_and_a_second_run_come_to_the_same(settings: ControlSettings, candles: Path) -> None:
    one = sweep(settings, request(candles, grid=GRID), QUIET)
    other = sweep(settings, request(candles, grid=GRID, jobs=2), QUIET)
    assert same(one, other)
    assert document(other)["trials"] == 12
    assert [each["params"] for each in document(one)["tries"]] == [each["params"] for each in document(other)["tries"]]


def test_random_draws_are_valid_different_and_repeatable(settings: ControlSettings, candles: Path) -> None:
    asked = request(candles, random=8, vary=("min_strength", "min_confirmations", "max_volume_ratio"), seed=5)
    one, other = sweep(settings, asked, QUIET), sweep(settings, asked, QUIET)
    assert len({each.config.hash for each in one.points}) == 8
    assert [each.changes for each in one.points] == [each.changes for each in other.points]
    assert same(one, other)


def test_a_worker_that_dies_half_way_costs_nothing(settings: ControlSettings, candles: Path) -> None:
    grid = "min_strength=0.3:0.7:0.02,min_confirmations=1|2|3"
    here = sweep(settings, request(candles, grid=grid), QUIET)
    with LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, host="127.0.0.1"
    ) as cluster:
        with Client(cluster) as client:
            victim = next(iter(client.run(os.getpid).values()))
        killed: list[float] = []

        def kill() -> None:
            time.sleep(1.0)
            os.kill(victim, signal.SIGKILL)
            killed.append(time.monotonic())

        killer = threading.Thread(target=kill)
        killer.start()
        there = sweep(settings, request(candles, grid=grid, dask=cluster.scheduler_address), QUIET)
        finished = time.monotonic()
        killer.join()
    assert killed[0] < finished
    assert same(here, there)


def test_the_page_and_the_words(settings: ControlSettings, candles: Path) -> None:
    done = sweep(settings, request(candles, grid=GRID), QUIET)
    page = report(done)
    assert page.count("<svg") == 3
    assert "min_strength by min_confirmations" in page
    assert "http" not in page
    assert "min_confirmations" in shown(done)


def test_more_parameters_than_fit_are_told_of_the_best_alone(settings: ControlSettings, candles: Path) -> None:
    done = sweep(settings, request(candles, random=6), QUIET)
    words = shown(done)
    assert done.points[done.best].config.hash in words
    assert "the best: " in words
    assert any("configuration" in line and "Sharpe" in line for line in words.splitlines())


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "either --grid"),
        ({"grid": "min_strength=0.5", "random": 3}, "either --grid"),
        ({"grid": "nothing=1|2"}, "has no 'nothing'"),
        ({"grid": "min_strength=0.5|2"}, "min_strength = 2"),
        ({"random": 2, "vary": ("nothing",)}, "'nothing' is not a number"),
        ({"grid": "min_strength=0.5", "folds": 400}, "folds: 400 need"),
        ({"grid": "min_strength=0.5", "dask": "tcp://127.0.0.1:1"}, "no cluster answers there"),
        ({"grid": "min_strength=0.5", "dask": "nonsense://x"}, "--dask nonsense://x"),
    ],
)
def test_what_cannot_be_tried_is_one_sentence(
    settings: ControlSettings, candles: Path, changes: dict[str, Any], words: str
) -> None:
    with pytest.raises((InputError, ConfigError)) as caught:
        sweep(settings, request(candles, **changes), QUIET)
    assert words in str(caught.value)
