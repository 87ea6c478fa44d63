"""Stored market data: how fast it is read and written, beside the goals and beside DuckDB.

Builds the minutes of 90 symbols over 385 days in an embedded Postgres of its own, and asks. `--rows` builds fewer;
`--dir` names the folder and `--keep` leaves it for the next time; `--runs` asks so often and shows the best.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tracker.store.embedded import EmbeddedPostgres

from benchmarks import market_peer
from benchmarks.market_questions import BRIEF, FULL, Effort, Questions, groups_of
from benchmarks.market_table import FULL_ROWS, Market, build
from benchmarks.timing import Times


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One row: figures by name, of ours and of the peer, and what was aimed at.

    Milliseconds are better low, rows a second (`rows_per_second`) high. The ratio is how many times faster we are.
    """

    what: str
    ours: dict[str, float]
    goal: dict[str, float]
    peer: dict[str, float] | None = None

    @property
    def leading(self) -> str:
        """Name of the figure by which runs and peers are compared."""
        return next(iter(self.ours))

    @property
    def ratio(self) -> float | None:
        """How many times faster ours is."""
        if self.peer is None:
            return None
        ours, theirs = self.ours[self.leading], self.peer[self.leading]
        return ours / theirs if self.leading == "rows_per_second" else theirs / ours

    @property
    def is_reached(self) -> bool | None:
        """Whether every goal is reached; None where there is none."""
        if not self.goal:
            return None
        return all(
            self.ours[name] >= goal if name == "rows_per_second" else self.ours[name] <= goal
            for name, goal in self.goal.items()
        )

    def better(self, other: Result) -> Result:
        """Return the better of two runs, each side by itself."""
        least = self.leading != "rows_per_second"

        def best(one: dict[str, float], two: dict[str, float]) -> dict[str, float]:
            return one if (one[self.leading] <= two[self.leading]) == least else two

        peer = best(self.peer, other.peer) if self.peer and other.peer else self.peer
        return replace(self, ours=best(self.ours, other.ours), peer=peer)

    def as_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "what": self.what, "ours": self.ours, "goal": self.goal, "peer": self.peer, "ratio": self.ratio,
            "reached": self.is_reached,
        }


def _ms(times: Times) -> dict[str, float]:
    return {"p50_ms": times.p50, "p99_ms": times.p99}


async def ask(url: str, market: Market, effort: Effort) -> list[Result]:
    """Ask our own code everything; reads first, because writes leave work behind."""
    questions = Questions(url, market, effort)
    latest, day = {"p50_ms": 0.2, "p99_ms": 0.5}, {"p50_ms": 1.5, "p99_ms": 5.0}
    results = [
        Result(what="latest bar, 90 symbols", ours=_ms(await questions.latest()), goal=latest),
        Result(what="the same, with a transaction of its own", ours=_ms(await questions.latest_alone()), goal={}),
    ]
    for name, spans in groups_of(market).items():
        # A closed month that nobody clustered is for comparison only.
        goal = {} if name == "month never clustered" else day
        results.append(Result(what=f"24 h of 1m, {name}", ours=_ms(await questions.day(spans)), goal=goal))
    results.append(Result(what="last 300 bars x 90 symbols into NumPy", ours=_ms(await questions.window()),
                          goal={"p50_ms": 16.0}))  # fmt: skip
    many = await questions.at_once()
    results.append(Result(what="100 concurrent 24 h reads", ours={**_ms(many.times), "failures": many.failures},
                          goal={"p50_ms": 100.0, "failures": 0}))  # fmt: skip
    results.append(Result(what="a tick of 90 bars + latest_bar, durable", ours=_ms(await questions.ticks()),
                          goal={"p50_ms": 1.5, "p99_ms": 4.0}))  # fmt: skip
    rates = await questions.backfill()
    results.append(Result(what="backfill upsert, new bars", ours={"rows_per_second": rates["new"]},
                          goal={"rows_per_second": 120_000}))  # fmt: skip
    results.append(Result(what="backfill upsert, the same again", ours={"rows_per_second": rates["again"]},
                          goal={"rows_per_second": 120_000}))  # fmt: skip
    return results


