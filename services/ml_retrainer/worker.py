"""`python -m services.ml_retrainer.worker`: one job, with all the libraries that it takes, and the end.

Lines on standard output are {"event": "progress" | "done" | "failed"}, a JSON object each; logs go to standard error.
Nothing is committed once the lease is another's, and a worker whose starter is gone ends with all that it started.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import resource
import signal
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import orjson
from tracker.domain.errors import ConfigError, TrackerError
from tracker.domain.job import JobKind, Work
from tracker.runtime.logging import Logger, configure_logging
from tracker.runtime.settings import load_settings
from tracker.store.database import Database
from tracker.store.fence import Fence

from services.ml_retrainer.settings import RetrainerSettings

ROLE = "tracker_ml_retrainer"
LOOK_SECONDS = 1.0
MEGABYTE = 1024 * 1024
# Of what it may take, which the system lets a worker ask for.
ROOM = 1.5


def main() -> None:
    """Do one job; every failure is told before the end."""
    parser = argparse.ArgumentParser(description="do one job of the retrainer")
    parser.add_argument("--kind", type=JobKind, required=True)
    parser.add_argument("--strategy", required=True)
    parser.add_argument("--reason", required=True)
    parser.add_argument("--lease", required=True)
    parser.add_argument("--holder", required=True)
    parser.add_argument("--memory-bytes", type=int, required=True)
    arguments = parser.parse_args()
    end_with_parent()
    limit_memory(arguments.memory_bytes)
    log = configure_logging("ml_retrainer", stream=sys.stderr)
    work = Work(kind=arguments.kind, strategy=arguments.strategy, reason=arguments.reason)
    fence = Fence(arguments.lease, arguments.holder)

    def tell_memory(error: MemoryError) -> None:
        _tell_defect(log, error, arguments.memory_bytes)

    try:
        settings = load_settings(RetrainerSettings)
        log = configure_logging("ml_retrainer", settings.log_level, stream=sys.stderr)
        say({"event": "done", "result": asyncio.run(_work(settings, work, fence, tell_memory))})
    except TrackerError as error:
        say({"event": "failed", "error": str(error), "retryable": error.retryable})
        sys.exit(1 if error.retryable else 2)
    except Exception as error:
        _tell_defect(log, error, arguments.memory_bytes)
        sys.exit(1)


def say(event: dict[str, Any]) -> None:
    """Tell the service something."""
    sys.stdout.buffer.write(orjson.dumps(event, option=orjson.OPT_SERIALIZE_NUMPY) + b"\n")
    sys.stdout.buffer.flush()


def limit_memory(most: int) -> None:
    """Have an allocation fail that goes far beyond `most` bytes, where the system can count them.

    The service looks every half second; this is for what would be too much before it has looked. What is asked for
    and not used counts here as well, so that there is room beside what the service counts.
    """
    if sys.platform == "linux":
        hard = round(most * ROOM)
        resource.setrlimit(resource.RLIMIT_DATA, (hard, hard))


def end_with_parent() -> None:
    """End with all that was started once the starter is gone: whoever goes on for it has a worker of its own."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(LOOK_SECONDS)
        if os.getpgrp() == os.getpid():
            os.killpg(os.getpgrp(), signal.SIGKILL)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _tell_defect(log: Logger, error: Exception, most: int) -> None:
    # Libraries say it in words of their own, after the allocator did.
    memory = isinstance(error, MemoryError) or "bad_alloc" in str(error) or "Unable to allocate" in str(error)
    if memory:
        limit = f"memory_limit_mb = {most // MEGABYTE} of ml_retrainer.toml"
        log.error("the worker needs more memory than it may", action="worker_too_large", limit=limit)
        say({"event": "failed", "error": f"the worker needs more than {limit}", "retryable": False, "memory": True})
        return
    log.error("the worker crashed", action="worker_crashed", exc_info=error)
    say({"event": "failed", "error": f"{type(error).__name__}: {error}", "retryable": False})


async def _work(
    settings: RetrainerSettings, work: Work, fence: Fence, tell_memory: Callable[[MemoryError], None]
) -> dict[str, Any]:
    from services.ml_retrainer.work import do

    if settings.database_url is None:
        raise ConfigError("environment: DATABASE_URL is missing")
    database = await Database.open(
        settings.database_url.get_secret_value(), role=ROLE, pool_size=1, application="tracker:ml_retrainer:worker"
    )
    try:
        return await do(
            database.under(fence), settings, work, lambda words: say({"event": "progress", "words": words})
        )
    except MemoryError as error:
        # Nothing more can be relied on, not even a goodbye to the database, which undoes what was not committed.
        tell_memory(error)
        os._exit(1)
    finally:
        await database.close()


if __name__ == "__main__":
    main()
