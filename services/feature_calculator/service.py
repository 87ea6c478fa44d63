"""Computes the features of every bar that closed, in order, each exactly once."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import numpy as np
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
                more, written = False, 0
                for timeframe in TIMEFRAMES:
                    mark = marks.get(timeframe)
                    if mark is not None:
                        rows, behind = await self._advance(transaction, mark, done.get(timeframe))
                        written, more = written + rows, more or behind
                if written or more:
                    await transaction.commit()
        except TrackerError:
            for windows in self._windows.values():
                windows.forget()
            raise
        self._rows += written
        return more

    async def _advance(
        self, transaction: Transaction, mark: Watermark, done: datetime | None
    ) -> tuple[int, bool]:
        """Compute the next closes of one timeframe; return rows written and whether more are due."""
        timeframe = mark.timeframe
        first = done if done is not None else await self._beginning(transaction, mark)
        if first >= mark.closed_through:
            return 0, False
        end = min(mark.closed_through, first + self._settings.closes_per_run * timeframe.duration)
        feature_set = await register_feature_set(transaction, FEATURE_SET)
        bars = await self._windows[timeframe].load(transaction, first, end)
        rows: list[tuple[int, datetime, list[float]]] = []
        for symbol_id, series in bars.items():
            stamps, matrix = anchored_features(series, timeframe.seconds, int(first.timestamp()))
            values = matrix.astype(np.float32).tolist()
            rows += [
                (symbol_id, EPOCH + timedelta(seconds=int(ts)), row) for ts, row in zip(stamps, values, strict=True)
            ]
        await write_features(transaction, feature_set, timeframe, rows)
        await advance_feature_watermark(transaction, timeframe, end)
        ROWS.labels(timeframe.value).inc(len(rows))
        self._through[timeframe.value] = end.isoformat()
        self._log.info("features computed", action="features_computed", timeframe=timeframe.value,
                       closed_through=end.isoformat(), rows=len(rows))
        return len(rows), end < mark.closed_through

    async def _beginning(self, transaction: Transaction, mark: Watermark) -> datetime:
        """Return where to start on an empty table: some history before the first live bar, if there is any."""
        wanted = mark.timeframe.floor(mark.opened_at - timedelta(hours=self._settings.lookback_hours))
        first = await read_first_stored(transaction, mark.timeframe)
        return wanted if first is None else max(wanted, first)
