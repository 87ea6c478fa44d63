"""Facts of the group "ml": models and the work on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tracker.store.database import Transaction
from tracker.store.health.facts import Facts, read_now
from tracker.store.job_facts import JobFacts, read_job_facts
from tracker.store.model_states import ModelState, read_model_states


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFacts(Facts):
    """Each scanning strategy's champion, and what the queue of work on models says."""

    models: Sequence[ModelState]
    jobs: JobFacts


async def read_model_facts(transaction: Transaction) -> ModelFacts:
    """Return how models and the work on them stand."""
    return ModelFacts(
        now=await read_now(transaction),
        models=await read_model_states(transaction),
        jobs=await read_job_facts(transaction),
    )
