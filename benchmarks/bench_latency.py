"""Last bar of a minute sent -> paper trader has committed that minute, 90 symbols, separate processes.

Random-walk candles of 90 symbols are replayed through the real fleet. Up to the measured part the exchange's clock
moves a day at a time; then one minute at a time, and the time from the request that lets the exchange send a
15-minute close to the commit that acts on it is taken. Prints a table; `--json` prints JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import shutil
import sys
import tempfile
import time
from datetime import datetime, timedelta
from pathlib import Path

import httpx
import numpy as np
from tracker.domain.timeframe import EPOCH
from tracker.runtime.settings import load_settings
from tracker.store.database import Database
from tracker.store.health.risk import read_trader_facts

from services.control.fleet import load_fleet
from services.control.places import Places
from services.control.replay import plan_replay, read_everything
from services.control.settings import ControlSettings
from services.control.source import SIMULATOR

SYMBOLS = 90
MINUTES = 1_800
START = int(datetime.fromisoformat("2024-03-01T00:00:00+00:00").timestamp())


def write_candles(folder: Path) -> None:
    """Write one CSV a symbol; every symbol has a bar in every minute."""
    generator = np.random.default_rng(7)
    stamps = [(EPOCH + timedelta(seconds=START + 60 * n)).strftime("%Y-%m-%dT%H:%M:%SZ") for n in range(MINUTES)]
    for number in range(SYMBOLS):
        close = 100.0 * np.exp(np.cumsum(generator.standard_t(4, MINUTES) * 0.0008))
        opened = np.concatenate(([100.0], close[:-1]))
        high, low = np.maximum(opened, close) * 1.0003, np.minimum(opened, close) * 0.9997
        rows = [
            f"{stamp},{o!r},{h!r},{lo!r},{c!r},5000\n"
            for stamp, o, h, lo, c in zip(
                stamps, opened.tolist(), high.tolist(), low.tolist(), close.tolist(), strict=True
            )
        ]
        (folder / f"S{number:02d}-USD_1m.csv").write_text("ts,open,high,low,close,volume\n" + "".join(rows))


async def paper_through(database: Database, moment: datetime) -> None:
    """Wait until the paper trader has committed everything up to `moment`."""
    while True:
        async with database.transaction() as transaction:
            done = (await read_trader_facts(transaction)).paper_through
        if done is not None and done >= moment:
            return
        await asyncio.sleep(0.001)


async def subscribed(client: httpx.AsyncClient, first: datetime) -> None:
    """Wait until the exchange is up and the collector listens to it."""
    while True:
        try:
            if (await client.get("/clock")).json()["subscribers"]:
                return
            await client.post("/clock", json={"jump_to": first.isoformat()})
        except httpx.TransportError:
            sys.stderr.write("waiting for the exchange\n")
        await asyncio.sleep(0.5)


async def measure(url: str, simulator: str) -> dict[str, list[float]]:
    """Return the waits in ms: of plain minutes, and of minutes that close 15m or 1h bars."""
    database = await Database.open(url, role=None, pool_size=1, application="bench")
    waits: dict[str, list[float]] = {"minute": [], "15m close": [], "1h close": []}
    first = EPOCH + timedelta(seconds=START)
    async with httpx.AsyncClient(base_url=simulator, timeout=60) as client:
        await subscribed(client, first)
        warm = first + timedelta(minutes=1_500)
        await client.post("/clock", json={"advance_to": warm.isoformat()})
        await paper_through(database, warm)
        for minute in range(1, MINUTES - 1_500):
            moment = warm + timedelta(minutes=minute)
            started = time.perf_counter()
            await client.post("/clock", json={"advance_to": moment.isoformat()})
            await paper_through(database, moment)
            kind = "1h close" if moment.minute == 0 else "15m close" if moment.minute % 15 == 0 else "minute"
            waits[kind].append(1000 * (time.perf_counter() - started))
            await asyncio.sleep(0.05)
    await database.close()
    return waits


def main() -> None:
    """Run the fleet, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    as_json: bool = parser.parse_args().json
    folder = Path(tempfile.mkdtemp(prefix="tracker-bench-"))
    try:
        (folder / "candles").mkdir()
        write_candles(folder / "candles")
        candles = read_everything(folder / "candles", ())
        places = Places.of(folder / "state")
        run = plan_replay(load_settings(ControlSettings), places, load_fleet(), candles, (), None)
        try:
            run.start()
            waits = asyncio.run(measure(run.database_url, f"http://127.0.0.1:{run.ports[SIMULATOR]}"))
        finally:
            run.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    table = {
        kind: {"n": len(each), "p50_ms": float(np.median(each)), "p99_ms": float(np.quantile(each, 0.99))}
        for kind, each in waits.items()
    }
    if as_json:
        sys.stdout.write(json.dumps(table) + "\n")
        return
    sys.stdout.write(f"{'minute that closes':20} {'n':>5} {'p50 ms':>8} {'p99 ms':>8}   goal p50 150, p99 400\n")
    for kind, row in table.items():
        sys.stdout.write(f"{kind:20} {row['n']:5} {row['p50_ms']:8.1f} {row['p99_ms']:8.1f}\n")


if __name__ == "__main__":
    main()
