"""3,000 variations x 90 symbols at a 15m close: seconds of reading, evaluation, trading and writing, and memory.

Random-walk minutes of the symbols, with their features, are put into a database of their own; the shadow tester is
taken through a day of closes, so that its accounts hold what they usually hold, and then through single closes that are
timed. Each strategy has a champion that scores its setups and holds back what lies under the threshold.
The peer asks the same rules once a variation, and trades each account with a call of its own, which is what there was
before; both see the same closes. A worker process does the last close, as it does live, for its start and its memory.
Prints a table; `--json` prints JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from tracker.domain.timeframe import EPOCH, Timeframe
from tracker.quant.backtest.trading import limits_of
from tracker.quant.bars import BarArrays
from tracker.quant.bulk.desk import Plans, new_desk, new_record
from tracker.quant.compiled import trade_all
from tracker.quant.features import FEATURE_SET
from tracker.quant.models.scorer import artifact_hash
from tracker.quant.roll_up import roll_up
from tracker.quant.shadow.accounts import rungs_of
from tracker.quant.shadow.evaluation import BlockRule, Found
from tracker.quant.strategies import RULES
from tracker.runtime.logging import configure_logging
from tracker.runtime.settings import PROJECT_ROOT, environment, load_settings
from tracker.runtime.shadow_config import Swarm, load_swarms
from tracker.store.bars import BarTable, advance_watermark
from tracker.store.champions import note_champion
from tracker.store.database import Database
from tracker.store.embedded import EmbeddedPostgres
from tracker.store.imports import merge_history
from tracker.store.migrate import migrate
from tracker.store.models import NewModel, add_model
from tracker.store.scans import advance_scan_watermark
from tracker.store.symbols import read_symbols, write_symbols
from tracker.testing.builders import make_instrument
from tracker.testing.models import make_artifact

from services.feature_calculator.service import FeatureCalculator
from services.feature_calculator.settings import FeatureSettings
from services.shadow_tester.inputs import Seen, read_seen
from services.shadow_tester.tester import ShadowTester

# A Tuesday at midnight; the symbols' past begins so many days before.
OPENED = datetime.fromisoformat("2024-03-12T00:00:00+00:00")
PAST_DAYS = 9
GOAL_SECONDS = 1.0
# Of a model that was trained on 90 symbols by 180 days.
TREES = 139
THRESHOLD = 0.5


def walk(seed: int, hours: float) -> BarArrays:
    """Return a symbol's minutes: a market that all share, and moves of its own."""
    minutes = int((PAST_DAYS * 24 + hours) * 60)
    shared, own = np.random.default_rng(1), np.random.default_rng([2, seed])
    steps = shared.standard_t(4, minutes) * 0.0005 + own.standard_t(4, minutes) * 0.0007
    close = 100.0 * np.exp(np.cumsum(steps))
    opened = np.concatenate(([100.0], close[:-1]))
    first = int((OPENED - timedelta(days=PAST_DAYS) - EPOCH).total_seconds())
    return BarArrays(
        ts=first + 60 * np.arange(minutes, dtype=np.int64),
        open=opened,
        high=np.maximum(opened, close) * (1.0 + np.abs(own.normal(0.0, 0.0003, minutes))),
        low=np.minimum(opened, close) * (1.0 - np.abs(own.normal(0.0, 0.0003, minutes))),
        close=close,
        volume=own.gamma(2.0, 5e4, minutes),
    )


