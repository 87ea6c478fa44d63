"""A model held to the gate in a process of its own, which takes its memory with it: `python -m` this module.

Reads one JSON object from standard input and writes one to standard output; what is refused is said in `refused`.
"""

from __future__ import annotations

import asyncio
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import orjson
from pydantic import TypeAdapter

from tracker.domain.clock import SystemClock
from tracker.domain.errors import ConfigError, TrackerError
from tracker.runtime.logging import configure_logging
from tracker.runtime.model_registry import promote
from tracker.runtime.models_config import load_models_config
from tracker.runtime.promotion_order import PromotionOrder
from tracker.runtime.settings import ServiceSettings, load_settings
from tracker.store.database import Database

ROLE = "tracker_ml_retrainer"


async def promoted(order: PromotionOrder, url: str) -> dict[str, Any]:
    """Judge the model, make it the champion where it may be, and return the verdict; raises TrackerError."""
    config = load_models_config(Path(order.config_dir))
    database = await Database.open(url, role=ROLE, pool_size=1, application="tracker:promotion")
    try:
        async with database.transaction() as transaction:
            judged, done = await promote(
                transaction, order.model_id, config, SystemClock().now(), order.who, force=order.force,
                reason=order.reason,
            )  # fmt: skip
            await transaction.commit()
    finally:
        await database.close()
    return {
        "promoted": done,
        "passed": judged.verdict.passed,
        "failed": [each.sentence for each in judged.verdict.failed],
        "criteria": [asdict(each) for each in judged.verdict.criteria],
    }


def run() -> None:
    """Do what standard input says."""
    configure_logging("promotion", stream=sys.stderr)
    try:
        order = TypeAdapter(PromotionOrder).validate_json(sys.stdin.buffer.read())
        settings = load_settings(ServiceSettings)
        if settings.database_url is None:
            raise ConfigError("environment: DATABASE_URL is missing")
        answer = asyncio.run(promoted(order, settings.database_url.get_secret_value()))
    except TrackerError as error:
        answer = {"refused": str(error)}
    sys.stdout.buffer.write(orjson.dumps(answer))


if __name__ == "__main__":
    run()
