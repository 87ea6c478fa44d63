"""What the command line can be told by the environment."""

from __future__ import annotations

from pathlib import Path

from pydantic import AliasChoices, Field, SecretStr
from tracker.runtime.settings import PROJECT_ROOT, ServiceSettings


class ControlSettings(ServiceSettings):
    """Environment of `tracker`: DATABASE_URL, TRACKER_STATE_DIR, TRACKER_USER, POLYGON_API_KEY."""

    state_dir: Path = Field(
        default=PROJECT_ROOT / ".data", validation_alias=AliasChoices("TRACKER_STATE_DIR")
    )
    user: str = Field(
        default="unknown",
        validation_alias=AliasChoices("TRACKER_USER", "USER", "LOGNAME", "USERNAME"),
    )
    polygon_api_key: SecretStr = Field(
        default=SecretStr(""), validation_alias=AliasChoices("POLYGON_API_KEY")
    )
    source: str = Field(default="", validation_alias=AliasChoices("TRACKER_SOURCE"))

    @property
    def url(self) -> str | None:
        """The database named by the environment; None where the embedded one is used."""
        if self.database_url is None or not self.database_url.get_secret_value():
            return None
        return self.database_url.get_secret_value()
