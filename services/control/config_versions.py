"""The configurations of strategies: read, compared, and returned to."""

from __future__ import annotations

import asyncio
import getpass
import socket
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, TypeVar

from tracker.domain.clock import SystemClock
from tracker.domain.errors import InputError
from tracker.domain.signal import Strategy
from tracker.runtime.effective_strategy import (
    FILE,
    Effective,
    StrategyFile,
    changed_values,
    in_force,
    load_file,
    note_file,
    usable,
    values_of,
    write_version,
)
from tracker.runtime.strategies import configured_strategies, load_rules
from tracker.store.config_versions import ConfigVersion, lock_versions, read_history
from tracker.store.database import Database, Transaction
from tracker.store.heartbeats import GONE_AFTER, Heartbeat, read_heartbeats

from services.control.database_at_hand import database_at_hand
from services.control.settings import ControlSettings

ROLE = "tracker_control"
SCANNER = "strategy_scanner_"
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A strategy's file here, what is in force over it, and the file that its living scanner has, if it has another."""

    file: StrategyFile
    effective: Effective
    other_file: str | None

    @property
    def file_hash(self) -> str:
        """That over which a version has to be written so that the scanner takes it."""
        return self.other_file or self.file.hash

    def notes(self) -> list[str]:
        """Return what is worth knowing, a sentence each."""
        found = [] if self.effective.trouble is None else [self.effective.trouble]
        if self.other_file is not None:
            unknown = "" if self.effective.version else ", and with its values, which are not known here"
            found.append(f"the scanner runs with another {self.file.path.name} than the one here{unknown}")
        return found


def who() -> str:
    """Return who asks, as name and machine."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):
        name = "nobody"
    return f"{name}@{socket.gethostname()}"


def history(settings: ControlSettings, strategy: Strategy | None) -> dict[str, Any]:
    """Return every version, the newest of each strategy first, with what it changed and whether it is in force."""

    async def read(transaction: Transaction) -> dict[str, Any]:
        names = configured_strategies(settings.config_dir) if strategy is None else (strategy,)
        standings = {str(each): await standing_of(transaction, settings, each) for each in names}
        versions = [each for each in await read_history(transaction, strategy) if each.strategy in standings]
        return {
            "strategies": [
                {
                    "strategy": name,
                    "in_force": _force(each),
                    "notes": each.notes(),
                    "versions": _steps([v for v in versions if v.strategy == name], each),
                }
                for name, each in standings.items()
            ]
        }

    return asked(settings, read)


def show(settings: ControlSettings, strategy: Strategy, version: int | None) -> dict[str, Any]:
    """Return a configuration; raises InputError where there is no such version."""

    async def read(transaction: Transaction) -> dict[str, Any]:
        standing = await standing_of(transaction, settings, strategy)
        number = standing.effective.version if version is None else version
        if number is None:
            return {
                "strategy": str(strategy), "version": None, "source": FILE, "origin": standing.effective.origin,
                "timeframe": standing.file.config.timeframe.value, "params": values_of(standing.effective.config),
                "config_hash": standing.effective.config.hash, "notes": standing.notes(),
            }
        found = _version(await read_history(transaction, strategy), strategy, number)
        # In the order of the file, which is that of the rule.
        order = [each for each in values_of(standing.file.config) if each in found.params]
        params = {name: found.params[name] for name in dict.fromkeys([*order, *found.params])}
        force = number == standing.effective.version
        return {**document(found), "params": params, "in_force": force, "notes": standing.notes()}

    return asked(settings, read)


def diff(settings: ControlSettings, strategy: Strategy, first: int | None, other: int | None) -> dict[str, Any]:
    """Return what differs between two configurations, by name as [one, other]; the file and what is in force for None.

    Raises InputError where there is no such version.
    """

    async def read(transaction: Transaction) -> dict[str, Any]:
        standing = await standing_of(transaction, settings, strategy)
        versions = await read_history(transaction, strategy)
        file, force = values_of(standing.file.config), values_of(standing.effective.config)
        one = file if first is None else _version(versions, strategy, first).params
        two = force if other is None else _version(versions, strategy, other).params
        return {
            "strategy": str(strategy),
            "from": str(standing.file.path) if first is None else f"version {first}",
            "to": standing.effective.origin if other is None else f"version {other}",
            "changes": changed_values(one, two),
            "notes": standing.notes(),
        }

    return asked(settings, read)


def rollback(settings: ControlSettings, strategy: Strategy, to: int | None, reason: str) -> dict[str, Any]:
    """Write an earlier version as a new one, and return what it changes.

    Raises InputError where there is no such version or nothing would change, ConfigError where it cannot be used.
    """
    if not reason.strip():
        raise InputError("--reason: say why, it is kept with the configuration")

    async def write(transaction: Transaction) -> dict[str, Any]:
        standing = await standing_for_writing(transaction, settings, strategy)
        versions = await read_history(transaction, strategy)
        now = standing.effective
        target = _version(versions, strategy, to) if to is not None else _one_before(versions, strategy, now)
        config = usable(target, standing.file.config)
        if config.hash == now.config.hash:
            raise InputError(f"--to: version {target.version} of {strategy} is what is in force already")
        lineage = {
            "rollback_of": now.version, "to": target.version,
            "previous": {"version": now.version, "config_hash": now.config.hash},
        }
        number = await write_version(
            transaction, standing.file, values_of(config), source="rollback", reason=reason, lineage=lineage,
            made_by=who(), file_hash=standing.file_hash,
        )
        return {
            "strategy": str(strategy), "version": number, "source": "rollback", "to": target.version,
            "config_hash": config.hash, "changes": changed_values(values_of(now.config), values_of(config)),
            "notes": standing.notes(),
        }

    return asked(settings, write, keep=True)


async def standing_of(transaction: Transaction, settings: ControlSettings, strategy: Strategy) -> Standing:
    """Return how a strategy stands; raises ConfigError where its file cannot be used, InputError where it has none."""
    if strategy not in configured_strategies(settings.config_dir):
        known = ", ".join(configured_strategies(settings.config_dir))
        raise InputError(f"STRATEGY: {strategy.value!r} has no file; those with one are {known}")
    file = load_file(settings.config_dir, strategy, load_rules(settings.strategies_dir))
    scanners = _scanners_file(await read_heartbeats(transaction), strategy, SystemClock().now())
    other = None if scanners in (None, file.hash) else scanners
    effective = await in_force(transaction, replace(file, hash=other or file.hash))
    return Standing(file=file, effective=effective, other_file=other)


async def standing_for_writing(
    transaction: Transaction, settings: ControlSettings, strategy: Strategy
) -> Standing:
    """Return how a strategy stands with nobody else writing, its edited file noted as a version before."""
    await lock_versions(transaction)
    standing = await standing_of(transaction, settings, strategy)
    if standing.other_file is None and await note_file(transaction, standing.file, who()) is not None:
        return await standing_of(transaction, settings, strategy)
    return standing


async def note_files(url: str, settings: ControlSettings) -> None:
    """Keep every strategy file that was edited since its last version as a version of its own."""
    database = await Database.open(url, role=ROLE, pool_size=1, application="tracker:config")
    try:
        async with database.transaction() as transaction:
            await lock_versions(transaction)
            rules = load_rules(settings.strategies_dir)
            for strategy in configured_strategies(settings.config_dir):
                await note_file(transaction, load_file(settings.config_dir, strategy, rules), who())
            await transaction.commit()
    finally:
        await database.close()


def document(version: ConfigVersion) -> dict[str, Any]:
    """Return a version as plain values."""
    return {
        "strategy": version.strategy, "version": version.version, "source": version.source,
        "timeframe": version.timeframe.value, "params": dict(version.params), "config_hash": version.config_hash,
        "file_hash": version.file_hash, "reason": version.reason, "lineage": dict(version.lineage),
        "made_at": version.made_at.isoformat(), "made_by": version.made_by,
    }


def asked(
    settings: ControlSettings, work: Callable[[Transaction], Awaitable[T]], *, keep: bool = False
) -> T:
    """Return what `work` makes of the fleet's database; what it wrote is kept only where that is asked for."""

    async def run(url: str) -> T:
        database = await Database.open(url, role=ROLE, pool_size=1, application="tracker:config")
        try:
            async with database.transaction() as transaction:
                found = await work(transaction)
                if keep:
                    await transaction.commit()
                return found
        finally:
            await database.close()

    with database_at_hand(settings) as url:
        return asyncio.run(run(url))


