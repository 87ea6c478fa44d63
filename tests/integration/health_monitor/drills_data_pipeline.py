"""How each invariant of the group "data pipeline" is broken and mended."""

from __future__ import annotations

from datetime import timedelta

from tracker.domain.clock import SystemClock
from tracker.domain.timeframe import Timeframe
from tracker.runtime.maintenance_rules import TaskName, load_maintenance_rules
from tracker.runtime.settings import load_settings
from tracker.store.archive import make_months
from tracker.store.bars import roll_up
from ward import Drill, Ward

from services.data_scheduler.jobs import run_by_hand
from services.data_scheduler.settings import SchedulerSettings
from services.health_monitor.invariants.data_pipeline.bars import BarsFresh, SymbolsLive
from services.health_monitor.invariants.data_pipeline.collector import (
    BackfillSucceeds,
    BarsAccepted,
    BufferBounded,
    FeedConnected,
    FeedSteady,
)
from services.health_monitor.invariants.data_pipeline.gaps import GapsHeal, MinutesExplained
from services.health_monitor.invariants.data_pipeline.months import AggregatesYoung, MonthsAhead, MonthsInOrder
from services.health_monitor.invariants.data_pipeline.stored import BarsPlausible, LatestAgrees, RollUpsAgree
from services.health_monitor.invariants.data_pipeline.symbols import RollUpsFollow, SymbolsSpeak

HOUR = "date_trunc('hour', now()) - interval '1 hour'"


def moved(timeframe: str, by: str) -> str:
    """Return what moves the watermark of a timeframe."""
    return (
        f"UPDATE tracker.bar_watermarks SET closed_through = closed_through + interval '{by}'"
        f" WHERE timeframe = '{timeframe}'"
    )


def said(**changes: object) -> str:
    """Return what has the collector say something else of itself."""
    parts = ", ".join(f"'{name}', {value!r}" for name, value in changes.items())
    return (
        f"UPDATE tracker.service_heartbeats SET detail = detail || jsonb_build_object({parts})"
        " WHERE service = 'data_collector'"
    )


async def roll_the_hour(ward: Ward) -> None:
    """Roll the last closed hour up again, as the collector does for a bar that came late."""
    hour = await ward.value(f"SELECT {HOUR}")
    async with (await ward.open_as("data_collector")).transaction() as transaction:
        await roll_up(transaction, Timeframe.H1, hour, hour + timedelta(hours=1))
        await transaction.commit()


async def drop_months_ahead(ward: Ward) -> None:
    """Drop the tables of the months to come."""
    names = await ward.value(
        "SELECT string_agg(c.oid::regclass::text, ', ') FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid"
        " WHERE i.inhparent = 'tracker.ohlc_data'::regclass"
        " AND c.relname > 'ohlc_data_' || to_char(now() AT TIME ZONE 'UTC', 'YYYY_MM')"
    )
    await ward.execute(f"DROP TABLE {names}")


async def make_months_ahead(ward: Ward) -> None:
    """Make them again, as the scheduler does."""
    now = await ward.value("SELECT now()")
    async with (await ward.open_as("data_scheduler")).transaction() as transaction:
        await make_months(transaction, now, now + timedelta(days=93), timedelta(seconds=2))
        await transaction.commit()


def maintained(task: TaskName):
    """Return what has the scheduler do a task."""

    async def run(ward: Ward) -> None:
        settings = load_settings(SchedulerSettings)
        rules = load_maintenance_rules(settings.config_dir)
        done = await run_by_hand(
            await ward.open_as("data_scheduler"), rules, settings, SystemClock(), task, lambda words: None
        )
        assert done.error is None, done.error

    return run


