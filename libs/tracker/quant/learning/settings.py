"""How models are trained and judged; configs/models.toml says what each number means."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

Share = Annotated[float, Field(gt=0, lt=1)]
Count = Annotated[int, Field(ge=1)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Above = Annotated[float, Field(gt=0, allow_inf_nan=False)]
STRICT: dict[str, Any] = {"extra": "forbid"}


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingPlan:
    """What is learnt from, and how much is tried."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    days: Count
    signals_only: bool
    holdout_share: Annotated[float, Field(gt=0, le=0.5)]
    stop_share: Annotated[float, Field(gt=0, le=0.5)]
    folds: Annotated[int, Field(ge=2, le=20)]
    embargo_hours: NotNegative
    trials: Annotated[int, Field(ge=2, le=200)]
    most_rounds: Annotated[int, Field(ge=1, le=2000)]
    patience: Count
    min_labels: Count
    seed: Annotated[int, Field(ge=0)]

    @property
    def embargo(self) -> int:
        """In seconds."""
        return round(self.embargo_hours * 3600)


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchSpace:
    """Between which values each parameter of a configuration is drawn, both ends included."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    max_depth: tuple[Annotated[int, Field(ge=1, le=8)], Annotated[int, Field(ge=1, le=8)]]
    eta: tuple[Share, Share]
    min_child_weight: tuple[NotNegative, NotNegative]
    subsample: tuple[Annotated[float, Field(gt=0, le=1)], Annotated[float, Field(gt=0, le=1)]]
    colsample: tuple[Annotated[float, Field(gt=0, le=1)], Annotated[float, Field(gt=0, le=1)]]
    reg_lambda: tuple[Above, Above]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelGate:
    """What a candidate has to show."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    threshold: Share
    confidence: Annotated[float, Field(ge=0.5, lt=1)]
    bootstraps: Annotated[int, Field(ge=100)]
    block_days: Count
    min_days: Count
    min_effective: Above
    min_trades: Above
    min_trade_days: Count
    min_trade_return: NotNegative
    min_slope: Above
    max_slope: Above
    max_calibration_error: Share
    max_symbol_share: Annotated[float, Field(gt=0, le=1)]
    max_regime_share: Annotated[float, Field(gt=0, le=1)]
    min_deflated_sharpe: Share
    max_overfitting: Share
    max_feature_auc: Annotated[float, Field(gt=0.5, le=1)]
    max_shuffled_gain: NotNegative
    min_as_of_rows: Annotated[int, Field(ge=0)]
    min_shadow_hours: NotNegative
    min_shadow_trades: Annotated[int, Field(ge=0)]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelsConfig:
    """configs/models.toml; `monotone` by strategy and feature: 1 may only help, -1 only harm."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    training: TrainingPlan
    search: SearchSpace
    gate: ModelGate
    monotone: Mapping[str, Mapping[str, Literal[-1, 1]]] = field(default_factory=dict[str, dict[str, Literal[-1, 1]]])
