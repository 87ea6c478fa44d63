"""What the page of the models shows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tracker.store.database import Transaction

Plain = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRow:
    """A model, its last verdict, and its figures on the window that nothing was fitted to; None where not known."""

    model_id: int
    strategy: str
    status: str
    created_at: datetime
    promoted_at: datetime | None
    retired_at: datetime | None
    learnt_through: datetime
    predecessor_id: int | None
    judged_at: datetime | None
    passed: bool | None
    forced: bool | None
    learnt: int | None
    judged: int | None
    auc: float | None
    base_gain: float | None
    slope: float | None
    trades: int | None
    mean_return: float | None
    return_bound: float | None
    deflated_sharpe: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Models:
    """All models, champions first; `looks` holds each champion's last look by model, `scanning` the strategies."""

    models: tuple[ModelRow, ...]
    scanning: tuple[str, ...]
    looks: dict[int, Plain]
    history: tuple[Plain, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFacts:
    """What is known of one model; each tuple is empty where there is nothing."""

    verdict: tuple[Plain, ...] = ()
    importance: tuple[Plain, ...] = ()
    drift: tuple[Plain, ...] = ()
    looks: tuple[Plain, ...] = ()


async def read_models_page(transaction: Transaction) -> Models:
    """Return every model, who decides, and who changed that last."""
    looks = await _plain(transaction, "newest_looks")
    return Models(
        models=tuple(ModelRow(**row) for row in await _plain(transaction, "list")),
        scanning=tuple(row["strategy"] for row in await _plain(transaction, "scanning")),
        looks={row["model_id"]: row for row in looks},
        history=await _plain(transaction, "history"),
    )


async def read_model_facts(transaction: Transaction, model_id: int | None) -> ModelFacts:
    """Return one model's verdict, most telling features, drift and looks; nothing of none."""
    if model_id is None:
        return ModelFacts()
    return ModelFacts(
        verdict=await _plain(transaction, "verdict", model_id),
        importance=await _plain(transaction, "importance", model_id),
        drift=await _plain(transaction, "drift", model_id),
        looks=await _plain(transaction, "looks", model_id),
    )


async def read_calibration(transaction: Transaction, model_id: int | None) -> tuple[Plain, ...]:
    """Return ten groups of one model's live scores of the last 30 days of event time, beside what was won."""
    return () if model_id is None else await _plain(transaction, "calibration", model_id)


async def read_model_card(transaction: Transaction, model_id: int) -> str:
    """Return a model's page, HTML that stands alone; empty where there is no such model."""
    return await transaction.fetch_value("pages_models.card", model_id) or ""


async def _plain(transaction: Transaction, name: str, *arguments: object) -> tuple[Plain, ...]:
    return tuple(dict(row.items()) for row in await transaction.fetch(f"pages_models.{name}", *arguments))
