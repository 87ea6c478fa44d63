"""The fleet around a made-up market: signs of life, findings, gaps, history fetched, maintenance, commands, jobs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import orjson

from tracker.testing.filled_decisions import CANDIDATE, CONFIG_HASH, STRATEGIES
from tracker.testing.filled_market import Copier, Market

MEGABYTE = 1_048_576
# Service, megabytes, status, role of one that acts alone.
FLEET: Sequence[tuple[str, int, str, str | None]] = (
    ("market_simulator", 62, "pass", None), ("data_collector", 71, "pass", "holder"),
    ("feature_calculator", 118, "pass", None), ("strategy_scanner_dca", 84, "pass", None),
    ("strategy_scanner_swing", 86, "pass", None), ("strategy_scanner_channel", 85, "warn", None),
    ("paper_trader", 88, "pass", None), ("shadow_tester", 54, "pass", "active"), ("ml_retrainer", 58, "pass", "active"),
    ("data_scheduler", 57, "pass", "active"), ("health_monitor", 66, "pass", None),
    ("slack_reporter", 63, "pass", "active"), ("dashboard", 92, "pass", None),
)  # fmt: skip
FINDINGS = (
    ("bars_fresh", "data pipeline", "critical", "14 s", "at most 150 s", True),
    ("gaps_heal", "data pipeline", "warning", "1 open longer than an hour", "0", False),
    ("strategies_scan", "strategies", "critical", "all three at the newest close", "all", True),
    ("funnel_not_silent", "strategies", "warning", "8 signals in 24 h", "at least 1", True),
    ("model_age", "ml", "warning", "20 days", "at most 30 days", True),
    ("ledger_balances", "risk", "critical", "0", "0", True),
    ("restarts", "error recovery", "warning", "1 in an hour", "at most 3", True),
    ("clock_skew", "edge cases", "warning", "0.02 s", "at most 2 s", True),
    ("pool_budget", "load", "critical", "31 of 60 connections", "at most 50", True),
)


async def write_operations(copier: Copier, market: Market, now: datetime) -> None:
    """Write what the services tell of themselves; heartbeats and findings are as of `now`, by the wall clock."""
    await _write_fleet(copier, market, now)
    await _write_data(copier, market, now)
    await _write_people(copier, market, now)
    await _write_nights(copier, market, now)
    await _write_messages(copier, now)


async def _write_fleet(copier: Copier, market: Market, now: datetime) -> None:
    beats: list[tuple[object, ...]] = []
    for place, (service, size, status, role) in enumerate(FLEET):
        detail: dict[str, Any] = {} if role is None else {"role": role}
        if service == "data_collector":
            detail |= {"source": "polygon", "market": "simulated", "symbols": len(market.names), "connections": 1}
        if status == "warn":
            detail["trouble"] = "configs/strategies/channel.toml cannot be read; version 3 stays in force"
        beats.append((
            service, f"i{place:011d}", 4_000 + place, now - timedelta(hours=30, minutes=place),
            now - timedelta(seconds=3), status, size * MEGABYTE, 1 if service == "paper_trader" else 0, _json(detail),
        ))  # fmt: skip
    await copier.put(
        "service_heartbeats",
        ("service", "instance", "pid", "started_at", "beat_at", "status", "rss_bytes", "restarts", "detail"),
        beats,
    )  # fmt: skip
    await copier.put(
        "service_leases", ("lease", "service", "holder", "acquired_at", "expires_at"),
        [(service, service, f"host:{4_000 + place}", now - timedelta(hours=30), now + timedelta(minutes=30))
         for place, (service, _, _, role) in enumerate(FLEET) if role is not None],
    )  # fmt: skip
    await copier.put(
        "health_checks",
        ("checked_at", "name", "check_group", "severity", "observed", "threshold", "ok", "since", "advice"),
        [(now - timedelta(minutes=minutes), name, group, severity, observed, limit, ok or minutes > 60,
          now - timedelta(hours=1 if not ok else 30), "look at the service's log")
         for minutes in (90, 60, 30, 0) for name, group, severity, observed, limit, ok in FINDINGS],
    )  # fmt: skip
    await copier.put(
        "health_findings",
        ("name", "check_group", "severity", "place", "ok", "observed", "threshold", "since", "checked_at", "kept_at",
         "advice"),
        [(name, group, severity, place, ok, observed, limit, now - timedelta(hours=1 if not ok else 30), now, now,
          "look at the service's log")
         for place, (name, group, severity, observed, limit, ok) in enumerate(FINDINGS)],
    )  # fmt: skip
    await copier.put(
        "monitor_looks", ("looked_at", "every_seconds", "seconds", "findings", "critical", "warnings"),
        [(now, 10.0, 0.4, len(FINDINGS), 0, 1)],
    )  # fmt: skip


async def _write_data(copier: Copier, market: Market, now: datetime) -> None:
    hole = market.at(market.minutes - 400)
    quiet = market.at(90)
    await copier.put(
        "data_gaps",
        ("starts_at", "ends_at", "detected_at", "last_attempt_at", "resolved_at", "attempts", "healed_bars",
         "symbol_id", "timeframe", "state", "cause", "last_error"),
        [(hole, hole + timedelta(minutes=60), hole, now, None, 7, 0, 2, "1m", "open", "disconnected",
          "the vendor answered 503"),
         (quiet, quiet + timedelta(minutes=2), quiet, quiet, quiet + timedelta(minutes=5), 1, 0, 3, "1m",
          "confirmed_empty", "not_sent", None),
         (quiet, quiet + timedelta(minutes=9), quiet, quiet, quiet + timedelta(minutes=5), 2, 9, 1, "1m", "healed",
          "outage", None)],
    )  # fmt: skip
    chunks: list[tuple[object, ...]] = []
    for symbol in range(len(market.names)):
        for week in range(8):
            starts = market.start - timedelta(days=7 * (week + 1))
            status = "done" if week < 5 else "failed" if (symbol, week) == (1, 5) else "planned"
            chunks.append((symbol + 1, "1m", starts, starts + timedelta(days=7), status,
                           10_080 if status == "done" else 0, "the vendor answered 503" if status == "failed" else None,
                           None if status == "planned" else now - timedelta(minutes=week + 1)))  # fmt: skip
    await copier.put(
        "backfill_chunks",
        ("symbol_id", "timeframe", "starts_at", "ends_at", "status", "bars", "reason", "finished_at"), chunks,
    )  # fmt: skip
    await copier.put(
        "rejected_bars", ("received_at", "source", "symbol", "timeframe", "ts", "reason", "frame"),
        [(now - timedelta(minutes=7 * each), "polygon", market.names[each % 3], "1m", now - timedelta(minutes=7 * each),
          "high is below low", '{"ev":"XA","pair":"made-up"}') for each in range(5)],
    )  # fmt: skip
    await copier.put(
        "bar_revisions", ("ts", "open", "high", "low", "close", "volume", "timeframe", "symbol_id", "revision"),
        [(market.at(30), 1.0, 2.0, 1.0, 1.5, 10.0, "1m", 1, 0)],
    )  # fmt: skip


async def _write_people(copier: Copier, market: Market, now: datetime) -> None:
    asked = now - timedelta(hours=3)
    await copier.put(
        "commands", ("command_id", "requested_at", "requested_by", "account", "kind", "reason"),
        [(1, asked, "owner", "paper", "halt", "news at three"), (2, asked + timedelta(minutes=20), "owner", "paper",
         "resume", "it is over"), (3, now, "owner", "aggressive", "flatten", "enough for today")],
    )  # fmt: skip
    await copier.put(
        "account_events", ("account", "ts", "command_id", "kind", "outcome", "note"),
        [("paper", asked + timedelta(minutes=1), 1, "halt", "done", "nothing is bought"),
         ("paper", asked + timedelta(minutes=21), 2, "resume", "refused", "the account is not halted any more")],
    )  # fmt: skip
    await copier.put(
        "audit_log", ("at", "who", "address", "action", "subject", "reason", "outcome", "note", "command_id"),
        [(now - timedelta(hours=4), "owner", "127.0.0.1", "sign in", "", "", "done", "", None),
         (now - timedelta(hours=3, minutes=50), "nobody", "203.0.113.7", "sign in", "", "", "refused",
          "the password is wrong", None),
         (asked, "owner", "127.0.0.1", "halt", "paper", "news at three", "asked", "", 1),
         (now, "owner", "127.0.0.1", "flatten", "aggressive", "enough for today", "asked", "", 3)],
    )  # fmt: skip
    await copier.put(
        "config_versions",
        ("strategy", "version", "timeframe", "params", "config_hash", "file_hash", "source", "reason", "made_at",
         "made_by"),
        [(name, version, "15m", "{}", f"{name}before" if version == 1 else CONFIG_HASH[name], "file", source,
          "first seen" if version == 1 else "better in the shadow for thirty days",
          market.start + timedelta(days=version - 2), "owner")
         for name in STRATEGIES for version, source in ((1, "file"), (2, "promotion"))],
    )  # fmt: skip
    await copier.put(
        "promotion_verdicts",
        ("judged_at", "judged_by", "subject_kind", "subject_id", "strategy", "criteria", "passed", "forced", "reason",
         "version"),
        [(market.start, "owner", "shadow_variation", "abc", "swing",
          '[{"name": "trades", "number": 140.0, "comparison": "at least", "limit": 100.0, "ok": true}]', True, False,
          "better in the shadow for thirty days", 2)],
    )  # fmt: skip


async def _write_nights(copier: Copier, market: Market, now: datetime) -> None:
    night = market.end.replace(hour=0, minute=0)
    await copier.put(
        "maintenance_runs",
        ("task", "started_at", "finished_at", "seconds", "ok", "result", "error", "by_hand"),
        [(task, now - timedelta(minutes=place), now - timedelta(minutes=place, seconds=-2), 2.0, error is None, "{}",
          error, False)
         for place, (task, error) in enumerate((
             ("make_partitions", None), ("refresh_aggregates", None), ("cluster_months", None),
             ("archive_months", None), ("forget", "canceling statement due to lock timeout"), ("parity", None),
         ))],
    )  # fmt: skip
    await copier.put(
        "parity_reports",
        ("first_at", "end_at", "started_at", "finished_at", "looks", "signals", "orders", "fills", "trades",
         "differences", "first_differences"),
        [(night - timedelta(days=day), night - timedelta(days=day - 1),
          night + timedelta(hours=2) - timedelta(days=day),
          night + timedelta(hours=2, minutes=1) - timedelta(days=day), 3_456, 21, 40, 38, 19, int(day == 2),
          '[{"what": "look", "strategy": "swing", "symbol": "ETH-USD", "name": "strength"}]' if day == 2 else "[]")
         for day in (1, 2, 3)],
    )  # fmt: skip
    await copier.put(
        "job_runs",
        ("job_id", "kind", "strategy", "reason", "attempt", "started_at", "ended_at", "outcome", "error", "result",
         "peak_bytes"),
        [(place + 1, kind, "swing", "due", 1, now - timedelta(hours=5 - place),
          now - timedelta(hours=5 - place, minutes=-1), outcome, error,
          _json({"model_id": CANDIDATE["swing"]} if kind == "train" else {}), 310 * MEGABYTE)
         for place, (kind, outcome, error) in enumerate((
             ("build_labels", "done", None), ("train", "done", None), ("watch", "retried", "the lease was lost"),
         ))],
    )  # fmt: skip
    await copier.put(
        "job_requests", ("request_id", "requested_at", "requested_by", "kind", "strategy", "reason"),
        [(1, now - timedelta(hours=6), "owner", "train", "swing", "after the promotion")],
    )  # fmt: skip
    await copier.put(
        "job_answers", ("request_id", "answered_at", "outcome", "note"),
        [(1, now - timedelta(hours=6), "queued", "training of swing waits")],
    )  # fmt: skip


async def _write_messages(copier: Copier, now: datetime) -> None:
    begin = now - timedelta(hours=1)
    await copier.put(
        "reports", ("report_id", "kind", "due_at", "made_at", "covers_from", "zone", "document"),
        [(1, "morning", now - timedelta(hours=5), now - timedelta(hours=5), now - timedelta(hours=21), "UTC", "{}")],
    )  # fmt: skip
    await copier.put(
        "slack_outbox",
        ("outbox_id", "kind", "action", "dedupe_key", "payload", "report_id", "created_at", "not_before", "attempts",
         "state", "channel", "ts", "delivered_at", "delivered_by"),
        [(1, "report", "post", "report 1", '{"text": "Morning report"}', 1, now - timedelta(hours=5),
          now - timedelta(hours=5), 1, "delivered", "C1", "1.1", now - timedelta(hours=5, seconds=-2), "bot"),
         (2, "alert", "post", "gaps_heal 1", '{"text": "gaps_heal: 1 open longer than an hour"}', None, begin, begin, 1,
          "delivered", "C1", "1.2", begin + timedelta(seconds=1), "bot"),
         (3, "digest", "post", "digest 1", '{"text": "All quiet"}', None, now, now, 0, "pending", None, None, None,
          None)],
    )  # fmt: skip
    await copier.put(
        "alerts",
        ("fingerprint", "name", "alert_group", "severity", "state", "observed", "threshold", "advice", "bad_since",
         "first_at", "last_at", "episodes", "repeats", "told_at", "root_id", "thread_channel", "thread_ts"),
        [(name, name, group, severity, "open", observed, limit, "look at the service's log", begin, begin, now, 1, 2,
          begin, 2, "C1", "1.2")
         for name, group, severity, observed, limit, ok in FINDINGS if not ok],
    )  # fmt: skip


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()
