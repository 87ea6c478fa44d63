"""`tracker migrate`: the newest migrations, on the database that the fleet uses, and its strategies' files noted."""

from __future__ import annotations

import asyncio

from tracker.store.database import check_reachable
from tracker.store.embedded import EmbeddedPostgres
from tracker.store.migrate import migrate

from services.control.config_versions import note_files
from services.control.places import Places
from services.control.settings import ControlSettings


def migrate_database(settings: ControlSettings) -> list[str]:
    """Apply what is pending and return the file names; an embedded server is started for it where none runs.

    Raises DatabaseSetupError, or DatabaseUnavailableError where DATABASE_URL leads nowhere.
    """
    if settings.url is not None:
        asyncio.run(check_reachable(settings.url))
        return _bring_up_to_date(settings.url, settings)
    places = Places.of(settings.state_dir)
    places.prepare()
    server = EmbeddedPostgres(places.postgres_data, places.runtime_dir)
    if server.is_running():
        return _bring_up_to_date(server.url, settings)
    with server:
        return _bring_up_to_date(server.url, settings)


def _bring_up_to_date(url: str, settings: ControlSettings) -> list[str]:
    applied = migrate(url)
    # The files of this release: whoever begins with them finds them in the history.
    asyncio.run(note_files(url, settings))
    return applied
