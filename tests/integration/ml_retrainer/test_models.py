"""From stored labels to a verdict, by the real worker: an edge is promoted, noise is refused."""

from __future__ import annotations

import shutil
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest
from job_house import RULES, JobHouse, rules
from tracker.domain.clock import SystemClock
from tracker.domain.job import JobKind
from tracker.quant.features import FEATURE_SET
from tracker.quant.learning.samples import DAY, Samples
from tracker.runtime.labels import effective_label_work
from tracker.runtime.model_data import moment
from tracker.runtime.settings import PROJECT_ROOT
from tracker.runtime.strategies import load_rules, load_strategies
from tracker.store.database import Database
from tracker.store.features import register_feature_set
from tracker.store.labels import LABEL_REGIMES, LabelRow, put_label_config, replace_labels
from tracker.store.symbols import read_symbols, write_symbols
from tracker.testing.builders import make_instrument
from tracker.testing.label_world import START, make_samples

from services.ml_retrainer.process import work_in_process

Open = Callable[[str | None], Awaitable[Database]]
DAYS, SYMBOLS = 120, 12
STRATEGY = "swing"
# A small database, in which nothing was stored live, and two configurations, of which neither is the better one.
CHANGES = {"trials = 8": "trials = 2", "max_overfitting = 0.5": "max_overfitting = 0.99",
           "min_as_of_rows = 50": "min_as_of_rows = 0",
           "min_shadow_hours = 24.0": "min_shadow_hours = 0.0", "min_shadow_trades = 20": "min_shadow_trades = 0"}


@pytest.fixture
def configs(tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "configs"
    shutil.copytree(PROJECT_ROOT / "configs", folder)
    path = folder / "models.toml"
    text = path.read_text()
    for old, new in CHANGES.items():
        assert old in text
        text = text.replace(old, new)
    path.write_text(text)
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("TRACKER_CONFIG_DIR", str(folder))
    return folder


async def store(open_database: Open, configs: Path, samples: Samples) -> None:
    """Write samples as the labels of the strategy as it is configured."""
    owner = await open_database(None)
    [config] = [each for each in load_strategies(configs, PROJECT_ROOT / "strategies") if each.strategy == STRATEGY]
    names = [f"S{number:02}-USD" for number in range(SYMBOLS)]
    async with owner.transaction() as transaction:
        await write_symbols(transaction, [make_instrument(name) for name in names])
        ids = [each.symbol_id for each in await read_symbols(transaction)]
        feature_set = await register_feature_set(transaction, FEATURE_SET)
        [work] = await effective_label_work(transaction, configs, [config], load_rules(PROJECT_ROOT / "strategies"))
        await put_label_config(transaction, work.config)
        whole = (moment(START - DAY), moment(START + (DAYS + 9) * DAY))
        for number, symbol_id in enumerate(ids):
            chosen = np.flatnonzero(samples.symbol == number)
            await replace_labels(
                transaction, work.config, symbol_id, whole, [row_of(samples, each) for each in chosen.tolist()],
                feature_set, samples.features[chosen].astype(np.float32),
            )  # fmt: skip
        await transaction.commit()


def row_of(samples: Samples, at: int) -> LabelRow:
    net = float(samples.net_return[at])
    won = bool(samples.won[at])
    return LabelRow(
        decided_at=moment(int(samples.decided_at[at])), exit_at=moment(int(samples.exit_at[at])),
        outcome="win" if won else "loss", exit_reason="target" if won else "stop",
        regime=LABEL_REGIMES[int(samples.regime[at]) + 1], volatility="mid", is_signal=True, confirmations=3,
        strength=0.7, bars_to_exit=8, entry=100.0, entry_price=100.0, exit_price=100 * (1 + net),
        gross_return=net + 0.002, net_return=net, mae=min(net, -0.001), mfe=max(net, 0.001),
        weight=float(samples.weight[at]),
    )  # fmt: skip


async def trained(house: JobHouse) -> tuple[dict[str, Any], Any]:
    """Have the strategy trained as somebody asks for it, and return what the job said, and the service."""
    await house.quiet()
    end = moment(START + (DAYS + 2) * DAY)
    await house.sql(
        "INSERT INTO tracker.bar_watermarks (timeframe, opened_at, closed_through)"
        f" VALUES ('1m', '{end - timedelta(days=200)}', '{end}')"
    )
    await house.ask(JobKind.TRAIN, STRATEGY)
    found = rules(memory_limit_mb=2048, longest_minutes={**RULES["longest_minutes"], "train": 5})
    service = house.service(work_in_process, SystemClock(), found)
    for _ in range(2):
        await service.run_once()
    last = await house.sql(
        "SELECT kind, outcome, error, result::text, peak_bytes FROM tracker.job_runs WHERE job_id > 0 ORDER BY run_id"
    )
    assert [(each["kind"], each["outcome"]) for each in last] == [("build_labels", "done"), ("train", "done")], last
    assert 50e6 < last[1]["peak_bytes"] < 2**31
    return orjson.loads(last[1]["result"]), service


async def test_an_edge_is_promoted(house: JobHouse, open_database: Open, configs: Path) -> None:
    samples = make_samples(3, days=DAYS, symbols=SYMBOLS, edge=1.2, names=FEATURE_SET.names)
    await store(open_database, configs, samples)
    result, service = await trained(house)
    assert result["promoted"] == result["model_id"], result
    champions = await house.sql("SELECT model_id FROM tracker.models WHERE status = 'champion'")
    assert champions == [{"model_id": result["model_id"]}]
    # Nothing is known of it live yet, which is nothing against it.
    await house.sql(
        "INSERT INTO tracker.scan_watermarks"
        f" SELECT '{STRATEGY}', '15m', closed_through, now() FROM tracker.bar_watermarks"
    )
    await house.ask(JobKind.WATCH, STRATEGY)
    await service.run_once()
    ran = "SELECT outcome, result::text FROM tracker.job_runs WHERE kind = 'watch' AND job_id > 0"
    [watched] = await house.sql(ran)
    assert watched["outcome"] == "done"
    assert orjson.loads(watched["result"]) == {
        "model_id": result["model_id"], "action": "keep", "demoted": False, "successor_id": None,
    }  # fmt: skip
    assert len(await house.sql("SELECT FROM tracker.model_performance")) == 1


async def test_noise_is_refused_with_reasons(house: JobHouse, open_database: Open, configs: Path) -> None:
    samples = make_samples(4, days=DAYS, symbols=SYMBOLS, edge=0.0, names=FEATURE_SET.names)
    await store(open_database, configs, samples)
    result, _ = await trained(house)
    assert result["promoted"] is None
    assert result["judged"][str(result["model_id"])].startswith("refused: ")
    assert await house.sql("SELECT FROM tracker.models WHERE status = 'champion'") == []
    verdicts = await house.sql("SELECT passed, promoted FROM tracker.model_verdicts")
    assert {tuple(each.values()) for each in verdicts} == {(False, False)}


async def test_too_little_to_learn_from_is_said_and_is_no_failure(
    house: JobHouse, open_database: Open, configs: Path
) -> None:
    samples = make_samples(5, days=DAYS, symbols=SYMBOLS, per_day=0.3, names=FEATURE_SET.names)
    await store(open_database, configs, samples)
    result, _ = await trained(house)
    assert "labels" in result["note"]
    assert result["promoted"] is None
