"""The symbols the fleet is asked to follow, from configs/universe.toml."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from tracker.domain.instrument import Instrument
from tracker.domain.timeframe import Timeframe
from tracker.runtime.config import load_toml


class PolygonTickers(BaseModel):
    """How Polygon calls a symbol on its stream and in its REST paths."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    stream: str
    rest: str


class UniverseSymbol(BaseModel):
    """One symbol; a vendor that does not trade it is left out."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    symbol: str = Field(pattern=r"^[A-Z0-9]+-[A-Z0-9]+$")
    polygon: PolygonTickers | None = None
    coinbase: str | None = None
    kraken: str | None = None
    lot_step: Decimal = Field(default=Decimal("0.00000001"), gt=0)
    min_notional: Decimal = Field(default=Decimal(10), ge=0)
    tier: str = "mid"
    base_timeframe: Timeframe = Timeframe.M1

    def instrument(self) -> Instrument:
        """Return the symbol as the database knows it, still without a number."""
        tickers: dict[str, str] = {}
        if self.polygon is not None:
            tickers["polygon_stream"] = self.polygon.stream
            tickers["polygon_rest"] = self.polygon.rest
        if self.coinbase is not None:
            tickers["coinbase"] = self.coinbase
        if self.kraken is not None:
            tickers["kraken"] = self.kraken
        return Instrument(
            symbol_id=0,
            symbol=self.symbol,
            base_timeframe=self.base_timeframe,
            lot_step=self.lot_step,
            min_notional=self.min_notional,
            vendor_tickers=tickers,
        )


class Universe(BaseModel):
    """All symbols, in the order of the file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    symbol: tuple[UniverseSymbol, ...]

    def instruments(self) -> list[Instrument]:
        """Return every symbol as an instrument."""
        return [each.instrument() for each in self.symbol]


def load_universe(path: Path) -> Universe:
    """Read the universe.

    Raises ConfigError naming file, field and value.
    """
    return load_toml(path, Universe)
