"""What tests of the registry share: labels of a made-up market, and models of them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import numpy as np
from tracker.domain.timeframe import Timeframe
from tracker.quant.learning.model import Trained
from tracker.quant.learning.samples import Samples
from tracker.quant.learning.settings import ModelsConfig
from tracker.runtime.model_data import LabelsOf, moment
from tracker.store.database import Database
from tracker.store.labels import LabelConfig, LabelRow, put_label_config, replace_labels

CONFIG_DIR = Path(__file__).parents[3] / "configs"
OpenDatabase = Callable[[str | None], Awaitable[Database]]
WHICH = LabelsOf(strategy="swing", config_hash="feedfacefeedface", timeframe=Timeframe.M15, signals_only=False)
EDGE = 0.9


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Labels that are stored as `which`, as read back, and models trained of them: with an edge, and of noise."""

    database: Database
    config: ModelsConfig
    which: LabelsOf
    samples: Samples
    edged: Trained
    blind: Trained


async def store_labels(
    transaction: object, samples: Samples, number: int, config: LabelConfig | None = None
) -> None:
    """Write samples as labels; symbol s of the samples is symbol id s + 1."""
    config = config or LabelConfig(
        hash=WHICH.config_hash, strategy=WHICH.strategy, timeframe=WHICH.timeframe, strategy_hash="c0ffee", params={},
        rules={},
    )  # fmt: skip
    await put_label_config(transaction, config)  # type: ignore[arg-type]
    regimes = ("unknown", "trend_up", "trend_down", "range")
    for symbol in np.unique(samples.symbol).tolist():
        rows = np.flatnonzero(samples.symbol == symbol)
        labels = [
            LabelRow(
                decided_at=moment(int(samples.decided_at[row])), exit_at=moment(int(samples.exit_at[row])),
                outcome="win" if samples.won[row] else "loss", exit_reason="target" if samples.won[row] else "stop",
                regime=regimes[int(samples.regime[row])], volatility="mid", is_signal=True, confirmations=3,
                strength=0.7, bars_to_exit=4, entry=100.0, entry_price=100.0, exit_price=101.0,
                gross_return=float(samples.net_return[row]) + 0.001, net_return=float(samples.net_return[row]),
                mae=-0.01, mfe=0.02, weight=float(samples.weight[row]),
            )
            for row in rows.tolist()
        ]  # fmt: skip
        span = labels[0].decided_at - timedelta(hours=1), labels[-1].decided_at
        await replace_labels(transaction, config, symbol + 1, span, labels, number, samples.features[rows])  # type: ignore[arg-type]
