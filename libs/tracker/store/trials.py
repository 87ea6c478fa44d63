"""Every configuration ever tried."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from tracker.store.database import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One configuration on one set of bars; `sweep` names the sweep it was part of, None for a backtest alone.

    `data` says where the bars came from; `daily_sharpe` is per day, NaN where it is not defined.
    """

    strategy: str
    config_hash: str
    params: Mapping[str, Any]
    data_hash: str
    data: Mapping[str, Any]
    starts_at: datetime
    ends_at: datetime
    sweep: str | None
    trades: int
    total_return: float
    daily_sharpe: float
    days: int


async def log_trials(transaction: Transaction, trials: Iterable[Trial]) -> None:
    """Note what was tried; the same configuration on the same data counts once."""
    await transaction.execute_many(
        "trials.log",
        [
            (
                each.strategy,
                each.config_hash,
                orjson.dumps(dict(each.params)).decode(),
                each.data_hash,
                orjson.dumps(dict(each.data)).decode(),
                each.starts_at,
                each.ends_at,
                each.sweep,
                each.trades,
                _known(each.total_return),
                _known(each.daily_sharpe),
                each.days,
            )
            for each in trials
        ],
    )


async def count_trials(transaction: Transaction, strategy: str, data_hash: str) -> tuple[int, float]:
    """Return how many configurations of a strategy were tried, and the variance of their Sharpe ratios a day.

    The variance is that of the tries on the same data; 0 where there are fewer than two with a Sharpe ratio.
    """
    row = await transaction.fetch_row("trials.count", strategy, data_hash)
    return (0, 0.0) if row is None else (row["count"], row["variance"] or 0.0)


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None
