"""A new model of a strategy, and promotion of whichever candidate has passed the gate by now."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from tracker.domain.clock import SystemClock
from tracker.domain.errors import InputError, ModelError
from tracker.quant.learning.samples import Samples
from tracker.quant.learning.settings import ModelsConfig
from tracker.quant.learning.training import prepare
from tracker.quant.promotion import Verdict
from tracker.runtime.labels import LabelWork
from tracker.runtime.model_data import LabelsOf
from tracker.runtime.model_registry import promote
from tracker.runtime.model_training import read_training_samples, store_training
from tracker.runtime.model_work import Tell, train_all
from tracker.runtime.stored_registry import SHADOWED
from tracker.store.database import Database
from tracker.store.maintenance import read_event_time
from tracker.store.models import read_slots

BY = "ml_retrainer"


async def train_model(database: Database, work: LabelWork, config: ModelsConfig, tell: Tell) -> dict[str, Any]:
    """Train, judge and store a model, and promote the newest candidate that passes; return plain values.

    Too little to learn from is no failure: it is the `note` of the result.
    """
    which = LabelsOf(
        strategy=work.config.strategy, config_hash=work.config.hash, timeframe=work.config.timeframe,
        signals_only=config.training.signals_only,
    )  # fmt: skip
    async with database.transaction() as transaction:
        # Labels are of event time, and so is what is recent.
        now = await read_event_time(transaction) or SystemClock().now()
    # Before there is a new one: of the candidates only the newest are scored, and they have had their time by now.
    async with database.transaction() as transaction:
        slots = await read_slots(transaction, which.strategy, SHADOWED)
    judged = await _promote_first(database, [each.model_id for each in slots if not each.is_champion], config, now)
    samples = await _samples(database, which, config, now)
    if isinstance(samples, str):
        return {"note": samples, **judged.document()}
    result = await _train(database, which, samples, config, tell)
    if result["new"]:
        judged += await _promote_first(database, [result["model_id"]], config, now)
    return {**result, **judged.document()}


@dataclass(frozen=True, slots=True)
class _Judged:
    """What the gate said of candidates by their number, and which was promoted last."""

    said: Mapping[int, str]
    promoted: int | None = None

    def __add__(self, later: _Judged) -> _Judged:
        return _Judged({**self.said, **later.said}, later.promoted or self.promoted)

    def document(self) -> dict[str, Any]:
        """Return it as plain values."""
        return {"promoted": self.promoted, "judged": {str(key): words for key, words in self.said.items()}}


async def _promote_first(
    database: Database, candidates: Sequence[int], config: ModelsConfig, now: datetime
) -> _Judged:
    """Judge candidates anew, the newest first, and promote the first that passes."""
    said: dict[int, str] = {}
    for model_id in candidates:
        try:
            async with database.transaction() as transaction:
                found, promoted = await promote(transaction, model_id, config, now, BY, force=False, reason="")
                await transaction.commit()
        except (InputError, ModelError) as error:
            # One that cannot be used keeps nobody from training another.
            said[model_id] = f"refused: {error}"
            continue
        said[model_id] = "promoted" if promoted else refusal(found.verdict)
        if promoted:
            return _Judged(said, model_id)
    return _Judged(said)


def refusal(verdict: Verdict) -> str:
    """Say which criteria a verdict fails by."""
    return "refused: " + "; ".join(each.sentence for each in verdict.criteria if not each.ok)


async def _samples(database: Database, which: LabelsOf, config: ModelsConfig, now: datetime) -> Samples | str:
    """Return what there is to learn from, or why it is too little."""
    try:
        async with database.transaction() as transaction:
            samples = await read_training_samples(transaction, which, config, now)
        prepare(samples, config.training)
    except InputError as error:
        return str(error)
    return samples


async def _train(
    database: Database, which: LabelsOf, samples: Samples, config: ModelsConfig, tell: Tell
) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="tracker-train-") as folder:
        # In a thread, so that the connection's keep-alives are answered meanwhile.
        trained = await asyncio.to_thread(train_all, Path(folder), {which.strategy: samples}, config, 1, tell)
    async with database.transaction() as transaction:
        stored = await store_training(transaction, which, trained[which.strategy], config, BY)
        await transaction.commit()
    return {
        "model_id": stored.model_id, "new": stored.is_new, "labels": stored.trained.learnt,
        "judged_on": len(stored.trained.window), "trees": stored.trained.fitted.rounds,
    }
