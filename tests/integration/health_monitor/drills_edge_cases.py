"""How each invariant of the group "edge cases" is broken and mended."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

from tracker.domain.clock import SystemClock
from tracker.runtime.logging import get_logger
from tracker.runtime.pulse import Pulse, beat
from tracker.testing.clock import FixedClock
from ward import Drill, Ward

from services.health_monitor.invariants.edge_cases.bars import (
    BarPricesSane,
    BarsAligned,
    BookPricesSane,
    CorrectionsFew,
    FeedMoves,
    NoFutureBars,
)
from services.health_monitor.invariants.edge_cases.clocks import ClocksAgree, DatabaseUtc
from services.health_monitor.invariants.edge_cases.database import (
    IndexesUsable,
    PrivilegesHold,
    RowsSecured,
    SchemaCurrent,
)
from services.health_monitor.invariants.edge_cases.universe import SignalsTradedOnce, SymbolsSteady, UniverseFilled

# Forty minutes of bars of every symbol, which move and trade.
BARS = """
DELETE FROM tracker.ohlc_data;
SELECT tracker.ensure_bar_partitions(now() - interval '2 hours', now());
INSERT INTO tracker.ohlc_data (ts, open, high, low, close, volume, timeframe, source, symbol_id)
  SELECT closed_through - n * interval '1 minute', 10, 10.1, 9.9, 10, 5, '1m', 'stream', symbol_id
  FROM tracker.bar_watermarks, tracker.symbols, generate_series(1, 40) n WHERE timeframe = '1m';
"""
SIGNAL = """
DELETE FROM tracker.orders;
DELETE FROM tracker.signals;
INSERT INTO tracker.signals (decided_at, expires_at, entry, stop, target, strategy, timeframe, symbol_id, side,
  confirmations, strength, market_regime, config_hash)
  SELECT closed_through, closed_through + interval '1 day', 10, 9, 12, 'dca', '15m', 1, 'long', 2, 1, 'range', 'c'
  FROM tracker.scan_watermarks;
"""


def ordered(minutes: int, status: str = "filled") -> str:
    """Return what enters the signal's trade so many minutes after it."""
    return f"""
INSERT INTO tracker.orders (account, strategy, symbol_id, decided_at, leg, kind, side, status, reason, note, quantity,
  filled_quantity, reference_price, placed_at, ended_at, signal_id, config_hash, rules_hash)
  SELECT 'main', strategy, symbol_id, decided_at + interval '{minutes} minutes', 'entry', 'entry', 'buy', '{status}',
    {"'late'" if status == "refused" else "NULL"}, '', 10, 0, 10, decided_at, decided_at, signal_id, 'c', 'r'
  FROM tracker.signals;
"""


class Service:
    """A service that only beats."""

    name = "data_collector"

    def detail(self) -> dict[str, Any]:
        """Tell nothing."""
        return {}


def beaten(**ahead: float) -> Callable[[Ward], Awaitable[None]]:
    """Return a step in which a service beats whose clock is not the database's."""

    async def step(ward: Ward) -> None:
        clock = FixedClock(SystemClock().now() + timedelta(**ahead))
        pulse = Pulse(service=Service.name, started_at=clock.now(), instance="i")
        await beat(Service(), await ward.open_as("data_collector"), clock, pulse, get_logger("test"))

    return step


def in_zone(statement: str) -> Callable[[Ward], Awaitable[None]]:
    """Return a step after which the monitor connects anew to a database of another time zone."""

    async def step(ward: Ward) -> None:
        await ward.execute(f"DO $$ BEGIN EXECUTE format('ALTER DATABASE %I {statement}', current_database()); END $$")
        ward.database = await ward.open_as("health_monitor")
        ward.restarted()

    return step


async def flapping(ward: Ward) -> None:
    """Take a symbol out of the universe and in again, looked at each time."""
    for status in ("unsupported", "active", "unsupported", "active", "unsupported"):
        await ward.execute(
            f"UPDATE tracker.symbols SET status = '{status}', status_since = clock_timestamp() WHERE symbol_id = 7"
        )
        await ward.look()


