"""The psql that fits the fleet's database."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import unquote, urlsplit, urlunsplit

from tracker.domain.errors import DatabaseUnavailableError
from tracker.store.embedded import EmbeddedPostgres

from services.control.places import Places
from services.control.replay_folders import last_replay
from services.control.settings import ControlSettings


def run_psql(
    settings: ControlSettings, arguments: Sequence[str], environment: Mapping[str, str], *, replay: bool
) -> int:
    """Run psql with `arguments` and return its exit code.

    An embedded server that is down is started for the time. With `replay`, or where no fleet has run here yet, the
    database is that of the last replay. Raises DatabaseUnavailableError where there is none at all.
    """
    if settings.url is not None and not replay:
        url, password = _without_password(settings.url)
        own = EmbeddedPostgres(Places.of(settings.state_dir).postgres_data, Places.of(settings.state_dir).runtime_dir)
        # The bundled psql knows no TLS, which a server elsewhere may insist on.
        program = shutil.which("psql") or str(own.psql)
        return _run([program, url, *arguments], {**environment, **password})
    places = Places.of(_state_dir(settings.state_dir, replay=replay))
    places.prepare()
    server = EmbeddedPostgres(places.postgres_data, places.runtime_dir)
    command = [str(server.psql), server.url, *arguments]
    if server.is_running():
        return _run(command, environment)
    with server:
        return _run(command, environment)


def _state_dir(state_dir: Path, *, replay: bool) -> Path:
    if not replay and (state_dir / "postgres" / "PG_VERSION").exists():
        return state_dir
    replayed = last_replay(state_dir)
    if replayed is None:
        what = "replay" if replay else "database"
        raise DatabaseUnavailableError(f"there is no {what} yet: `tracker {'replay' if replay else 'up'}` makes one")
    if not replay:
        sys.stderr.write("no fleet has run here yet: this is the database of the last replay\n")
    return replayed


def _run(command: Sequence[str], environment: Mapping[str, str]) -> int:
    # Ctrl-C in psql cancels a query; it must not end this process and the server with it.
    previous = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        return subprocess.run(  # noqa: S603 - psql, with the user's own arguments
            list(command), env=dict(environment), check=False, preexec_fn=_listen_to_interrupts
        ).returncode
    finally:
        signal.signal(signal.SIGINT, previous)


def _listen_to_interrupts() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _without_password(url: str) -> tuple[str, dict[str, str]]:
    """Move the password to where the list of processes does not show it."""
    parts = urlsplit(url)
    if parts.password is None:
        return url, {}
    user, _, host = parts.netloc.rpartition("@")
    netloc = f"{user.partition(':')[0]}@{host}"
    return urlunsplit(parts._replace(netloc=netloc)), {"PGPASSWORD": unquote(parts.password)}
