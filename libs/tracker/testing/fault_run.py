"""A fault script against a real collector process: run it, and tell what the database made of it."""

from __future__ import annotations

import asyncio
import json
import random
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import psutil

from tracker.domain.timeframe import Timeframe
from tracker.runtime.settings import environment
from tracker.testing.exchange import Exchange, Start
from tracker.testing.fault_truth import (
    Span,
    corrected_bars,
    differences,
    read_stored,
    truth_of,
    wrong_rejections,
    wrong_revisions,
)

# Two hours before midnight: minutes, hours and a day close while the script runs.
START = datetime(2026, 3, 2, 22, tzinfo=UTC)
# After the last fault, exchange minutes: a symbol that fell silent is compared with REST after 15.
CALM_MINUTES = 20
# What was received waits to be stored while the exchange's REST interface is away, and a kill loses it.
UNSURE = timedelta(minutes=6)
SETTLE_SECONDS = 30.0
# A minute of the exchange lasts a fraction of a second, so do the collector's waits.
COLLECTOR = {
    "TRACKER_SOURCE": "simulated",
    "POLYGON_API_KEY": "simulated",
    "POLL_SECONDS": "0.2",
    "DATA_COLLECTOR_GRACE_SECONDS": "0.1",
    "DATA_COLLECTOR_STALL_SECONDS": "1.0",
    "DATA_COLLECTOR_HEAL_SECONDS": "0.4",
    "DATA_COLLECTOR_GAP_RETRY_SECONDS": "0.2",
    "DATA_COLLECTOR_REPAIR_PATIENCE_SECONDS": "1.5",
    "DATA_COLLECTOR_BREAKER_PATIENCE_SECONDS": "1.0",
    "DATA_COLLECTOR_LEASE_TTL_SECONDS": "1.8",
    "DATA_COLLECTOR_LEASE_RENEW_SECONDS": "0.5",
    "DATA_COLLECTOR_CONNECTION_COOL_DOWN_SECONDS": "0.4",
    "DATA_COLLECTOR_LONGEST_BACKOFF_SECONDS": "0.3",
    "DATA_COLLECTOR_RESUBSCRIBE_SECONDS": "2.0",
    "DATA_COLLECTOR_HANDSHAKE_SECONDS": "0.8",
    "DATA_COLLECTOR_BREAKER_COOL_DOWN_SECONDS": "0.2",
    "DATA_COLLECTOR_REST_TIMEOUT_SECONDS": "0.8",
    "DATA_COLLECTOR_BACKFILL_1M_DAYS": "1",
    "DATA_COLLECTOR_BACKFILL_15M_DAYS": "0",
    "DATA_COLLECTOR_BACKFILL_1H_DAYS": "0",
    "DATA_COLLECTOR_BACKFILL_1D_DAYS": "0",
}


