"""Through the real processes: the shadow's live variations trade as live accounts with the same rules do."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from tracker.runtime.settings import PROJECT_ROOT
from tracker.store.embedded import EmbeddedPostgres
from tracker.testing.candle_files import cut_candles

from tests.acceptance.conftest import Outcome

STRATEGIES = ("dca", "swing", "channel")
SHADOW = """
seed = 7
outcomes_every_hours = 24
[gate]
window = "30d"
min_days = 21
min_trades = 100
min_deflated_sharpe = 0.95
min_trade_return = 0.0
min_half_return = 0.0
"""
SET = """
[[set]]
name = "{0}_few"
strategy = "{0}"
[set.params]
min_strength = [0.3, 0.5]
"""
LIVE = (
    "SELECT strategy, decided_at, entry_time, exit_time, exit_reason, entry_price, exit_price, quantity, pnl"
    " FROM tracker.trade_logs WHERE account LIKE '%_alone' ORDER BY 1, 2"
)
TRIED = (
    "SELECT v.strategy, t.decided_at, t.entry_at, t.exit_at, t.reason, t.entry_price, t.exit_price, t.quantity, t.pnl"
    " FROM tracker.shadow_testing_trades t JOIN tracker.shadow_variations v ON v.id = t.variation"
    " WHERE v.source = 'live' ORDER BY 1, 2"
)


@pytest.fixture
def configs(tmp_path: Path) -> Path:
    """The shipped configuration with an account for each strategy alone, and few variations."""
    folder = tmp_path / "configs"
    shutil.copytree(PROJECT_ROOT / "configs", folder)
    for path in (folder / "accounts").glob("*.toml"):
        path.unlink()
    for strategy in STRATEGIES:
        (folder / "accounts" / f"{strategy}_alone.toml").write_text(
            f'[account]\nname = "{strategy}_alone"\nstrategies = ["{strategy}"]\n'
        )
    (folder / "shadow.toml").write_text(SHADOW + "".join(SET.format(each) for each in STRATEGIES))
    return folder


@pytest.mark.timeout(400)
async def test_the_shadow_of_what_is_live_is_the_live_ledger(
    tracker: Callable[..., Outcome], shared_candles: Path, tmp_path: Path, configs: Path, postgres: EmbeddedPostgres
) -> None:
    connection = await asyncpg.connect(postgres.url)
    await connection.execute("CREATE DATABASE shadowed")
    await connection.close()
    url = postgres.url.replace("@/tracker?", "@/shadowed?")
    cut = cut_candles(
        shared_candles / "BTC-PERP_1m_2022-01.csv", tmp_path / "candles" / "BTC-PERP_1m_cut.csv", skip=5_000, rows=9_000
    )
    outcome = tracker(
        "replay", "--candles", str(cut), "--shadow", "--json", seconds=350, DATABASE_URL=url,
        TRACKER_CONFIG_DIR=str(configs),
    )  # fmt: skip
    assert outcome.code == 0, outcome.err
    connection = await asyncpg.connect(url)
    try:
        live = [tuple(row) for row in await connection.fetch(LIVE)]
        tried = [tuple(row) for row in await connection.fetch(TRIED)]
    finally:
        await connection.close()
    assert len(live) > 3
    assert [row[:5] for row in tried] == [row[:5] for row in live]
    for mine, theirs in zip(tried, live, strict=True):
        assert numbers(mine) == pytest.approx(numbers(theirs), rel=1e-9, abs=1e-6)


def numbers(row: tuple[Any, ...]) -> list[float]:
    return [float(value) for value in row[5:]]
