"""Every line of a log is one JSON object, whoever wrote it."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import warnings
from collections.abc import Iterator
from typing import Any

import pytest
from tracker.runtime.logging import configure_logging


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    logging.captureWarnings(False)
    root.handlers, root.level = handlers, level


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_our_own_lines_carry_what_is_bound_to_them() -> None:
    stream = io.StringIO()
    log = configure_logging("collector", stream=stream)
    log.warning("a feed ended", action="feed_reconnect", wait_seconds=0.5)
    log.debug("nothing of this is told", action="silence")
    (line,) = lines(stream)
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "message": "a feed ended", "level": "warning", "service": "collector", "action": "feed_reconnect",
        "wait_seconds": 0.5,
    }


def test_a_library_s_records_and_warnings_are_json_too() -> None:
    stream = io.StringIO()
    configure_logging("collector", stream=stream)
    logging.getLogger("asyncio").error("Task %s\nwas destroyed", "T-1")
    warnings.warn("a warning\nin two lines", stacklevel=1)
    error, warning = lines(stream)
    assert (error["message"], error["level"], error["logger"]) == ("Task T-1\nwas destroyed", "error", "asyncio")
    assert (error["service"], error["action"]) == ("collector", "library_log")
    assert (warning["logger"], warning["level"]) == ("py.warnings", "warning")


async def test_the_event_loop_s_complaint_keeps_its_traceback_in_one_line() -> None:
    stream = io.StringIO()
    configure_logging("collector", stream=stream)

    def fail() -> None:
        raise ValueError("no")

    asyncio.get_running_loop().call_soon(fail)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    (line,) = lines(stream)
    assert line["logger"] == "asyncio"
    assert "ValueError: no" in line["exception"]


def test_a_crash_is_one_line_with_its_traceback() -> None:
    stream = io.StringIO()
    log = configure_logging("collector", stream=stream)
    try:
        raise ValueError("no")
    except ValueError:
        log.exception("the service crashed", action="service_crashed")
    (line,) = lines(stream)
    assert line["action"] == "service_crashed"
    assert "ValueError: no" in line["exception"]
