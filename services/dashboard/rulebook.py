"""The strategies with their rules, and what pages ask about their looks: the same facts as `tracker why` tells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from tracker.domain.funnel import LookCount
from tracker.domain.signal import Strategy
from tracker.domain.timeframe import EPOCH, Timeframe
from tracker.runtime.effective_strategy import StrategyFile, in_force, load_file
from tracker.runtime.standing import SILENT_SECONDS, Broken, Standing, read_standing
from tracker.runtime.strategies import configured_strategies, load_rules, scanned_strategies
from tracker.runtime.why import last_close
from tracker.runtime.why_document import read_document
from tracker.store.database import Transaction
from tracker.store.looks import LookQuestion, NearLook, count_looks, read_nearest
from tracker.store.pages.strategies import Champion, read_champions
from tracker.store.paper import read_scan_watermarks
from tracker.store.symbols import find_symbol

from services.dashboard.reader import Question

NEAREST = 4
# How far back looks are ranked by how near they came, which costs more than to count them.
NEAR = timedelta(hours=6)


@dataclass(frozen=True, slots=True, kw_only=True)
class StrategyState:
    """Whether a strategy looks at the market; `looked_at` is the last close it has looked at.

    `broken` names the link of the chain that is behind, None where all have come as far as the bars; `parameters` says
    where those in force come from, `trouble` what should be in force and cannot be used.
    """

    strategy: str
    timeframe: Timeframe
    is_scanned: bool
    is_alive: bool
    looked_at: datetime | None
    broken: Broken | None
    parameters: str
    trouble: str | None
    champion: Champion | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Looks:
    """How far the looks from `first` to `end` came, both None before any, and which of the last hours came nearest."""

    first: datetime | None
    end: datetime | None
    counts: tuple[LookCount, ...]
    nearest: tuple[NearLook, ...]


class Rulebook:
    """The configured strategies, read once: a strategy that is added is seen after a start of the service."""

    def __init__(self, config_dir: Path, strategies_dir: Path) -> None:
        """Read rules and files; raises ConfigError naming the file that cannot be used."""
        rules = load_rules(strategies_dir)
        self._scanned = scanned_strategies(config_dir)
        self._files = {
            each.value: load_file(config_dir, each, rules) for each in configured_strategies(config_dir)
        }
        self._before: tuple[tuple[datetime, ...], tuple[LookCount, ...]] | None = None
        self.states = Question(read=self._read_states)
        self.looks = Question(read=self._read_looks, seconds=20.0, with_bars=False)
        self.why = Question(read=self._read_why, seconds=5.0)

    @property
    def names(self) -> tuple[str, ...]:
        """The strategies to choose from, those that look at the market first."""
        scanned = [each.value for each in self._scanned if each.value in self._files]
        return (*scanned, *(each for each in self._files if each not in scanned))

    async def _read_states(self, transaction: Transaction) -> tuple[StrategyState, ...]:
        champions = {each.strategy: each for each in await read_champions(transaction)}
        marked = await read_scan_watermarks(transaction)
        shown = [name for name in self.names if name in marked or Strategy(name) in self._scanned]
        return tuple(
            [await self._state(transaction, self._files[name], champions.get(name)) for name in shown]
        )

    async def _state(
        self, transaction: Transaction, file: StrategyFile, champion: Champion | None
    ) -> StrategyState:
        effective = await in_force(transaction, file)
        config = effective.config
        standing = await read_standing(transaction, config.strategy, config.timeframe, self._scanned)
        return StrategyState(
            strategy=config.strategy.value,
            timeframe=config.timeframe,
            is_scanned=config.strategy in self._scanned,
            is_alive=is_alive(standing),
            looked_at=standing.scanned_through,
            broken=standing.behind(last_close(standing, None) or EPOCH),
            parameters="its file" if effective.version is None else effective.origin,
            trouble=effective.trouble,
            champion=champion,
        )

    async def _read_looks(self, transaction: Transaction, days: int) -> Looks:
        """Return the looks of the last `days` days of event time, the running one (UTC) among them."""
        marks = await read_scan_watermarks(transaction)
        if not marks:
            return Looks(first=None, end=None, counts=(), nearest=())
        end = max(each.closed_through for each in marks.values())
        today = Timeframe.D1.floor(end)
        first = today - timedelta(days=days - 1)
        before = () if days == 1 else await self._counts_before(transaction, first, today, end)
        recent = LookQuestion(first=max(first, end - NEAR), end=end)
        return Looks(
            first=first,
            end=end,
            counts=(*before, *await _counts(transaction, today, end)),
            nearest=tuple(await read_nearest(transaction, recent, NEAREST)),
        )

    async def _counts_before(
        self, transaction: Transaction, first: datetime, today: datetime, end: datetime
    ) -> tuple[LookCount, ...]:
        """Return the looks of the days that are over, counted once an hour of event time: there may be many."""
        asked = (first, today, Timeframe.H1.floor(end))
        if self._before is None or self._before[0] != asked:
            self._before = (asked, await _counts(transaction, first, today))
        return self._before[1]

    async def _read_why(
        self, transaction: Transaction, strategy: str, symbol: str, at: datetime | None
    ) -> dict[str, Any] | None:
        """Return the document of `tracker why`, None where strategy or symbol are not known."""
        file, instrument = self._files.get(strategy), await find_symbol(transaction, symbol)
        if file is None or instrument is None:
            return None
        return await read_document(transaction, file, self._scanned, instrument, at)


async def _counts(transaction: Transaction, first: datetime, end: datetime) -> tuple[LookCount, ...]:
    # The close at midnight is the first of its day, as in dashboards.funnel_today.
    instant = timedelta(microseconds=1)
    until = end - instant if end == Timeframe.D1.floor(end) and end > first else end
    return tuple(await count_looks(transaction, LookQuestion(first=first - instant, end=until)))


@cache
def rulebook(config_dir: Path, strategies_dir: Path) -> Rulebook:
    """Return the strategies of two folders; raises ConfigError naming the file that cannot be used."""
    return Rulebook(config_dir, strategies_dir)


def is_alive(standing: Standing) -> bool:
    """Tell whether a strategy's scanner was heard of lately and is well."""
    mine: Sequence[Any] = [each for each in standing.signs if each.service == standing.scanner]
    return any(each.age_seconds < SILENT_SECONDS and each.status in ("pass", "warn") for each in mine)
