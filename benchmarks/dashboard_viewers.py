"""Many viewers of the web page at once: first paint, how soon a closed bar is seen, and memory over time."""

from __future__ import annotations

import argparse
import ast
import asyncio
import json
import random
import re
import shutil
import tempfile
import time
import uuid
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import psutil
import socketio
from timing import Times, times_of
from tracker.domain.clock import SystemClock
from tracker.domain.timeframe import Timeframe
from tracker.store.bars import advance_watermark
from tracker.store.database import Database
from tracker.store.embedded import EmbeddedPostgres
from tracker.store.migrate import migrate
from tracker.testing.dashboard_process import RunningDashboard, running_dashboard
from tracker.testing.filled_database import Filled, fill_database

PATHS = ("/", "/market", "/strategies", "/paper", "/models", "/shadow", "/data", "/fleet")
QUERY = re.compile(r"query: (\{.*?\}),\n")
PAINT = "performance.getEntriesByType('paint').find((e) => e.name === 'first-contentful-paint')?.startTime"
# When a page stands whole: its menu, and the title above its first card.
WHOLE = "!!document.querySelector('main.page > h1') && document.querySelectorAll('main.page .card').length > 0"
# As in configs/fleet.toml.
MALLOC = {"MALLOC_MMAP_THRESHOLD_": "131072", "MALLOC_TRIM_THRESHOLD_": "131072"}
SAMPLE_SECONDS = 5.0
NAME = "viewers"


