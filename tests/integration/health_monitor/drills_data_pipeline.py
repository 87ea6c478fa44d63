"""How each invariant of the group "data pipeline" is broken and mended."""

from __future__ import annotations

from ward import Drill

from services.health_monitor.invariants.data_pipeline.bars import BarsFresh, SymbolsLive
from services.health_monitor.invariants.data_pipeline.gaps import GapsHeal, MinutesExplained

DRILLS: tuple[Drill, ...] = (
    Drill(
        kind=BarsFresh,
        name="bars fresh",
        breaking=(
            "UPDATE tracker.bar_watermarks SET closed_through = closed_through - interval '10 minutes'"
            " WHERE timeframe = '1m'"
        ),
        observed=r"6\d\d s",
        mending=(
            "UPDATE tracker.bar_watermarks SET closed_through = closed_through + interval '10 minutes'"
            " WHERE timeframe = '1m'"
        ),
    ),
    Drill(
        kind=SymbolsLive,
        name="symbols live",
        breaking="UPDATE tracker.latest_bar SET ts = ts - interval '16 minutes' WHERE symbol_id <= 2",
        observed=r"8 of 10 active \(0 unsupported\)",
        mending="UPDATE tracker.symbols SET status = 'unsupported' WHERE symbol_id <= 2",
    ),
    Drill(
        kind=GapsHeal,
        name="gaps heal",
        breaking=(
            "INSERT INTO tracker.data_gaps (symbol_id, timeframe, starts_at, ends_at, cause, detected_at)"
            " SELECT symbol_id, '1m', '2024-01-01Z', '2024-01-02Z', cause, now() - interval '2 hours'"
            " FROM tracker.symbols JOIN (VALUES (1, 'not_sent'), (2, 'history')) AS c(symbol_id, cause)"
            " USING (symbol_id)"
        ),
        observed=r"1 symbols, open for up to 72\d\d s",
        mending="UPDATE tracker.data_gaps SET state = 'healed', resolved_at = now() WHERE cause = 'not_sent'",
    ),
    Drill(
        kind=MinutesExplained,
        name="minutes explained",
        breaking=(
            "INSERT INTO tracker.expected_spans SELECT closed_through - interval '2 hours', NULL, 1, '1m'"
            " FROM tracker.bar_watermarks WHERE timeframe = '1m'"
        ),
        observed=r"60 unexplained bars of 1 symbols: S1-USD",
        mending=(
            "INSERT INTO tracker.data_gaps (symbol_id, timeframe, starts_at, ends_at, cause)"
            " SELECT 1, '1m', closed_through - interval '1 hour', closed_through, 'outage'"
            " FROM tracker.bar_watermarks WHERE timeframe = '1m'"
        ),
    ),
)
