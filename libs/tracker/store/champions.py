"""Which model decided at which closes, as the scanners note it in event time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from tracker.store.database import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class ChampionSince:
    """The model that decided on closes later than `after`; both None where the rule decided alone.

    `threshold` is the probability from which on signals were traded.
    """

    after: datetime
    model_id: int | None
    threshold: float | None


async def note_champion(
    transaction: Transaction, strategy: str, after: datetime, model_id: int | None, threshold: float | None
) -> None:
    """Keep which model decides on the closes later than a moment; the same as before is kept once."""
    await transaction.execute("champions.forget", strategy, after)
    await transaction.execute("champions.note", strategy, after, model_id, threshold)


async def read_champions(
    transaction: Transaction, strategy: str, first: datetime, end: datetime
) -> list[ChampionSince]:
    """Return who decided on the closes in (first, end], the earliest first."""
    return [ChampionSince(**dict(row)) for row in await transaction.fetch("champions.within", strategy, first, end)]
