"""How each invariant of the group "risk" is broken and mended."""

from __future__ import annotations

from ward import Drill

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

# Ninety minutes of bars of the first symbol.
BARS = """
DELETE FROM tracker.ohlc_data;
SELECT tracker.ensure_bar_partitions(now() - interval '2 hours', now());
INSERT INTO tracker.ohlc_data (ts, open, high, low, close, volume, timeframe, source, symbol_id)
  SELECT closed_through - n * interval '1 minute', 10, 10.1, 9.9, 10, 1000, '1m', 'stream', 1
  FROM tracker.bar_watermarks, generate_series(1, 90) n WHERE timeframe = '1m';
"""
# A trade of an hour ago in it, a tenth of the account, with a stop a tenth below: 0.9% is at risk.
TRADE = """
UPDATE tracker.accounts SET cash = 1000;
INSERT INTO tracker.positions (account, strategy, symbol_id, decided_at, config_hash, rules_hash, side, status,
  quantity_step, quantity, cost, bought_quantity, bought_cost, proceeds, realised_pnl, fees, stop_price,
  initial_stop_price, target_price, trail_distance, last_price, highest_price, expires_at, entry_until, opened_at)
  SELECT 'main', 'dca', 1, closed_through - interval '1 hour', 'c', 'r', 'long', 'open', 0.01, 10, 100, 10, 100, 0, 0,
    0, 9, 9, 12, 0, 10, 10, closed_through + interval '1 day', closed_through - interval '57 minutes',
    closed_through - interval '1 hour'
  FROM tracker.bar_watermarks WHERE timeframe = '1m';
"""
# The signal that it came from, the order, and the fill in the first bar after it.
FILL = """
DELETE FROM tracker.orders;
DELETE FROM tracker.signals;
INSERT INTO tracker.signals (decided_at, expires_at, entry, stop, target, strategy, timeframe, symbol_id, side,
  confirmations, strength, market_regime, config_hash)
  SELECT decided_at, expires_at, 10, 9, 12, strategy, '15m', symbol_id, side, 2, 1, 'range', config_hash
  FROM tracker.positions;
INSERT INTO tracker.orders (account, strategy, symbol_id, decided_at, leg, kind, side, status, note, quantity,
  filled_quantity, reference_price, placed_at, ended_at, signal_id, config_hash, rules_hash)
  SELECT 'main', strategy, symbol_id, decided_at, 'entry', 'entry', 'buy', 'filled', '', 10, 10, 10, decided_at,
    decided_at, signal_id, config_hash, 'r'
  FROM tracker.signals;
INSERT INTO tracker.fills (order_id, bar_ts, filled_at, side, quantity, price, reference_price, fee, liquidity, cost,
  realised_pnl)
  SELECT order_id, decided_at, decided_at, 'buy', 10, 10, 10, 0, 'taker', 100, 0 FROM tracker.orders;
"""
MARKED = """
INSERT INTO tracker.risk_marks (account, marked_at, equity, peak, day, day_equity, armed, halted)
  VALUES ('main', now(), 100, 100, 0, 100, true, false);
"""
# A signal that was refused while its symbol rested after a trade.
REFUSED = TRADE + FILL + """
INSERT INTO tracker.protection_locks (account, protection, symbol_id, locked_at, until, observed, note)
  SELECT 'main', 'cool_down', 1, decided_at, decided_at + interval '1 hour', 1, 'rests' FROM tracker.positions;
INSERT INTO tracker.orders (account, strategy, symbol_id, decided_at, leg, kind, side, status, reason, note, quantity,
  reference_price, placed_at, ended_at, config_hash, rules_hash)
  SELECT 'main', strategy, symbol_id, decided_at + interval '45 minutes', 'entry', 'entry', 'buy', 'refused',
    'cool_down', 'rests', 0, 10, decided_at, decided_at, 'c', 'r'
  FROM tracker.positions;
"""
RESTING = """
INSERT INTO tracker.orders (account, strategy, symbol_id, decided_at, leg, kind, side, status, note, quantity,
  limit_price, reference_price, placed_at, config_hash, rules_hash)
  SELECT 'main', strategy, symbol_id, decided_at, '{0}', '{0}', 'buy', 'pending', '', 200, 10, 10, decided_at, 'c', 'r'
  FROM tracker.positions;
"""
CANCEL = "UPDATE tracker.orders SET status = 'cancelled', ended_at = now() WHERE status = 'pending'"

