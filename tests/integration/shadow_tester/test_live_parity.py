"""The variation with the live configuration trades exactly as the live account does."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from tracker.domain.clock import SystemClock
from tracker.domain.signal import Strategy
from tracker.runtime.logging import get_logger
from tracker.runtime.settings import load_settings
from tracker.runtime.strategies import load_strategy
from tracker.store.database import Database

from services.paper_trader.service import build
from services.paper_trader.settings import PaperTraderSettings
from services.strategy_scanner.service import StrategyScanner
from services.strategy_scanner.settings import ScannerSettings

LIVE_TRADES = """
SELECT s.symbol, t.decided_at, t.entry_time AS entry_at, t.exit_time AS exit_at, t.entry_price, t.exit_price,
       t.quantity, t.pnl, t.fees, t.exit_reason AS reason
FROM tracker.trade_logs t JOIN tracker.symbols s USING (symbol_id) WHERE t.account = 'paper'
"""
SHADOW_TRADES = """
SELECT s.symbol, t.decided_at, t.entry_at, t.exit_at, t.entry_price, t.exit_price, t.quantity, t.pnl, t.fees, t.reason
FROM tracker.shadow_testing_trades t JOIN tracker.shadow_variations v ON v.id = t.variation
JOIN tracker.symbols s USING (symbol_id) WHERE v.source = 'live' AND v.strategy = $1
"""
MONEY = ("entry_price", "exit_price", "quantity", "pnl", "fees")


@pytest.mark.parametrize("strategy", ["dca", "swing"])
async def test_the_live_variation_trades_as_the_live_account(
    house: Any, shadow: Database, open_database: Callable[[str | None], Awaitable[Database]], strategy: str
) -> None:
    loosen(house, strategy)
    await house.run(house.tester(shadow))
    await trade_live(house, Strategy(strategy), open_database)
    live = {key(row): row for row in await house.fetch(LIVE_TRADES)}
    own = {key(row): row for row in await house.fetch(SHADOW_TRADES, strategy)}
    assert len(live) > 5
    assert live.keys() == own.keys()
    for each, row in live.items():
        assert own[each]["reason"] == row["reason"]
        for name in MONEY:
            assert own[each][name] == pytest.approx(float(row[name]), rel=1e-9, abs=1e-6), (each, name)


def key(row: dict[str, Any]) -> tuple[Any, ...]:
    return row["symbol"], row["decided_at"], row["entry_at"], row["exit_at"]


def loosen(house: Any, strategy: str) -> None:
    """Make the live configuration less choosy, so that a few days hold enough trades."""
    path = house.configs / "strategies" / f"{strategy}.toml"
    text = path.read_text()
    for old, new in {
        "min_strength = 0.60": "min_strength = 0.30",
        "min_confirmations = 2": "min_confirmations = 1",
        "drop_atr = 6.0": "drop_atr = 3.0",
        "min_drop_pct = 1.5": "min_drop_pct = 0.5",
    }.items():
        text = text.replace(old, new)
    path.write_text(text)


async def trade_live(
    house: Any, strategy: Strategy, open_database: Callable[[str | None], Awaitable[Database]]
) -> None:
    """Scan with one strategy and trade what it proposes, as the fleet does."""
    scanner = StrategyScanner(
        await open_database("strategy_scanner"),
        load_strategy(house.configs, strategy),
        load_settings(ScannerSettings, {"closes_per_run": 200}),
        get_logger("test"),
    )
    while await scanner.run_once():
        pass
    settings = load_settings(
        PaperTraderSettings, {"strategies": strategy, "config_dir": house.configs, "signal_grace_seconds": None}
    )
    trader = build(settings, await open_database("paper_trader"), SystemClock(), get_logger("test"))
    while await trader.run_once():
        pass