async def fill(owner: Database, symbols: int, hours: float) -> None:
    """Store the symbols' bars of all lengths, and declare them complete."""
    async with owner.transaction() as transaction:
        names = [f"S{number:02d}-USD" for number in range(symbols)]
        await write_symbols(transaction, [make_instrument(name) for name in names])
        ids = {each.symbol: each.symbol_id for each in await read_symbols(transaction)}
        for number, name in enumerate(names):
            bars = walk(number, hours)
            end = int(bars.ts[-1]) + 60
            for frame in (Timeframe.M1, Timeframe.M15, Timeframe.H1, Timeframe.D1):
                # Of the minutes only those in which trades are filled.
                own = bars.slice(PAST_DAYS * 1440 - 120, len(bars)) if frame is Timeframe.M1 else bars
                rolled = own if frame is Timeframe.M1 else roll_up(own, frame.seconds, end)
                columns = {each: getattr(rolled, each) for each in ("ts", "open", "high", "low", "close", "volume")}
                await merge_history(transaction, ids[name], frame, BarTable(**columns))
        await transaction.commit()
    async with owner.transaction() as transaction:
        through = OPENED + timedelta(hours=hours)
        for frame in (Timeframe.D1, Timeframe.H1, Timeframe.M15, Timeframe.M1):
            end = frame.floor(through)
            if end > OPENED:
                await advance_watermark(transaction, frame, OPENED, end)
        await transaction.commit()


async def crown(owner: Database, through: datetime) -> None:
    """Give each strategy a champion of so many trees that decides on all closes, and declare them decided on."""
    async with owner.transaction() as transaction:
        for place, strategy in enumerate(RULES):
            artifact = make_artifact(place, rounds=TREES)
            new = NewModel(
                strategy=strategy.value, learnt_through=EPOCH, window_from=EPOCH, known_from=EPOCH,
                feature_hash=FEATURE_SET.hash, label_config="", config_hash="", sha256=artifact_hash(artifact),
                artifact=artifact, artifact_path=None, calibration={"slope": 1.0, "intercept": 0.0}, metrics={},
                lineage={}, card="", importance=[],
            )  # fmt: skip
            model_id, _ = await add_model(transaction, new)
            await note_champion(transaction, strategy.value, OPENED, model_id, THRESHOLD)
            await advance_scan_watermark(transaction, strategy, Timeframe.M15, through)
        await transaction.commit()


async def compute_features(url: str) -> None:
    """Let the feature calculator do its part."""
    database = await Database.open(url, role="tracker_feature_calculator", pool_size=1, application="bench")
    try:
        calculator = FeatureCalculator(
            database, load_settings(FeatureSettings, {"lookback_hours": 1}), configure_logging("bench", "WARNING")
        )
        while await calculator.run_once():
            pass
    finally:
        await database.close()


async def measure(url: str, swarms: Sequence[Swarm], symbols: int, hours: float, closes: int) -> dict[str, Any]:
    """Return what a close takes, by part, and what the peer takes for the same."""
    owner = await Database.open(url, role=None, pool_size=1, application="bench")
    database = await Database.open(url, role="tracker_shadow_tester", pool_size=1, application="bench")
    try:
        began = time.perf_counter()
        await fill(owner, symbols, hours)
        await compute_features(url)
        sys.stderr.write(f"{symbols} symbols with features after {time.perf_counter() - began:.0f} s\n")
        end = OPENED + timedelta(hours=hours)
        await crown(owner, end)
        tester = ShadowTester(
            database, swarms, configure_logging("bench", "WARNING"), closes_per_run=16, outcomes_every_hours=24
        )
        # Everything but the last closes, in batches, then one close and strategy a run.
        await hold_back(owner, end - (closes + 1) * Timeframe.M15.duration)
        while await tester.run_once():
            pass
        ours: list[dict[str, float]] = []
        peers: list[dict[str, float]] = []
        for number in range(closes + 1, 1, -1):
            moment = end - (number - 1) * Timeframe.M15.duration
            await hold_back(owner, moment)
            peers.append(await peer_close(database, swarms, moment))
            parts: dict[str, float] = {"signals": 0.0, "held_back": 0.0, "trades": 0.0}
            cpu = time.process_time()
            while await tester.run_once():
                if tester.report.strategy is not None:
                    for part, seconds in tester.report.seconds.items():
                        parts[part] = parts.get(part, 0.0) + seconds
                    parts["signals"] += tester.report.signals
                    parts["held_back"] += tester.report.held_back
                    parts["trades"] += tester.report.trades
            parts["cpu"] = time.process_time() - cpu
            ours.append(parts)
        await hold_back(owner, end)
        return {"ours": ours, "peer": peers, "worker": worker(url), "state": await state_bytes(owner)}
    finally:
        await database.close()
        await owner.close()


