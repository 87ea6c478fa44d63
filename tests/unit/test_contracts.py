"""The direction of the imports, held by the same contracts as `lint-imports`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tracker.runtime.settings import PROJECT_ROOT


def test_imports_keep_the_contracts() -> None:
    # In a process of its own: it turns off the loggers that others have made.
    program = Path(sys.executable).parent / "lint-imports"
    done = subprocess.run([program, "--no-cache"], cwd=PROJECT_ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
