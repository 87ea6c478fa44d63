"""What a look of the health monitor costs on the database of a fleet that is down.

python -m benchmarks.health DATA_DIR [--database NAME] [--looks N]; DATA_DIR is that of the embedded Postgres, such as
.data/postgres after `tracker down`.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
from pathlib import Path

import psutil
from tracker.domain.clock import SystemClock
from tracker.runtime.settings import load_settings
from tracker.store.database import Database
from tracker.store.embedded import EmbeddedPostgres
from tracker.store.health.facts import Facts

from benchmarks.timing import Times, times_of
from services.health_monitor.books import Books
from services.health_monitor.invariants import ALL, GROUPS
from services.health_monitor.judging import judge
from services.health_monitor.observing import Observer
from services.health_monitor.settings import MonitorSettings

SHOWN = 12


async def look(database: Database, looks: int, seconds: float) -> tuple[Times, dict[type[Facts], list[float]], int]:
    """Return how long looks take, each class of facts in seconds, and how many findings there are.

    Facts of every cadence up to `seconds` are read at each look.
    """
    clock = SystemClock()
    times: list[float] = []
    each: dict[type[Facts], list[float]] = {}
    findings = 0
    sources = tuple(source for group in GROUPS for source in group.sources)
    for _ in range(looks):
        settings = load_settings(MonitorSettings)
        due = tuple(source for source in sources if getattr(settings, source.seconds) <= seconds)
        # A new one has everything due that it knows.
        observer = Observer(database, settings, clock, due, Books(database, clock, settings.ledger_every_seconds))
        began = clock.monotonic()
        seen = await observer.look()
        judged = judge(ALL, seen, {})
        times.append(clock.monotonic() - began)
        findings = sum(len(verdicts) for verdicts in judged.values())
        for kind, took in observer.seconds.items():
            each.setdefault(kind, []).append(took)
    return times_of(times), each, findings


async def main(server: EmbeddedPostgres, name: str, looks: int) -> None:
    """Print a table."""
    url = server.url.replace("@/tracker?", f"@/{name}?")
    database = await Database.open(url, role="tracker_health_monitor", pool_size=1, application="benchmark")
    settings = load_settings(MonitorSettings)
    for words, seconds in (
        ("of every 10 s", settings.every_seconds),
        ("once a minute", settings.slow_every_seconds),
        ("once in ten minutes", settings.rare_every_seconds),
    ):
        times, each, findings = await look(database, looks, seconds)
        print(f"a look {words}: p50 {times.p50:.0f} ms, p99 {times.p99:.0f} ms ({findings} findings)")
    print(f"resident: {psutil.Process().memory_info().rss / 1e6:.0f} MB")
    dearest = sorted(each.items(), key=lambda item: -sorted(item[1])[len(item[1]) // 2])
    for kind, took in dearest[:SHOWN]:
        print(f"  {kind.__name__:20} p50 {times_of(took).p50:6.1f} ms")
    await database.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data_dir", type=Path)
    parser.add_argument("--database", default="tracker")
    parser.add_argument("--looks", type=int, default=20)
    told = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="tracker-bench-") as run,
        EmbeddedPostgres(told.data_dir, Path(run)) as running,
    ):
        asyncio.run(main(running, told.database, told.looks))
