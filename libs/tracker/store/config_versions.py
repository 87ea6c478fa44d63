"""The configurations of each strategy, one after the other, and what gates said of candidates."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from tracker.domain.timeframe import Timeframe
from tracker.store.database import Row, Transaction

CONFIG_CHANNEL = "tracker_config"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigVersion:
    """A configuration that was written; `file_hash` is that of the toml file it was written over.

    `source` is file, promotion or rollback; `lineage` what it replaced and where it comes from, as plain values.
    """

    strategy: str
    version: int
    timeframe: Timeframe
    params: Mapping[str, Any]
    config_hash: str
    file_hash: str
    source: str
    reason: str
    lineage: Mapping[str, Any]
    made_at: datetime
    made_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NewVersion:
    """A configuration to write."""

    strategy: str
    timeframe: Timeframe
    params: Mapping[str, Any]
    config_hash: str
    file_hash: str
    source: str
    reason: str
    lineage: Mapping[str, Any]
    made_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptVerdict:
    """What a gate said; `version` is the configuration that the candidate became, if it did."""

    judged_by: str
    subject_kind: str
    subject_id: str
    strategy: str
    criteria: Sequence[Mapping[str, Any]]
    passed: bool
    forced: bool
    reason: str
    version: int | None


async def read_newest_versions(
    transaction: Transaction, strategy: str, file_hash: str
) -> tuple[int | None, int | None]:
    """Return the numbers of a strategy's newest version, and of the newest made on a file."""
    row = await transaction.fetch_row("config_versions.newest", strategy, file_hash)
    return (None, None) if row is None else (row["newest"], row["on_file"])


async def read_versions_on(
    transaction: Transaction, strategy: str, file_hash: str, limit: int
) -> list[ConfigVersion]:
    """Return the last versions made on a file, the newest first."""
    return [_version(row) for row in await transaction.fetch("config_versions.on_file", strategy, file_hash, limit)]


async def read_history(transaction: Transaction, strategy: str | None) -> list[ConfigVersion]:
    """Return all versions of a strategy, or of all, the newest of each first."""
    return [_version(row) for row in await transaction.fetch("config_versions.history", strategy)]


async def read_versions_with(
    transaction: Transaction, strategy: str, hashes: Collection[str]
) -> list[ConfigVersion]:
    """Return the versions that have one of the config hashes, one a hash."""
    return [_version(row) for row in await transaction.fetch("config_versions.by_hash", strategy, list(hashes))]


async def lock_versions(transaction: Transaction) -> None:
    """Have everybody else who wants to add a version wait until the transaction ends."""
    await transaction.execute("config_versions.lock")


async def add_version(transaction: Transaction, new: NewVersion) -> int:
    """Add a version, hint at it, and return its number; the caller holds `lock_versions`."""
    number = await transaction.fetch_value(
        "config_versions.add",
        new.strategy,
        new.timeframe.value,
        orjson.dumps(dict(new.params)).decode(),
        new.config_hash,
        new.file_hash,
        new.source,
        new.reason,
        orjson.dumps(dict(new.lineage)).decode(),
        new.made_by,
    )
    await transaction.notify(CONFIG_CHANNEL, f"{new.strategy} {number}")
    return number


async def keep_verdict(transaction: Transaction, verdict: KeptVerdict) -> int:
    """Keep a verdict and return its number."""
    return await transaction.fetch_value(
        "config_versions.keep_verdict",
        verdict.judged_by,
        verdict.subject_kind,
        verdict.subject_id,
        verdict.strategy,
        orjson.dumps([dict(each) for each in verdict.criteria]).decode(),
        verdict.passed,
        verdict.forced,
        verdict.reason,
        verdict.version,
    )


def _version(row: Row) -> ConfigVersion:
    facts = dict(row)
    timeframe, params, lineage = Timeframe(facts.pop("timeframe")), facts.pop("params"), facts.pop("lineage")
    return ConfigVersion(**facts, timeframe=timeframe, params=orjson.loads(params), lineage=orjson.loads(lineage))
