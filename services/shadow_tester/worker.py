"""The short-lived process that does the work: `python -m services.shadow_tester.worker`.

It is told the lease that it works under, tries what is due until nothing is left for a while, and ends. What it did is
written to standard output, one JSON object a line; its log goes to standard error.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import orjson
from tracker.domain.clock import SystemClock
from tracker.domain.errors import ConfigError, TrackerError
from tracker.runtime.effective_strategy import effective_strategy
from tracker.runtime.logging import Logger, configure_logging
from tracker.runtime.settings import load_settings
from tracker.runtime.shadow_config import Swarm, load_shadow_config, load_swarms
from tracker.runtime.strategies import Rules, load_rules
from tracker.store.database import Database
from tracker.store.fence import Fence

from services.shadow_tester.settings import ShadowTesterSettings
from services.shadow_tester.tester import ShadowTester

LOOK_SECONDS = 0.2


def main() -> None:
    """Work; the exit code is 2 where a person has to change something, 1 where trying again may help."""
    parser = argparse.ArgumentParser(description="try what is due in the shadow, then end")
    parser.add_argument("--lease", default="")
    parser.add_argument("--holder", default="")
    arguments = parser.parse_args()
    log = configure_logging("shadow_tester", stream=sys.stderr)
    try:
        settings = load_settings(ShadowTesterSettings)
        log = configure_logging("shadow_tester", settings.log_level, stream=sys.stderr)
        fence = Fence(arguments.lease, arguments.holder) if arguments.lease else None
        asyncio.run(_work(settings, fence, log))
    except TrackerError as error:
        _say({"event": "failed", "error": str(error), "kind": type(error).__name__, "retryable": error.retryable})
        sys.exit(1 if error.retryable else 2)


async def _work(settings: ShadowTesterSettings, fence: Fence | None, log: Logger) -> None:
    if settings.database_url is None:
        raise ConfigError("environment: DATABASE_URL is missing")
    parent = os.getppid()
    clock = SystemClock()
    database = await Database.open(
        settings.database_url.get_secret_value(),
        role="tracker_shadow_tester",
        pool_size=1,
        application="tracker:shadow_tester:worker",
    )
    try:
        tester = ShadowTester(
            database,
            await swarms_of(database, settings.config_dir, load_rules(settings.strategies_dir)),
            log,
            closes_per_run=settings.closes_per_run,
            outcomes_every_hours=load_shadow_config(settings.config_dir).outcomes_every_hours,
            fence=fence,
        )
        busy = clock.monotonic()
        # An orphan ends: whoever started it anew has a worker of its own.
        while os.getppid() == parent:
            more = await tester.run_once()
            if more or tester.report.outcomes:
                _say({"event": "ran", **_facts(tester)})
                busy = clock.monotonic()
            elif clock.monotonic() - busy >= settings.linger_seconds:
                break
            else:
                await asyncio.sleep(LOOK_SECONDS)
    finally:
        await database.close()


async def swarms_of(database: Database, config_dir: Path, rules: Rules) -> list[Swarm]:
    """Return the variations, with what is in force as the live ones; raises ConfigError as load_swarms does."""
    async with database.transaction() as transaction:
        live = {
            name: (await effective_strategy(transaction, config_dir, name, rules)).config
            for name in load_shadow_config(config_dir).strategies
        }
    return load_swarms(config_dir, rules, live)


def _facts(tester: ShadowTester) -> dict[str, Any]:
    return {
        **asdict(tester.report), "variations": tester.variations, "one_by_one": tester.one_by_one,
        "troubles": tester.troubles,
    }  # fmt: skip


def _say(event: dict[str, Any]) -> None:
    sys.stdout.buffer.write(orjson.dumps(event) + b"\n")
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
