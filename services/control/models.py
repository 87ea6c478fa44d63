"""The work of `tracker models`: the registry read, and champions changed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

from tracker.domain.clock import SystemClock
from tracker.domain.errors import InputError
from tracker.domain.signal import Strategy
from tracker.runtime import model_registry as registry
from tracker.runtime.models_config import load_models_config
from tracker.store.database import Database, Transaction
from tracker.store.models import (
    StoredModel,
    read_card,
    read_importance,
    read_model,
    read_model_events,
    read_model_verdicts,
    read_models,
)

from services.control.config_versions import who
from services.control.database_at_hand import asked_database
from services.control.settings import ControlSettings

ROLE = "tracker_ml_retrainer"
MOST_EVENTS = 20
T = TypeVar("T")


def list_models(settings: ControlSettings, strategy: Strategy | None) -> dict[str, Any]:
    """Return every model, the newest of each strategy first, and the last changes of champions."""

    async def read(transaction: Transaction) -> dict[str, Any]:
        models = await read_models(transaction, strategy)
        verdicts = {each.model_id: await read_model_verdicts(transaction, each.model_id) for each in models}
        return {
            "models": [{**document(each), **_last(verdicts[each.model_id])} for each in models],
            "events": [_plain(each) for each in await read_model_events(transaction, strategy, MOST_EVENTS)],
        }

    return _asked(settings, read)


def show(settings: ControlSettings, model_id: int, card: Path | None) -> dict[str, Any]:
    """Return everything about a model; its page is written to `card` where one is given.

    Raises InputError where there is no such model or the file cannot be written.
    """

    async def read(transaction: Transaction) -> dict[str, Any]:
        model = await read_model(transaction, model_id)
        if card is not None:
            _write(card, await read_card(transaction, model_id))
        rows = await read_importance(transaction, model_id)
        return {
            **document(model),
            "metrics": dict(model.metrics),
            "lineage": dict(model.lineage),
            "calibration": dict(model.calibration),
            "importance": [{"feature": name, "gain": gain, "permutation": cost} for name, gain, cost in rows],
            "verdicts": [_plain(each) for each in await read_model_verdicts(transaction, model_id)],
            "card": None if card is None else str(card),
        }

    return _asked(settings, read)


def promote(settings: ControlSettings, model_id: int, *, force: bool, reason: str) -> dict[str, Any]:
    """Judge a model and make it the champion where it may be; raises InputError, ModelError, ConfigError."""
    config = load_models_config(settings.config_dir)

    async def write(transaction: Transaction) -> dict[str, Any]:
        now = SystemClock().now()
        judged, promoted = await registry.promote(
            transaction, model_id, config, now, who(), force=force, reason=reason
        )
        await transaction.commit()
        return {
            "model_id": model_id,
            "promoted": promoted,
            "passed": judged.verdict.passed,
            "forced": force and not judged.verdict.passed,
            "champion_before": judged.champion_id,
            "window_from": judged.window_from.isoformat(),
            "window_to": judged.window_to.isoformat(),
            "criteria": [asdict(each) for each in judged.verdict.criteria],
        }

    return _asked(settings, write)


def rollback(settings: ControlSettings, strategy: Strategy, reason: str) -> dict[str, Any]:
    """Make the champion before the champion again; raises InputError, ModelError."""

    async def write(transaction: Transaction) -> dict[str, Any]:
        gone, come = await registry.rollback(transaction, strategy, who(), reason)
        await transaction.commit()
        return {"strategy": str(strategy), "model_id": come.model_id, "rolled_back": gone.model_id, "reason": reason}

    return _asked(settings, write)


def retire(settings: ControlSettings, model_id: int, reason: str) -> dict[str, Any]:
    """Take a model out of use; raises InputError."""

    async def write(transaction: Transaction) -> dict[str, Any]:
        model = await registry.retire(transaction, model_id, who(), reason)
        await transaction.commit()
        return {
            "strategy": model.strategy, "model_id": model_id, "was": model.status, "reason": reason,
            "champion_left": model.status != "champion",
        }  # fmt: skip

    return _asked(settings, write)


def document(model: StoredModel) -> dict[str, Any]:
    """Return what a list says of a model, as plain values."""
    window = model.metrics.get("window", {})
    return {
        **_plain({name: getattr(model, name) for name in (
            "model_id", "strategy", "status", "created_at", "promoted_at", "retired_at", "learnt_through",
            "window_from", "predecessor_id", "feature_hash", "label_config", "config_hash", "sha256",
        )}),
        **{name: window.get(name) for name in ("auc", "log_loss", "slope", "trades", "mean_return", "return_bound")},
    }  # fmt: skip


def _last(verdicts: list[dict[str, Any]]) -> dict[str, Any]:
    if not verdicts:
        return {"passed": None, "failed": []}
    criteria = verdicts[0]["criteria"]
    return {"passed": verdicts[0]["passed"], "failed": [each["name"] for each in criteria if not each["ok"]]}


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value.isoformat() if hasattr(value, "isoformat") else value for name, value in row.items()}


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(f"--card {path}: cannot be written: {error.strerror}") from None


def _asked(settings: ControlSettings, work: Callable[[Transaction], Awaitable[T]]) -> T:
    async def run(url: str) -> T:
        database = await Database.open(url, role=ROLE, pool_size=1, application="tracker:models")
        try:
            async with database.transaction() as transaction:
                return await work(transaction)
        finally:
            await database.close()

    with asked_database(settings, replay=False) as url:
        return asyncio.run(run(url))
