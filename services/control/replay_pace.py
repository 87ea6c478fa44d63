"""Moves the simulated exchange's clock so that the fleet is busy and never buried."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import httpx
import numpy as np
from numpy.typing import NDArray
from tracker.domain.errors import DatabaseUnavailableError, TrackerError
from tracker.domain.timeframe import EPOCH, Timeframe
from tracker.store.bars import read_watermarks
from tracker.store.database import Database, Transaction
from tracker.store.features import read_feature_watermarks
from tracker.store.gaps import count_unasked
from tracker.store.health.risk import read_trader_facts
from tracker.store.paper import read_scan_watermarks
from tracker.store.shadow import read_shadow_stages

# Bars on their way between the exchange and the paper trader: less than the collector's buffer holds.
BARS_AHEAD = 20_000
STUCK_SECONDS = 300.0


class ReplayStuckError(TrackerError):
    """The replay does not go on: a stage of the fleet stands still."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """The candles' closes (int64 Unix seconds, ascending) and the exchange that sends them."""

    closes: NDArray[np.int64]
    first_open: int
    simulator: str

    def allowed(self, done: datetime | None) -> datetime:
        """Return how far the exchange may go when the fleet has finished everything up to `done`."""
        finished = 0 if done is None else int(np.searchsorted(self.closes, done.timestamp(), side="right"))
        index = min(finished + BARS_AHEAD, len(self.closes) - 1)
        return _moment(int(self.closes[index]))

    @property
    def end(self) -> datetime:
        """Close of the last bar."""
        return _moment(int(self.closes[-1]))


@dataclass(slots=True)
class Stages:
    """How far each stage has come; with `shadow`, the shadow is one of them."""

    shadow: bool = False
    reached: dict[str, datetime] = field(default_factory=dict[str, datetime])
    moved_at: float = field(default_factory=time.monotonic)
    unasked_gaps: int = 0

    async def look(self, transaction: Transaction) -> None:
        """Read every watermark."""
        found: dict[str, datetime] = {}
        for timeframe, mark in (await read_watermarks(transaction)).items():
            found[f"bars {timeframe}"] = mark.closed_through
        for timeframe, moment in (await read_feature_watermarks(transaction)).items():
            found[f"features {timeframe}"] = moment
        for strategy, mark in (await read_scan_watermarks(transaction)).items():
            found[f"scan {strategy}"] = mark.closed_through
        if self.shadow:
            for stage in await read_shadow_stages(transaction):
                if stage.done is not None:
                    found[stage.stage] = stage.done
        paper = (await read_trader_facts(transaction)).paper_through
        if paper is not None:
            found["paper trader"] = paper
        unasked = await count_unasked(transaction)
        if found != self.reached or unasked != self.unasked_gaps:
            self.moved_at = time.monotonic()
        self.reached, self.unasked_gaps = found, unasked

    @property
    def paper(self) -> datetime | None:
        """How far the last stage has come."""
        return self.reached.get("paper trader")

    def finished(self, end: datetime) -> bool:
        """Tell whether every stage has done all there is up to `end`."""
        done = self.paper is not None and self.paper >= end and self._scans_through(end)
        return done and self._tried_through(end) and not self.unasked_gaps

    def check_moving(self) -> None:
        """Raise ReplayStuckError where nothing has moved for long."""
        if time.monotonic() - self.moved_at > STUCK_SECONDS:
            where = ", ".join(f"{stage} at {moment:%Y-%m-%d %H:%M}" for stage, moment in self.reached.items())
            raise ReplayStuckError(f"nothing has moved for {STUCK_SECONDS:.0f} s: {where or 'no stage has begun'}")

    def _scans_through(self, end: datetime) -> bool:
        scans = [moment for stage, moment in self.reached.items() if stage.startswith("scan")]
        return bool(scans) and min(scans) >= Timeframe.M15.floor(end)

    def _tried_through(self, end: datetime) -> bool:
        tried = [moment for stage, moment in self.reached.items() if stage.startswith("shadow")]
        return not self.shadow or (bool(tried) and min(tried) >= Timeframe.M15.floor(end))


class Exchange:
    """The simulator's clock; a restarted simulator is put back to where it was."""

    def __init__(self, address: str, start: datetime) -> None:
        """Talk to the simulator at `address`, whose market opens at `start`."""
        self._client = httpx.AsyncClient(base_url=address, timeout=60)
        self._instance: str | None = None
        self._now = start

    async def advance(self, moment: datetime) -> None:
        """Let the exchange send everything up to `moment`; while it is down or nobody listens, nothing happens."""
        try:
            clock = (await self._client.get("/clock")).json()
            if clock["instance"] != self._instance:
                await self._post("jump_to", self._now)
                self._instance = clock["instance"]
            if moment > self._now and clock["subscribers"]:
                await self._post("advance_to", moment)
                self._now = moment
        except httpx.HTTPError:
            # It was killed or is starting: its supervisor brings it back, and the next look finds it.
            self._instance = None

    async def _post(self, what: str, moment: datetime) -> None:
        response = await self._client.post("/clock", json={what: moment.isoformat()})
        response.raise_for_status()

    async def close(self) -> None:
        """Let go of the connection."""
        await self._client.aclose()


async def keep_pace(url: str, pace: Pace, stages: Stages, progress: Callable[[str], None]) -> None:
    """Advance the exchange as the paper trader follows, until everything has been acted on.

    Raises ReplayStuckError where a stage stands still for good.
    """
    exchange = Exchange(pace.simulator, _moment(pace.first_open))
    database: Database | None = None
    try:
        while not stages.finished(pace.end):
            await exchange.advance(pace.allowed(stages.paper))
            try:
                database = database or await Database.open(url, role=None, pool_size=1, application="tracker:replay")
                async with database.transaction() as transaction:
                    await stages.look(transaction)
            except DatabaseUnavailableError:
                progress("the database is away")
            stages.check_moving()
            if stages.paper is not None:
                done = np.searchsorted(pace.closes, stages.paper.timestamp(), side="right")
                progress(f"replaying: {stages.paper:%Y-%m-%d %H:%M} ({done / len(pace.closes):.0%})")
            await asyncio.sleep(0.05)
    finally:
        await exchange.close()
        if database is not None:
            await database.close()


def _moment(seconds: int) -> datetime:
    return EPOCH + timedelta(seconds=seconds)
