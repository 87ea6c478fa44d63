"""Where replays leave their database and logs."""

from __future__ import annotations

import shutil
from pathlib import Path

from services.control.places import Places
from services.control.supervisor_daemon import SupervisorDaemon

FOLDER = "replays"
KEPT = "kept"


def replay_folder(state_dir: Path, identity: str) -> Path:
    """Return the state folder of one replay."""
    return state_dir.expanduser().resolve() / FOLDER / identity


def prepare_replay(folder: Path, *, keep: bool) -> None:
    """Make the folder, marked where later replays shall leave it alone."""
    folder.mkdir(parents=True)
    if keep:
        (folder / KEPT).touch()


def forget_replays(state_dir: Path) -> None:
    """Remove what earlier replays left, but for those kept on purpose and those still running."""
    for folder in _folders(state_dir):
        if not (folder / KEPT).exists() and not SupervisorDaemon(Places.of(folder)).is_running():
            shutil.rmtree(folder, ignore_errors=True)


def last_replay(state_dir: Path) -> Path | None:
    """Return the folder of the newest replay that has a database of its own, None where there is none."""
    found = [folder for folder in _folders(state_dir) if (folder / "postgres" / "PG_VERSION").exists()]
    return max(found, key=lambda folder: folder.stat().st_mtime, default=None)


def _folders(state_dir: Path) -> list[Path]:
    root = state_dir.expanduser().resolve() / FOLDER
    return [folder for folder in root.iterdir() if folder.is_dir()] if root.is_dir() else []
