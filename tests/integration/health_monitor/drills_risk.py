"""How each invariant of the group "risk" is broken and mended."""

from __future__ import annotations

from ward import Drill

from services.health_monitor.invariants.risk.ledger import LedgersBalance
from services.health_monitor.invariants.risk.trader import PaperFollows

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
)
