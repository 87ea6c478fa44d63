"""Computes the features of every bar that closed, in order, each exactly once."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import Enum
from typing import Any

import numpy as np
from prometheus_client import Counter
from tracker.domain.errors import TrackerError
from tracker.domain.timeframe import EPOCH, Timeframe
from tracker.quant.feature_rows import FeatureRows, SymbolPast, feature_rows
from tracker.quant.features import CONTEXTS, FEATURE_SET
from tracker.quant.features.catalogue import DECISION_TIMEFRAMES as TIMEFRAMES
from tracker.quant.features.market import reference_of
from tracker.runtime.logging import Logger
from tracker.store.bars import BARS_CHANNEL, Watermark, read_watermarks
from tracker.store.database import Database, Transaction
from tracker.store.features import (
    advance_feature_watermark,
    find_feature_set,
    read_feature_watermarks,
    register_feature_set,
    write_features,
)
from tracker.store.readers import read_first_open
from tracker.store.symbols import read_symbols

from services.feature_calculator.contexts import ContextTables
from services.feature_calculator.settings import FeatureSettings
from services.feature_calculator.windows import Windows

# Decisions wait for the quarter; its rows hold what they need of the hour.
ROWS = Counter("tracker_feature_rows_total", "Feature rows written", ["timeframe"])


class Step(Enum):
    """What became of one timeframe in a run."""

    NOTHING_DUE = "nothing_due"
    DONE = "done"
    MORE_DUE = "more_due"


class FeatureCalculator:
    """Follows the bar watermarks.

    A bar that closed gets its features once. What comes afterwards, a correction or a late bar that fills a hole,
    leaves them as they are and a late bar without any: decisions were taken on them, and a row of today would
    claim a knowledge that nobody had. The features of every later bar use the corrected window.
    """

    name = "feature_calculator"
    channels = (BARS_CHANNEL,)

    def __init__(self, database: Database, settings: FeatureSettings, log: Logger) -> None:
        """Start with empty windows."""
        self._database = database
        self._settings = settings
        self._log = log
        self._windows = {timeframe: Windows(timeframe) for timeframe in TIMEFRAMES}
        self._contexts = {timeframe: [ContextTables(each) for each in CONTEXTS] for timeframe in TIMEFRAMES}
        self._is_registered = False
        self._is_new = False
        self._rows = 0
        self._through: dict[str, str] = {}

    def detail(self) -> dict[str, Any]:
        """Return what is shown in /health."""
        return {
            "feature_set": FEATURE_SET.hash, "features": len(FEATURE_SET.names), "rows": self._rows,
            "closed_through": self._through,
        }

    async def run_once(self) -> bool:
        """Compute what is due of each timeframe, each in a transaction of its own."""
        try:
            if not self._is_registered:
                self._is_new = await self._find_set() is None
            steps = [await self._follow(timeframe) for timeframe in TIMEFRAMES]
        except TrackerError:
            self._forget()
            raise
        # What was new has its rows in front of the watermark now.
        if any(step is not Step.NOTHING_DUE for step in steps):
            self._is_registered, self._is_new = True, False
        return Step.MORE_DUE in steps

    async def _find_set(self) -> int | None:
        async with self._database.transaction() as transaction:
            return await find_feature_set(transaction, FEATURE_SET)

    async def _follow(self, timeframe: Timeframe) -> Step:
        """Compute what is due of one timeframe, and commit it."""
        async with self._database.transaction() as transaction:
            marks = await read_watermarks(transaction)
            if timeframe not in marks:
                return Step.NOTHING_DUE
            done = (await read_feature_watermarks(transaction)).get(timeframe)
            if done is not None and self._is_new:
                # Scanners may lag behind the watermark: a new set has rows for them too.
                most = self._settings.closes_per_run * timeframe.duration
                done = timeframe.floor(done - min(self._lookback, most))
            step = await self._advance(transaction, marks, timeframe, done)
            # A bucket without any bar is done as well: whoever waits for it must be told.
            if step is not Step.NOTHING_DUE:
                await transaction.commit()
        return step

    @property
    def _lookback(self) -> timedelta:
        return timedelta(hours=self._settings.lookback_hours)

    def _forget(self) -> None:
        for timeframe in TIMEFRAMES:
            self._windows[timeframe].forget()
            for tables in self._contexts[timeframe]:
                tables.forget()

    async def _advance(
        self,
        transaction: Transaction,
        marks: Mapping[Timeframe, Watermark],
        timeframe: Timeframe,
        done: datetime | None,
    ) -> Step:
        """Compute the next closes of one timeframe."""
        target = _target(marks, timeframe)
        first = done if done is not None else await self._beginning(transaction, marks[timeframe])
        if first >= target:
            return Step.NOTHING_DUE
        end = min(target, first + self._settings.closes_per_run * timeframe.duration)
        feature_set = await register_feature_set(transaction, FEATURE_SET)
        rows = await self._compute(transaction, timeframe, first, end)
        symbol_ids = [symbol_id for symbol_id, each in rows.items() for _ in range(len(each.ts))]
        if symbol_ids:
            stamps = [EPOCH + timedelta(seconds=ts) for each in rows.values() for ts in each.ts.tolist()]
            values = np.concatenate([each.values for each in rows.values()])
            await write_features(transaction, feature_set, timeframe, symbol_ids, stamps, values)
        await advance_feature_watermark(transaction, timeframe, end)
        self._note(timeframe, end, len(symbol_ids))
        return Step.MORE_DUE if end < target else Step.DONE

    async def _compute(
        self, transaction: Transaction, timeframe: Timeframe, first: datetime, end: datetime
    ) -> dict[int, FeatureRows]:
        """Return the rows of all symbols' bars that open in [first, end)."""
        bars = await self._windows[timeframe].load(transaction, first, end)
        tables = {each.context.origin: await each.load(transaction, first, end) for each in self._contexts[timeframe]}
        symbols = {each.symbol: each.symbol_id for each in await read_symbols(transaction)}
        pasts = {
            symbol_id: SymbolPast(
                bars=series,
                contexts={origin: each[symbol_id] for origin, each in tables.items() if symbol_id in each},
            )
            for symbol_id, series in sorted(bars.items())
        }
        return feature_rows(pasts, timeframe.seconds, int(first.timestamp()), reference=reference_of(symbols))

    def _note(self, timeframe: Timeframe, end: datetime, rows: int) -> None:
        ROWS.labels(timeframe.value).inc(rows)
        self._rows += rows
        self._through[timeframe.value] = end.isoformat()
        self._log.info(
            "features computed",
            action="features_computed",
            timeframe=timeframe.value,
            closed_through=end.isoformat(),
            rows=rows,
        )

    async def _beginning(self, transaction: Transaction, mark: Watermark) -> datetime:
        """Return where to start on an empty table: some history before the first live bar, if there is any."""
        wanted = mark.timeframe.floor(mark.opened_at - self._lookback)
        return await read_first_open(transaction, mark.timeframe, wanted, mark.closed_through) or wanted


def _target(marks: Mapping[Timeframe, Watermark], timeframe: Timeframe) -> datetime:
    """Return through which close features can be computed: one on the hour waits for that hour's bar to be complete.

    A longer timeframe that is not collected is not waited for.
    """
    ends = [
        marks[each.timeframe].closed_through + each.timeframe.duration - timeframe.duration
        for each in CONTEXTS
        if each.timeframe in marks
    ]
    return min([marks[timeframe].closed_through, *(timeframe.floor(end) for end in ends)])
