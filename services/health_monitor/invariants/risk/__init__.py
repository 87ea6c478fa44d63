"""The paper trader follows, within its limits, and its books are right."""

from datetime import timedelta

from tracker.store.health import trading
from tracker.store.health.risk import TraderFacts, read_trader_facts

from services.health_monitor.invariants.base import Group, Source, source
from services.health_monitor.invariants.risk.ledger import LedgersBalance
from services.health_monitor.invariants.risk.limits import (
    CashNotNegative,
    DailyLoss,
    Drawdown,
    GrossExposure,
    OpenPositions,
    RiskPerTrade,
    SymbolExposure,
)
from services.health_monitor.invariants.risk.orders import (
    ConfigsAgree,
    FillsFollowDecisions,
    FillsHaveBars,
    FillsWithinBars,
    LocksHold,
    OrdersEnd,
)
from services.health_monitor.invariants.risk.state import EquityFresh, TradingActive
from services.health_monitor.invariants.risk.trader import PaperFollows
from services.health_monitor.invariants.risk.trades import StopsAct, StopsSet, SymbolsTradable

# BookFacts come from books.py, which checks one account at a time.
RISK = Group(
    name="risk",
    invariants=(
        PaperFollows, LedgersBalance, EquityFresh, TradingActive, OpenPositions, GrossExposure, SymbolExposure,
        RiskPerTrade, Drawdown, DailyLoss, CashNotNegative, StopsSet, StopsAct, SymbolsTradable, OrdersEnd,
        FillsHaveBars, FillsWithinBars, FillsFollowDecisions, ConfigsAgree, LocksHold,
    ),
    sources=(
        source(TraderFacts, read_trader_facts),
        Source(
            kind=trading.AccountFacts,
            read=lambda transaction, settings: trading.read_account_facts(transaction, settings.stop_bars),
        ),
        Source(
            kind=trading.OrderFacts,
            read=lambda transaction, settings: trading.read_order_facts(
                transaction,
                timedelta(hours=settings.decision_window_hours),
                timedelta(minutes=settings.order_grace_minutes),
            ),
            seconds="slow_every_seconds",
        ),
    ),
)
