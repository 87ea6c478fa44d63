"""What the health monitor can be told."""

from __future__ import annotations

from pydantic import AliasChoices, Field
from pydantic_settings import SettingsConfigDict
from tracker.runtime.settings import ServiceSettings

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

    @property
    def expected_services(self) -> tuple[str, ...]:
        """Names of the services that must beat."""
        return tuple(name.strip() for name in self.services.split(",") if name.strip())

    @property
    def is_replay(self) -> bool:
        """Tell whether the bars are of the past, so that their age says nothing."""
        return self.source == "replay"
