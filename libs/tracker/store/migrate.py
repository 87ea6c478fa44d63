"""Migrations by dbmate, guarded by a committed manifest of checksums."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

from tracker.domain.errors import DatabaseSetupError

MIGRATIONS = Path(__file__).resolve().parents[3] / "migrations"
MANIFEST = "manifest.sha256"
TABLE = "tracker.schema_migrations"
NO_TLS = "SSL is not enabled on the server"


def checksums(folder: Path = MIGRATIONS) -> dict[str, str]:
    """Return the sha256 of every migration by its file name."""
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.glob("*.sql"))}


def write_manifest(folder: Path = MIGRATIONS) -> None:
    """Write the checksums of all migrations, in the format of sha256sum."""
    lines = [f"{digest}  {name}\n" for name, digest in checksums(folder).items()]
    (folder / MANIFEST).write_text("".join(lines))


def verify_manifest(folder: Path = MIGRATIONS) -> None:
    """Check that no migration differs from the manifest.

    Raises DatabaseSetupError naming the file: a migration that was applied somewhere must not change.
    """
    try:
        lines = (folder / MANIFEST).read_text().splitlines()
    except OSError as error:
        raise DatabaseSetupError(f"{folder / MANIFEST} cannot be read: {error.strerror}") from None
    stated = {name.strip(): digest for digest, _, name in (line.partition(" ") for line in lines)}
    found = checksums(folder)
    for name in sorted(stated.keys() | found.keys()):
        if stated.get(name) != found.get(name):
            raise DatabaseSetupError(f"migrations/{name} does not match migrations/{MANIFEST}")


def migrate(url: str) -> list[str]:
    """Apply what is pending and return the names of the applied files.

    Raises DatabaseSetupError with dbmate's own words.
    """
    verify_manifest()
    done = _run(url)
    if done.returncode != 0 and NO_TLS in done.stderr and "sslmode=" not in url:
        # Like every other client of ours: TLS where the server has it, and without where it has not.
        done = _run(_without_tls(url))
    if done.returncode != 0:
        reason = " ".join((done.stderr or done.stdout).split())
        raise DatabaseSetupError(f"the database could not be migrated: {reason}")
    lines = (line.split() for line in done.stdout.splitlines() if line.startswith("Applied"))
    return [words[1] for words in lines if len(words) > 1]


def _dbmate() -> str:
    beside = Path(sys.executable).parent / "dbmate"
    found = str(beside) if beside.exists() else shutil.which("dbmate")
    if found is None:
        raise DatabaseSetupError("dbmate is not installed: run `make setup`")
    return found


def _run(url: str) -> subprocess.CompletedProcess[str]:
    arguments = ["--migrations-dir", str(MIGRATIONS), "--migrations-table", TABLE, "--no-dump-schema"]
    return subprocess.run(  # noqa: S603 - our own binary
        [_dbmate(), "--env", "DATABASE_URL", *arguments, "--migration-lock", "migrate"],
        capture_output=True,
        text=True,
        check=False,
        # Not as an argument: the process list would show the password.
        env={"DATABASE_URL": _without_tls(url) if "host=/" in url else url},
    )


def _without_tls(url: str) -> str:
    if "sslmode=" in url:
        return url
    return f"{url}&sslmode=disable" if "?" in url else f"{url}?sslmode=disable"
