"""Evaluates every symbol at every bar close with one strategy's rule."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray
from prometheus_client import Counter
from tracker.domain.instrument import InstrumentStatus
from tracker.domain.signal import Decision, Signal
from tracker.domain.timeframe import EPOCH
from tracker.quant.features import FEATURE_SET
from tracker.quant.models.scoring import Model, Scores, judged, score_setups, setups
from tracker.quant.strategies import Proposals
from tracker.quant.strategies.inputs import features_read
from tracker.quant.strategies.signals import signal_of
from tracker.runtime.effective_strategy import LiveStrategy
from tracker.runtime.live_model import NO_CHAMPION, LiveModel
from tracker.runtime.logging import Logger
from tracker.runtime.looks import ScanInputs, Together, features_of, inputs_of, joined, look, reads_from
from tracker.runtime.strategies import StrategyConfig
from tracker.store.bars import BarTable, read_watermarks
from tracker.store.champions import note_champion
from tracker.store.config_versions import CONFIG_CHANNEL
from tracker.store.database import Database, Transaction
from tracker.store.features import (
    FEATURES_CHANNEL,
    find_feature_set,
    read_feature_watermarks,
    read_features,
)
from tracker.store.predictions import Prediction, write_predictions
from tracker.store.readers import read_range, read_window
from tracker.store.scans import (
    Scan,
    advance_scan_watermark,
    read_scan_watermark,
    write_scans,
    write_signals,
)
from tracker.store.scored_by import MODELS_CHANNEL
from tracker.store.symbols import read_symbols

from services.strategy_scanner.looks import QUIET_LIMIT, missing, quiet_closes
from services.strategy_scanner.scoring import predictions_of, why_unscored
from services.strategy_scanner.settings import ScannerSettings

NOTHING = np.empty(0, dtype=np.int64)
SCANS = Counter("tracker_scans_total", "Looks at a symbol", ["strategy", "decision"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What a run writes."""

    scans: list[Scan] = field(default_factory=list[Scan])
    signals: list[Signal] = field(default_factory=list[Signal])
    predictions: list[Prediction] = field(default_factory=list[Prediction])