async def hold_back(owner: Database, moment: datetime) -> None:
    """Let the shadow see the features up to a close, and no later ones."""
    async with owner.transaction() as transaction:
        await transaction.connection.execute("UPDATE tracker.feature_watermarks SET closed_through = $1", moment)
        await transaction.commit()


async def state_bytes(owner: Database) -> dict[str, int]:
    """Return how many bytes a close writes for state and for scans."""
    async with owner.transaction() as transaction:
        row = await transaction.connection.fetchrow(
            "SELECT (SELECT sum(length(data)) FROM tracker.shadow_state) AS state,"
            " (SELECT sum(length(bitmap)) / count(DISTINCT decided_at) FROM tracker.shadow_testing_scans) AS scans"
        )
    assert row is not None  # noqa: S101 - an aggregate has a row always
    return {name: int(value) for name, value in row.items()}


async def peer_close(database: Database, swarms: Sequence[Swarm], moment: datetime) -> dict[str, float]:
    """Return what it takes to ask and to trade one variation after the other at a close."""
    spent = {"evaluation": 0.0, "trading": 0.0}
    async with database.transaction() as transaction:
        instruments = sorted(await read_symbols(transaction), key=lambda each: each.symbol)
        for swarm in swarms:
            seen = await read_seen(transaction, swarm, instruments, moment - Timeframe.M15.duration, moment)
            began = time.perf_counter()
            rule = BlockRule(swarm.config.rule, [each.params for each in swarm.variations])
            rule.one_by_one = True
            found = rule.evaluate(seen.frame_of)
            looked = time.perf_counter()
            trade_each(swarm, seen, found, moment)
            spent["evaluation"] += looked - began
            spent["trading"] += time.perf_counter() - looked
    return spent


def trade_each(swarm: Swarm, seen: Seen, found: Found, moment: datetime) -> None:
    """Trade each variation's signals in an account of its own, by a compiled call each."""
    from tracker.quant.backtest.signals import plan_numbers

    until = int((moment - EPOCH).total_seconds())
    numbers, rungs = plan_numbers(found.proposals), rungs_of([each.params for each in swarm.variations])
    for number, variation in enumerate(swarm.variations):
        mine = np.flatnonzero(found.variation == number)
        width = found.proposals.ladder.shape[1]
        plans = Plans(
            times=seen.rows.decided_at[found.row[mine]],
            symbol_of=seen.rows.symbol[found.row[mine]],
            rank_of=np.zeros(len(mine), dtype=np.int64),
            plans=numbers[mine],
            ladders=np.ascontiguousarray(found.proposals.ladder[mine]),
            weights=np.ascontiguousarray(found.proposals.size_weights[mine]),
        )
        rules = variation.rules
        desk = new_desk(
            rules.risk.limits.max_open_positions, max(rungs, width), len(seen.market.symbols),
            rules.paper.account.start_cash, len(mine),
        )  # fmt: skip
        costs = np.array(rules.paper.execution.numbers())
        trade_all(plans, seen.market, desk, limits_of(rules), costs, until, new_record(len(mine), 256))


def worker(url: str) -> dict[str, float]:
    """Return seconds and peak memory of the process that does one close."""
    began = time.perf_counter()
    with subprocess.Popen(
        [sys.executable, "-m", "services.shadow_tester.worker"], cwd=PROJECT_ROOT, stdout=subprocess.PIPE,
        env={**environment(), "DATABASE_URL": url, "SHADOW_TESTER_LINGER_SECONDS": "0", "LOG_LEVEL": "WARNING"},
    ) as process:  # fmt: skip
        assert process.stdout is not None  # noqa: S101 - asked for above
        peak, seen = 0, psutil.Process(process.pid)
        # What the system reports of an ended child counts the fork of this process too, which is larger.
        while (found := os.wait4(process.pid, os.WNOHANG))[0] == 0:
            with contextlib.suppress(psutil.Error):
                peak = max(peak, seen.memory_info().rss)
            time.sleep(0.005)
        _, status, used = found
        said = process.stdout.read().splitlines()
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise SystemExit(f"the worker ended with code {process.returncode}: {said}")
    return {
        "seconds": time.perf_counter() - began,
        "cpu_seconds": used.ru_utime + used.ru_stime,
        "peak_mb": peak / 1e6,
        "closes": sum(json.loads(line)["closes"] for line in said),
    }


