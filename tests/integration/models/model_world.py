"""What tests of the registry share: labels of a made-up market, and models of them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from tracker.domain.timeframe import Timeframe
from tracker.quant.learning.model import Trained
from tracker.quant.learning.samples import Samples
from tracker.quant.learning.settings import ModelsConfig
from tracker.runtime.model_data import LabelsOf
from tracker.store.database import Database
from tracker.testing.stored_labels import label_config

CONFIG_DIR = Path(__file__).parents[3] / "configs"
OpenDatabase = Callable[[str | None], Awaitable[Database]]
WHICH = LabelsOf(strategy="swing", config_hash="feedfacefeedface", timeframe=Timeframe.M15, signals_only=False)
LABELS = label_config(WHICH.strategy, WHICH.config_hash, "c0ffee", WHICH.timeframe)
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
