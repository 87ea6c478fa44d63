"""How each invariant of the group "strategies" is broken and mended."""

from __future__ import annotations

from ward import Drill

from services.health_monitor.invariants.strategies.parity import ParityHolds
from services.health_monitor.invariants.strategies.shadow import ShadowFollows
from services.health_monitor.invariants.strategies.stages import StagesFollow

# A report of a night without a difference.
REPORT = (
    "INSERT INTO tracker.parity_reports (first_at, end_at, started_at, finished_at)"
    " VALUES ('2024-01-01Z', '2024-01-02Z', now(), now())"
)

DRILLS: tuple[Drill, ...] = (
    Drill(
        kind=ShadowFollows,
        name="shadow watermark lag dca",
        breaking=(
            "UPDATE tracker.shadow_cursor SET closed_through = closed_through - interval '1 hour',"
            " updated_at = now() - interval '50 min'"
        ),
        observed=r"3000 s behind",
        mending=(
            "UPDATE tracker.shadow_cursor SET closed_through = closed_through + interval '1 hour', updated_at = now()"
        ),
    ),
    Drill(
        kind=StagesFollow,
        name="stage features 15m",
        breaking=(
            "UPDATE tracker.bar_watermarks SET updated_at = now() - interval '130 s',"
            " closed_through = closed_through + interval '15 minutes' WHERE timeframe = '15m'"
        ),
        observed=r"13\d s behind",
        mending=(
            "UPDATE tracker.bar_watermarks SET closed_through = closed_through - interval '15 minutes'"
            " WHERE timeframe = '15m'"
        ),
    ),
    Drill(
        kind=StagesFollow,
        name="stage features 1h",
        breaking=(
            "UPDATE tracker.feature_watermarks SET closed_through = closed_through - interval '2 hours',"
            " updated_at = now() - interval '2 hours' WHERE timeframe = '1h'"
        ),
        observed=r"72\d\d s behind",
        mending="UPDATE tracker.feature_watermarks SET updated_at = now() WHERE timeframe = '1h'",
    ),
    Drill(
        kind=StagesFollow,
        name="stage scan dca",
        breaking=(
            "UPDATE tracker.scan_watermarks SET closed_through = closed_through - interval '1 hour',"
            " updated_at = now() - interval '1 hour'"
        ),
        observed=r"36\d\d s behind",
        mending="UPDATE tracker.scan_watermarks SET closed_through = closed_through + interval '1 hour'",
    ),
    Drill(
        kind=ParityHolds,
        name="parity holds",
        before=REPORT,
        breaking=(
            "UPDATE tracker.parity_reports SET differences = 2, first_differences = jsonb_build_array("
            "jsonb_build_object('what', 'look', 'strategy', 'dca', 'symbol', 'S1-USD', 'decided_at', 'then',"
            " 'name', 'reason'))"
        ),
        observed=r"2 differences, first look dca S1-USD then reason",
        mending="UPDATE tracker.parity_reports SET differences = 0",
    ),
    Drill(
        kind=ParityHolds,
        name="parity holds",
        before=REPORT,
        breaking="UPDATE tracker.parity_reports SET never_scanned = '{swing}'",
        observed="never scanned: swing",
        mending="UPDATE tracker.parity_reports SET never_scanned = '{}'",
    ),
    Drill(
        kind=ParityHolds,
        name="parity holds",
        before=REPORT,
        breaking="UPDATE tracker.parity_reports SET error = 'risk.toml: account is missing'",
        observed="the last check failed: risk.toml: account is missing",
        # One that is being worked on says nothing yet.
        mending="UPDATE tracker.parity_reports SET finished_at = NULL, error = NULL",
    ),
    Drill(
        kind=ParityHolds,
        name="parity holds",
        before=REPORT,
        breaking="UPDATE tracker.parity_reports SET finished_at = now() - interval '26.6 hours'",
        observed="the last report is 27 h old",
        mending="DELETE FROM tracker.parity_reports",
    ),
    Drill(
        kind=ParityHolds,
        name="parity holds",
        breaking=(
            "INSERT INTO tracker.maintenance_runs (task, started_at, by_hand)"
            " VALUES ('nightly_parity', now() - interval '27 hours', false)"
        ),
        observed="no report for 27 h",
        mending=REPORT,
    ),
    Drill(
        kind=StagesFollow,
        name="stage scan dca",
        breaking=(
            "DELETE FROM tracker.scan_watermarks;"
            " UPDATE tracker.feature_watermarks SET updated_at = now() - interval '5 minutes'"
        ),
        observed=r"30\d s behind",
        mending=(
            "INSERT INTO tracker.scan_watermarks SELECT 'dca', timeframe, closed_through, now()"
            " FROM tracker.feature_watermarks WHERE timeframe = '15m'"
        ),
    ),
)
