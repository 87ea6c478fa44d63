"""The psql that fits the fleet's database."""

from __future__ import annotations

import shutil
from urllib.parse import unquote, urlsplit, urlunsplit

from tracker.domain.errors import DatabaseUnavailableError
from tracker.store.embedded import EmbeddedPostgres

from services.control.places import Places
from services.control.settings import ControlSettings


def psql_command(settings: ControlSettings) -> tuple[list[str], dict[str, str]]:
    """Return the program with its connection string, and what its environment must hold besides.

    Raises DatabaseUnavailableError where the embedded server is down.
    """
    places = Places.of(settings.state_dir)
    server = EmbeddedPostgres(places.postgres_data, places.runtime_dir)
    if settings.url is not None:
        url, password = _without_password(settings.url)
        # The bundled psql knows no TLS, which a server elsewhere may insist on.
        return [shutil.which("psql") or str(server.psql), url], password
    if not server.is_running():
        raise DatabaseUnavailableError("the database does not run: start it with `tracker up`")
    return [str(server.psql), server.url], {}


def _without_password(url: str) -> tuple[str, dict[str, str]]:
    """Move the password to where the list of processes does not show it."""
    parts = urlsplit(url)
    if parts.password is None:
        return url, {}
    user, _, host = parts.netloc.rpartition("@")
    netloc = f"{user.partition(':')[0]}@{host}"
    return urlunsplit(parts._replace(netloc=netloc)), {"PGPASSWORD": unquote(parts.password)}
