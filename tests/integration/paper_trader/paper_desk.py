"""A desk: a small market in a real database, and paper traders at work in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from tracker.quant.paper import TradingRules
from tracker.quant.risk import RiskConfig, RiskLimits
from tracker.quant.sizing import SizingParams
from tracker.runtime.accounts import AccountRules
from tracker.runtime.logging import get_logger
from tracker.runtime.settings import load_settings
from tracker.runtime.trading_rules import load_trading_rules
from tracker.store.database import Database
from tracker.testing.clock import FixedClock
from tracker.testing.paper_world import PaperWorld
from tracker.testing.trades import NOON

from services.paper_trader.service import PaperTrader
from services.paper_trader.settings import PaperTraderSettings

LEDGER = ("trade_logs", "equity_curve", "fills", "orders", "positions", "paper_cursor", "account_events",
          "protection_locks", "risk_marks", "accounts")  # fmt: skip
OWN_COLUMNS = {"updated_at", "order_id", "fill_id", "position_id", "trade_id", "event_id"}

BALANCE = "SELECT * FROM dashboards.account_balance WHERE difference IS DISTINCT FROM 0"
UNBALANCED = "SELECT source, source_id FROM tracker.journal GROUP BY 1, 2 HAVING sum(debit) <> sum(credit)"


@dataclass(slots=True)
class Desk:
    """The world, and traders that work in it."""

    world: PaperWorld
    database: Database
    clock: FixedClock = field(default_factory=lambda: FixedClock(NOON))

    def trader(
        self,
        *,
        database: Database | None = None,
        rules: TradingRules | None = None,
        accounts: Sequence[AccountRules] | None = None,
        **settings: Any,
    ) -> PaperTrader:
        """Return a trader with one account on the shipped rules; by default it waits for the swing scanner only."""
        chosen = load_settings(
            PaperTraderSettings, {"strategies": "swing", "signal_grace_seconds": None, **settings}
        )
        return PaperTrader(
            database or self.database,
            accounts or [AccountRules(rules=rules or load_trading_rules(chosen.config_dir))],
            chosen,
            self.clock,
            get_logger("test"),
        )

    async def catch_up(self, trader: PaperTrader) -> None:
        """Run until nothing is left to do."""
        while await trader.run_once():
            pass

    async def rows(self, query: str, *arguments: object) -> list[dict[str, Any]]:
        """Return rows as the owner sees them."""
        async with self.world.owner.transaction() as transaction:
            return [dict(row) for row in await transaction.connection.fetch(query, *arguments)]

    async def execute(self, statement: str) -> None:
        """Change something behind the trader's back."""
        async with self.world.owner.transaction() as transaction:
            await transaction.connection.execute(statement)
            await transaction.commit()

    async def ledger(self, account: str | None = None) -> dict[str, list[dict[str, Any]]]:
        """Return every row of the ledger, or of one account's, but for ids and the time of writing."""
        found: dict[str, list[dict[str, Any]]] = {}
        for table in LEDGER:
            joined = " JOIN tracker.orders o USING (order_id)" if table == "fills" else ""
            rows = await self.rows(
                f"SELECT t.* FROM tracker.{table} t{joined} WHERE $1::text IS NULL OR account = $1", account
            )
            kept = [{name: value for name, value in row.items() if name not in OWN_COLUMNS} for row in rows]
            if table == "fills":
                legs = {row["order_id"]: row for row in await self.rows("SELECT * FROM tracker.orders")}
                kept = [
                    {
                        **fill,
                        "leg": legs[row["order_id"]]["leg"],
                        "symbol_id": legs[row["order_id"]]["symbol_id"],
                    }
                    for fill, row in zip(kept, rows, strict=True)
                ]
                kept = [{k: v for k, v in each.items() if k != "order_id"} for each in kept]
            found[table] = sorted(kept, key=repr)
        return found

    async def forget(self) -> None:
        """Empty the ledger."""
        await self.execute("TRUNCATE " + ", ".join(f"tracker.{table}" for table in LEDGER))


def cheap(rules: TradingRules, **changes: Any) -> TradingRules:
    """Return rules without fees and slippage, for round numbers, with changes to execution."""
    free = {
        "maker_fee_bps": 0.0,
        "taker_fee_bps": 0.0,
        "slippage_base_bps": 0.0,
        "slippage_impact_bps": 0.0,
        "slippage_cap_bps": 0.0,
        **changes,
    }
    return plain(replace(rules, paper=replace(rules.paper, execution=replace(rules.paper.execution, **free))))


def plain(rules: TradingRules) -> TradingRules:
    """Return the rules without scales, exposure limits and protections."""
    sizing = rules.risk.sizing
    risk = RiskConfig(
        sizing=SizingParams(
            risk_per_trade=sizing.risk_per_trade,
            size_multiplier=sizing.size_multiplier,
            max_position_share=sizing.max_position_share,
        ),
        limits=RiskLimits(max_open_positions=rules.risk.limits.max_open_positions),
    )
    return replace(rules, risk=risk)
