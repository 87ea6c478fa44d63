"""What the reporter can be told."""

from __future__ import annotations

from pydantic import AliasChoices, Field, SecretStr
from pydantic_settings import SettingsConfigDict
from tracker.domain.errors import ConfigError
from tracker.runtime.settings import ServiceSettings

SLACK_API = "https://slack.com/api/"


class ReporterSettings(ServiceSettings):
    """Environment of the reporter: SLACK_* for where messages go, SLACK_REPORTER_*.

    What is told when is in slack_reporter.toml.
    """

    model_config = SettingsConfigDict(
        extra="ignore", frozen=True, populate_by_name=True, env_prefix="SLACK_REPORTER_"
    )

    source: str = Field(default="polygon", validation_alias=AliasChoices("TRACKER_SOURCE"))
    bot_token: SecretStr = Field(default=SecretStr(""), validation_alias=AliasChoices("SLACK_BOT_TOKEN"))
    channel: str = Field(
        default="", pattern=r"^([CGD][A-Z0-9]{7,})?$", validation_alias=AliasChoices("SLACK_CHANNEL"),
        description="the channel's id, not its name: only by that can messages be looked for",
    )  # fmt: skip
    webhook_url: SecretStr = Field(default=SecretStr(""), validation_alias=AliasChoices("SLACK_WEBHOOK_URL"))
    api_url: str = Field(default=SLACK_API, validation_alias=AliasChoices("SLACK_API_URL"))
    lease_seconds: float = Field(default=60, gt=0, description="after which a standby works for one that is gone")
    picture_seconds: float = Field(default=20, gt=0, description="how long drawing a picture may take")

    def check(self) -> None:
        """Raise ConfigError where these settings lead nowhere; not as a validator, whose errors show what was given."""
        token, webhook = self.bot_token.get_secret_value(), self.webhook_url.get_secret_value()
        if token and not token.startswith("xoxb-"):
            raise ConfigError("environment: SLACK_BOT_TOKEN is no bot token: those begin with xoxb-")
        if token and not self.channel:
            raise ConfigError(
                "environment: SLACK_CHANNEL is missing beside SLACK_BOT_TOKEN: give the channel's id, such as C0123ABCD"
            )
        if webhook and not webhook.startswith(("https://", "http://")):
            raise ConfigError("environment: SLACK_WEBHOOK_URL is no address: it begins with https://hooks.slack.com/")
