"""How each invariant of the group "strategies" is broken and mended."""

from __future__ import annotations

from ward import Drill

from services.health_monitor.invariants.strategies.features import FeaturesComputed, FeaturesWarm
from services.health_monitor.invariants.strategies.funnel import SignalsAnswered, SignalsCome, TradesCome
from services.health_monitor.invariants.strategies.looks import (
    ClosesLookedAt,
    ConfigsKnown,
    ReasonsSound,
    ScannersAwaited,
    SymbolsLookedAt,
)
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
    Drill(
        kind=FeaturesComputed,
        name="features computed 15m",
        breaking="DELETE FROM tracker.ml_features WHERE symbol_id <= 3 AND timeframe = '15m'",
        observed="7 of 10 symbols, not S1-USD, S2-USD, S3-USD",
        mending=(
            "INSERT INTO tracker.ml_features (ts, timeframe, symbol_id, feature_set, values)"
            " SELECT closed_through - interval '15 minutes', timeframe, symbol_id, 1, '{1,2}'"
            " FROM tracker.feature_watermarks, tracker.symbols WHERE timeframe = '15m' AND symbol_id <= 3"
        ),
    ),
    Drill(
        # There are rows, and nothing is in them.
        kind=FeaturesWarm,
        name="features warm 1h",
        breaking="UPDATE tracker.ml_features SET values = '{1,NaN}' WHERE symbol_id <= 2 AND timeframe = '1h'",
        observed="2 of 10 symbols lack history: S1-USD, S2-USD",
        mending="UPDATE tracker.ml_features SET values = '{1,2}' WHERE symbol_id = 2",
    ),
    Drill(
        kind=SymbolsLookedAt,
        name="symbols looked at dca",
        breaking=(
            "DELETE FROM tracker.scan_history h USING tracker.scan_watermarks w"
            " WHERE h.decided_at = w.closed_through AND h.symbol_id > 1"
        ),
        observed=r"1 of 10 at \d\d:\d\d UTC",
        mending=(
            "INSERT INTO tracker.scan_history (decided_at, strategy, timeframe, symbol_id, decision, reason,"
            " market_regime, signal_strength, config_hash) SELECT closed_through, 'dca', '15m', symbol_id, 'SKIP',"
            " 'no_setup', 'range', 0, 'c1' FROM tracker.scan_watermarks, tracker.symbols WHERE symbol_id > 1"
        ),
    ),
    Drill(
        kind=ClosesLookedAt,
        name="closes looked at dca",
        breaking=(
            "DELETE FROM tracker.scan_history h USING tracker.scan_watermarks w"
            " WHERE h.decided_at = w.closed_through - interval '45 minutes'"
        ),
        observed="7 of 8 closes in 6 h",
        mending=(
            "INSERT INTO tracker.scan_history (decided_at, strategy, timeframe, symbol_id, decision, reason,"
            " market_regime, signal_strength, config_hash) SELECT closed_through - interval '45 minutes', 'dca', '15m',"
            " symbol_id, 'SKIP', 'no_setup', 'range', 0, 'c1' FROM tracker.scan_watermarks, tracker.symbols"
        ),
    ),
    Drill(
        kind=ClosesLookedAt,
        name="closes looked at dca",
        before="CREATE TABLE tracker.aside AS SELECT * FROM tracker.scan_history",
        breaking="DELETE FROM tracker.scan_history",
        observed="no look in 6 h",
        mending="INSERT INTO tracker.scan_history OVERRIDING SYSTEM VALUE SELECT * FROM tracker.aside",
    ),
    Drill(
        kind=ReasonsSound,
        name="looks with data dca",
        breaking="UPDATE tracker.scan_history SET reason = 'warming_up' WHERE symbol_id <= 3",
        observed="24 of 80 looks were warming_up or no_bar",
        mending="UPDATE tracker.scan_history SET reason = 'no_setup' WHERE symbol_id <= 1",
    ),
    Drill(
        kind=SignalsCome,
        name="signals come",
        breaking="UPDATE tracker.signals SET decided_at = decided_at - interval '30 hours'",
        observed=r"the last 31\.0 h ago; skipped for no_setup \(80\)",
        mending="UPDATE tracker.signals SET decided_at = decided_at + interval '30 hours'",
    ),
    Drill(
        kind=SignalsCome,
        name="signals come",
        before="DELETE FROM tracker.orders; DELETE FROM tracker.signals",
        breaking="UPDATE tracker.bar_watermarks SET opened_at = opened_at - interval '12 hours'",
        observed=r"none in 3[12]\.\d h; skipped for no_setup \(80\)",
        mending="UPDATE tracker.bar_watermarks SET opened_at = opened_at + interval '12 hours'",
    ),
    Drill(
        kind=TradesCome,
        name="trades come",
        breaking="UPDATE tracker.bar_watermarks SET opened_at = opened_at - interval '30 hours'",
        observed=r"none in \d\d\.\d h; signals refused for no_cash \(1\)",
        mending=(
            "INSERT INTO tracker.fills (order_id, bar_ts, filled_at, side, quantity, price, reference_price, fee,"
            " liquidity, cost, realised_pnl) SELECT order_id, decided_at, decided_at, 'buy', 1, 1, 1, 0, 'taker', 1, 0"
            " FROM tracker.orders"
        ),
    ),
    Drill(
        kind=SignalsAnswered,
        name="signals answered",
        before="CREATE TABLE tracker.aside AS SELECT * FROM tracker.orders",
        breaking="DELETE FROM tracker.orders",
        observed=r"1 without an answer, first dca S1-USD at 20\d\d-\d\d-\d\d \d\d:\d\d by main",
        mending="INSERT INTO tracker.orders OVERRIDING SYSTEM VALUE SELECT * FROM tracker.aside",
    ),
    Drill(
        # An account that trades other strategies owes this one no answer.
        kind=SignalsAnswered,
        name="signals answered",
        breaking=(
            "DELETE FROM tracker.orders;"
            """ UPDATE tracker.accounts SET rules = '{"paper": {"account": {"strategies": ["swing", "dca"]}}}'"""
        ),
        observed=r"1 without an answer, .*",
        mending="""UPDATE tracker.accounts SET rules = '{"paper": {"account": {"strategies": ["swing"]}}}'""",
    ),
    Drill(
        kind=ScannersAwaited,
        name="scanners awaited",
        before=(
            "INSERT INTO tracker.service_heartbeats (service, instance, pid, started_at, beat_at, status, rss_bytes)"
            " VALUES ('paper_trader', 'i', 1, now() - interval '2 hours', now(), 'pass', 1)"
        ),
        breaking=(
            "UPDATE tracker.service_heartbeats SET detail = '{\"scanners_given_up\": [\"swing\"]}'"
            " WHERE service = 'paper_trader'"
        ),
        observed="given up: swing",
        mending=(
            "UPDATE tracker.service_heartbeats SET detail = '{\"scanners_given_up\": []}'"
            " WHERE service = 'paper_trader'"
        ),
    ),
    Drill(
        kind=ConfigsKnown,
        name="configuration dca",
        breaking="UPDATE tracker.scan_history SET config_hash = 'edited'",
        observed="edited stands in no version",
        mending=(
            "INSERT INTO tracker.config_versions (strategy, version, timeframe, params, config_hash, file_hash, source,"
            " reason, made_by) VALUES ('dca', 2, '15m', '{}', 'edited', 'f2', 'file', 'noted', 'test')"
        ),
    ),
    Drill(
        kind=ConfigsKnown,
        name="configuration dca",
        before="UPDATE tracker.service_heartbeats SET detail = '{\"config\": \"c1\"}' WHERE service ~ 'dca'",
        breaking=(
            "INSERT INTO tracker.service_heartbeats (service, instance, pid, started_at, beat_at, status, rss_bytes,"
            " detail) VALUES ('strategy_scanner_dca', 'j', 2, now(), now(), 'pass', 1, '{\"config\": \"c2\"}')"
        ),
        observed="c1 is known; scanners run with c1, c2",
        mending="UPDATE tracker.service_heartbeats SET status = 'stopped' WHERE instance = 'j'",
    ),
)
