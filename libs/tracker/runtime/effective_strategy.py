"""The configuration of a strategy that is in force: that of its file, or the last version written over that file."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tracker.domain.errors import ConfigError
from tracker.domain.signal import Strategy
from tracker.runtime.config import plain_hash, read_toml
from tracker.runtime.strategies import Rules, StrategyConfig, rule_of, shaped_strategy, strategy_path
from tracker.store.config_versions import (
    ConfigVersion,
    NewVersion,
    add_version,
    read_newest_versions,
    read_versions_on,
    read_versions_with,
)
from tracker.store.database import Transaction

# Versions that cannot be used are passed over, but not without end.
MOST_BAD = 20
FILE = "file"


@dataclass(frozen=True, slots=True, kw_only=True)
class StrategyFile:
    """A strategy's toml file; `hash` is that of its values, whatever its comments say."""

    path: Path
    hash: str
    config: StrategyConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class Effective:
    """What is in force: `version` is None where that is the file; `origin` says it in words.

    `trouble` names what should be in force and cannot be used.
    """

    config: StrategyConfig
    file: StrategyFile
    version: int | None
    origin: str
    trouble: str | None = None


def load_file(config_dir: Path, strategy: Strategy, rules: Rules) -> StrategyFile:
    """Read a strategy's file; raises ConfigError naming file, field and value."""
    path = strategy_path(config_dir, strategy)
    raw = read_toml(path)
    config = shaped_strategy(str(path), strategy, rule_of(strategy, rules), raw)
    return StrategyFile(path=path, hash=plain_hash(raw), config=config)


def usable(version: ConfigVersion, like: StrategyConfig) -> StrategyConfig:
    """Return a version as a configuration of the same rule as `like`.

    Raises ConfigError naming version, field and value where the rule cannot be run with it.
    """
    where = f"version {version.version} of {version.strategy}"
    if version.timeframe is not like.timeframe:
        raise ConfigError(
            f"{where}: timeframe = {version.timeframe.value!r}, but its file has {like.timeframe.value!r}:"
            " another timeframe takes another file"
        )
    raw = {"timeframe": version.timeframe.value, "params": dict(version.params)}
    return shaped_strategy(where, like.strategy, like.rule, raw)


async def effective_strategy(
    transaction: Transaction, config_dir: Path, strategy: Strategy, rules: Rules
) -> Effective:
    """Return what is in force: the newest usable version that was written over the file as it is now, else the file.

    Whatever changed last counts, then: a version, or the file that was edited since. Raises ConfigError where the file
    cannot be used.
    """
    return await in_force(transaction, load_file(config_dir, strategy, rules))


async def in_force(transaction: Transaction, file: StrategyFile) -> Effective:
    """Return what is in force over a file that was read."""
    newest, on_file = await read_newest_versions(transaction, file.config.strategy, file.hash)
    trouble: str | None = None
    versions = [] if on_file is None else await read_versions_on(
        transaction, file.config.strategy, file.hash, MOST_BAD
    )
    for version in versions:
        try:
            config = usable(version, file.config)
        except ConfigError as error:
            trouble = trouble or str(error)
            continue
        origin = f"version {version.version}, {version.source}"
        return Effective(config=config, file=file, version=version.version, origin=origin, trouble=trouble)
    origin = str(file.path) if newest is None else f"{file.path}, edited since version {newest}"
    return Effective(config=file.config, file=file, version=None, origin=origin, trouble=trouble)


async def known_configs(
    transaction: Transaction, config: StrategyConfig, hashes: Collection[str]
) -> list[StrategyConfig]:
    """Return the configurations that have one of the hashes, and `config` first; an unknown hash has none."""
    versions = await read_versions_with(transaction, config.strategy, [each for each in hashes if each != config.hash])
    found: list[StrategyConfig] = []
    for version in versions:
        raw = {"timeframe": version.timeframe.value, "params": dict(version.params)}
        try:
            made = shaped_strategy(f"version {version.version}", config.strategy, config.rule, raw)
        except ConfigError:
            continue  # the rule no longer has these parameters: its looks count as of an unknown configuration
        # A rule that gained a parameter since makes something else of the same version.
        if made.hash == version.config_hash and made.timeframe is config.timeframe:
            found.append(made)
    return [config, *found]


