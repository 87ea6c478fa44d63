"""How far each link of the chain has come that leads from bars to a strategy's looks, and which one is behind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from tracker.domain.signal import Strategy
from tracker.domain.timeframe import Timeframe
from tracker.store.bars import Watermark, read_watermarks
from tracker.store.database import Transaction
from tracker.store.features import read_feature_watermarks
from tracker.store.paper import read_scan_watermarks
from tracker.store.status import ServiceSign, read_signs

COLLECTOR = "data_collector"
CALCULATOR = "feature_calculator"
TRADER = "paper_trader"
# A service beats every five seconds.
SILENT_SECONDS = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken:
    """The link at which the chain ends, in a sentence, and what can be done; `where` is one of a few plain words."""

    where: str
    says: str
    do: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How far bars, features and looks of one strategy are complete, None where they never began."""

    strategy: Strategy
    timeframe: Timeframe
    has_scanner: bool
    bars: Watermark | None
    features_through: datetime | None
    scanned_through: datetime | None
    signs: Sequence[ServiceSign]

    @property
    def scanner(self) -> str:
        """Name of the service that looks with this strategy."""
        return f"strategy_scanner_{self.strategy}"

    def unscanned(self, first: datetime, end: datetime) -> int:
        """Return how many closes in (first, end] had bars and were not looked at."""
        if self.bars is None:
            return 0
        since = max(first, self.bars.opened_at if self.scanned_through is None else self.scanned_through)
        until = min(end, self.bars.closed_through)
        step = self.timeframe
        return max((step.floor(until) - step.floor(since)) // step.duration, 0)

    def behind(self, close: datetime) -> Broken | None:
        """Return the first link that has not come to a close, None where all have."""
        bars = None if self.bars is None else self.bars.closed_through
        for where, what, service, through in (
            ("bars", f"{self.timeframe} bars are complete", COLLECTOR, bars),
            ("features", f"{self.timeframe} features are computed", CALCULATOR, self.features_through),
            ("scan", f"{self.strategy} has looked at the market", self.scanner, self.scanned_through),
        ):
            if through is None or through < close:
                return self._stands(where, what, service, through)
        return None

    def _stands(self, where: str, what: str, service: str, through: datetime | None) -> Broken:
        if service == self.scanner and not self.has_scanner:
            return Broken(
                where=where,
                says=f"{self.strategy} has no scanner, so it does not look at the market",
                do="give it a row in configs/fleet.toml (docs/write-a-strategy.md)",
            )
        reached = "not at all yet" if through is None else f"through {shown(through)} only"
        return Broken(
            where=where,
            says=f"{what} {reached}; {sign_of(service, self.signs)}",
            do=f"`tracker status` shows the services, `tracker up` starts them, and logs/{service}.log says more",
        )


async def read_standing(
    transaction: Transaction, strategy: Strategy, timeframe: Timeframe, *, has_scanner: bool
) -> Standing:
    """Return how far a strategy that looks at bars of a timeframe has come."""
    scans = (await read_scan_watermarks(transaction)).get(strategy)
    return Standing(
        strategy=strategy,
        timeframe=timeframe,
        has_scanner=has_scanner,
        bars=(await read_watermarks(transaction)).get(timeframe),
        features_through=(await read_feature_watermarks(transaction)).get(timeframe),
        scanned_through=None if scans is None else scans.closed_through,
        signs=await read_signs(transaction),
    )


def sign_of(service: str, signs: Sequence[ServiceSign]) -> str:
    """Say in words when a service was last heard of, and what troubles it."""
    mine = [each for each in signs if each.service == service]
    if not mine:
        return f"nothing was ever heard of {service}"
    last = min(mine, key=lambda each: each.age_seconds)
    trouble = f": {last.problem}" if last.problem else ""
    if last.status == "stopped":
        return f"{service} was stopped {duration(last.age_seconds)} ago"
    if last.age_seconds > SILENT_SECONDS:
        return f"{service} was last heard of {duration(last.age_seconds)} ago{trouble}"
    return f"{service} is alive ({last.status}{trouble})"


def shown(moment: datetime) -> str:
    """Return a moment to the minute, UTC."""
    return f"{moment:%Y-%m-%d %H:%M} UTC"


def duration(seconds: float) -> str:
    """Return a length of time in its two largest units."""
    minutes, hours, days = int(seconds // 60), int(seconds // 3_600), int(seconds // 86_400)
    if days:
        return f"{days} d {hours % 24} h"
    if hours:
        return f"{hours} h {minutes % 60} min"
    return f"{minutes} min" if minutes else f"{int(seconds)} s"
