"""Labels of a simulated market built by the fleet's functions: seconds, labels, and where the time goes.

The invented market's minutes of some symbols are put into a database of their own and rolled up; then the setups of all
strategies are labelled, as `tracker labels build` does, once from nothing and once more where nothing is new.

    .venv/bin/python benchmarks/labels.py --symbols 10 --days 180 [--profile FILE]
"""

from __future__ import annotations

import argparse
import asyncio
import cProfile
import sys
import tempfile
import time
from contextlib import nullcontext
from datetime import timedelta
from pathlib import Path

import numpy as np
from tracker.domain.timeframe import EPOCH, Timeframe
from tracker.runtime.config import read_toml
from tracker.runtime.settings import PROJECT_ROOT, load_settings
from tracker.runtime.universe import load_universe
from tracker.store.bars import BarTable, advance_watermark, roll_up
from tracker.store.database import Database
from tracker.store.embedded import EmbeddedPostgres
from tracker.store.imports import merge_history
from tracker.store.migrate import migrate
from tracker.store.symbols import read_symbols, write_symbols
from tracker.testing.builders import make_instrument

from services.control.labels import LabelsRequest, build_at
from services.control.settings import ControlSettings
from services.market_simulator.bars import OPEN, VOLUME
from services.market_simulator.generated import DAY, MINUTE, generated_market
from services.market_simulator.parameters import MarketParameters

PRICES = ("open", "high", "low", "close", "volume")
FRAMES = (Timeframe.M15, Timeframe.H1, Timeframe.D1)


async def fill(url: str, symbols: int, days: int) -> int:
    """Write the minutes and their roll-ups; return how many minutes there are."""
    configs = PROJECT_ROOT / "configs"
    universe = load_universe(configs / "universe.toml")
    market = generated_market(MarketParameters.model_validate(read_toml(configs / "market_simulator.toml")), universe)
    names = list(market.traded)[:symbols]
    span = market.first_day * DAY, (market.first_day + days) * DAY
    moments = tuple(EPOCH + timedelta(seconds=each) for each in span)
    database = await Database.open(url, role=None, pool_size=1, application="bench")
    rows = 0
    try:
        async with database.transaction() as transaction:
            await write_symbols(transaction, [make_instrument(name) for name in names])
            ids = {each.symbol: each.symbol_id for each in await read_symbols(transaction)}
            await transaction.commit()
        for name in names:
            bars = market.rows(name, MINUTE, *span)
            table = BarTable(
                ts=bars.ts.astype(np.int64), **dict(zip(PRICES, bars.table[OPEN : VOLUME + 1], strict=True))
            )
            rows += len(bars)
            async with database.transaction() as transaction:
                await merge_history(transaction, ids[name], Timeframe.M1, table)
                for timeframe in FRAMES:
                    await roll_up(transaction, timeframe, *moments, [ids[name]])
                await transaction.commit()
        async with database.transaction() as transaction:
            for timeframe in (Timeframe.M1, *FRAMES):
                await advance_watermark(transaction, timeframe, *moments)
            await transaction.commit()
        async with database.transaction() as transaction:
            await transaction.connection.execute("ANALYZE tracker.ohlc_data")
            await transaction.commit()
    finally:
        await database.close()
    return rows


def measured(url: str, *, since_last: bool) -> str:
    """Build labels and say what that took."""
    request = LabelsRequest(strategy=None, first=None, end=None, since_last=since_last)
    began, spent = time.perf_counter(), time.process_time()
    built = asyncio.run(build_at(url, load_settings(ControlSettings), request))
    seconds, own = time.perf_counter() - began, time.process_time() - spent
    counts = ", ".join(f"{each.work.config.strategy} {each.setups:,}" for each in built)
    return f"{seconds:.1f} s ({own:.1f} s of this process): {counts}; {sum(each.changed for each in built):,} written"


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--symbols", type=int, default=90)
    parser.add_argument("--days", type=int, default=180)
    parser.add_argument("--profile", type=Path, help="write what cProfile says of the first build there")
    asked = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="tracker-labels-") as folder,
        EmbeddedPostgres(Path(folder) / "postgres", Path(folder) / "run") as server,
    ):
        migrate(server.url)
        began = time.perf_counter()
        rows = asyncio.run(fill(server.url, asked.symbols, asked.days))
        sys.stdout.write(f"{rows:,} minutes stored in {time.perf_counter() - began:.0f} s\n")
        with cProfile.Profile() if asked.profile else nullcontext() as profile:
            sys.stdout.write(f"from nothing: {measured(server.url, since_last=False)}\n")
        if profile is not None:
            profile.dump_stats(asked.profile)
        sys.stdout.write(f"all anew:     {measured(server.url, since_last=False)}\n")
        sys.stdout.write(f"since last:   {measured(server.url, since_last=True)}\n")


if __name__ == "__main__":
    main()
