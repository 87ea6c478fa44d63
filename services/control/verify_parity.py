"""`tracker verify parity`: live decisions in the database against a backtest over the same span."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn
from tracker.domain.errors import InputError
from tracker.runtime.accounts import load_accounts
from tracker.runtime.parity import Parity, Tell, check_parity
from tracker.runtime.strategies import load_strategies, scanned_strategies
from tracker.store.database import Database

from services.control.database_at_hand import database_at_hand
from services.control.places import Places
from services.control.replay_folders import last_replay
from services.control.settings import ControlSettings


def parity(
    settings: ControlSettings, span: tuple[datetime | None, datetime | None], console: Console, *, replay: bool
) -> Mapping[str, Any]:
    """Compare and return the report.

    Looks into the fleet's database, and into that of the last replay with `replay` or where the fleet's holds no
    decision. Raises InputError where nothing was decided in either.
    """
    replayed = last_replay(settings.state_dir)
    places = [] if replay or not _has_database(settings) else [settings]
    if replayed is not None and (replay or settings.url is None):
        places.append(settings.model_copy(update={"state_dir": replayed, "database_url": None}))
    with Progress(TextColumn("{task.description}"), BarColumn(), console=console, transient=True) as progress:
        tasks = {name: progress.add_task(name, total=1.0) for name in ("looks", "ledger")}
        for place in places:
            with database_at_hand(place) as url:
                found = asyncio.run(
                    _compare(url, settings, span, lambda part, done: progress.update(tasks[part], completed=done))
                )
            if found is not None:
                return _document(settings, found, "the last replay" if place is not settings else "the fleet")
    raise InputError("nothing was decided in that time: `tracker up` or `tracker replay` makes decisions to compare")


def _has_database(settings: ControlSettings) -> bool:
    return settings.url is not None or (Places.of(settings.state_dir).postgres_data / "PG_VERSION").exists()


def _document(settings: ControlSettings, found: Parity, database: str) -> dict[str, Any]:
    # A strategy without a scanner of its own is not expected to have looked.
    silent = sorted({*found.never_scanned} & {str(each) for each in scanned_strategies(settings.config_dir)})
    return {
        **asdict(found),
        "database": database,
        "first": found.first.isoformat(),
        "end": found.end.isoformat(),
        "never_scanned": silent,
        "ok": not found.differences and not silent,
    }


async def _compare(
    url: str, settings: ControlSettings, span: tuple[datetime | None, datetime | None], tell: Tell
) -> Parity | None:
    strategies = load_strategies(settings.config_dir, settings.strategies_dir)
    accounts = load_accounts(settings.config_dir)
    database = await Database.open(url, role=None, pool_size=1, application="tracker:parity")
    try:
        # The fleet may go on meanwhile.
        async with database.transaction(snapshot=True) as transaction:
            return await check_parity(transaction, strategies, accounts, settings.config_dir, span, tell)
    finally:
        await database.close()
