"""A migrated database to work on, also while the fleet is down."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from tracker.domain.errors import InputError
from tracker.store.database import check_reachable
from tracker.store.embedded import EmbeddedPostgres
from tracker.store.migrate import migrate

from services.control.places import Places
from services.control.replay_folders import last_replay
from services.control.settings import ControlSettings


def database_url(settings: ControlSettings) -> str:
    """Return the address of the fleet's database, whether it is up or not."""
    if settings.url is not None:
        return settings.url
    places = Places.of(settings.state_dir)
    return EmbeddedPostgres(places.postgres_data, places.runtime_dir).url


@contextmanager
def database_at_hand(settings: ControlSettings) -> Iterator[str]:
    """Yield the address of the fleet's database; an embedded server that is down is started for the time.

    Raises DatabaseUnavailableError where DATABASE_URL leads nowhere, DatabaseSetupError.
    """
    if settings.url is not None:
        asyncio.run(check_reachable(settings.url))
        migrate(settings.url)
        yield settings.url
        return
    places = Places.of(settings.state_dir)
    places.prepare()
    server = EmbeddedPostgres(places.postgres_data, places.runtime_dir)
    running = server.is_running()
    server.start()
    own = None if running else server.pid()
    try:
        migrate(server.url)
        yield server.url
    finally:
        # A fleet that came up meanwhile has put its own server in the place of this one.
        if own is not None and server.pid() == own:
            server.stop()


@contextmanager
def asked_database(settings: ControlSettings, *, replay: bool) -> Iterator[str]:
    """Yield the address of the fleet's database, or with `replay` of that of the last replay, to be read.

    Raises InputError where there is none yet; otherwise as database_at_hand.
    """
    if replay:
        replayed = last_replay(settings.state_dir)
        if replayed is None:
            raise InputError("there is no replay yet: `tracker replay` makes one")
        settings = settings.model_copy(update={"state_dir": replayed, "database_url": None})
    elif settings.url is None and not Places.of(settings.state_dir).postgres_data.is_dir():
        raise InputError("there is no database yet: `tracker up` makes one")
    with database_at_hand(settings) as url:
        yield url