DRILLS: tuple[Drill, ...] = (
    Drill(
        kind=PaperFollows,
        name="paper trader follows",
        breaking="UPDATE tracker.paper_cursor SET processed_through = processed_through - interval '10 minutes'",
        observed=r"54\d s behind",
        mending="UPDATE tracker.paper_cursor SET processed_through = processed_through + interval '10 minutes'",
    ),
    Drill(
        kind=PaperFollows,
        name="paper trader follows",
        breaking="CREATE TABLE tracker.aside AS SELECT * FROM tracker.paper_cursor; DELETE FROM tracker.paper_cursor",
        observed=r"\d+ s behind",
        mending="INSERT INTO tracker.paper_cursor SELECT * FROM tracker.aside",
    ),
    Drill(
        kind=LedgersBalance,
        name="ledger main",
        breaking="UPDATE tracker.accounts SET cash = cash + 0.5",
        observed=r"off by 1\.5: accounts\.cash: 0\.5; cash \+ positions = .*: 0\.5; journal cash: 0\.5",
        mending="UPDATE tracker.accounts SET cash = cash - 0.5",
    ),
    Drill(
        kind=LedgersBalance,
        name="ledger main",
        breaking="UPDATE tracker.account_events SET amount = 2",
        observed=r"off by .*",
        mending="UPDATE tracker.account_events SET amount = 1",
    ),
    Drill(
        kind=EquityFresh,
        name="equity curve main",
        breaking="DELETE FROM tracker.equity_curve",
        observed=r"no point for 1\d{3} min behind the trader",
        mending=(
            "INSERT INTO tracker.equity_curve (account, ts, cash, positions_value, equity, realised_pnl,"
            " unrealised_pnl, fees, open_positions) VALUES ('main', now(), 1, 0, 1, 0, 0, 0, 0)"
        ),
    ),
    Drill(
        kind=TradingActive,
        name="trading active main",
        breaking=(
            "INSERT INTO tracker.protection_locks (account, protection, locked_at, until, observed, note)"
            " VALUES ('main', 'drawdown', now(), now() + interval '1 day', 0.13, 'equity 13% under its peak')"
        ),
        observed=r"REDUCING, nothing is bought until [-\d]+ [:\d]+ UTC: drawdown: equity 13% under its peak",
        mending=(
            "UPDATE tracker.protection_locks SET locked_at = locked_at - interval '1 hour',"
            " until = locked_at - interval '30 minutes'"
        ),
    ),
    Drill(
        kind=OpenPositions,
        name="open positions main",
        before=TRADE,
        breaking=(
            "INSERT INTO tracker.positions (account, strategy, symbol_id, decided_at, config_hash, rules_hash, side,"
            " status, quantity_step, quantity, cost, bought_quantity, bought_cost, proceeds, realised_pnl, fees,"
            " stop_price, initial_stop_price, target_price, trail_distance, expires_at, entry_until)"
            " SELECT p.account, p.strategy, s.symbol_id, p.decided_at, 'c', 'r', 'long', 'pending', 1, 0, 0, 0, 0, 0,"
            " 0, 0, 9, 9, 12, 0, p.expires_at, p.entry_until FROM tracker.positions p, tracker.symbols s"
            " WHERE s.symbol_id BETWEEN 2 AND 6"
        ),
        observed="6 trades",
        mending="UPDATE tracker.positions SET status = 'void' WHERE status = 'pending'",
    ),
    Drill(
        kind=GrossExposure,
        name="gross exposure main",
        before=TRADE,
        breaking=RESTING.format("rung"),
        observed=r"190\.9% of equity, 9\.1% held",
        mending=CANCEL,
    ),
    Drill(
        kind=SymbolExposure,
        name="symbol exposure main",
        before=TRADE,
        breaking="UPDATE tracker.positions SET last_price = 50",
        observed=r"33\.3% of equity in S1-USD",
        mending="UPDATE tracker.positions SET last_price = 11",
    ),
    Drill(
        kind=RiskPerTrade,
        name="risk per trade main",
        before=TRADE,
        breaking="UPDATE tracker.positions SET stop_price = 1, initial_stop_price = 1",
        observed=r"8\.2% of equity with S1-USD",
        mending="UPDATE tracker.positions SET stop_price = 9.5",
    ),
    Drill(
        kind=Drawdown,
        name="drawdown main",
        before=MARKED,
        breaking="UPDATE tracker.risk_marks SET equity = 80",
        observed=r"20\.0% under the peak",
        mending="UPDATE tracker.risk_marks SET equity = 95",
    ),
    Drill(
        kind=DailyLoss,
        name="daily loss main",
        before=MARKED,
        breaking="UPDATE tracker.risk_marks SET equity = 92",
        observed=r"8\.0% lost since midnight",
        mending="UPDATE tracker.risk_marks SET day_equity = 92",
    ),
    Drill(
        kind=CashNotNegative,
        name="cash main",
        breaking="UPDATE tracker.accounts SET cash = -1",
        observed=r"-1\.00",
        mending="UPDATE tracker.accounts SET cash = 1",
    ),
    Drill(
        kind=StopsSet,
        name="stops set",
        before=TRADE,
        breaking="UPDATE tracker.positions SET stop_price = 8",
        observed="1 without a stop, or with one lowered: main: dca S1-USD",
        mending="UPDATE tracker.positions SET stop_price = 9.2",
    ),
    Drill(
        kind=StopsSet,
        name="stops set",
        before=TRADE,
        breaking="UPDATE tracker.positions SET stop_price = 0, initial_stop_price = 0",
        observed="1 without a stop, or with one lowered: main: dca S1-USD",
        mending="UPDATE tracker.positions SET stop_price = 9",
    ),
    Drill(
        kind=StopsAct,
        name="stops act",
        before=BARS + TRADE,
        breaking=(
            "UPDATE tracker.ohlc_data SET low = 8, close = 8"
            " WHERE ts >= (SELECT max(ts) FROM tracker.ohlc_data) - interval '3 minutes'"
        ),
        observed="1 under the stop for 3 bars: main: dca S1-USD",
        mending="UPDATE tracker.positions SET leaving = 'stop'",
    ),
    Drill(
        kind=SymbolsTradable,
        name="positions on active symbols",
        before=TRADE,
        breaking="UPDATE tracker.symbols SET status = 'paused' WHERE symbol_id = 1",
        observed="1 in a symbol that is not active: main: dca S1-USD",
        mending="UPDATE tracker.symbols SET status = 'active' WHERE symbol_id = 1",
    ),
    Drill(
        kind=OrdersEnd,
        name="resting orders",
        before=TRADE,
        breaking=RESTING.format("entry"),
        observed=r"main: 1, first S1-USD entry of [-\d]+ [:\d]+",
        mending=CANCEL,
    ),
    Drill(
        kind=OrdersEnd,
        name="resting orders",
        before=TRADE + RESTING.format("rung"),
        breaking="UPDATE tracker.positions SET status = 'closed', quantity = 0, closed_at = now()",
        observed=r"main: 1, first S1-USD rung of [-\d]+ [:\d]+",
        mending=CANCEL,
    ),
    Drill(
        kind=FillsHaveBars,
        name="fills have bars",
        before=BARS + TRADE + FILL,
        breaking="CREATE TABLE aside AS SELECT * FROM tracker.ohlc_data; DELETE FROM tracker.ohlc_data",
        observed=r"1, first S1-USD entry at 10 in the bar of [-\d]+ [:\d]+",
        mending="INSERT INTO tracker.ohlc_data SELECT * FROM aside",
    ),
    Drill(
        kind=FillsWithinBars,
        name="fills within bars",
        before=BARS + TRADE + FILL,
        breaking="UPDATE tracker.fills SET price = 9.8",
        observed=r"1, first S1-USD entry at 9\.8 in the bar of [-\d]+ [:\d]+",
        mending="UPDATE tracker.fills SET price = 10.1",
    ),
    Drill(
        kind=FillsFollowDecisions,
        name="fills follow decisions",
        before=BARS + TRADE + FILL,
        breaking="UPDATE tracker.fills SET bar_ts = bar_ts - interval '1 minute'",
        observed=r"1, first S1-USD entry at 10 in the bar of [-\d]+ [:\d]+",
        mending="UPDATE tracker.fills SET bar_ts = bar_ts + interval '1 minute'",
    ),
    Drill(
        kind=ConfigsAgree,
        name="configs agree",
        before=TRADE + FILL,
        breaking="UPDATE tracker.orders SET config_hash = 'other'",
        observed=r"1, first dca S1-USD of [-\d]+ [:\d]+",
        mending="UPDATE tracker.orders SET config_hash = 'c'",
    ),
    Drill(
        kind=LocksHold,
        name="refusals have a lock",
        before=REFUSED,
        breaking="UPDATE tracker.protection_locks SET until = locked_at + interval '30 minutes'",
        observed=r"1, first S1-USD cool_down of [-\d]+ [:\d]+",
        mending="UPDATE tracker.protection_locks SET until = locked_at + interval '1 hour'",
    ),
)
