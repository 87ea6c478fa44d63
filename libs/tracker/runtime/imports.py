"""Modules that a library takes along where they are installed, and that a resident process has no use for."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def without(*names: str) -> Iterator[None]:
    """Let imports of the named modules fail within the block; those that are there already stay."""
    modules: dict[str, Any] = sys.modules
    hidden = [name for name in names if name not in modules]
    # This is what Python documents for a module that must not be found.
    modules.update(dict.fromkeys(hidden))
    try:
        yield
    finally:
        for name in hidden:
            del modules[name]
