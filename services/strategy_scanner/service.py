"""Evaluates every symbol at every bar close with one strategy's rule."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray
from prometheus_client import Counter
from tracker.domain.instrument import InstrumentStatus
from tracker.domain.signal import Decision, Signal
from tracker.domain.timeframe import EPOCH
from tracker.quant.features import FEATURE_SET
from tracker.quant.strategies.inputs import features_read
from tracker.quant.strategies.signals import signal_of
from tracker.runtime.effective_strategy import LiveStrategy
from tracker.runtime.logging import Logger
from tracker.runtime.looks import ScanInputs, inputs_of, joined, look, reads_from
from tracker.runtime.strategies import StrategyConfig
from tracker.store.bars import BarTable, read_watermarks
from tracker.store.config_versions import CONFIG_CHANNEL
from tracker.store.database import Database, Transaction
from tracker.store.features import (
    FEATURES_CHANNEL,
    find_feature_set,
    read_feature_watermarks,
    read_features,
)
from tracker.store.readers import read_range, read_window
from tracker.store.scans import (
    Scan,
    advance_scan_watermark,
    read_scan_watermark,
    write_scans,
    write_signals,
)
from tracker.store.symbols import read_symbols

from services.strategy_scanner.looks import QUIET_LIMIT, missing, quiet_closes
from services.strategy_scanner.settings import ScannerSettings

NOTHING = np.empty(0, dtype=np.int64)
SCANS = Counter("tracker_scans_total", "Looks at a symbol", ["strategy", "decision"])


class StrategyScanner:
    """Follows the feature watermarks.

    Every active symbol that has traded within a week gets one row at every close. What is written depends on the
    stored bars and features alone: not on how many closes a run takes, nor on restarts.
    """

    channels = (FEATURES_CHANNEL, CONFIG_CHANNEL)

    def __init__(
        self,
        database: Database,
        config: StrategyConfig,
        settings: ScannerSettings,
        log: Logger,
        live: LiveStrategy | None = None,
    ) -> None:
        """Scan with the rule and the parameters of `config`, and with what `live` says from its first run on."""
        self.name = f"strategy_scanner_{config.strategy}"
        self._database = database
        self._config = config
        self._live = live
        self._told: str | None = None
        self._settings = settings
        self._log = log
        self._rule = config.rule
        self._scans = 0
        self._signals = 0
        self._through: datetime | None = None

    def detail(self) -> dict[str, Any]:
        """Return what is shown in /health."""
        detail: dict[str, Any] = {
            "strategy": self._config.strategy.value, "config": self._config.hash, "scans": self._scans,
            "signals": self._signals, "closed_through": self._through.isoformat() if self._through else None,
            "decided_by": "rule",
        }
        if self._live is not None:
            now = self._live.current
            detail |= {"config_version": now.version, "config_from": now.origin, "file_hash": now.file.hash}
            if self._live.trouble is not None:
                detail["trouble"] = f"{self._live.trouble}; {now.origin} stays in force"
        return detail

    async def run_once(self) -> bool:
        """Scan the closes that are due, in one transaction."""
        async with self._database.transaction() as transaction:
            await self._refresh(transaction)
            span = await self._due(transaction)
            feature_set = await find_feature_set(transaction, FEATURE_SET)
            if span is None or feature_set is None:
                return False
            first, end, target = span
            scans, signals = await self._scan(transaction, feature_set, first, end)
            await write_scans(
                transaction, self._config.strategy, self._config.timeframe, self._config.hash, scans
            )
            await write_signals(transaction, self._config.timeframe, signals)
            await advance_scan_watermark(transaction, self._config.strategy, self._config.timeframe, end)
            await transaction.commit()
        self._count(scans, signals, end)
        return end < target

    async def _refresh(self, transaction: Transaction) -> None:
        """Take over what is in force now: between two runs, so that all looks at a close are of one configuration."""
        if self._live is None:
            return
        if await self._live.refresh(transaction):
            now = self._live.current
            self._log.info("the configuration changed", action="config_changed", strategy=now.config.strategy.value,
                           was=self._config.hash, config=now.config.hash, version=now.version, origin=now.origin)
            self._config = now.config
        if self._live.trouble != self._told:
            self._told = self._live.trouble
            if self._told is not None:
                self._log.error("a configuration cannot be used", action="config_refused", error=self._told,
                                in_force=self._live.current.origin)

    async def _due(self, transaction: Transaction) -> tuple[datetime, datetime, datetime] | None:
        """Return (scanned through, scan through now, features complete through), None where nothing is due."""
        frame = self._config.timeframe
        ready = await read_feature_watermarks(transaction)
        if frame not in ready:
            return None
        target = ready[frame]
        first = await read_scan_watermark(transaction, self._config.strategy)
        if first is None:
            first = (await read_watermarks(transaction))[frame].opened_at
        if first >= target:
            return None
        return first, min(target, first + self._settings.closes_per_run * frame.duration), target

    async def _scan(
        self, transaction: Transaction, feature_set: int, first: datetime, end: datetime
    ) -> tuple[list[Scan], list[Signal]]:
        """Look at every active symbol at every close in (first, end]."""
        frame = self._config.timeframe
        features = await read_features(transaction, feature_set, frame, first, end)
        bars = await read_range(transaction, frame, reads_from(self._config, first), end)
        last = await read_window(transaction, frame, 1, end=first, since=first - QUIET_LIMIT)
        before = dict(zip(last.symbol_ids.tolist(), last.ts, strict=True))
        closes = np.arange(int(first.timestamp()), int(end.timestamp()), frame.seconds, dtype=np.int64) + frame.seconds
        active = [each.symbol_id for each in await read_symbols(transaction) if each.status is InstrumentStatus.ACTIVE]
        inputs = [
            inputs_of(number, self._config, features[number], bars[number], int(first.timestamp()))
            for number in active
            if number in features and number in bars
        ]
        scans, signals = self._look_at(inputs)
        looked = {each.symbol_id: each.decided_at for each in inputs}
        for number in active:
            if len(looked.get(number, NOTHING)) == len(closes):
                continue
            opens = _opens(before.get(number, NOTHING), bars.get(number))
            for seconds in quiet_closes(closes, looked.get(number, NOTHING), opens, frame.seconds):
                scans.append(missing(self._config, number, EPOCH + timedelta(seconds=seconds)))
        return scans, signals

    def _look_at(self, inputs: Sequence[ScanInputs]) -> tuple[list[Scan], list[Signal]]:
        """Look at every symbol at each of its bars' closes, in one evaluation of the rule."""
        scans: list[Scan] = []
        signals: list[Signal] = []
        if not inputs:
            return scans, signals
        together = joined(inputs, features_read(self._rule))
        proposals = self._rule.evaluate(together.frame, self._config.params)
        for row, (symbol_id, seconds) in enumerate(together.keys):
            moment = EPOCH + timedelta(seconds=seconds)
            scan = look(self._config, symbol_id, moment, float(together.frame.close[row]), proposals, row)
            scans.append(scan)
            if scan.decision is Decision.SIGNAL:
                signals.append(signal_of(self._config.strategy, self._config.hash, symbol_id, seconds, proposals, row))
        return scans, signals

    def _count(self, scans: list[Scan], signals: list[Signal], end: datetime) -> None:
        self._scans += len(scans)
        self._signals += len(signals)
        self._through = end
        SCANS.labels(self._config.strategy.value, "SIGNAL").inc(len(signals))
        SCANS.labels(self._config.strategy.value, "SKIP").inc(len(scans) - len(signals))
        self._log.info("scanned", action="scanned", strategy=self._config.strategy.value,
                       closed_through=end.isoformat(), scans=len(scans), signals=len(signals))


def _opens(before: NDArray[np.int64], bars: BarTable | None) -> NDArray[np.int64]:
    older = before[before > 0]
    return older if bars is None else np.concatenate((older, bars.ts))
