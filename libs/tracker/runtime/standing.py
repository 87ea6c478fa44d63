"""How far each link of the chain has come that leads from bars to a strategy's looks, and which one is behind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from tracker.domain.signal import Strategy
from tracker.domain.timeframe import Timeframe
from tracker.runtime.durations import duration
from tracker.store.bars import Watermark, read_watermarks
from tracker.store.database import Transaction
from tracker.store.features import read_feature_watermarks
from tracker.store.paper import ScanWatermark, read_scan_watermarks
from tracker.store.status import ServiceSign, read_signs

COLLECTOR = "data_collector"
CALCULATOR = "feature_calculator"
TRADER = "paper_trader"
# A service beats every five seconds.
SILENT_SECONDS = 30.0
MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken:
    """The link at which the chain ends, in a sentence, and what can be done; `where` is one of a few plain words."""

    where: str
    says: str
    do: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How far bars, features and looks of one strategy are complete, None where they never began.

    `scanners` are the strategies that have one, for which the paper trader waits; `scans` tells how far each looked.
    """

    strategy: Strategy
    timeframe: Timeframe
    scanners: Sequence[Strategy]
    scans: Mapping[Strategy, ScanWatermark]
    bars: Watermark | None
    features_through: datetime | None
    signs: Sequence[ServiceSign]

    @property
    def scanned_through(self) -> datetime | None:
        """The last close that the strategy has looked at."""
        mark = self.scans.get(self.strategy)
        return None if mark is None else mark.closed_through

    def unread(self, through: datetime | None) -> str:
        """Say why an account has acted on the minutes to a moment only."""
        reached = "on no minute yet" if through is None else f"on the minutes to {shown(through)} only"
        says = f"the paper trader has acted {reached}; {sign_of(TRADER, self.signs)}"
        late = [each for each in sorted(self.scanners) if self._is_late(each, through)]
        if not late:
            return says
        return f"{says}; it waits until {' and '.join(late)} {'has' if len(late) == 1 else 'have'} looked"

    def _is_late(self, strategy: Strategy, through: datetime | None) -> bool:
        """Tell whether an account can be no further than it is for want of a strategy's looks."""
        mark = self.scans.get(strategy)
        if mark is None:
            return True
        return through is not None and mark.closed_through + mark.timeframe.duration <= through + MINUTE

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
        step, strategy = self.timeframe, self.strategy
        if bars is None or bars < close:
            says = f"no {step} bar is complete yet" if bars is None else _reached(f"{step} bars are complete", bars)
            return self._stands("bars", says, COLLECTOR)
        through = self.features_through
        if through is None or through < close:
            what = f"{step} features are computed"
            says = f"no {what.replace('are', 'were')} yet" if through is None else _reached(what, through)
            return self._stands("features", says, CALCULATOR)
        through = self.scanned_through
        if through is None or through < close:
            what = f"{strategy} has looked at the market"
            says = f"{strategy} has never looked at the market" if through is None else _reached(what, through)
            return self._stands("scan", says, self.scanner)
        return None

    def _stands(self, where: str, says: str, service: str) -> Broken:
        if service == self.scanner and self.strategy not in self.scanners:
            return Broken(
                where=where,
                says=f"{self.strategy} has no scanner, so it does not look at the market",
                do="give it a row in configs/fleet.toml (docs/write-a-strategy.md)",
            )
        return Broken(
            where=where,
            says=f"{says}; {sign_of(service, self.signs)}",
            do=f"`tracker status` shows the services, `tracker up` starts them, and logs/{service}.log says more",
        )


def _reached(what: str, through: datetime) -> str:
    return f"{what} through {shown(through)} only"


async def read_standing(
    transaction: Transaction, strategy: Strategy, timeframe: Timeframe, scanners: Sequence[Strategy]
) -> Standing:
    """Return how far a strategy that looks at bars of a timeframe has come; `scanners` are those that have one."""
    return Standing(
        strategy=strategy,
        timeframe=timeframe,
        scanners=scanners,
        scans=await read_scan_watermarks(transaction),
        bars=(await read_watermarks(transaction)).get(timeframe),
        features_through=(await read_feature_watermarks(transaction)).get(timeframe),
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