async def settled(ward: Ward) -> None:
    """Leave it as it is for longer than is looked back."""
    del ward
    await asyncio.sleep(6)


DRILLS: tuple[Drill, ...] = (
    Drill(
        kind=ClocksAgree,
        name="clock skew",
        before=beaten(seconds=0),
        breaking=beaten(seconds=60),
        observed=r"data_collector (60\.0|59\.\d) s ahead of the database",
        mending=beaten(seconds=0),
    ),
    Drill(
        kind=ClocksAgree,
        name="clock skew",
        before=beaten(seconds=0),
        breaking=beaten(hours=-1),
        observed=r"data_collector 3600\.\d s behind the database",
        mending=beaten(seconds=0),
    ),
    Drill(
        kind=DatabaseUtc,
        name="database in UTC",
        breaking=in_zone("SET timezone TO ''Europe/Berlin''"),
        observed="Europe/Berlin",
        mending=in_zone("RESET timezone"),
    ),
    Drill(
        kind=NoFutureBars,
        name="bars of the future",
        breaking="UPDATE tracker.latest_bar SET ts = ts + interval '10 minutes'"
        " WHERE symbol_id = 3 AND timeframe = '1m'",
        observed=r"1 close in up to 5\d\d s: S3-USD 1m",
        mending="UPDATE tracker.latest_bar SET ts = ts - interval '10 minutes'"
        " WHERE symbol_id = 3 AND timeframe = '1m'",
    ),
    Drill(
        kind=BarsAligned,
        name="bars aligned",
        breaking="UPDATE tracker.latest_bar SET ts = ts - interval '17 seconds'"
        " WHERE symbol_id = 2 AND timeframe = '1m'",
        observed=r"1 bars, first S2-USD 1m [-\d]+ [:\d]+:43",
        mending="UPDATE tracker.latest_bar SET ts = ts + interval '17 seconds'"
        " WHERE symbol_id = 2 AND timeframe = '1m'",
    ),
    Drill(
        kind=BarsAligned,
        name="bars aligned",
        before=BARS,
        breaking="UPDATE tracker.ohlc_data SET ts = ts + interval '1 second' WHERE symbol_id = 4",
        observed=r"40 bars, first S4-USD 1m [-\d]+ [:\d]+:01",
        mending="DELETE FROM tracker.ohlc_data WHERE symbol_id = 4",
    ),
    Drill(
        kind=BarPricesSane,
        name="bar prices",
        breaking="UPDATE tracker.latest_bar SET close = 'NaN' WHERE symbol_id = 5 AND timeframe = '1m'",
        observed="1 of the newest bars hold none, first S5-USD 1m",
        mending="UPDATE tracker.latest_bar SET close = open WHERE symbol_id = 5",
    ),
    Drill(
        kind=BarPricesSane,
        name="bar prices",
        breaking="UPDATE tracker.latest_bar SET open = 0, low = 0 WHERE symbol_id = 5 AND timeframe = '1m'",
        observed="1 of the newest bars hold none, first S5-USD 1m",
        mending="UPDATE tracker.latest_bar SET open = close, low = close WHERE symbol_id = 5",
    ),
    Drill(
        kind=BookPricesSane,
        name="prices in the books",
        before=SIGNAL,
        breaking="UPDATE tracker.accounts SET cash = 'NaN'; UPDATE tracker.signals SET stop = 'NaN'",
        observed="signals: 1, accounts: 1",
        mending="UPDATE tracker.accounts SET cash = 1; UPDATE tracker.signals SET stop = 9",
    ),
    Drill(
        kind=FeedMoves,
        name="feed moves",
        before=BARS,
        breaking="UPDATE tracker.ohlc_data SET high = 10, low = 10 WHERE symbol_id <= 2;"
        " UPDATE tracker.ohlc_data SET volume = 0 WHERE symbol_id = 3",
        observed="3 of 10 symbols stand still, first S1-USD",
        mending="UPDATE tracker.ohlc_data SET volume = 1",
    ),
    Drill(
        kind=CorrectionsFew,
        name="corrections",
        breaking="INSERT INTO tracker.bar_revisions (ts, open, timeframe, symbol_id, revision)"
        " SELECT now(), 1, '1m', 1, 1 FROM generate_series(1, 31)",
        observed="31 in the last hour",
        mending="UPDATE tracker.bar_revisions SET replaced_at = now() - interval '2 hours'",
    ),
    Drill(
        kind=UniverseFilled,
        name="universe",
        breaking="UPDATE tracker.symbols SET status = 'unsupported' WHERE symbol_id <= 8",
        observed="2 of 10 symbols active, 8 unsupported",
        mending="UPDATE tracker.symbols SET status = 'active'",
    ),
    Drill(
        kind=UniverseFilled,
        name="universe",
        breaking="TRUNCATE tracker.symbols CASCADE",
        observed="0 of 0 symbols active, 0 unsupported",
        mending="INSERT INTO tracker.symbols (symbol) VALUES ('BTC-USD')",
    ),
    Drill(
        kind=SymbolsSteady,
        name="symbol status",
        settings={"status_window_minutes": 0.1, "status_changes_limit": 2},
        breaking=flapping,
        observed="1 symbols changed up to [345] times: S7-USD",
        mending=settled,
    ),
    Drill(
        kind=SignalsTradedOnce,
        name="orders of a signal",
        before=SIGNAL + ordered(0),
        breaking=ordered(1),
        observed="signals entered twice: 1, orders unlike their signal: 1",
        mending="DELETE FROM tracker.orders WHERE decided_at > (SELECT decided_at FROM tracker.signals)",
    ),
    Drill(
        kind=SignalsTradedOnce,
        name="orders of a signal",
        before=SIGNAL + ordered(0, "refused"),
        breaking="INSERT INTO tracker.fills (order_id, bar_ts, filled_at, side, quantity, price, reference_price, fee,"
        " liquidity, cost, realised_pnl) SELECT order_id, decided_at, decided_at, 'buy', 1, 1, 1, 0, 'taker', 1, 0"
        " FROM tracker.orders",
        observed="refused orders with fills: 1",
        mending="DELETE FROM tracker.fills",
    ),
    Drill(
        kind=SchemaCurrent,
        name="schema",
        breaking="DELETE FROM tracker.schema_migrations WHERE version = '0037';"
        " INSERT INTO tracker.schema_migrations VALUES ('9999')",
        observed="not applied: 0037; unknown here: 9999",
        mending="UPDATE tracker.schema_migrations SET version = '0037' WHERE version = '9999'",
    ),
    Drill(
        kind=PrivilegesHold,
        name="privileges",
        breaking="REVOKE INSERT ON tracker.fills FROM tracker_paper_trader",
        observed="tracker_paper_trader may not write fills",
        mending="GRANT INSERT ON tracker.fills TO tracker_paper_trader",
    ),
    Drill(
        kind=PrivilegesHold,
        name="privileges",
        breaking="GRANT UPDATE ON tracker.fills TO tracker_dashboard; REVOKE SELECT ON tracker.orders FROM"
        " tracker_reader; DROP POLICY writer ON tracker.signals; ALTER TABLE tracker.trials RENAME TO tried",
        observed="tracker_dashboard may write fills, orders may not be read,"
        " tracker_strategy_scanner may not write signals, trials is missing",
        mending="REVOKE UPDATE ON tracker.fills FROM tracker_dashboard; GRANT SELECT ON tracker.orders TO"
        " tracker_reader; CREATE POLICY writer ON tracker.signals FOR ALL TO tracker_strategy_scanner USING (true);"
        " ALTER TABLE tracker.tried RENAME TO trials",
    ),
    Drill(
        kind=RowsSecured,
        name="row security",
        breaking="ALTER TABLE tracker.fills DISABLE ROW LEVEL SECURITY",
        observed="off for fills",
        mending="ALTER TABLE tracker.fills ENABLE ROW LEVEL SECURITY",
    ),
    Drill(
        kind=IndexesUsable,
        name="indexes",
        # As a build that was broken off leaves it.
        breaking="UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'tracker.fills_by_time'::regclass",
        observed="not valid: fills_by_time",
        mending="REINDEX INDEX tracker.fills_by_time",
    ),
)
