"""`python -m services.data_collector.jobs backfill ..`: work by hand, told as one JSON object a line.

Lines on standard output are {"event": "plan" | "chunk" | "report" | "refused"}; logs go to standard error. Exit code 0
when the report came, 1 or 2 after a refusal that a retry may or may not help.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from typing import Any

import orjson
from tracker.domain.clock import SystemClock
from tracker.domain.errors import ConfigError, TrackerError
from tracker.domain.timeframe import Timeframe
from tracker.runtime.logging import Logger, configure_logging
from tracker.runtime.parent import parent_gone
from tracker.runtime.settings import load_settings
from tracker.runtime.universe import load_universe
from tracker.store.database import Database

from services.data_collector.backfill import Backfill, Order
from services.data_collector.feeds.choice import feed_of
from services.data_collector.settings import CollectorSettings

# Connections beyond what Postgres can work on at once only wait for each other.
MERGES_AT_ONCE = 3


def main() -> None:
    """Run a job; what makes it impossible is one line with the sentence."""
    order = _order(sys.argv[1:])
    log = configure_logging("backfill", stream=sys.stderr)
    try:
        _tell({"event": "report", **asyncio.run(_until_orphaned(order, log))})
    except TrackerError as error:
        log.error("the backfill cannot go on", action="backfill_ended", error=str(error))
        _tell({"event": "refused", "error": str(error)})
        sys.exit(1 if error.retryable else 2)
    except KeyboardInterrupt:
        sys.exit(130)


async def _until_orphaned(order: Order, log: Logger) -> dict[str, Any]:
    """Run the job, but not beyond the life of the process that shows it."""
    job = asyncio.create_task(_run(order, log))
    orphaned = asyncio.create_task(parent_gone(True))
    try:
        await asyncio.wait((job, orphaned), return_when=asyncio.FIRST_COMPLETED)
        if not job.done():
            sys.exit(1)
        return job.result()
    finally:
        orphaned.cancel()
        job.cancel()


async def _run(order: Order, log: Logger) -> dict[str, Any]:
    settings = load_settings(CollectorSettings)
    if settings.database_url is None:
        raise ConfigError("environment: DATABASE_URL is missing")
    clock = SystemClock()
    database = await Database.open(
        settings.database_url.get_secret_value(), role="tracker_data_collector", pool_size=MERGES_AT_ONCE,
        application="backfill",
    )
    feed = feed_of(settings, clock, log)
    try:
        backfill = Backfill(
            feed=feed, database=database, universe=load_universe(settings.universe), clock=clock, log=log, tell=_tell,
            parallel=settings.rest_parallel,
        )
        return await backfill.run(order)
    finally:
        await feed.close()
        await database.close()


def _order(arguments: list[str]) -> Order:
    parser = argparse.ArgumentParser(prog="python -m services.data_collector.jobs")
    parser.add_argument("job", choices=["backfill"])
    parser.add_argument("--days", type=float, required=True)
    parser.add_argument("--timeframes", type=_timeframes, required=True, help="such as 1m,15m")
    parser.add_argument("--symbols", type=_names, default=(), help="all of the universe unless named")
    parser.add_argument("--again", action="store_true", help="compare with the vendor also what is there already")
    options = parser.parse_args(arguments)
    return Order(days=options.days, timeframes=options.timeframes, symbols=options.symbols, again=options.again)


def _names(text: str) -> tuple[str, ...]:
    return tuple(name for name in text.split(",") if name)


def _timeframes(text: str) -> tuple[Timeframe, ...]:
    return tuple(Timeframe(name) for name in _names(text))


def _tell(event: dict[str, Any]) -> None:
    sys.stdout.buffer.write(orjson.dumps(event) + b"\n")
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
