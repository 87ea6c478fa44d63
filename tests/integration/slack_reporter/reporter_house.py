"""A reporter on a real database beside a local Slack, and the facts that others would write."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import SecretStr
from tracker.runtime.logging import get_logger
from tracker.runtime.reporting.rules import ReportingRules, load_reporting_rules
from tracker.runtime.settings import PROJECT_ROOT, load_settings
from tracker.store.database import Database
from tracker.testing.clock import FixedClock
from tracker.testing.slack import CHANNEL, TOKEN, FakeSlack

from services.slack_reporter.service import SlackReporter
from services.slack_reporter.settings import ReporterSettings
from services.slack_reporter.slack import Bot, Webhook
from services.slack_reporter.way import Slack

NOON = datetime(2024, 3, 1, 12, tzinfo=UTC)
# The smallest file that is a PNG to whoever looks at its beginning.
PNG = b"\x89PNG\r\n\x1a\n made up"


def rules(**changes: Mapping[str, Any]) -> ReportingRules:
    """Return the shipped rules with some values changed, by section."""
    shipped = load_reporting_rules(PROJECT_ROOT / "configs").model_dump(mode="json")
    return ReportingRules.model_validate({name: {**part, **changes.get(name, {})} for name, part in shipped.items()})


async def draw(document: Mapping[str, Any]) -> bytes | None:
    """Stand for the process that draws."""
    return PNG if len(document["curve"]["points"]) > 1 else None


@dataclass
class ReporterHouse:
    owner: Database
    reporter: Database
    slack: FakeSlack
    clock: FixedClock
    rules: ReportingRules = field(default_factory=rules)
    service: SlackReporter = field(init=False)

    @classmethod
    async def of(
        cls, open_database: Callable[[str | None], Awaitable[Database]], slack: FakeSlack, clock: FixedClock
    ) -> ReporterHouse:
        house = cls(await open_database(None), await open_database("slack_reporter"), slack, clock)
        house.start()
        return house

    def start(self, way: Slack | str | None = "bot", **settings: Any) -> None:
        """Have a new reporter; whoever had the lease is given up for dead at once."""
        timeout = self.rules.delivery.timeout_seconds
        if way == "bot":
            way = Bot(SecretStr(TOKEN), CHANNEL, self.slack.base_url, timeout)
        elif way == "webhook":
            way = Webhook(SecretStr(self.slack.webhook_url), timeout)
        assert not isinstance(way, str)
        self.service = SlackReporter(
            self.reporter, self.rules, load_settings(ReporterSettings, {"source": "simulated", **settings}), self.clock,
            get_logger("test"), way, draw,
        )  # fmt: skip

    async def restart(self, way: Slack | str | None = "bot", **settings: Any) -> None:
        await self.sql("DELETE FROM tracker.service_leases")
        self.start(way, **settings)

    async def run(self, seconds: float = 0, step: float = 5) -> None:
        """Let the reporter run every few seconds for a while, and once at its end."""
        until = self.clock.elapsed + seconds
        while True:
            await self.service.run_once()
            if self.clock.elapsed >= until:
                return
            await self.pass_time(min(step, until - self.clock.elapsed))

    async def pass_time(self, seconds: float) -> None:
        """Let time pass for all but the reporter: the health monitor goes on looking."""
        self.clock.advance(seconds)
        await self.monitor_looks()

    async def monitor_looks(self) -> None:
        await self.sql(
            "INSERT INTO tracker.monitor_looks (looked_at, every_seconds, seconds, findings, critical, warnings)"
            " VALUES ($1, 10, 0.1, 0, 0, 0) ON CONFLICT (one) DO UPDATE SET looked_at = excluded.looked_at",
            self.clock.now(),
        )
        await self.sql("UPDATE tracker.health_findings SET checked_at = $1", self.clock.now())

    async def finding(
        self, name: str, *, ok: bool, severity: str = "critical", observed: str = "12", **more: Any
    ) -> None:
        """Write what the health monitor found."""
        now = self.clock.now()
        await self.sql(
            "INSERT INTO tracker.health_findings (name, check_group, severity, place, ok, observed, threshold, since,"
            " checked_at, kept_at, advice) VALUES ($1, $2, $3, 1, $4, $5, $6, $7, $7, $7, $8)"
            " ON CONFLICT (name) DO UPDATE SET ok = excluded.ok, observed = excluded.observed,"
            " severity = excluded.severity, checked_at = excluded.checked_at, since = CASE WHEN"
            " tracker.health_findings.ok = excluded.ok THEN tracker.health_findings.since ELSE excluded.since END",
            name, more.get("group", "data pipeline"), severity, ok, observed, "10", more.get("since", now),
            more.get("advice", "look at the log"),
        )

    async def account(self, name: str = "paper", cash: float = 10_000.0, opened: datetime | None = None) -> None:
        at = (opened or self.clock.now()) - timedelta(minutes=1)
        await self.sql(
            "INSERT INTO tracker.accounts (account, currency, start_cash, opened_at, cash)"
            " VALUES ($1, 'USD', $2, $3, $2)", name, cash, at,
        )
        await self.sql(
            "INSERT INTO tracker.account_events (account, ts, kind, amount, outcome, note)"
            " VALUES ($1, $2, 'open', $3, 'done', 'opened')", name, at, cash,
        )
        await self.sql(
            "INSERT INTO tracker.paper_cursor (account, started_at, processed_through) VALUES ($1, $2, $2)", name, at
        )

    async def equity(self, at: datetime, equity: float, account: str = "paper") -> None:
        """Have an account reach a minute with so much cash."""
        await self.sql("UPDATE tracker.accounts SET cash = $2 WHERE account = $1", account, equity)
        await self.sql("UPDATE tracker.paper_cursor SET processed_through = $2 WHERE account = $1", account, at)
        await self.sql(
            "INSERT INTO tracker.equity_curve VALUES ($1, $2, $3, 0, $3, 0, 0, 0, 0)", account, at, equity
        )

    async def symbol(self, name: str) -> int:
        found = await self.sql(
            "INSERT INTO tracker.symbols (symbol, base_timeframe) VALUES ($1, '1m')"
            " ON CONFLICT (symbol) DO UPDATE SET symbol = excluded.symbol RETURNING symbol_id", name,
        )
        return found[0]["symbol_id"]

    async def trade(
        self, symbol: str, at: datetime, pnl: float, reason: str = "target", account: str = "paper"
    ) -> None:
        """Write a closed trade."""
        number, decided = await self.symbol(symbol), at - timedelta(hours=1)
        await self.sql(
            "INSERT INTO tracker.positions (account, strategy, symbol_id, decided_at, config_hash, rules_hash, side,"
            " status, quantity_step, quantity, cost, bought_quantity, bought_cost, proceeds, realised_pnl, fees,"
            " stop_price, initial_stop_price, target_price, trail_distance, expires_at, entry_until, opened_at,"
            " closed_at) VALUES ($1, 'dca', $2, $3, 'c', 'r', 'long', 'closed', 1, 0, 0, 1, 100, 100, $5, 0, 90, 90,"
            " 110, 0, $4, $4, $3, $4)", account, number, decided, at, pnl,
        )
        await self.sql(
            "INSERT INTO tracker.trade_logs (account, strategy, symbol_id, decided_at, config_hash, rules_hash, side,"
            " entry_time, exit_time, entry_price, exit_price, quantity, gross_pnl, fees, pnl, stop_loss_price,"
            " take_profit_price, exit_reason, mae, mfe) VALUES ($1, 'dca', $2, $3, 'c', 'r', 'long', $3, $4, 100,"
            " 100 + $5::numeric, 1, $5::numeric, 0, $5::numeric, 90, 110, $6, 0, 0)",
            account, number, decided, at, pnl, reason,
        )

    async def sql(self, query: str, *arguments: object) -> list[dict[str, Any]]:
        async with self.owner.transaction() as transaction:
            found = [dict(row) for row in await transaction.connection.fetch(query, *arguments)]
            await transaction.commit()
        return found

    async def outbox(self) -> list[tuple[Any, ...]]:
        found = await self.sql("SELECT action, state, attempts, held FROM tracker.slack_outbox ORDER BY outbox_id")
        return [tuple(row.values()) for row in found]
