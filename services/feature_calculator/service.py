"""Computes the features of every bar that closed, in order, each exactly once."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import Enum
from typing import Any

import numpy as np
from numpy.typing import NDArray
from prometheus_client import Counter
from tracker.domain.errors import TrackerError
from tracker.domain.timeframe import EPOCH, Timeframe
from tracker.quant.features import FEATURE_SET
from tracker.quant.windows import anchored_features
from tracker.runtime.logging import Logger
from tracker.store.bars import BARS_CHANNEL, Watermark, read_first_stored, read_watermarks
from tracker.store.database import Database, Transaction
from tracker.store.features import (
    advance_feature_watermark,
    read_feature_watermarks,
    register_feature_set,
    write_features,
)

from services.feature_calculator.settings import FeatureSettings
from services.feature_calculator.windows import Windows

# The hour first: whoever sees a quarter's features complete also finds those of the hour that ends with it.
TIMEFRAMES = (Timeframe.H1, Timeframe.M15)
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
        self._rows = 0
        self._through: dict[str, str] = {}

    def detail(self) -> dict[str, Any]:
        """Return what is shown in /health."""
        return {
            "feature_set": FEATURE_SET.hash, "features": len(FEATURE_SET.names), "rows": self._rows,
            "closed_through": self._through,
        }

    async def run_once(self) -> bool:
        """Compute what is due of each timeframe, in one transaction."""
        try:
            async with self._database.transaction() as transaction:
                marks = await read_watermarks(transaction)
                done = await read_feature_watermarks(transaction)
                steps = [
                    await self._advance(transaction, marks[timeframe], done.get(timeframe))
                    for timeframe in TIMEFRAMES
                    if timeframe in marks
                ]
                # A bucket without any bar is done as well: whoever waits for it must be told.
                if any(step is not Step.NOTHING_DUE for step in steps):
                    await transaction.commit()
        except TrackerError:
            for windows in self._windows.values():
                windows.forget()
            raise
        return Step.MORE_DUE in steps

    async def _advance(self, transaction: Transaction, mark: Watermark, done: datetime | None) -> Step:
        """Compute the next closes of one timeframe."""
        timeframe = mark.timeframe
        first = done if done is not None else await self._beginning(transaction, mark)
        if first >= mark.closed_through:
            return Step.NOTHING_DUE
        end = min(mark.closed_through, first + self._settings.closes_per_run * timeframe.duration)
        feature_set = await register_feature_set(transaction, FEATURE_SET)
        bars = await self._windows[timeframe].load(transaction, first, end)
        symbol_ids: list[int] = []
        stamps: list[datetime] = []
        values: list[NDArray[np.float32]] = []
        for symbol_id, series in bars.items():
            seconds, matrix = anchored_features(series, timeframe.seconds, int(first.timestamp()))
            symbol_ids += [symbol_id] * len(seconds)
            stamps += [EPOCH + timedelta(seconds=ts) for ts in seconds.tolist()]
            values.append(matrix.astype(np.float32))
        if symbol_ids:
            await write_features(transaction, feature_set, timeframe, symbol_ids, stamps, np.concatenate(values))
        await advance_feature_watermark(transaction, timeframe, end)
        self._note(timeframe, end, len(symbol_ids))
        return Step.MORE_DUE if end < mark.closed_through else Step.DONE

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
        wanted = mark.timeframe.floor(mark.opened_at - timedelta(hours=self._settings.lookback_hours))
        first = await read_first_stored(transaction, mark.timeframe)
        return wanted if first is None else max(wanted, first)