@dataclass(slots=True)
class CollectorProcess:
    """The collector's own process, started as often as it is killed."""

    database_url: str
    exchange: Exchange
    log_path: Path
    process: subprocess.Popen[bytes] | None = None
    port: int = 0
    rss: list[float] = field(default_factory=list[float])
    reconnects: int = 0

    def start(self) -> None:
        """Start it; its log goes on in the same file."""
        self.port = _free_port()
        self.rss = []
        at = f"127.0.0.1:{self.exchange.port}"
        variables = {
            **environment(), **COLLECTOR, "DATABASE_URL": self.database_url, "HOST": "127.0.0.1",
            "PORT": str(self.port), "POLYGON_WS_URL": f"ws://{at}/crypto", "POLYGON_REST_URL": f"http://{at}",
        }
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "services.data_collector"], stdout=log, stderr=log, env=variables
            )

    def kill(self) -> None:
        """Kill it as a failing machine would."""
        assert self.process is not None  # noqa: S101 - it was started
        self.reconnects += self.detail().get("connections", 0)
        self.process.kill()
        self.process.wait(timeout=10)

    def pause(self, seconds: float) -> None:
        """Stop it for a while, as a machine short of everything would."""
        assert self.process is not None  # noqa: S101 - it was started
        self.process.send_signal(signal.SIGSTOP)
        time.sleep(seconds)
        self.process.send_signal(signal.SIGCONT)

    def sample(self) -> None:
        """Note its memory (MB); raises AssertionError where it has ended by itself."""
        assert self.process is not None  # noqa: S101 - it was started
        if self.process.poll() is not None:
            raise AssertionError(f"the collector ended by itself with code {self.process.returncode}: {self.log_path}")
        self.rss.append(psutil.Process(self.process.pid).memory_info().rss / 1e6)

    def detail(self) -> dict[str, Any]:
        """Return what it says of itself, nothing while it cannot be asked."""
        try:
            body = httpx.get(f"http://127.0.0.1:{self.port}/health", timeout=5).json()
        except (httpx.HTTPError, ValueError):
            return {}
        return body.get("detail") or {}

    def wait_for(self, reached: Callable[[dict[str, Any]], bool], what: str, seconds: float = 60) -> None:
        """Wait until what it says of itself fulfils a condition."""
        deadline = time.monotonic() + seconds
        while not reached(self.detail()):
            self.sample()
            if time.monotonic() > deadline:
                raise AssertionError(f"waited {seconds:.0f} s for {what}: {self.detail()}, {self.log_path}")
            time.sleep(0.1)


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultReport:
    """What came of a run; memory in MB, of the collector's last life."""

    seed: int
    hours: float
    not_ordered: int
    faults: dict[str, int]
    strokes: dict[str, int]
    kills: int
    bars: int
    corrected: int
    revised: int
    bad_bars: int
    rejected: int
    healed: int
    empty: int
    connections: int
    rss_first: float
    rss_last: float
    rss_growth: float
    seconds: float
    problems: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Played:
    """How many planned faults found no occasion, and the moments around which a collector was killed."""

    not_ordered: int
    unsure: list[tuple[datetime, datetime]]


