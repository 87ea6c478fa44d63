"""The work: every variation of every strategy at the closes that are due, in one transaction a strategy."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
from numpy.typing import NDArray
from tracker.domain.instrument import Instrument
from tracker.domain.signal import Strategy
from tracker.domain.timeframe import Timeframe
from tracker.quant.compiled import resume, trade_many
from tracker.quant.portfolio.book import moment_of, seconds_of
from tracker.quant.shadow.accounts import VERSION, open_accounts, packed, restore, rungs_of
from tracker.quant.shadow.deciders import Decider, decider_at, minimums_of, under_models
from tracker.quant.shadow.engine import Step, Swarming
from tracker.quant.shadow.evaluation import BlockRule, Found
from tracker.quant.shadow.periods import packed_period
from tracker.runtime.logging import Logger
from tracker.runtime.shadow_config import Swarm
from tracker.store.bars import Watermark, read_watermarks
from tracker.store.database import Database, Transaction
from tracker.store.features import read_feature_watermarks
from tracker.store.fence import Fence
from tracker.store.paper import ScanWatermark, read_scan_watermarks
from tracker.store.shadow import (
    ReturnsRow,
    ShadowCursor,
    StateBlock,
    advance_cursor,
    keep_state,
    lock_cursor,
    read_cursors,
    read_state,
    start_cursor,
    write_returns,
    write_shadow_scans,
    write_shadow_trades,
)
from tracker.store.symbols import read_symbols

from services.shadow_tester.inputs import Seen, read_seen
from services.shadow_tester.judging import judge
from services.shadow_tester.past_models import PastModels
from services.shadow_tester.roster import Roster, enrol
from services.shadow_tester.rows import scans_of, trade_columns


@dataclass(slots=True, kw_only=True)
class Report:
    """What a run did, for the log and /health."""

    strategy: str | None = None
    closed_through: str | None = None
    closes: int = 0
    signals: int = 0
    held_back: int = 0
    model_id: int | None = None
    trades: int = 0
    outcomes: int = 0
    seconds: dict[str, float] = field(default_factory=dict[str, float])


@dataclass(slots=True, kw_only=True)
class _Kept:
    """A strategy's accounts as its last run left them, so that the next need not read them."""

    closed_through: datetime
    roster: Roster
    symbols: tuple[str, ...]
    looking: BlockRule
    swarming: Swarming
    minimums: NDArray[np.float64]
    blocks: dict[int, bytes]