def _scanners_file(beats: Sequence[Heartbeat], strategy: Strategy, now: datetime) -> str | None:
    """Return the hash of the file that a living scanner has; while one replaces another, that of the younger one."""
    alive = [
        each
        for each in beats
        if each.service == f"{SCANNER}{strategy}" and each.status != "stopped" and "file_hash" in each.detail
        and now - each.beat_at < GONE_AFTER
    ]
    last = max(alive, key=lambda each: each.started_at, default=None)
    return None if last is None else str(last.detail["file_hash"])


def _version(versions: Sequence[ConfigVersion], strategy: Strategy, number: int) -> ConfigVersion:
    found = next((each for each in versions if each.version == number), None)
    if found is None:
        there = f"it has 1 to {versions[0].version}" if versions else "it has none yet"
        raise InputError(f"version {number}: {strategy} has no such version, {there}")
    return found


def _one_before(versions: Sequence[ConfigVersion], strategy: Strategy, now: Effective) -> ConfigVersion:
    older = [each for each in versions if now.version is None or each.version < now.version]
    found = next((each for each in older if each.config_hash != now.config.hash), None)
    if found is None:
        raise InputError(f"{strategy} has no earlier configuration than the one in force, {now.origin}")
    return found


def _force(standing: Standing) -> dict[str, Any]:
    effective = standing.effective
    return {"version": effective.version, "origin": effective.origin, "config_hash": effective.config.hash}


def _steps(versions: Sequence[ConfigVersion], standing: Standing) -> list[dict[str, Any]]:
    """Return the versions with what each changed against the one before."""
    before: Sequence[ConfigVersion | None] = [*versions[1:], None]
    return [
        {
            **{name: value for name, value in document(each).items() if name not in ("params", "strategy")},
            "changes": {} if older is None else changed_values(older.params, each.params),
            "in_force": each.version == standing.effective.version,
        }
        for each, older in zip(versions, before, strict=True)
    ]
