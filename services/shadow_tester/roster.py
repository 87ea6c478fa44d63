"""Which variations are tried, and under which number each is known to the tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter
from tracker.quant.paper import TradingRules
from tracker.quant.shadow.variation import Variation
from tracker.runtime.shadow_config import Swarm
from tracker.store.database import Transaction
from tracker.store.shadow import (
    ShadowCursor,
    StoredVariation,
    VariationRow,
    add_variations,
    describe_variations,
    read_variations,
    retire_variations,
)

_RULES = TypeAdapter(TradingRules)


@dataclass(frozen=True, slots=True, kw_only=True)
class Roster:
    """The variations of a strategy by ascending number, int64 (V,); `going_on` are numbers that have an account."""

    variations: Sequence[Variation]
    numbers: NDArray[np.int64]
    going_on: NDArray[np.int64]

    @property
    def ids(self) -> list[str]:
        """The variations' ids."""
        return [each.id for each in self.variations]


async def enrol(transaction: Transaction, swarm: Swarm, cursor: ShadowCursor) -> Roster:
    """Take in the variations that are new at the cursor, and retire those that are no longer declared."""
    stored = {each.id: each for each in await read_variations(transaction, swarm.config.strategy.value)}
    trying = {each.id for each in stored.values() if each.retired_at is None}
    if cursor.config_hash != swarm.hash:
        wanted = {each.id for each in swarm.variations}
        await retire_variations(transaction, sorted(trying - wanted), cursor.closed_through)
        numbers = _numbered(swarm.variations, stored)
        fresh = [_row(each, numbers[each.id]) for each in swarm.variations if each.id not in trying]
        await add_variations(transaction, cursor.closed_through, fresh)
        await describe_variations(transaction, {each.id: (each.source, each.changes) for each in swarm.variations})
    else:
        numbers = {each.id: each.number for each in stored.values()}
    ordered = sorted(swarm.variations, key=lambda each: numbers[each.id])
    return Roster(
        variations=ordered,
        numbers=np.array([numbers[each.id] for each in ordered], dtype=np.int64),
        going_on=np.array([numbers[each.id] for each in ordered if each.id in trying], dtype=np.int64),
    )


def _numbered(variations: Sequence[Variation], stored: dict[str, StoredVariation]) -> dict[str, int]:
    """Return the number of each variation: the one that it had, or the next that is free."""
    numbers = {each.id: each.number for each in stored.values()}
    for each in variations:
        numbers.setdefault(each.id, len(numbers))
    return numbers


def _row(variation: Variation, number: int) -> VariationRow:
    rules: dict[str, Any] = _RULES.dump_python(variation.rules, mode="json")
    if variation.min_confidence is not None:
        rules["model"] = {"min_confidence": variation.min_confidence}
    return VariationRow(
        id=variation.id,
        strategy=variation.strategy.value,
        number=number,
        timeframe=variation.timeframe,
        params=asdict(variation.params),
        rules=rules,
        changes=dict(variation.changes),
        config_hash=variation.config_hash,
        rules_hash=variation.rules_hash,
        source=variation.source,
    )
