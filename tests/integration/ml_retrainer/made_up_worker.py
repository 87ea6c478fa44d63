"""A worker of the test's own: what it does is the strategy's name."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from pathlib import Path

import services.ml_retrainer.worker as real

MEGABYTE = 1024 * 1024


async def do(database, settings, work, tell):
    tell("begun")
    if work.strategy == "writes":
        return await writes(database, tell)
    if work.strategy == "grows":
        return grows(tell)
    if work.strategy == "asks":
        return {"bytes": len(bytes(4096 * MEGABYTE))}
    if work.strategy == "crashes":
        raise ZeroDivisionError("by nothing")
    if work.strategy == "dies":
        os.kill(os.getpid(), 9)
    if work.strategy == "starts":
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        Path(os.environ["MADE_UP_FILE"]).write_text(f"{os.getpid()} {child.pid}")
        while True:
            # As long computations do, without a look at the loop.
            time.sleep(0.05)
    return {"kind": work.kind.value}


async def writes(database, tell):
    """Write two rows in each of many transactions, a while apart, so that one may be met half done."""
    for number in range(200):
        async with database.transaction() as transaction:
            for half in range(2):
                await transaction.connection.execute(
                    "INSERT INTO tracker.trials (strategy, config_hash, params, data_hash, data, starts_at, ends_at,"
                    " trades, days) VALUES ('x', $1, '{}', 'd', '{}', '2024-01-01Z', '2024-02-01Z', 0, 1)"
                    " ON CONFLICT DO NOTHING", f"{number} {half}",
                )
                await asyncio.sleep(0.01)
            await transaction.commit()
        tell(str(number))
    return {"rows": 400}


def grows(tell):
    kept = []
    while True:
        kept.append(bytearray(os.urandom(1)) * (16 * MEGABYTE))
        time.sleep(0.1)


if __name__ == "__main__":
    import services.ml_retrainer.work as work

    work.do = do
    real.main()