@dataclass(slots=True)
class Viewer:
    """One open page as a browser holds it: its socket, and when something came over it."""

    path: str
    client: socketio.AsyncClient = field(default_factory=lambda: socketio.AsyncClient(reconnection=False))
    client_id: str = ""
    updates: list[float] = field(default_factory=list)
    bytes: int = 0

    async def open(self, url: str, http: httpx.AsyncClient) -> None:
        """Load the page and connect as its script does."""
        found = QUERY.search((await http.get(self.path)).text)
        if found is None:
            raise RuntimeError(f"{self.path} is no page that connects")
        query: dict[str, Any] = ast.literal_eval(found[1])
        self.client_id = query["client_id"]
        self.client.on("*", self._hear)
        query |= {"document_id": uuid.uuid4().hex, "tab_id": uuid.uuid4().hex, "implicit_handshake": "true"}
        await self.client.connect(
            f"{url}?{httpx.QueryParams(query)}", socketio_path="/_nicegui_ws/socket.io", transports=["websocket"],
            headers={"Origin": url},
        )  # fmt: skip

    async def _hear(self, event: str, data: dict[str, Any]) -> None:
        self.updates.append(time.perf_counter())
        self.bytes += len(str(data))
        await self.client.emit("ack", {"client_id": self.client_id, "next_message_id": data.get("_id", 0) + 1})


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What was measured; memory in MB by the second since the first viewer came, delays in milliseconds."""

    viewers: int
    seconds: float
    memory: list[tuple[int, float]]
    slope_mb_a_minute: float
    delay: Times
    slowest_delay_ms: float
    bars: int
    cpu_share: float
    reads: float
    paint: dict[str, Times]
    memory_after_mb: float


async def watch(url: str, page: RunningDashboard, filled: Filled, viewers: int, seconds: float) -> dict[str, Any]:
    """Hold `viewers` pages open for some seconds, close bars meanwhile, and measure."""
    process = psutil.Process(page.pid)
    crowd = [Viewer(path=PATHS[number % len(PATHS)]) for number in range(viewers)]
    async with httpx.AsyncClient(base_url=page.url, timeout=60) as http:
        for each in crowd:
            await each.open(page.url, http)
        database = await Database.open(url, role="tracker_data_collector", pool_size=1, application="bench")
        started, cpu = time.perf_counter(), sum(process.cpu_times()[:2])
        memory: list[tuple[int, float]] = []
        delays: list[float] = []
        closed, bars = filled.end, 0
        while time.perf_counter() - started < seconds:
            memory.append((round(time.perf_counter() - started), process.memory_info().rss / 1e6))
            closed, bars = closed + timedelta(minutes=1), bars + 1
            async with database.transaction() as transaction:
                await advance_watermark(transaction, Timeframe.M1, filled.start, closed)
                await transaction.commit()
            at = time.perf_counter()
            # Not in step with what the page does every second anyway.
            await asyncio.sleep(SAMPLE_SECONDS + random.uniform(-0.5, 0.5))  # noqa: S311 - no secret
            for each in crowd:
                if each.path == "/" and (later := [moment for moment in each.updates if moment > at]):
                    delays.append(later[0] - at)
        lasted = time.perf_counter() - started
        used = sum(process.cpu_times()[:2]) - cpu
        reads = _reads((await http.get("/metrics")).text)
        await database.close()
        for each in crowd:
            await each.client.disconnect()
        await asyncio.sleep(30)
    return {
        "memory": memory, "delay": times_of(delays), "slowest_delay_ms": 1000 * max(delays), "bars": bars,
        "cpu_share": used / lasted, "reads": reads, "slope_mb_a_minute": _slope(memory),
        "memory_after_mb": process.memory_info().rss / 1e6,
    }  # fmt: skip


def paints(url: str, loads: int) -> dict[str, Times]:
    """Return by page when something was first seen, in a browser that knows nothing yet, then in one that does."""
    found = shutil.which("chromium")
    if found is None:
        return {}
    from playwright.sync_api import sync_playwright

    seen: dict[str, Times] = {}
    with sync_playwright() as running:
        browser = running.chromium.launch(executable_path=found, args=["--no-sandbox", "--disable-gpu"])
        for path in PATHS:
            times: dict[str, list[float]] = {}
            for _ in range(loads):
                context = browser.new_context(viewport={"width": 1280, "height": 900})
                page = context.new_page()
                for visit in ("first", "again"):
                    page.goto(url + path, wait_until="commit")
                    page.wait_for_function(WHOLE)
                    times.setdefault(f"{path} {visit}, whole", []).append(page.evaluate("performance.now()") / 1000)
                    times.setdefault(f"{path} {visit}, paint", []).append(page.evaluate(PAINT) / 1000)
                context.close()
            seen |= {name: times_of(each) for name, each in sorted(times.items())}
        browser.close()
    return seen


def _reads(metrics: str) -> float:
    found = re.search(r"^tracker_dashboard_reads_total (\S+)", metrics, re.MULTILINE)
    return float(found[1]) if found else 0.0


def _slope(memory: list[tuple[int, float]]) -> float:
    """Return MB a minute over the second half, by least squares: the first fills caches."""
    half = memory[len(memory) // 2 :]
    middle = sum(at for at, _ in half) / len(half)
    spread = sum((at - middle) ** 2 for at, _ in half)
    return 60 * sum((at - middle) * size for at, size in half) / spread if spread else 0.0


async def _fill(server: str, url: str) -> Filled:
    connection = await asyncpg.connect(server)
    await connection.execute(f"CREATE DATABASE {NAME}")
    await connection.close()
    await asyncio.to_thread(migrate, url)
    return await fill_database(url, now=SystemClock().now(), symbols=12, days=4)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--viewers", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--loads", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    told = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tracker-bench-") as folder:
        with EmbeddedPostgres(Path(folder) / "postgres", Path(folder) / "run") as server:
            url = server.url.replace("@/tracker?", f"@/{NAME}?")
            filled = asyncio.run(_fill(server.url, url))
            with running_dashboard(url, **MALLOC) as page:
                paint = paints(page.url, told.loads)
                rest = asyncio.run(watch(url, page, filled, told.viewers, told.seconds))
    figures = Figures(viewers=told.viewers, seconds=told.seconds, paint=paint, **rest)
    print(json.dumps(asdict(figures), indent=2) if told.json else _table(figures))


def _table(figures: Figures) -> str:
    lines = [f"{'first paint, and whole':<28} {'p50 ms':>8} {'worst':>8}"]
    lines += [f"{name:<28} {each.p50:>8.0f} {each.p99:>8.0f}" for name, each in figures.paint.items()]
    sizes = [size for _, size in figures.memory]
    lines += [
        f"{figures.viewers} viewers for {figures.seconds:.0f} s, {figures.bars} bars closed",
        f"a closed bar is seen after      p50 {figures.delay.p50:.0f} ms, p99 {figures.delay.p99:.0f} ms,"
        f" slowest {figures.slowest_delay_ms:.0f} ms ({figures.delay.n} times)",
        f"memory MB: {sizes[0]:.0f} at first, {max(sizes):.0f} at most, {sizes[-1]:.0f} at last,"
        f" {figures.slope_mb_a_minute:+.2f} a minute in the second half, {figures.memory_after_mb:.0f} without viewers",
        "  " + " ".join(f"{at}s:{size:.0f}" for at, size in figures.memory),
        f"processor: {100 * figures.cpu_share:.0f}% of a core; {figures.reads:.0f} reads of the database",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
