"""The last lines of a service's log, where logs are files of this machine."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import orjson

# Of a file that may have 10 MB, the end; and no more lines than a page can show.
TAIL_BYTES = 128 * 1024
MOST_LINES = 150
LONGEST_MESSAGE = 400
NAME = re.compile(r"[a-z][a-z0-9_]{0,60}")
TOLD_ELSEWHERE = ("message", "level", "timestamp", "service", "action")


def log_names(folder: Path) -> list[str]:
    """Return the services that have a log here; none where there is no such folder."""
    if not folder.is_dir():
        return []
    return sorted(each.stem for each in folder.glob("*.log") if NAME.fullmatch(each.stem) and each.is_file())


def read_tail(folder: Path, name: str) -> list[dict[str, Any]]:
    """Return the last lines of a service's log, the newest first; none where it has none here.

    Only names of services are looked for, so that no path can be asked for.
    """
    if not NAME.fullmatch(name):
        return []
    try:
        with (folder / f"{name}.log").open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - TAIL_BYTES))
            lines = file.read(TAIL_BYTES).decode("utf-8", "replace").splitlines()
    except FileNotFoundError:
        return []
    # The first line of a cut is a part of one.
    whole = lines[1:] if size > TAIL_BYTES else lines
    return [_line(each) for each in reversed(whole[-MOST_LINES:]) if each.strip()]


def _line(text: str) -> dict[str, Any]:
    """Return a line as time, level, action, message and the rest; one that is no JSON is all message."""
    try:
        fields = orjson.loads(text)
    except ValueError:
        fields = None
    if not isinstance(fields, dict):
        return {"at": None, "level": "", "action": "", "message": text[:LONGEST_MESSAGE], "more": ""}
    more = ", ".join(f"{name}={value}" for name, value in fields.items() if name not in TOLD_ELSEWHERE)
    return {
        "at": fields.get("timestamp"), "level": str(fields.get("level", "")), "action": str(fields.get("action", "")),
        "message": str(fields.get("message", ""))[:LONGEST_MESSAGE], "more": more[:LONGEST_MESSAGE],
    }  # fmt: skip
