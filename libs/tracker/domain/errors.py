"""One tree of errors, each saying whether a retry helps."""

from __future__ import annotations

from typing import ClassVar


class TrackerError(Exception):
    """Something in the fleet went wrong."""

    retryable: ClassVar[bool] = False
    # Trying again helps only after a person has done something.
    needs_person: ClassVar[bool] = False

    def __init__(self, message: str | None = None) -> None:
        """Take the class docstring's first line where no message is given."""
        super().__init__(message or (self.__doc__ or "").strip().splitlines()[0])


class ConfigError(TrackerError):
    """A setting or a config file holds something that cannot be used."""


class InputError(TrackerError):
    """The input names something that does not exist or cannot be read."""


class PortInUseError(TrackerError):
    """Another process already listens on a port the fleet needs."""


class DatabaseUnavailableError(TrackerError):
    """The database cannot be reached right now."""

    retryable = True


class DatabaseReadOnlyError(DatabaseUnavailableError):
    """The database takes no writes."""

    needs_person = True


class DatabaseFullError(DatabaseUnavailableError):
    """The database's disk is full."""

    needs_person = True


class DatabaseSetupError(TrackerError):
    """The database cannot be started or migrated."""


class SchemaError(TrackerError):
    """The database does not have the shape this code was built for."""


class FeedError(TrackerError):
    """The market data feed failed."""

    retryable = True


class FeedStalledError(FeedError):
    """The feed is connected but no data has come for too long."""


class FeedConnectionLimitError(FeedError):
    """The vendor refused a further connection with this key."""


class FeedRateLimitError(FeedError):
    """The vendor asks for fewer requests."""


class CircuitOpenError(FeedError):
    """The vendor has failed so often that it is left alone for a while."""


class FeedAuthError(TrackerError):
    """The vendor refused the key."""


class LeaseLostError(TrackerError):
    """Another replica holds the lease this service needs."""

    retryable = True


class ModelError(TrackerError):
    """A model cannot be used as it is stored."""


class ArtifactUnavailableError(ModelError):
    """A model's bytes cannot be reached now."""

    retryable = True
