"""The picture of a report, drawn by a process that lives as long as that takes: what draws it takes 100 MB."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from tracker.domain.errors import TrackerError
from tracker.runtime.settings import environment

PICTURE = (sys.executable, "-m", "services.slack_reporter.picture")
FEWEST_POINTS = 2
END_SECONDS = 5.0
TOLD = 300


class PictureError(TrackerError):
    """The picture could not be drawn; a report does without."""


async def draw_picture(
    document: Mapping[str, Any], seconds: float = 60.0, command: Sequence[str] = PICTURE
) -> bytes | None:
    """Return equity and drawdown of a report's document as PNG, None where there is no curve to draw.

    Raises PictureError where that takes longer than `seconds` or fails.
    """
    curve = document["curve"]
    if len(curve["points"]) < FEWEST_POINTS:
        return None
    asked = {**curve, "zone": document["zone"], "tag": document["tag"], "kind": document["kind"]}
    process = await asyncio.create_subprocess_exec(
        *command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        env=environment(),
    )  # fmt: skip
    try:
        async with asyncio.timeout(seconds):
            png, said = await process.communicate(orjson.dumps(asked))
    except TimeoutError:
        raise PictureError(f"the picture took longer than {seconds:g} s") from None
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await asyncio.wait_for(process.wait(), END_SECONDS)
    if process.returncode != 0:
        last = said.decode(errors="replace").strip().splitlines()[-1:] or ["it said nothing"]
        raise PictureError(f"the picture could not be drawn (code {process.returncode}): {last[0][:TOLD]}")
    return png
