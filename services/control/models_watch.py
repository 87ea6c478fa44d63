"""The work of `tracker models watch`."""

from __future__ import annotations

import asyncio
import math
from dataclasses import asdict
from typing import Any

from tracker.runtime.model_watch import Look, watch_all
from tracker.runtime.models_config import load_watch_limits
from tracker.store.database import Database

from services.control.config_versions import who
from services.control.database_at_hand import asked_database
from services.control.settings import ControlSettings

ROLE = "tracker_ml_retrainer"
# The report names no more of them; model_performance has all.
MOST_DRIFTED = 10


def watch(settings: ControlSettings, *, act: bool) -> dict[str, Any]:
    """Look at every champion, keep what is found, and with `act` demote those that fail; raises ConfigError."""
    limits = load_watch_limits(settings.config_dir)

    async def run(url: str) -> list[Look]:
        database = await Database.open(url, role=ROLE, pool_size=1, application="tracker:models")
        try:
            async with database.transaction() as transaction:
                found = await watch_all(transaction, limits, who(), act=act)
                await transaction.commit()
                return found
        finally:
            await database.close()

    with asked_database(settings, replay=False) as url:
        return {"strategies": [document(each) for each in asyncio.run(run(url))]}


def document(look: Look) -> dict[str, Any]:
    """Return a look at a champion as plain values; what is not known is null."""
    watched = look.watched
    return {
        "strategy": look.strategy,
        "model_id": look.model_id,
        "window_from": None if look.window is None else look.window[0].isoformat(),
        "window_to": None if look.window is None else look.window[1].isoformat(),
        "action": None if watched is None else watched.action.value,
        "acted": look.acted,
        "successor_id": look.successor_id,
        "says": _says(look),
        "criteria": [] if watched is None else [
            {**asdict(each), "comparison": each.comparison.value} for each in (*watched.demotes, *watched.retrains)
        ],
        "figures": {} if look.figures is None else {
            name: None if isinstance(value, float) and not math.isfinite(value) else value
            for name, value in asdict(look.figures).items()
        },
        "drift_from": look.drift_from,
        "drift": [asdict(each) for each in look.drift[:MOST_DRIFTED]],
    }  # fmt: skip


def _says(look: Look) -> str:
    if look.watched is None:
        return "no champion: the rule decides"
    if not look.watched.broken:
        return f"model {look.model_id} is as it was promised"
    says = "; ".join(each.sentence for each in look.watched.broken)
    if not look.acted:
        return f"model {look.model_id}: {says}"
    after = "the rule decides" if look.successor_id is None else f"model {look.successor_id} decides"
    return f"model {look.model_id}: {says}: demoted, {after}"
