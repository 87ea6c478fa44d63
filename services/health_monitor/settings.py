"""What the health monitor can be told."""

from __future__ import annotations

from pathlib import Path

from pydantic import AliasChoices, Field
from pydantic_settings import SettingsConfigDict
from tracker.runtime.settings import PROJECT_ROOT, ServiceSettings

EXPECTED = (
    "data_collector,feature_calculator,strategy_scanner_dca,strategy_scanner_swing,"
    "strategy_scanner_channel,paper_trader,shadow_tester,ml_retrainer,data_scheduler,dashboard,"
    "slack_reporter"
)


class MonitorSettings(ServiceSettings):
    """Environment of the health monitor: HEALTH_MONITOR_*."""

    model_config = SettingsConfigDict(
        extra="ignore", frozen=True, populate_by_name=True, env_prefix="HEALTH_MONITOR_"
    )

    source: str = Field(default="polygon", validation_alias=AliasChoices("TRACKER_SOURCE"))
    services: str = Field(default=EXPECTED, description="services whose heartbeat is expected, with commas")
    heartbeat_limit_seconds: float = Field(default=30, gt=0)
    bar_limit_seconds: float = Field(default=180, gt=0, description="age of the newest closed minute")
    stage_lag_limit_seconds: float = Field(
        default=120, gt=0, description="how long a stage may leave closed buckets unprocessed"
    )
    shadow_lag_limit_seconds: float = Field(
        default=600, gt=0, description="how long a close may wait to be tried in the shadow"
    )
    gap_limit_seconds: float = Field(
        default=3600, gt=0, description="how long a gap in the bars of live symbols may stay open"
    )
    silence_limit_seconds: float = Field(
        default=3600, gt=0, description="how long one active symbol may have no bar while others have"
    )
    months_ahead_limit: int = Field(default=1, ge=0, description="months after the current one that have a table")
    rejected_limit: int = Field(default=60, ge=0, le=999, description="bars refused within an hour")
    buffer_limit: int = Field(default=20_000, gt=0, description="bars received that wait to be stored")
    stream_failures_limit: int = Field(default=3, ge=0, description="failures in a row to keep up the connection")
    reconnects_limit: float = Field(default=6, gt=0, description="connections an hour to the vendor")
    failed_chunks_limit: int = Field(default=0, ge=0, description="spans of history that could not be had")
    jump_limit: float = Field(default=0.25, gt=0, description="share by which a price may move within a minute")
    aggregates_limit_seconds: float = Field(
        default=3600, gt=0, description="age of the materialized views behind reports and pages"
    )
    months_limit_days: float = Field(
        default=7, gt=0, description="days after the end of a month by which it is brought into the order of its key"
    )
    warm_limit: float = Field(
        default=0.1, ge=0, le=1, description="share of symbols that may lack the history a feature needs"
    )
    fault_limit: float = Field(
        default=0.2, ge=0, le=1, description="share of a strategy's looks that may find no bar or no feature"
    )
    signal_limit_hours: float = Field(default=30, gt=0, description="event time in which any strategy has a signal")
    trade_limit_hours: float = Field(default=48, gt=0, description="event time in which any account has a fill")
    restarts_limit: int = Field(default=3, ge=1, description="starts of one service within an hour")
    lease_limit_seconds: float = Field(
        default=60, ge=0, description="how long a lease that has ended may lie before somebody takes it"
    )
    maintenance_failures_limit: int = Field(default=3, ge=1, description="failures of a task in a row")
    maintenance_limit_hours: float = Field(default=26, gt=0, description="age of the last good run of each task")
    maintenance_run_limit_hours: float = Field(default=2, gt=0, description="how long a run of a task may take")
    command_limit_seconds: float = Field(
        default=300, gt=0, description="how long a command to an account may stay without an answer"
    )
    request_limit_seconds: float = Field(
        default=1800, gt=0, description="how long a request for work on models may stay without an answer"
    )
    queue_limit_hours: float = Field(default=6, gt=0, description="how long a job that is due may wait to be begun")
    outbox_limit_seconds: float = Field(default=900, gt=0, description="how long a message may wait to reach Slack")
    report_limit_hours: float = Field(default=17, gt=0, description="time up to which daily reports are made, ago")
    look_share_limit: float = Field(
        default=0.5, gt=0, le=1, description="share of the time between two looks that a look may take"
    )
    demotion_told_hours: float = Field(
        default=48, gt=0, description="how long it is told that a champion was demoted, unless a person promotes one"
    )
    training_limit_hours: float = Field(
        default=30, gt=0, description="age of the last training of each strategy's model that came to its end"
    )
    parity_limit_hours: float = Field(default=26, gt=0, description="age of the last report of nightly parity")
    model_age_limit_days: float = Field(
        default=30, gt=0, description="event time since the end of what a champion was trained and judged on"
    )
    live_share_limit: float = Field(default=0.9, gt=0, le=1, description="share of active symbols with recent bars")
    ledger_every_seconds: float = Field(
        default=60, gt=0, description="an account's books are checked this often at most"
    )
    every_seconds: float = Field(default=10, gt=0, description="rest between two looks")
    slow_every_seconds: float = Field(
        default=60, gt=0, description="facts that cost more, such as counts of the last hour, are read this often"
    )
    rare_every_seconds: float = Field(
        default=600, gt=0, description="facts that cost much, such as sizes and samples of bars, are read this often"
    )
    look_timeout_seconds: float = Field(
        default=5, gt=0, description="a query of facts that takes longer is given up, which is a finding"
    )
    look_limit_seconds: float = Field(
        default=60, gt=0, description="age of the last whole look, beyond which nothing of it is to be relied on"
    )
    keep_every_seconds: float = Field(default=300, gt=0, description="a finding that stays the same is kept this often")

    decision_window_hours: float = Field(
        default=6, gt=0, description="signals, orders and fills decided within so long are looked at, in event time"
    )
    model_settle_seconds: float = Field(
        default=120, gt=0, description="how long scanners may take to ask a new champion"
    )
    confidence_spread_limit: float = Field(
        default=0.005, ge=0, description="standard deviation of a champion's scores, at least"
    )
    confidence_scores: int = Field(default=30, ge=2, description="scores before their spread says anything")
    label_lag_limit_hours: float = Field(
        default=13, gt=0, description="how far labels may be behind the scans; they are built every 6 hours"
    )
    watch_limit_hours: float = Field(
        default=3, gt=0, description="age of the last look at a champion; one is taken every hour"
    )
    exposure_slack: float = Field(
        default=0.15, ge=0, description="share by which prices may carry a trade beyond a limit that let it in"
    )
    stop_bars: int = Field(default=3, ge=1, description="closes under its stop until a trade should have been left")
    order_grace_minutes: float = Field(
        default=5, ge=0, description="how long an order may rest after its time is over, in event time"
    )
    equity_limit_minutes: float = Field(
        default=30, gt=0, description="how far the equity curve may be behind the paper trader, in event time"
    )
    clock_skew_limit_seconds: float = Field(
        default=5, gt=0, description="how far a service's clock may be from the database's"
    )
    future_bar_limit_seconds: float = Field(
        default=60, ge=0, description="how much later than now a bar may close: clocks differ by seconds"
    )
    frozen_bars: int = Field(default=30, ge=2, description="bars on one price until a symbol's feed counts as frozen")
    frozen_share_limit: float = Field(
        default=0.25, ge=0, le=1, description="share of active symbols that may be frozen; some hardly trade"
    )
    correction_share_limit: float = Field(
        default=0.05, ge=0, description="corrected bars of an hour, as a share of the active symbols' minutes"
    )
    active_share_limit: float = Field(default=0.5, ge=0, le=1, description="share of known symbols that is active")
    status_window_minutes: float = Field(
        default=60, gt=0, le=60, description="changes of a symbol's status within so long are counted"
    )
    status_changes_limit: int = Field(default=4, ge=1, description="changes of a symbol's status in that time")
    server_connections_limit_share: float = Field(
        default=0.85, gt=0, le=1, description="of the connections that the server takes"
    )
    transaction_limit_seconds: float = Field(
        default=3900, gt=0, description="age of a transaction; tasks that keep order may take an hour"
    )
    idle_transaction_limit_seconds: float = Field(
        default=300, gt=0, description="how long a transaction may be open with nothing going on"
    )
    lock_wait_limit_seconds: float = Field(default=30, gt=0, description="how long anybody may wait for a lock")
    latest_bars_limit_ms: float = Field(default=50, gt=0, description="read of the newest bar of all symbols")
    day_of_bars_limit_ms: float = Field(default=150, gt=0, description="read of 24 hours of minutes of one symbol")
    scan_delay_limit_seconds: float = Field(
        default=60, gt=0, description="from when a close is complete to when it has been scanned"
    )
    answer_limit_seconds: float = Field(default=180, gt=0, description="from a signal to its order or refusal")
    notification_limit_share: float = Field(
        default=0.1, gt=0, le=1, description="of the room for notifications that nobody has taken yet"
    )
    disk_path: Path = Field(default=PROJECT_ROOT, description="a path on the disk whose room is watched")
    disk_free_limit_mb: float = Field(default=1024, ge=0, description="room on that disk, in millions of bytes")
    database_limit_mb: float = Field(
        default=100_000, gt=0, description="what the database may grow to, in millions of bytes: the size of its plan"
    )
    full_limit_days: float = Field(default=14, ge=0, description="how long it takes at least until that is reached")
    table_limit_mb: float = Field(
        default=20_000, gt=0, description="size of any table but those of bars, in millions of bytes"
    )
    kept_log_limit_mb: float = Field(
        default=2_000, gt=0, description="write-ahead log kept for a replication slot, in millions of bytes"
    )
    dead_rows_least: int = Field(default=50_000, ge=1, description="dead rows below which a table does not count")
    dead_rows_limit_ratio: float = Field(default=2, gt=0, description="dead rows for each live one")
    transaction_age_limit: int = Field(
        default=1_000_000_000, gt=0, description="transactions since the oldest row was frozen; the end is at 2^31"
    )
    memory_limit_ratio: float = Field(default=1.5, gt=0, description="of memory_mb in fleet.toml")
    cpu_limit_share: float = Field(default=0.95, gt=0, description="of a core, mean of the last minutes")
    loop_lag_limit_seconds: float = Field(default=5, gt=0, description="how late an event loop may come")

    @property
    def expected_services(self) -> tuple[str, ...]:
        """Names of the services that must beat."""
        return tuple(name.strip() for name in self.services.split(",") if name.strip())

    @property
    def is_replay(self) -> bool:
        """Tell whether the bars are of the past, so that their age says nothing."""
        return self.source == "replay"
