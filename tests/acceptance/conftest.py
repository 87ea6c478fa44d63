"""Runs the command line as a user would."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tracker.runtime.settings import environment

TRACKER = Path(sys.executable).parent / "tracker"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a command printed and how it ended."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        """The JSON on standard output."""
        return json.loads(self.out)


@pytest.fixture
def tracker(tmp_path: Path) -> Callable[..., Outcome]:
    """Return a function that runs `tracker ARGS` with a state folder of its own."""

    def run(*arguments: str, seconds: float = 240, **variables: str) -> Outcome:
        state = {"TRACKER_STATE_DIR": str(tmp_path / "state"), "DATABASE_URL": "", **variables}
        done = subprocess.run(
            [str(TRACKER), *arguments], capture_output=True, text=True, timeout=seconds, check=False,
            env={**environment(), **state},
        )
        return Outcome(code=done.returncode, out=done.stdout, err=done.stderr)

    return run