def compare(results: list[Result], folder: Path, market: Market, effort: Effort) -> list[Result]:
    """Put the same questions to DuckDB."""
    peer = market_peer.Peer(folder, market, effort)
    try:
        many = peer.at_once()
        answers = {
            "latest bar, 90 symbols": _ms(peer.latest()),
            **{f"24 h of 1m, {name}": _ms(peer.day(spans)) for name, spans in groups_of(market).items()},
            "last 300 bars x 90 symbols into NumPy": _ms(peer.window()),
            "100 concurrent 24 h reads": {**_ms(many.times), "failures": many.failures},
            "a tick of 90 bars + latest_bar, durable": _ms(peer.ticks()),
            "backfill upsert, new bars": {"rows_per_second": peer.backfill()},
        }
    finally:
        peer.close()
    return [replace(result, peer=answers.get(result.what)) for result in results]


def show(document: dict[str, Any]) -> str:
    """Return the document as a table."""
    peer = document["peer"] or "no peer"
    lines = [
        f"{document['rows']:,} rows in {document['build_seconds']:.0f} s; {document['machine']}; best of"
        f" {document['runs']} runs",
        f"| {'what':41} | {'goal':24} | {'reached':26} | {peer:26} | ratio |",
        f"|{'-' * 43}|{'-' * 26}|{'-' * 28}|{'-' * 28}|------:|",
    ]
    for row in document["results"]:
        mark = {True: "", False: " (!)", None: ""}[row["reached"]]
        ratio = f"{row['ratio']:.1f}" if row["ratio"] is not None else ""
        lines.append(
            f"| {row['what']:41} | {_said(row['goal']):24} | {_said(row['ours']) + mark:26} | {_said(row['peer']):26} |"
            f" {ratio:>5} |"
        )
    return "\n".join(lines) + "\n"


def _said(figures: dict[str, float] | None) -> str:
    if not figures:
        return ""
    if "rows_per_second" in figures:
        return f"{figures['rows_per_second']:,.0f} rows/s"
    times = " / ".join(f"{figures[name]:.3g}" for name in ("p50_ms", "p99_ms") if name in figures)
    failed = f", {figures['failures']:.0f} failed" if "failures" in figures else ""
    return f"{times} ms{failed}"


def machine(server: EmbeddedPostgres) -> str:
    """Say on what it was measured."""
    program = server.psql.parent / "postgres"
    version = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout  # noqa: S603
    return f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}, {version.strip()}"


def main() -> None:
    """Build, ask, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=FULL_ROWS, help="bars to build (49.9 million)")
    parser.add_argument("--runs", type=int, default=1, help="how often everything is asked; the best counts")
    parser.add_argument("--dir", type=Path, help="where the tables are built, or were")
    parser.add_argument("--keep", action="store_true", help="leave the tables where they are")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    folder: Path = options.dir or Path(tempfile.mkdtemp(prefix="tracker-bench-"))
    folder.mkdir(parents=True, exist_ok=True)
    effort = FULL if options.rows >= FULL_ROWS // 10 else BRIEF
    peer = market_peer.version()
    try:
        with EmbeddedPostgres(folder / "postgres", folder / "run") as server:
            market = build(server.url, folder, options.rows)
            document: dict[str, Any] = {
                "rows": market.rows, "build_seconds": market.seconds, "machine": machine(server), "runs": options.runs,
                "peer": peer,
            }
            best: list[Result] = []
            for _ in range(options.runs):
                results = asyncio.run(ask(server.url, market, effort))
                if peer is not None:
                    results = compare(results, folder, market, effort)
                best = [one.better(two) for one, two in zip(best, results, strict=True)] if best else results
        document["results"] = [result.as_json() for result in best]
    finally:
        if not options.keep:
            shutil.rmtree(folder, ignore_errors=True)
    if peer is None:
        sys.stderr.write(market_peer.HINT + "\n")
    sys.stdout.write(json.dumps(document) + "\n" if options.json else show(document))


if __name__ == "__main__":
    main()