async def write_version(
    transaction: Transaction,
    file: StrategyFile,
    params: Mapping[str, Any],
    *,
    source: str,
    reason: str,
    lineage: Mapping[str, Any],
    made_by: str,
    file_hash: str | None = None,
) -> int:
    """Put parameters in force and return the number of the version; the caller holds `lock_versions`.

    `file_hash` is that of the scanner's file where it is not this one. Raises ConfigError naming what the rule cannot
    be run with, before anything is written.
    """
    config = shaped_strategy(
        source, file.config.strategy, file.config.rule,
        {"timeframe": file.config.timeframe.value, "params": dict(params)},
    )
    return await add_version(
        transaction,
        NewVersion(
            strategy=config.strategy, timeframe=config.timeframe, params=values_of(config), config_hash=config.hash,
            file_hash=file_hash or file.hash, source=source, reason=reason, lineage=lineage, made_by=made_by,
        ),
    )


async def note_file(transaction: Transaction, file: StrategyFile, made_by: str) -> int | None:
    """Keep an edited file's configuration as a version, so that it can be returned to; None where it is kept already.

    The caller holds `lock_versions`.
    """
    strategy = file.config.strategy
    newest, on_file = await read_newest_versions(transaction, strategy, file.hash)
    if newest is not None and newest == on_file:
        return None
    return await write_version(
        transaction, file, values_of(file.config), source=FILE, made_by=made_by, lineage={"previous": newest},
        reason="the first configuration" if newest is None else f"{file.path.name} was edited",
    )


def values_of(config: StrategyConfig) -> dict[str, Any]:
    """Return all parameters of a configuration as plain values."""
    return asdict(config.params)


class LiveStrategy:
    """The configuration in force, followed while files are edited and versions written."""

    def __init__(self, config_dir: Path, strategy: Strategy, rules: Rules) -> None:
        """Begin with the file; raises ConfigError where it cannot be used."""
        self._path = strategy_path(config_dir, strategy)
        self._strategy = strategy
        self._config_dir = config_dir
        self._rules = rules
        file = load_file(config_dir, strategy, rules)
        self._read = self._path.read_bytes()
        self._key: tuple[str, int | None] | None = None
        self._file_trouble: str | None = None
        self.current = Effective(config=file.config, file=file, version=None, origin=str(file.path))

    @property
    def trouble(self) -> str | None:
        """What should be in force and cannot be used."""
        return self._file_trouble or self.current.trouble

    async def refresh(self, transaction: Transaction) -> bool:
        """Look whether something else is in force now; tells whether it is.

        What cannot be used never takes the place of what can: then all stays as it is, and `trouble` says why.
        """
        file = self._file()
        newest = await read_newest_versions(transaction, self._strategy, file.hash)
        key = (file.hash, newest[1])
        if key == self._key:
            return False
        was, self.current = self.current, await in_force(transaction, file)
        self._key = key
        return (was.config.hash, was.version) != (self.current.config.hash, self.current.version)

    def _file(self) -> StrategyFile:
        """Return the file as it is now; as it was where it cannot be used now, or is just being written."""
        try:
            found = self._path.read_bytes()
            if found != self._read:
                self._read = found
                self._file_trouble = None
                return load_file(self._config_dir, self._strategy, self._rules)
        except OSError as error:
            self._read, self._file_trouble = b"", f"{self._path}: cannot be read: {error.strerror}"
        except ConfigError as error:
            self._file_trouble = str(error)
        return self.current.file


def changed_values(was: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, Sequence[Any]]:
    """Return what differs, by name, as [was, now]; None where there is no such parameter."""
    names = [*was, *(name for name in now if name not in was)]
    return {name: [was.get(name), now.get(name)] for name in names if was.get(name) != now.get(name)}
