"""What the data collector can be told."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, AliasChoices, Field, SecretStr, model_validator
from pydantic_settings import SettingsConfigDict
from tracker.runtime.retry import Policy
from tracker.runtime.settings import PROJECT_ROOT, ServiceSettings


def _address(text: str, schemes: tuple[str, ...]) -> str:
    try:
        parts = urlsplit(text)
        usable = parts.scheme in schemes and parts.hostname and parts.port != 0 and not parts.fragment
    except ValueError:
        usable = False
    if not usable:
        raise ValueError(f"it is not an address such as {schemes[-1]}://host:port/path")
    return text


StreamUrl = Annotated[str, AfterValidator(lambda text: _address(text, ("ws", "wss")))]
RestUrl = Annotated[str, AfterValidator(lambda text: _address(text, ("http", "https")))]


class CollectorSettings(ServiceSettings):
    """Environment of the collector: DATA_COLLECTOR_*, POLYGON_*, COINBASE_* and KRAKEN_*."""

    model_config = SettingsConfigDict(
        extra="ignore", frozen=True, populate_by_name=True, env_prefix="DATA_COLLECTOR_"
    )

    source: Literal["simulated", "replay", "polygon", "coinbase", "kraken"] = Field(
        default="polygon", validation_alias=AliasChoices("TRACKER_SOURCE")
    )
    polygon_ws_url: StreamUrl = Field(
        default="wss://socket.polygon.io/crypto", validation_alias=AliasChoices("POLYGON_WS_URL")
    )
    polygon_rest_url: RestUrl = Field(
        default="https://api.polygon.io", validation_alias=AliasChoices("POLYGON_REST_URL")
    )
    polygon_api_key: SecretStr = Field(
        default=SecretStr(""), validation_alias=AliasChoices("POLYGON_API_KEY")
    )
    coinbase_ws_url: StreamUrl = Field(
        default="wss://ws-feed.exchange.coinbase.com", validation_alias=AliasChoices("COINBASE_WS_URL")
    )
    coinbase_rest_url: RestUrl = Field(
        default="https://api.exchange.coinbase.com", validation_alias=AliasChoices("COINBASE_REST_URL")
    )
    kraken_ws_url: StreamUrl = Field(
        default="wss://ws.kraken.com/v2", validation_alias=AliasChoices("KRAKEN_WS_URL")
    )
    kraken_rest_url: RestUrl = Field(
        default="https://api.kraken.com", validation_alias=AliasChoices("KRAKEN_REST_URL")
    )
    universe: Path = Field(
        default=PROJECT_ROOT / "configs" / "universe.toml", validation_alias=AliasChoices("TRACKER_UNIVERSE")
    )
    buffer_size: int = Field(default=50_000, ge=1, description="bars held before the oldest are dropped")
    batch_size: int = Field(default=20_000, ge=1, description="bars written in one transaction")
    grace_seconds: float = Field(
        default=3.0, ge=0, description="wait for the last symbols of a minute, from its first bar on"
    )
    stall_seconds: float = Field(
        default=120.0, gt=0, description="silence of the whole feed before a reconnect"
    )
    heartbeat_stall_seconds: float = Field(
        default=20.0, gt=0, description="silence of a vendor that sends heartbeats before a reconnect"
    )
    resubscribe_seconds: float = Field(
        default=300.0, gt=0, description="how often a subscription without an acknowledgement is asked for again"
    )
    quiet_symbol_seconds: float = Field(
        default=900.0, gt=0, description="silence of one symbol, while others are not, before it is subscribed again"
    )
    reconcile_seconds: float = Field(
        default=300.0, gt=0, description="how often minutes built here are compared with the exchange's candles"
    )
    heal_seconds: float = Field(default=60.0, gt=0, description="how often REST is asked for the ledger's open gaps")
    confirm_after_seconds: float = Field(
        default=120.0, ge=0, description="vendor time after its end at which REST is believed that a bar is empty"
    )
    gap_retry_seconds: float = Field(
        default=30.0, gt=0, description="pause after a failed request for a gap, doubled each time up to an hour"
    )
    repair_patience_seconds: float = Field(
        default=120.0, gt=0, description="how long minutes wait for REST after a loss before they close with open gaps"
    )
    overlap_seconds: float = Field(
        default=900.0, ge=0, description="time before a gap that is compared with REST too, for missed corrections"
    )
    exchange_grace_seconds: float = Field(
        default=2.0, ge=0, description="exchange time after its end at which a minute built here is over"
    )
    candle_lag_seconds: float = Field(
        default=480.0, ge=0, description="how long an exchange's candles may lag behind its trades"
    )
    candle_repair_seconds: float = Field(
        default=60.0, gt=0, description="how often minutes with missing trades are asked for"
    )
    handshake_seconds: float = Field(default=10.0, gt=0)
    connection_cool_down_seconds: float = Field(
        default=60.0, ge=0, description="wait after the vendor said that there are too many connections"
    )
    lease_ttl_seconds: float = Field(
        default=10.0, gt=0, description="after so long without a renewal another collector takes the connection"
    )
    lease_renew_seconds: float = Field(
        default=2.5, gt=0, description="how often the lease is renewed, and how long before its end streaming stops"
    )
    initial_backoff_seconds: float = Field(default=0.5, gt=0)
    longest_backoff_seconds: float = Field(default=30.0, gt=0)
    backfill_1m_days: float = Field(default=7, ge=0)
    backfill_15m_days: float = Field(default=180, ge=0)
    backfill_1h_days: float = Field(default=180, ge=0)
    backfill_1d_days: float = Field(default=180, ge=0)
    history_from: datetime | None = Field(
        default=None,
        description="repair a symbol without bars from here on, instead of leaving it to the backfill",
    )
    history_to: datetime | None = Field(
        default=None, description="where a replayed history ends: the buckets it leaves open are rolled up as they are"
    )
    rest_parallel: int = Field(default=4, ge=1)
    rest_requests_per_minute: float | None = Field(
        default=None, gt=0, description="the plan's limit; 5 on the free one"
    )
    rest_timeout_seconds: float = Field(default=60.0, gt=0, description="wait for one answer")
    rest_attempts: int = Field(default=6, ge=1, description="attempts of one request before it counts as failed")
    breaker_threshold: int = Field(
        default=8, ge=1, description="failures in a row before the vendor's stream or REST interface is given a rest"
    )
    breaker_cool_down_seconds: float = Field(
        default=30.0, gt=0, description="how long that rest lasts; then one attempt goes through"
    )
    breaker_patience_seconds: float = Field(
        default=120.0, ge=0, description="how long a request for history waits for the rest to end before it fails"
    )

    @property
    def settle_after(self) -> timedelta:
        """Return how long after its end REST is believed to know a bar."""
        lag = self.candle_lag_seconds if self.source == "coinbase" else 0.0
        return timedelta(seconds=max(self.confirm_after_seconds, lag))

    @property
    def rest_policy(self) -> Policy:
        """How the vendor's REST interface is asked again."""
        return self._policy(self.rest_attempts)

    @property
    def stream_policy(self) -> Policy:
        """How the vendor's stream is connected again."""
        return self._policy(None)

    def _policy(self, attempts: int | None) -> Policy:
        return Policy(
            initial_seconds=self.initial_backoff_seconds,
            longest_seconds=self.longest_backoff_seconds,
            attempts=attempts,
            failures=self.breaker_threshold,
            cool_down_seconds=self.breaker_cool_down_seconds,
        )

    @model_validator(mode="after")
    def _check_lease(self) -> CollectorSettings:
        if self.lease_ttl_seconds < 3 * self.lease_renew_seconds:
            raise ValueError(
                f"lease_ttl_seconds = {self.lease_ttl_seconds:g} must be at least three times"
                f" lease_renew_seconds = {self.lease_renew_seconds:g}"
            )
        return self
