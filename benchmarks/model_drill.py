"""Models lived through on made-up markets: how many the gate lets pass, what they earn, and when they are demoted.

Each seed is a market and a database of its own, taken through by the fleet's functions: labels, training, the whole
gate with live scores and live features, trades, and a look at the champion every night. On half of the markets features
say nothing; on the others they do until a day that nobody is told. `--from bars` makes the markets of the market
simulator's bars, with its `[edge]`, instead of labels alone: features and trades are what the fleet makes of bars.

    .venv/bin/python benchmarks/model_drill.py            # 20 seeds each
    .venv/bin/python benchmarks/model_drill.py --seeds 3 --json
    .venv/bin/python benchmarks/model_drill.py --from bars --seeds 6
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import asyncpg
from drill_bars import CYCLES, market_from_bars
from tracker.domain.errors import InputError
from tracker.domain.signal import Strategy
from tracker.quant.learning.samples import Samples
from tracker.runtime.models_config import load_models_config, load_watch_limits
from tracker.runtime.settings import PROJECT_ROOT
from tracker.store.database import Database
from tracker.store.embedded import EmbeddedPostgres
from tracker.store.migrate import migrate
from tracker.testing.model_drill import STRATEGY, Desks, Drill, DrillPlan, run_drill

# Of each source of markets: how strong the edge is, how many symbols there are, days to learn from and days without the
# edge. Bars hold fewer setups than made-up labels, and in a falling market a strategy that buys breakouts finds few.
SIZES = {"labels": (1.2, 10, 130, 40), "bars": (0.03, 30, 175, 60)}
FIRST_SEED = 200
TEMPLATE = "template_drill"


async def one(server: EmbeddedPostgres, plan: DrillPlan, market: Samples | None) -> Drill:
    """Live through one market, a made-up one of the plan where None, in a database of its own."""
    name = f"drill_{plan.seed}_{plan.edge > 0:d}"
    await admin(server, f'CREATE DATABASE "{name}" TEMPLATE "{TEMPLATE}"')
    try:
        async with AsyncExitStack() as opened:
            desks: dict[str, Database] = {}
            for each in fields(Desks):
                desks[each.name] = await Database.open(
                    named(server, name), role=f"tracker_{each.name}", pool_size=1, application="drill"
                )
                opened.push_async_callback(desks[each.name].close)
            configs = PROJECT_ROOT / "configs"
            return await run_drill(
                Desks(**desks), plan, load_models_config(configs), load_watch_limits(configs), market=market
            )
    finally:
        await admin(server, f'DROP DATABASE "{name}" WITH (FORCE)')


def named(server: EmbeddedPostgres, database: str) -> str:
    """Return the server's connection string with another database."""
    return server.url.replace("@/tracker?", f"@/{database}?")


async def admin(server: EmbeddedPostgres, statement: str) -> None:
    """Run a statement on the server's own database."""
    connection = await asyncpg.connect(server.url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


def document(drill: Drill) -> dict[str, Any]:
    """Return what became of a market as plain values; what is not known is null."""

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: plain(each) for name, each in value.items()}
        return None if isinstance(value, float) and not math.isfinite(value) else value

    look = drill.look
    return plain({
        "seed": drill.plan.seed, "edge": drill.plan.edge, "promoted": drill.promoted, "failed": list(drill.failed),
        **{name: None if (one := getattr(drill, name)) is None else asdict(one) for name in ("live", "rule", "after")},
        "demoted_after": drill.days_to_demotion,
        "broken": [] if look is None or look.watched is None else [each.name for each in look.watched.broken],
    })  # fmt: skip


def lived(server: EmbeddedPostgres, plan: DrillPlan, market: Samples | None) -> dict[str, Any]:
    """Return what became of a market as plain values, also where its labels cannot be learnt from."""
    try:
        return document(asyncio.run(one(server, plan, market)))
    except InputError as error:
        return {"seed": plan.seed, "edge": plan.edge, "promoted": False, "failed": [f"not trained: {error}"]}


def table(drills: Sequence[dict[str, Any]]) -> str:
    """Return the counts for people."""
    lines: list[str] = []
    for edge in sorted({each["edge"] for each in drills}):
        mine = [each for each in drills if each["edge"] == edge]
        promoted = [each for each in mine if each["promoted"]]
        lines.append(f"{'noise' if edge == 0 else f'an edge of {edge}'}: {len(promoted)} of {len(mine)} promoted")
        refused = Counter(name for each in mine for name in each["failed"])
        lines += [f"    {count:3d} x {name}" for name, count in refused.most_common()]
        lines += _lives(promoted) if promoted else []
    return "\n".join(lines) + "\n"


def _lives(promoted: Sequence[dict[str, Any]]) -> list[str]:
    def mean(what: str) -> str:
        known = [each[what]["mean"] for each in promoted if each[what]["mean"] is not None]
        return f"{100 * statistics.mean(known):+.3f} %" if known else "none"

    above = sum(each["live"]["bound"] is not None and each["live"]["bound"] > 0 for each in promoted)
    days = sorted(each["demoted_after"] for each in promoted if each["demoted_after"] is not None)
    early = sum(each <= 0 for each in days)
    late = [each for each in days if each > 0]
    said = f", after {late[0]} to {late[-1]} days, half within {statistics.median(late):g}" if late else ""
    broken = Counter(name for each in promoted for name in each["broken"])
    return [
        f"    net return of a trade while there was an edge {mean('live')} (all setups {mean('rule')}),"
        f" lower bound above 0 in {above} of {len(promoted)}",
        f"    without it {mean('after')}; demoted {len(late)} of {len(promoted)}{said};"
        f" {early} while the edge was still there",
        *(f"    {count:3d} x demoted by {name}" for name, count in broken.most_common()),
    ]


def main() -> None:
    """Count and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=20, help="of noise, and as many with an edge")
    parser.add_argument("--first-seed", type=int, default=FIRST_SEED)
    parser.add_argument("--from", dest="source", choices=tuple(SIZES), default="labels", help="what makes a market")
    parser.add_argument("--edge", type=float, help="its strength; of bars, a share of the price")
    parser.add_argument("--cycles", type=int, default=CYCLES, help="how often a day it comes, of bars")
    parser.add_argument("--strategy", type=Strategy, default=STRATEGY, help="whose setups are looked for in bars")
    parser.add_argument("--symbols", type=int)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    edge, symbols, days, bad_days = SIZES[asked.source]
    began = time.monotonic()
    found: list[dict[str, Any]] = []
    with (
        tempfile.TemporaryDirectory(prefix="tracker-drill-") as folder,
        EmbeddedPostgres(Path(folder) / "postgres", Path(folder) / "run") as server,
    ):
        asyncio.run(admin(server, f'CREATE DATABASE "{TEMPLATE}"'))
        migrate(named(server, TEMPLATE))
        for seed in range(asked.first_seed, asked.first_seed + asked.seeds):
            for planted in (0.0, asked.edge or edge):
                plan = DrillPlan(
                    seed=seed, edge=planted, strategy=asked.strategy, symbols=asked.symbols or symbols,
                    learn_days=days, bad_days=bad_days,
                )  # fmt: skip
                market = market_from_bars(plan, asked.cycles) if asked.source == "bars" else None
                found.append(lived(server, plan, market))
                sys.stderr.write(json.dumps(found[-1]) + "\n")
    seconds = time.monotonic() - began
    sys.stdout.write(
        json.dumps({"seconds": seconds, "drills": found}, indent=2) + "\n"
        if asked.json else table(found) + f"{seconds:.0f} s\n"
    )  # fmt: skip


if __name__ == "__main__":
    main()