@dataclass(slots=True)
class FaultRun:
    """One run: `pace` is how long a minute of the exchange lasts, seconds."""

    seed: int
    start_exchange: Start
    database_url: str
    folder: Path
    hours: float = 2.0
    per_hour: float = 30.0
    pace: float = 0.3
    tell: Callable[[str], None] = lambda _: None

    def run(self) -> FaultReport:
        """Run the script, let the collector settle and compare; raises AssertionError where it cannot go on."""
        started = time.monotonic()
        exchange = self.start_exchange("--clock", "paced", "--start", START.isoformat())
        collector = CollectorProcess(self.database_url, exchange, self.folder / "collector.log")
        with _ended(collector):
            collector.start()
            collector.wait_for(_streaming, "the start-up history")
            order = {"seed": self.seed, "hours": self.hours, "per_hour": self.per_hour}
            answer = exchange.http.post("/faults/script", json=order)
            answer.raise_for_status()
            faults = Counter[str](each["case"] for each in answer.json()["plan"])
            played = self._play(exchange, collector)
            return self._report(exchange, collector, faults, played, started)

    def _play(self, exchange: Exchange, collector: CollectorProcess) -> _Played:
        """Move the exchange through the script and the calm after it."""
        minutes = round(self.hours * 60)
        acts = self._acts(minutes)
        unsure: list[tuple[datetime, datetime]] = []
        not_ordered = 0
        for minute in range(1, minutes + CALM_MINUTES + 1):
            moment = START + timedelta(minutes=minute)
            if minute == minutes + 1:
                not_ordered = exchange.get("/faults/script").json()["ahead"]
                exchange.http.delete("/faults").raise_for_status()
            exchange.clock(advance_to=moment.isoformat())
            time.sleep(self.pace)
            collector.sample()
            act = acts.get(minute)
            if act is not None:
                self.tell(f"{moment:%H:%M} {act}")
                unsure.append((moment - UNSURE, moment))
                _ACTS[act](exchange, collector)
        return _Played(not_ordered, unsure)

    def _acts(self, minutes: int) -> dict[int, str]:
        """Return in which minutes something happens to the process itself: all in the first half."""
        drawn = random.Random(self.seed)  # noqa: S311 - no secret
        chosen = sorted(drawn.sample(range(4, minutes // 2), len(_ACTS)))
        return dict(zip(chosen, drawn.sample(list(_ACTS), len(_ACTS)), strict=True))

    def _report(
        self, exchange: Exchange, collector: CollectorProcess, faults: Counter[str], played: _Played, started: float
    ) -> FaultReport:
        span = Span(start=START, end=START + timedelta(minutes=round(self.hours * 60) + CALM_MINUTES))
        symbols = exchange.get("/clock").json()["symbols"]
        truth = truth_of(exchange, symbols, span)
        deadline = time.monotonic() + SETTLE_SECONDS
        while (found := differences(stored := asyncio.run(read_stored(self.database_url, span)), truth, span)):
            collector.sample()
            if time.monotonic() > deadline:
                break
            time.sleep(0.5)
        strokes = exchange.get("/faults/log").json()["strokes"]
        (self.folder / "strokes.json").write_text(json.dumps(strokes))
        (self.folder / "memory.json").write_text(json.dumps(collector.rss))
        untouched = self.start_exchange("--clock", "paced", "--start", span.end.isoformat())
        pristine = truth_of(untouched, symbols, span, [Timeframe.M1])
        rejections, bad_bars = wrong_rejections(stored, strokes, played.unsure)
        half = len(collector.rss) // 2
        growth = max(collector.rss[half:]) - max(collector.rss[:half])
        return FaultReport(
            seed=self.seed, hours=self.hours, not_ordered=played.not_ordered,
            faults=dict(sorted(faults.items())),
            strokes=dict(sorted(Counter(each["kind"] for each in strokes).items())),
            kills=len(played.unsure), bars=len(stored.bars), corrected=corrected_bars(strokes),
            revised=sum(1 for key in stored.revisions if key[1] is Timeframe.M1), bad_bars=bad_bars,
            rejected=len(stored.rejected), healed=stored.healed, empty=stored.empty,
            connections=collector.reconnects + collector.detail().get("connections", 0),
            rss_first=collector.rss[0], rss_last=collector.rss[-1], rss_growth=growth,
            seconds=time.monotonic() - started,
            problems=(*found, *wrong_revisions(stored, pristine, strokes), *rejections),
        )


def _streaming(detail: dict[str, Any]) -> bool:
    return bool(detail.get("complete_history")) and detail.get("connections", 0) > 0


def _kill(_: Exchange, collector: CollectorProcess) -> None:
    collector.kill()
    collector.start()


def _pause(_: Exchange, collector: CollectorProcess) -> None:
    collector.pause(1.5)


def _refuse_key(exchange: Exchange, collector: CollectorProcess) -> None:
    """Refuse the key: the collector says so and waits for a person, who starts it again."""
    collector.wait_for(_streaming, "a connection whose key can be refused")
    exchange.fault("drop")

    def refused(detail: dict[str, Any]) -> bool:
        if "POLYGON_API_KEY" in str(detail.get("problem")):
            return True
        # A request that its connection's end has cut short may have met the last refusal.
        active = exchange.get("/faults").json()["active"]
        if not any(each["kind"] == "auth_failure" for each in active):
            exchange.fault("auth_failure")
        return False

    collector.wait_for(refused, "the refused key")
    exchange.http.delete("/faults", params={"kind": "auth_failure"}).raise_for_status()
    _kill(exchange, collector)


_ACTS: dict[str, Callable[[Exchange, CollectorProcess], None]] = {
    "kill -9": _kill,
    "kill -9 again": _kill,
    "the process is paused": _pause,
    "the key is refused": _refuse_key,
}


@contextmanager
def _ended(collector: CollectorProcess) -> Iterator[None]:
    try:
        yield
    finally:
        if collector.process is not None and collector.process.poll() is None:
            collector.process.kill()
            collector.process.wait(timeout=10)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