class ShadowTester:
    """Tries the closes that the scanners have decided on.

    What is written depends on stored bars, features, configs, models and which of them decided, alone.
    """

    def __init__(
        self,
        database: Database,
        swarms: Sequence[Swarm],
        log: Logger,
        *,
        closes_per_run: int,
        outcomes_every_hours: int,
        fence: Fence | None = None,
    ) -> None:
        """Commit with `fence`, where there is one: another may be at it by then."""
        self._database = database
        self._swarms = {each.config.strategy.value: each for each in swarms}
        self._log = log
        self._closes = closes_per_run
        self._hours = outcomes_every_hours
        self._fence = fence
        self._kept: dict[str, _Kept] = {}
        self._models = PastModels()
        self.report = Report()

    @property
    def troubles(self) -> list[str]:
        """What a person must look at: models that decided and cannot be used any more."""
        return sorted(self._models.troubles.values())

    @property
    def variations(self) -> dict[str, int]:
        """How many variations there are, by strategy."""
        return {name: len(each.variations) for name, each in self._swarms.items()}

    @property
    def one_by_one(self) -> list[str]:
        """The strategies whose rules have to be asked once a variation."""
        return sorted(name for name, each in self._kept.items() if each.looking.one_by_one)

    async def run_once(self) -> bool:
        """Try the strategy that is furthest behind, or judge where none is; return whether there may be more."""
        self.report = Report()
        async with self._database.transaction() as transaction:
            name = await self._next(transaction)
            if name is None:
                self.report.outcomes = await judge(transaction, list(self._swarms), self._hours)
                if self.report.outcomes:
                    await transaction.commit(self._fence)
                return False
            try:
                await self._try(transaction, self._swarms[name])
                await transaction.commit(self._fence)
            except BaseException:
                # What is in memory is ahead of what is kept.
                self._kept.pop(name, None)
                raise
        self._tell()
        return True

    async def _next(self, transaction: Transaction) -> str | None:
        """Return the strategy with the oldest close to be tried."""
        cursors = await read_cursors(transaction)
        features = await read_feature_watermarks(transaction)
        bars = await read_watermarks(transaction)
        instruments = await read_symbols(transaction)
        scans = await read_scan_watermarks(transaction)
        due: list[tuple[datetime, str]] = []
        for name, swarm in self._swarms.items():
            frame = swarm.config.timeframe
            cursor = cursors.get(name)
            through = _through(swarm, features, bars, instruments, scans)
            first = cursor.closed_through if cursor else (bars[frame].opened_at if frame in bars else None)
            if first is not None and through is not None and first < through:
                due.append((first, name))
        return min(due)[1] if due else None

    async def _try(self, transaction: Transaction, swarm: Swarm) -> None:
        config, strategy = swarm.config, swarm.config.strategy.value
        begun = time.perf_counter()
        bars = await read_watermarks(transaction)
        cursor = await self._locked(transaction, swarm, bars)
        instruments = sorted(await read_symbols(transaction), key=lambda each: each.symbol)
        features, scans = await read_feature_watermarks(transaction), await read_scan_watermarks(transaction)
        through = _through(swarm, features, bars, instruments, scans)
        end = min(through or cursor.closed_through, cursor.closed_through + self._closes * config.timeframe.duration)
        kept = await self._restored(transaction, swarm, cursor, instruments)
        seen = await read_seen(transaction, swarm, instruments, cursor.closed_through, end)
        deciders = await self._models.deciders(transaction, config.strategy, cursor.closed_through, end)
        read = time.perf_counter()
        found, held = _signals(kept, seen, deciders)
        looked = time.perf_counter()
        step = kept.swarming.advance(found, seen.rows, seen.market, seconds_of(cursor.closed_through), seconds_of(end))
        traded = time.perf_counter()
        await write_shadow_scans(transaction, strategy, scans_of(found, held, deciders, seen, kept.roster.numbers))
        await self._write(transaction, strategy, kept, step)
        await advance_cursor(transaction, strategy, end, swarm.hash)
        kept.closed_through = end
        self._kept[strategy] = kept
        self.report = Report(
            strategy=strategy,
            closed_through=end.isoformat(),
            closes=len(seen.closes),
            signals=0 if found is None else len(found),
            held_back=len(held),
            model_id=None if (model := decider_at(deciders, seconds_of(end))) is None else model.model_id,
            trades=len(step.trades),
            seconds={
                "reading": round(read - begun, 4),
                "evaluation": round(looked - read, 4),
                "trading": round(traded - looked, 4),
                "writing": round(time.perf_counter() - traded, 4),
            },
        )

    async def _locked(
        self, transaction: Transaction, swarm: Swarm, bars: dict[Timeframe, Watermark]
    ) -> ShadowCursor:
        strategy, frame = swarm.config.strategy.value, swarm.config.timeframe
        cursor = await lock_cursor(transaction, strategy)
        if cursor is None:
            await start_cursor(transaction, strategy, frame, bars[frame].opened_at, "")
            cursor = await lock_cursor(transaction, strategy)
        assert cursor is not None  # noqa: S101 - made above, in this transaction
        return cursor

    async def _restored(
        self, transaction: Transaction, swarm: Swarm, cursor: ShadowCursor, instruments: Sequence[Instrument]
    ) -> _Kept:
        """Return the accounts as of the cursor, from memory or from the database; new variations get new ones."""
        strategy, symbols = swarm.config.strategy.value, tuple(each.symbol for each in instruments)
        kept = self._kept.pop(strategy, None)
        if kept is not None and kept.closed_through == cursor.closed_through and kept.symbols == symbols:
            return kept
        roster = await enrol(transaction, swarm, cursor)
        rules = [each.rules for each in roster.variations]
        accounts = open_accounts(rules, rungs_of([each.params for each in roster.variations]), len(symbols))
        stored = await read_state(transaction, strategy)
        blocks = [each.data for each in stored if each.version == VERSION]
        accounts = restore(accounts, roster.numbers, roster.going_on, blocks, symbols)
        looking = kept.looking if kept is not None else BlockRule(
            swarm.config.rule, [each.params for each in roster.variations]
        )
        return _Kept(
            closed_through=cursor.closed_through,
            roster=roster,
            symbols=symbols,
            looking=looking,
            swarming=Swarming(roster.variations, accounts, resume, trade_many),
            minimums=minimums_of(roster.variations),
            blocks={each.block: each.data for each in stored},
        )

    async def _write(self, transaction: Transaction, strategy: str, kept: _Kept, step: Step) -> None:
        numbers = kept.roster.numbers
        await write_shadow_trades(transaction, trade_columns(step.trades, kept.roster.ids))
        for name, periods in (("1h", step.hours), ("1d", step.days)):
            packs = [(moment_of(each.ends_at), *packed_period(each, numbers)) for each in periods]
            rows = [
                ReturnsRow(strategy=strategy, ends_at=at, variations=size, data=data) for at, size, data in packs
            ]
            await write_returns(transaction, name, rows)
        blocks = packed(kept.swarming.accounts, kept.swarming.limits, numbers, kept.symbols)
        changed = [
            StateBlock(block=block, version=VERSION, data=data)
            for block, data in blocks.items()
            if kept.blocks.get(block) != data
        ]
        await keep_state(transaction, strategy, changed)
        kept.blocks = blocks

    def _tell(self) -> None:
        report = self.report
        self._log.info(
            "variations tried",
            action="shadow_tried",
            strategy=report.strategy,
            closed_through=report.closed_through,
            closes=report.closes,
            signals=report.signals,
            held_back=report.held_back,
            model=report.model_id,
            trades=report.trades,
            seconds=report.seconds,
        )


def _signals(kept: _Kept, seen: Seen, deciders: Sequence[Decider]) -> tuple[Found | None, NDArray[np.int64]]:
    """Return the signals of all variations, None without a row, and the rows of those that models held back."""
    if not len(seen.rows.decided_at):
        return None, np.empty(0, dtype=np.int64)
    found = kept.looking.evaluate(seen.frame_of)
    return under_models(found, seen.rows.decided_at, deciders, seen.values_of, kept.minimums)


def _through(
    swarm: Swarm,
    features: dict[Timeframe, datetime],
    bars: dict[Timeframe, Watermark],
    instruments: Sequence[Instrument],
    scans: dict[Strategy, ScanWatermark],
) -> datetime | None:
    """Return the last close with features and every symbol's finest bars on which the scanner has decided.

    Only then is it known by which model.
    """
    frame, strategy = swarm.config.timeframe, swarm.config.strategy
    if frame not in features or strategy not in scans:
        return None
    finest = {each.base_timeframe for each in instruments} & bars.keys()
    known = (features[frame], scans[strategy].closed_through, *(bars[each].closed_through for each in finest))
    return frame.floor(min(known))
