"""Notices that the supervisor is gone, so that no orphan goes on working."""

from __future__ import annotations

import asyncio
import os

LOOK_SECONDS = 1.0


async def parent_gone(supervised: bool) -> None:
    """Return once the process that started this one has ended; never where nobody supervises."""
    parent = os.getppid()
    while not supervised or os.getppid() == parent:  # noqa: ASYNC110 - nothing signals it on every system
        await asyncio.sleep(LOOK_SECONDS)