def summary(found: Mapping[str, Any], variations: int, symbols: int) -> dict[str, Any]:
    """Return medians over the timed closes."""
    parts = ("reading", "evaluation", "trading", "writing")
    ours = {part: float(np.median([each[part] for each in found["ours"]])) for part in parts}
    peer = {part: float(np.median([each[part] for each in found["peer"]])) for part in ("evaluation", "trading")}
    work = ours["evaluation"] + ours["trading"]
    return {
        "variations": variations,
        "symbols": symbols,
        "closes": len(found["ours"]),
        "signals_a_close": float(np.median([each["signals"] for each in found["ours"]])),
        "held_back_a_close": float(np.median([each["held_back"] for each in found["ours"]])),
        "seconds": {**ours, "all": sum(ours.values())},
        "cpu_seconds": float(np.median([each["cpu"] for each in found["ours"]])),
        "goal_seconds": GOAL_SECONDS,
        "reached": sum(ours.values()) <= GOAL_SECONDS,
        "peer_seconds": {**peer, "all": sum(peer.values())},
        "times_the_peer": sum(peer.values()) / work,
        "worker": found["worker"],
        "bytes_a_close": found["state"],
        "load": os.getloadavg()[0],
    }


def table(report: Mapping[str, Any]) -> str:
    """Return the report for people."""
    seconds, peer, worker_ = report["seconds"], report["peer_seconds"], report["worker"]
    lines = [
        f"{report['variations']:,} variations x {report['symbols']} symbols, {report['closes']} closes of 15m,"
        f" {report['signals_a_close']:,.0f} signals a close, {report['held_back_a_close']:,.0f} held back by models;"
        f" load {report['load']:.1f}",
        f"{'':12}{'here':>10}{'one by one':>14}",
    ]
    for part in ("reading", "evaluation", "trading", "writing", "all"):
        other = f"{peer[part] * 1000:11.0f} ms" if part in peer else ""
        lines.append(f"{part:12}{seconds[part] * 1000:7.0f} ms{other}")
    lines += [
        f"processor   {report['cpu_seconds'] * 1000:7.0f} ms; goal {report['goal_seconds']:.0f} s a close:"
        f" {'reached' if report['reached'] else 'missed'};"
        f" evaluation and trading {report['times_the_peer']:.1f} times as fast as one by one",
        f"a worker from start to end: {worker_['seconds']:.1f} s ({worker_['cpu_seconds']:.1f} s of a processor),"
        f" {worker_['peak_mb']:.0f} MB at most",
        f"state {report['bytes_a_close']['state']:,} bytes, signals {report['bytes_a_close']['scans']:,} bytes a close",
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--symbols", type=int, default=90)
    parser.add_argument("--hours", type=float, default=24, help="of closes before the timed ones")
    parser.add_argument("--closes", type=int, default=6, help="that are timed")
    parser.add_argument("--variations", type=int, default=0, help="of each strategy, 0 for all")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    swarms = load_swarms(PROJECT_ROOT / "configs", RULES)
    if arguments.variations:
        swarms = [replace(each, variations=each.variations[: arguments.variations]) for each in swarms]
    with tempfile.TemporaryDirectory(prefix="tracker-bench-") as folder:
        home = Path(folder)
        with EmbeddedPostgres(home / "postgres", home / "run") as server:
            migrate(server.url)
            found = asyncio.run(
                measure(server.url, swarms, arguments.symbols, arguments.hours, arguments.closes)
            )
    report = summary(found, sum(len(each.variations) for each in swarms), arguments.symbols)
    sys.stdout.write(json.dumps(report, indent=2) + "\n" if arguments.json else table(report))


if __name__ == "__main__":
    main()
