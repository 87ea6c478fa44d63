"""What configs/market_simulator.toml says about the invented market."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator

Positive = Annotated[float, Field(gt=0)]
Share = Annotated[float, Field(ge=0, le=0.9)]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class FactorParameters(_Frozen):
    """The log-price factor all coins share; volatility is per day."""

    volatility: Positive
    half_life_days: Positive
    tail_degrees: float = Field(gt=2)


class RegimeParameters(_Frozen):
    """A state of the factor: daily log drift, multipliers, and tomorrow's states by probability."""

    drift: float
    volatility_factor: Positive
    volume_factor: Positive
    next: dict[str, Annotated[float, Field(ge=0, le=1)]]


class Profile(_Frozen):
    """What the symbols of a tier are like; volatility per day and apart from the market, amounts in USD."""

    beta: float
    volatility: Positive
    half_life_days: Positive
    dollar_volume: Positive
    trade_size: Positive
    quiet: Share


class SymbolParameters(_Frozen):
    """A symbol's own values; what is None comes from its tier."""

    reference_price: Positive
    name: str = ""
    beta: float | None = None
    volatility: Positive | None = None
    half_life_days: Positive | None = None
    dollar_volume: Positive | None = None
    trade_size: Positive | None = None
    quiet: Share | None = None


class EdgeParameters(_Frozen):
    """An edge by the hour of day: prices rise by `strength`, a share, and fall again, `cycles` times a UTC day.

    It lasts from `first_day` (the market's where None) through `last_day` (for good where None).
    """

    strength: float = Field(gt=0, le=0.2)
    cycles: int = Field(default=1, ge=1, le=12)
    first_day: date | None = None
    last_day: date | None = None

    @field_validator("last_day")
    @classmethod
    def _check_last_day(cls, last_day: date | None, info: ValidationInfo) -> date | None:
        first_day: date | None = info.data.get("first_day")
        if first_day is not None and last_day is not None and last_day < first_day:
            raise ValueError(f"lies before first_day, {first_day}")
        return last_day

    def on(self, day: date) -> bool:
        """Return whether there is an edge on a day."""
        begun = self.first_day is None or day >= self.first_day
        return begun and (self.last_day is None or day <= self.last_day)


class MarketParameters(_Frozen):
    """The whole file."""

    seed: int = Field(ge=0)
    first_day: date
    days: int = Field(ge=1, le=20_000)
    unlisted: tuple[str, ...] = ()
    edge: EdgeParameters | None = None
    market: FactorParameters
    regime: dict[str, RegimeParameters]
    tier: dict[str, Profile]
    symbol: dict[str, SymbolParameters]

    @model_validator(mode="after")
    def _check_regimes(self) -> Self:
        if not self.regime:
            raise ValueError("regime: at least one is needed")
        for name, regime in self.regime.items():
            unknown = set(regime.next) - set(self.regime)
            if unknown:
                raise ValueError(f"regime.{name}.next names the unknown regime {min(unknown)!r}")
            total = sum(regime.next.values())
            if abs(total - 1) > 1e-9:
                raise ValueError(f"regime.{name}.next sums to {total!r}, not to 1")
        return self

    def profile(self, symbol: str, tier: str) -> Profile:
        """Return the tier's values with the symbol's own laid over them."""
        own = self.symbol[symbol].model_dump(exclude_none=True, exclude={"reference_price", "name"})
        return self.tier[tier].model_copy(update=own)
