"""Random faults for hours of an exchange's time, seed by seed, against the real collector process.

The market simulator's script injects every kind of fault it knows at 90 symbols (6 of them unknown to the vendor), the
collector is killed, paused and refused its key on top, and what the database holds at the end is compared with what
the exchange says, bar by bar. Prints a table; `--json` prints JSON. The exit code is 1 where anything differs.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import asyncpg
from tracker.store.embedded import EmbeddedPostgres
from tracker.store.migrate import migrate
from tracker.testing.exchange import exchanges
from tracker.testing.fault_run import FaultReport, FaultRun

COLUMNS = (
    "seed", "not_ordered", "bars", "corrected", "revised", "bad_bars", "rejected", "healed", "empty", "connections",
    "kills", "rss_first", "rss_last", "rss_growth", "seconds",
)


def run_seed(server: EmbeddedPostgres, seed: int, options: argparse.Namespace, folder: Path) -> FaultReport:
    """Run one seed in a database of its own."""
    name = f"faults_{seed}"
    asyncio.run(_create(server.url, name))
    url = server.url.replace("@/tracker?", f"@/{name}?")
    migrate(url)
    folder.mkdir()
    with exchanges() as start_exchange:
        return FaultRun(
            seed=seed, start_exchange=start_exchange, database_url=url, folder=folder, hours=options.hours,
            per_hour=options.per_hour, pace=options.pace, tell=lambda text: print(f"  {text}", file=sys.stderr),
        ).run()


async def _create(url: str, name: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(f'CREATE DATABASE "{name}"')
    finally:
        await connection.close()


def tell(reports: Sequence[FaultReport]) -> None:
    """Print the tables."""
    faults, strokes = Counter[str](), Counter[str]()
    for report in reports:
        faults.update(report.faults)
        strokes.update(report.strokes)
    print(f"{'fault':24} {'planned':>8}      {'struck as':24} {'times':>8}")
    left, right = sorted(faults.items()), sorted(strokes.items())
    for index in range(max(len(left), len(right))):
        planned = f"{left[index][0]:24} {left[index][1]:8}" if index < len(left) else " " * 33
        struck = f"{right[index][0]:24} {right[index][1]:8}" if index < len(right) else ""
        print(f"{planned}      {struck}")
    print("\n" + " ".join(f"{name:>11}" for name in (*COLUMNS, "differences")))
    for report in reports:
        values = [getattr(report, name) for name in COLUMNS] + [len(report.problems)]
        print(" ".join(f"{value:11.1f}" if isinstance(value, float) else f"{value:11}" for value in values))
    for report in reports:
        for problem in report.problems:
            print(f"seed {report.seed}: {problem}")


def main() -> None:
    """Run every seed, print, and say by the exit code whether anything differs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3, 4, 5])
    parser.add_argument("--hours", type=float, default=2.0, help="of the exchange's time, for each seed")
    parser.add_argument("--per-hour", type=float, default=30.0, help="faults in an hour of the exchange's time")
    parser.add_argument("--pace", type=float, default=0.3, help="seconds a minute of the exchange lasts")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--keep", type=Path, help="folder for the collectors' logs and the lists of strokes")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="tracker-faults-"))
    logs = folder if options.keep is None else options.keep
    logs.mkdir(parents=True, exist_ok=True)
    try:
        with EmbeddedPostgres(folder / "postgres", folder / "run") as server:
            reports = [run_seed(server, seed, options, logs / f"seed-{seed}") for seed in options.seeds]
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if options.json:
        print(json.dumps([asdict(report) for report in reports]))
    else:
        tell(reports)
    sys.exit(1 if any(report.problems for report in reports) else 0)


if __name__ == "__main__":
    main()
