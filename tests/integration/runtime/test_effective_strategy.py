"""Which configuration of a strategy is in force: whatever changed last, the file or a version written over it."""

from __future__ import annotations

import shutil
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tracker.domain.errors import ConfigError
from tracker.domain.signal import Strategy
from tracker.quant.strategies import RULES
from tracker.runtime.effective_strategy import (
    LiveStrategy,
    effective_strategy,
    load_file,
    note_file,
    values_of,
    write_version,
)
from tracker.runtime.settings import PROJECT_ROOT
from tracker.store.config_versions import lock_versions
from tracker.store.database import Database

SWING = Strategy("swing")
STRENGTH = "min_strength = 0.60"


@dataclass(slots=True)
class Shelf:
    """A folder of configs, and the database they have their history in."""

    configs: Path
    database: Database
    owner: Database

    @property
    def path(self) -> Path:
        return self.configs / "strategies" / "swing.toml"

    def edit(self, old: str, new: str) -> None:
        text = self.path.read_text()
        assert old in text
        self.path.write_text(text.replace(old, new))

    async def write(self, **changes: Any) -> int:
        file = load_file(self.configs, SWING, RULES)
        async with self.database.transaction() as transaction:
            await lock_versions(transaction)
            params = {**values_of(file.config), **changes}
            number = await write_version(
                transaction, file, params, source="promotion", reason="better", lineage={}, made_by="a test"
            )
            await transaction.commit()
        return number

    async def note(self) -> int | None:
        async with self.database.transaction() as transaction:
            number = await note_file(transaction, load_file(self.configs, SWING, RULES), "a test")
            await transaction.commit()
        return number

    async def force(self) -> tuple[int | None, float, str | None]:
        """Return version, strength and trouble of what is in force."""
        async with self.database.transaction() as transaction:
            found = await effective_strategy(transaction, self.configs, SWING, RULES)
        return found.version, found.config.params.min_strength, found.trouble

    async def break_version(self, number: int, params: str) -> None:
        async with self.owner.transaction() as transaction:
            await transaction.connection.execute(
                "UPDATE tracker.config_versions SET params = params || $2::text::jsonb WHERE version = $1",
                number, params,
            )
            await transaction.commit()


@pytest.fixture
async def shelf(open_database: Callable[[str | None], Awaitable[Database]], tmp_path: Path) -> Shelf:
    """The shipped configs."""
    shutil.copytree(PROJECT_ROOT / "configs", tmp_path / "configs")
    return Shelf(tmp_path / "configs", await open_database("control"), await open_database(None))


async def test_whatever_changed_last_counts(shelf: Shelf) -> None:
    assert await shelf.force() == (None, 0.6, None)
    assert await shelf.write(min_strength=0.7) == 1
    assert await shelf.force() == (1, 0.7, None)
    assert await shelf.write(min_strength=0.65) == 2
    assert await shelf.force() == (2, 0.65, None)
    # A comment is no change, a value is.
    shelf.edit("# Shared by all", "# What is shared by all")
    assert await shelf.force() == (2, 0.65, None)
    shelf.edit(STRENGTH, "min_strength = 0.55")
    assert await shelf.force() == (None, 0.55, None)
    assert await shelf.write(min_strength=0.75) == 3
    assert await shelf.force() == (3, 0.75, None)


async def test_an_edited_file_is_noted_once_and_a_process_with_the_old_file_keeps_its_version(shelf: Shelf) -> None:
    assert await shelf.note() == 1
    assert await shelf.note() is None
    assert await shelf.write(min_strength=0.7) == 2
    assert await shelf.note() is None
    old = shelf.path.read_text()
    shelf.edit(STRENGTH, "min_strength = 0.55")
    assert await shelf.note() == 3
    assert await shelf.force() == (3, 0.55, None)
    # Old and new run side by side for a moment while a release is rolled out.
    new = shelf.path.read_text()
    shelf.path.write_text(old)
    assert await shelf.force() == (2, 0.7, None)
    # But who takes the edit back has the last word.
    assert await shelf.note() == 4
    assert await shelf.force() == (4, 0.6, None)
    shelf.path.write_text(new)
    assert await shelf.force() == (3, 0.55, None)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"min_strength": 1.7}, "promotion: params.min_strength = 1.7"),
        ({"min_strength": "much"}, "promotion: params.min_strength = 'much'"),
        ({"courage": 1}, "promotion: unknown key params.courage"),
    ],
)
async def test_what_the_rule_cannot_run_with_is_not_written(shelf: Shelf, changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        await shelf.write(**changes)
    assert str(caught.value).startswith(words)
    assert await shelf.force() == (None, 0.6, None)


async def test_a_bad_version_never_takes_the_place_of_a_good_one(shelf: Shelf) -> None:
    live = LiveStrategy(shelf.configs, SWING, RULES)

    async def refreshed() -> bool:
        async with shelf.database.transaction() as transaction:
            return await live.refresh(transaction)

    assert not await refreshed()
    await shelf.write(min_strength=0.7)
    assert await refreshed()
    assert not await refreshed()
    await shelf.write(min_strength=0.8)
    await shelf.break_version(2, '{"min_strength": 7}')
    assert not await refreshed()
    assert (live.current.version, live.current.config.params.min_strength) == (1, 0.7)
    assert str(live.trouble).startswith("version 2 of swing: params.min_strength = 7")
    # Whoever begins only now takes the good one as well.
    assert (await shelf.force())[:2] == (1, 0.7)
    await shelf.write(min_strength=0.65)
    assert await refreshed()
    assert (live.current.version, live.trouble) == (3, None)


async def test_a_file_that_cannot_be_used_changes_nothing_until_it_can(shelf: Shelf) -> None:
    live = LiveStrategy(shelf.configs, SWING, RULES)
    good = shelf.path.read_text()
    for text, words in (("[params", "not valid TOML"), (good.replace("0.60", "6.0"), "min_strength = 6.0")):
        shelf.path.write_text(text)
        async with shelf.database.transaction() as transaction:
            assert not await live.refresh(transaction)
            assert not await live.refresh(transaction)
        assert words in str(live.trouble)
        assert live.current.config.params.min_strength == 0.6
    shelf.path.unlink()
    async with shelf.database.transaction() as transaction:
        assert not await live.refresh(transaction)
    assert "cannot be read" in str(live.trouble)
    shelf.path.write_text(good)
    async with shelf.database.transaction() as transaction:
        assert not await live.refresh(transaction)
    assert live.trouble is None
