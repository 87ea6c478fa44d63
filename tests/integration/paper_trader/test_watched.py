"""What the health monitor says of accounts that a real trader keeps: nothing while all is well, at any moment."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from busy_market import GUARDED, HOURS, RELAXED, busy_market
from paper_desk import Desk
from tracker.domain.command import Command, CommandKind
from tracker.quant.paper import TradingRules
from tracker.runtime.logging import get_logger
from tracker.runtime.settings import load_settings
from tracker.store.commands import write_command
from tracker.store.database import Database
from tracker.testing.clock import FixedClock
from tracker.testing.trades import NOON

from services.health_monitor.invariants.base import Group
from services.health_monitor.invariants.risk import RISK
from services.health_monitor.invariants.risk.state import TradingActive
from services.health_monitor.invariants.risk.trader import PaperFollows
from services.health_monitor.service import HealthMonitor
from services.health_monitor.settings import MonitorSettings

PAUSES = {"trading active paper", "drawdown paper", "daily loss paper"}
# The minutes are complete before the trader begins, so that it is behind.
WATCHED = Group(
    name="risk", invariants=tuple(kind for kind in RISK.invariants if kind is not PaperFollows), sources=RISK.sources
)


class Watch:
    """A monitor of the accounts."""

    def __init__(self, database: Database) -> None:
        """Begin with the settings as they are shipped."""
        self.clock = FixedClock(NOON)
        self.monitor = HealthMonitor(
            database, load_settings(MonitorSettings), self.clock, get_logger("test"), groups=(WATCHED,)
        )

    async def failing(self) -> dict[str, str]:
        """Return what does not hold at a new look, with what was observed."""
        self.clock.advance(3600)
        await self.monitor.run_once()
        return {each.name: each.observed for each in self.monitor.findings() if not each.ok}


@pytest.mark.parametrize("rules", [None, RELAXED, GUARDED], ids=["shipped", "relaxed", "guarded"])
async def test_hours_of_a_busy_market_raise_no_false_alarm(
    desk: Desk, open_database: Callable[[str | None], Awaitable[Database]], rules: TradingRules | None
) -> None:
    await busy_market(desk)
    watch = Watch(await open_database("health_monitor"))
    trader = desk.trader(rules=rules, strategies="dca,swing,channel", batch_minutes=10)
    looks, told = 0, set[str]()
    while await trader.run_once():
        failing = await watch.failing()
        # That an account pauses by its own rules is to be seen.
        assert set(failing) <= PAUSES, failing
        told |= set(failing)
        looks += 1
    assert looks >= HOURS * 60 / 10 - 2
    counted = await desk.rows(
        "SELECT (SELECT count(*) FROM tracker.fills) AS fills, (SELECT count(*) FROM tracker.trade_logs) AS trades,"
        " (SELECT count(*) FROM tracker.orders WHERE status = 'refused') AS refused"
    )
    assert all(count > 10 for count in counted[0].values()), counted
    if rules is GUARDED:
        assert told == PAUSES


async def test_a_stop_that_the_trader_did_not_see_is_seen(
    desk: Desk, open_database: Callable[[str | None], Awaitable[Database]]
) -> None:
    await busy_market(desk)
    watch = Watch(await open_database("health_monitor"))
    trader = desk.trader(strategies="dca,swing,channel", batch_minutes=20)
    held: list[dict[str, Any]] = []
    while not held:
        assert await trader.run_once()
        held = await desk.rows(
            "SELECT symbol FROM tracker.positions p JOIN tracker.symbols USING (symbol_id) WHERE p.status = 'open'"
            " AND leaving IS NULL AND base_timeframe = '1m' AND opened_at < (SELECT processed_through"
            " FROM tracker.paper_cursor) - interval '4 minutes'"
        )
    assert await watch.failing() == {}
    # The bars fell under every stop where the trader had walked past already.
    await desk.execute(
        "UPDATE tracker.ohlc_data SET low = 1, close = 1 WHERE timeframe = '1m'"
        " AND ts < (SELECT processed_through FROM tracker.paper_cursor)"
    )
    failing = await watch.failing()
    assert list(failing) == ["stops act"]
    assert failing["stops act"].startswith(f"{len(held)} under the stop for 3 bars: paper: ")


async def test_a_halt_of_a_person_is_seen_until_it_is_ended(
    desk: Desk, open_database: Callable[[str | None], Awaitable[Database]]
) -> None:
    await busy_market(desk)
    watch, control = Watch(await open_database("health_monitor")), await open_database("control")
    trader = desk.trader(strategies="dca,swing,channel", batch_minutes=30)

    async def told(kind: CommandKind) -> dict[str, str]:
        async with control.transaction() as transaction:
            await write_command(
                transaction, Command(account="paper", kind=kind, arguments={}, requested_by="ann", reason="too hot")
            )
            await transaction.commit()
        await trader.run_once()
        return await watch.failing()

    await trader.run_once()
    assert await watch.failing() == {}
    halted = await told(CommandKind.HALT)
    assert list(halted) == [f"{TradingActive.name} paper"]
    assert halted[f"{TradingActive.name} paper"].startswith("REDUCING, nothing is bought until 2034-")
    assert "command: somebody halted the account" in halted[f"{TradingActive.name} paper"]
    assert await told(CommandKind.RESUME) == {}