class StrategyScanner:
    """Follows the feature watermarks.

    Every active symbol that has traded within a week gets one row at every close. What is written depends on the
    stored bars and features, the configuration and the models in force: not on how many closes a run takes, nor on
    restarts.
    """

    channels = (FEATURES_CHANNEL, CONFIG_CHANNEL, MODELS_CHANNEL)

    def __init__(
        self,
        database: Database,
        config: StrategyConfig,
        settings: ScannerSettings,
        log: Logger,
        live: LiveStrategy | None = None,
        model: LiveModel | None = None,
    ) -> None:
        """Scan with the rule and the parameters of `config`, and with what `live` says from its first run on.

        `model` scores setups; without one the rule decides alone.
        """
        self.name = f"strategy_scanner_{config.strategy}"
        self._database = database
        self._config = config
        self._live = live
        self._model = model
        self._told: str | None = None
        self._model_told: str | None = None
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
            "decided_by": "rule", "model_id": None,
        }
        troubles: list[str] = []
        if self._live is not None:
            now = self._live.current
            detail |= {"config_version": now.version, "config_from": now.origin, "file_hash": now.file.hash}
            if self._live.trouble is not None:
                troubles.append(f"{self._live.trouble}; {now.origin} stays in force")
        if self._model is not None:
            champion = self._model.champion
            if champion is not None:
                detail |= {"decided_by": "model", "model_id": champion.model_id}
            detail |= {"threshold": self._model.threshold,
                       "candidates": [each.model_id for each in self._model.challengers]}
            if self._model.trouble is not None:
                troubles.append(f"{self._model.trouble}; the rule decides alone")
        if troubles:
            detail["trouble"] = "; ".join(troubles)
        return detail

    async def run_once(self) -> bool:
        """Scan the closes that are due, in one transaction."""
        async with self._database.transaction() as transaction:
            await self._refresh(transaction)
            span = await self._due(transaction)
            await self._refresh_model(transaction, again=span is not None)
            feature_set = await find_feature_set(transaction, FEATURE_SET)
            if span is None or feature_set is None:
                return False
            first, end, target = span
            found = await self._scan(transaction, feature_set, first, end)
            await write_scans(
                transaction, self._config.strategy, self._config.timeframe, self._config.hash, found.scans
            )
            await write_predictions(transaction, self._config.strategy, self._config.hash, found.predictions)
            await write_signals(transaction, self._config.timeframe, found.signals)
            await self._note_champion(transaction, first)
            await advance_scan_watermark(transaction, self._config.strategy, self._config.timeframe, end)
            await transaction.commit()
        self._count(found, end)
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

    async def _refresh_model(self, transaction: Transaction, *, again: bool) -> None:
        """Take over the models that score now, as _refresh; one that cannot be used stops nothing."""
        if self._model is None:
            return
        if await self._model.refresh(transaction, again=again):
            champion = self._model.champion
            self._log.info("another model decides" if champion else "the rule decides alone", action="model_changed",
                           strategy=self._config.strategy.value, model=champion.model_id if champion else None)
        if self._model.trouble != self._model_told:
            self._model_told = self._model.trouble
            if self._model_told is not None:
                self._log.error("the champion cannot be used", action="model_refused", error=self._model_told,
                                strategy=self._config.strategy.value, in_force="rule")

    async def _note_champion(self, transaction: Transaction, after: datetime) -> None:
        """Keep which model decides on closes later than `after`, also where no look asks it: others ask for more."""
        champion = None if self._model is None else self._model.champion
        await note_champion(
            transaction, self._config.strategy.value, after, None if champion is None else champion.model_id,
            None if champion is None else champion.threshold,
        )  # fmt: skip

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
    ) -> Findings:
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
        found = self._look_at(inputs)
        looked = {each.symbol_id: each.decided_at for each in inputs}
        for number in active:
            if len(looked.get(number, NOTHING)) == len(closes):
                continue
            opens = _opens(before.get(number, NOTHING), bars.get(number))
            for seconds in quiet_closes(closes, looked.get(number, NOTHING), opens, frame.seconds):
                found.scans.append(missing(self._config, number, EPOCH + timedelta(seconds=seconds)))
        return found

    def _look_at(self, inputs: Sequence[ScanInputs]) -> Findings:
        """Look at every symbol at each of its bars' closes: one evaluation of the rule, one call of each model."""
        found = Findings()
        if not inputs:
            return found
        together = joined(inputs, features_read(self._rule))
        proposed = self._rule.evaluate(together.frame, self._config.params)
        proposals = self._scored(inputs, together, proposed, found)
        asked, champion = setups(proposed), None if self._model is None else self._model.champion
        absent = NO_CHAMPION if self._model is None else self._model.absent
        for row, (symbol_id, seconds) in enumerate(together.keys):
            moment = EPOCH + timedelta(seconds=seconds)
            scan = look(self._config, symbol_id, moment, float(together.frame.close[row]), proposals, row,
                        None if champion is None else champion.model_id)
            if asked[row] and scan.confidence is None:
                why = why_unscored(champion, seconds, absent)
                scan = replace(scan, metadata={**scan.metadata, "no_model": why})
            found.scans.append(scan)
            if scan.decision is Decision.SIGNAL:
                signal = signal_of(self._config.strategy, self._config.hash, symbol_id, seconds, proposals, row)
                found.signals.append(replace(signal, model_id=scan.model_id))
        return found

    def _scored(
        self, inputs: Sequence[ScanInputs], together: Together, proposed: Proposals, found: Findings
    ) -> Proposals:
        """Return the proposals as the champion leaves them; what it and the candidates said is added to `found`."""
        if self._model is None:
            return proposed
        proposals = proposed
        for model in (*(() if self._model.champion is None else (self._model.champion,)), *self._model.challengers):

            def values_of(rows: NDArray[np.int64], model: Model = model) -> NDArray[np.float32]:
                return model.arranged(features_of(inputs, rows), FEATURE_SET.names)

            scores: Scores = score_setups(model, proposed, together.frame.decided_at, values_of)
            is_champion = model is self._model.champion
            if is_champion:
                proposals = judged(proposed, scores, model.threshold)
            found.predictions.extend(predictions_of(model, scores, together.keys, proposed, is_champion=is_champion))
        return proposals

    def _count(self, found: Findings, end: datetime) -> None:
        scans, signals = len(found.scans), len(found.signals)
        self._scans += scans
        self._signals += signals
        self._through = end
        SCANS.labels(self._config.strategy.value, "SIGNAL").inc(signals)
        SCANS.labels(self._config.strategy.value, "SKIP").inc(scans - signals)
        self._log.info("scanned", action="scanned", strategy=self._config.strategy.value,
                       closed_through=end.isoformat(), scans=scans, signals=signals, scored=len(found.predictions))


def _opens(before: NDArray[np.int64], bars: BarTable | None) -> NDArray[np.int64]:
    older = before[before > 0]
    return older if bars is None else np.concatenate((older, bars.ts))