DRILLS: tuple[Drill, ...] = (
    Drill(
        kind=BarsFresh,
        name="bars fresh",
        breaking=moved("1m", "-10 minutes"),
        observed=r"6\d\d s",
        mending=moved("1m", "10 minutes"),
    ),
    Drill(
        kind=SymbolsLive,
        name="symbols live",
        breaking="UPDATE tracker.latest_bar SET ts = ts - interval '16 minutes' WHERE symbol_id <= 2",
        observed=r"8 of 10 active \(0 unsupported\)",
        mending="UPDATE tracker.symbols SET status = 'unsupported' WHERE symbol_id <= 2",
    ),
    Drill(
        # 9 of 10 are as live as is asked for: only its own silence tells of the tenth.
        kind=SymbolsSpeak,
        name="symbol silence",
        breaking=(
            "UPDATE tracker.latest_bar SET ts = ts - interval '2 hours' WHERE symbol_id = 3 AND timeframe = '1m'"
        ),
        observed=r"1 symbols, for up to 7200 s: S3-USD",
        mending="UPDATE tracker.latest_bar SET ts = ts + interval '2 hours' WHERE symbol_id = 3 AND timeframe = '1m'",
    ),
    Drill(
        kind=SymbolsSpeak,
        name="symbol silence",
        breaking="INSERT INTO tracker.symbols (symbol) VALUES ('NEVER-USD')",
        observed=r"1 symbols, for up to 7\d{4} s: NEVER-USD",
        mending="UPDATE tracker.symbols SET status = 'unsupported' WHERE symbol = 'NEVER-USD'",
    ),
    Drill(
        kind=RollUpsFollow,
        name="roll-up 15m",
        breaking=moved("15m", "-15 minutes"),
        observed="900 s behind",
        mending=moved("15m", "15 minutes"),
    ),
    Drill(
        kind=RollUpsFollow,
        name="roll-up 1d",
        breaking="DELETE FROM tracker.bar_watermarks WHERE timeframe = '1d'",
        observed="(172800|259200) s behind",
        before=(
            "UPDATE tracker.bar_watermarks SET opened_at = opened_at - interval '3 days' WHERE timeframe = '1m'"
        ),
        mending=(
            "INSERT INTO tracker.bar_watermarks SELECT '1d', opened_at, date_trunc('day', now(), 'UTC'), now()"
            " FROM tracker.bar_watermarks WHERE timeframe = '1m'"
        ),
    ),
    Drill(
        kind=FeedConnected,
        name="feed connected",
        breaking=said(stream_failures=4, trouble="connection refused"),
        observed="4 failures in a row: connection refused",
        mending=said(stream_failures=0, trouble=""),
    ),
    Drill(
        kind=FeedConnected,
        name="feed connected",
        breaking=said(role="standby"),
        observed="no collector that lives has the connection",
        mending=said(role="holder"),
    ),
    Drill(
        kind=FeedSteady,
        name="feed steady",
        breaking=said(connections=20),
        observed=r"19 times anew in 2\.0 h",
        mending="UPDATE tracker.service_heartbeats SET started_at = now() - interval '4 hours'",
    ),
    Drill(
        kind=BufferBounded,
        name="buffer",
        breaking=said(waiting=20_001),
        observed="20001 bars wait",
        mending=said(waiting=12),
    ),
    Drill(
        kind=BufferBounded,
        name="buffer",
        breaking=(
            "INSERT INTO tracker.data_gaps (symbol_id, timeframe, starts_at, ends_at, cause)"
            " SELECT symbol_id, '1m', now() - interval '1 minute', now(), 'overflow' FROM tracker.symbols"
        ),
        observed="0 bars wait, bars of 10 symbols were dropped within the hour",
        mending="UPDATE tracker.data_gaps SET detected_at = now() - interval '61 minutes'",
    ),
    Drill(
        kind=BarsAccepted,
        name="rejected bars",
        before=(
            "INSERT INTO tracker.rejected_bars (source, reason, frame, received_at)"
            " SELECT 'stream', 'high is below low', '{}', now() - interval '2 hours' FROM generate_series(1, 500)"
        ),
        breaking=(
            "INSERT INTO tracker.rejected_bars (source, reason, frame)"
            " SELECT 'stream', 'close is NaN', '{}' FROM generate_series(1, 61)"
        ),
        observed="61 within the hour, most: close is NaN",
        mending="UPDATE tracker.rejected_bars SET received_at = now() - interval '61 minutes'",
    ),
    Drill(
        kind=BackfillSucceeds,
        name="backfill",
        breaking=(
            "INSERT INTO tracker.backfill_chunks (symbol_id, timeframe, starts_at, ends_at, status, reason,"
            " finished_at) VALUES (1, '1h', '2024-01-01Z', '2024-02-01Z', 'failed', 'HTTP 500', now())"
        ),
        observed="1 spans failed, the last: HTTP 500",
        mending="UPDATE tracker.backfill_chunks SET status = 'done'",
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
        # Bars that were stored are removed by hand.
        kind=MinutesExplained,
        name="minutes explained",
        before=(
            "INSERT INTO tracker.expected_spans SELECT closed_through - interval '1 hour', NULL, symbol_id, '1m'"
            " FROM tracker.bar_watermarks, tracker.symbols WHERE timeframe = '1m'"
        ),
        breaking=(
            "DELETE FROM tracker.ohlc_data WHERE symbol_id = 1 AND timeframe = '1m'"
            f" AND ts >= date_trunc('minute', now()) - interval '10 minutes' AND ts >= {HOUR}"
        ),
        observed=r"10 unexplained bars of 1 symbols: S1-USD",
        mending=(
            "INSERT INTO tracker.data_gaps (symbol_id, timeframe, starts_at, ends_at, cause)"
            " SELECT 1, '1m', closed_through - interval '11 minutes', closed_through, 'outage'"
            " FROM tracker.bar_watermarks WHERE timeframe = '1m'"
        ),
    ),
    Drill(
        kind=LatestAgrees,
        name="latest bars agree",
        breaking=(
            "DELETE FROM tracker.ohlc_data o USING tracker.latest_bar l WHERE (o.symbol_id, o.timeframe, o.ts) ="
            f" (l.symbol_id, l.timeframe, l.ts) AND o.symbol_id = 2 AND o.timeframe = '1m' AND o.ts >= {HOUR};"
            " UPDATE tracker.latest_bar SET close = 100.5 WHERE symbol_id = 4 AND timeframe = '1h'"
        ),
        observed="2 latest bars differ: S2-USD 1m, S4-USD 1h",
        mending=(
            "INSERT INTO tracker.ohlc_data (ts, open, high, low, close, volume, timeframe, source, symbol_id)"
            " SELECT ts, open, high, low, close, volume, timeframe, 'rest', symbol_id FROM tracker.latest_bar"
            " WHERE symbol_id = 2 AND timeframe = '1m';"
            " UPDATE tracker.latest_bar SET close = 100.04 WHERE symbol_id = 4 AND timeframe = '1h'"
        ),
    ),
    Drill(
        # A minute is changed behind the back of its hour.
        kind=RollUpsAgree,
        name="roll-ups agree",
        breaking=(
            "UPDATE tracker.ohlc_data SET high = 102, volume = 6 WHERE symbol_id = 5 AND timeframe = '1m'"
            f" AND ts = {HOUR} + interval '7 minutes'"
        ),
        observed=r"1 hours of .* differ: S5-USD",
        mending=roll_the_hour,
    ),
    Drill(
        kind=RollUpsAgree,
        name="roll-ups agree",
        breaking=f"DELETE FROM tracker.ohlc_data WHERE timeframe = '1h' AND symbol_id <= 6 AND ts = {HOUR}",
        observed=r"6 hours of .* differ: S1-USD, S2-USD, S3-USD, S4-USD, S5-USD",
        mending=roll_the_hour,
    ),
    Drill(
        kind=BarsPlausible,
        name="bars plausible",
        breaking=(
            "UPDATE tracker.ohlc_data SET close = 130, high = 140 WHERE symbol_id = 6 AND timeframe = '1m'"
            " AND ts = date_trunc('minute', now()) - interval '30 minutes'"
        ),
        observed="1 symbols jumped: S6-USD by 41%",
        mending=(
            "UPDATE tracker.ohlc_data SET close = 100, high = 101 WHERE symbol_id = 6 AND timeframe = '1m'"
            " AND ts = date_trunc('minute', now()) - interval '30 minutes'"
        ),
    ),
    Drill(
        kind=MonthsAhead,
        name="partitions ahead",
        breaking=drop_months_ahead,
        observed="0 months",
        mending=make_months_ahead,
    ),
    Drill(
        kind=MonthsInOrder,
        name="closed months in order",
        before=(
            "INSERT INTO tracker.maintenance_runs (task, started_at, by_hand, finished_at, seconds, ok, result)"
            " VALUES ('cluster_closed_months', now() - interval '31 hours', false, now(), 1, true, '{}')"
        ),
        breaking=(
            "SELECT tracker.ensure_bar_partitions(now() - interval '90 days', now() - interval '90 days');"
            " INSERT INTO tracker.ohlc_data (ts, open, high, low, close, volume, timeframe, source, symbol_id)"
            " SELECT now() - interval '90 days', 1, 1, 1, 1, 1, '1d', 'rest', symbol_id FROM tracker.symbols"
        ),
        observed=r"1 months wait: \d{4}-\d\d",
        mending=maintained(TaskName.CLUSTER_CLOSED_MONTHS),
    ),
    Drill(
        kind=AggregatesYoung,
        name="aggregates young",
        breaking=(
            "UPDATE tracker.maintenance_runs SET started_at = now() - interval '2 hours';"
            " INSERT INTO tracker.maintenance_runs (task, started_at, by_hand, finished_at, seconds, ok, error)"
            " VALUES ('refresh_aggregates', now(), false, now(), 1, false, 'no room')"
        ),
        observed=r"72\d\d s; the last try failed: no room",
        mending=maintained(TaskName.REFRESH_AGGREGATES),
    ),
)
