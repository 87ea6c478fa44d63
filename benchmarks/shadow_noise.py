"""How many variations the gate takes where there is nothing to find, and whether it finds what is there.

Pure noise: random walks without drift in which symbols share part of their moves, as candles of 15 minutes. All
variations of all strategies are tried on them for as long as the gate's window and judged as the fleet judges them:
with fees and slippage, and for the harder case without either, where nothing pulls luck down. Counted are those that
pass the gate, those that pass it but for the deflation (the Sharpe ratio alone significant), and those whose return is
above 0. Then walks with a planted edge, with costs: after a close beyond the highest of twenty bars with volume, the
next bars drift up, which is what the swing rule looks for.
Prints a table; `--json` prints JSON.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from joblib import Parallel, delayed
from tracker.domain.instrument import Instrument
from tracker.domain.timeframe import Timeframe
from tracker.quant.backtest.market import Span, SymbolMarket, whole_candles
from tracker.quant.bars import BarArrays, Floats
from tracker.quant.promotion import Evidence, GateLimits, gate
from tracker.quant.roll_up import roll_up
from tracker.quant.shadow.offline import past_of, run
from tracker.quant.shadow.outcomes import SPANS, Outcomes, Returns, outcomes, returns_of
from tracker.quant.shadow.variation import Variation
from tracker.quant.strategies import RULES
from tracker.runtime.settings import PROJECT_ROOT
from tracker.runtime.shadow_config import Swarm, load_shadow_config, load_swarms

STEP = 900
# A Monday at midnight.
BEGIN = 1_704_067_200
# Days of candles before the first decision: what the features of the hour and the day need.
PAST_DAYS = 12
VOLATILITY = 0.0035
SHARED = 0.5
# The edge: so much a bar, for so many bars after a breakout, in units of a bar's volatility.
EDGE = 0.6
EDGE_BARS = 12
CHANNEL_BARS = 20
NOISE, FREE, PLANTED = "noise", "noise, free", "planted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """Of one market: variations that traded, and how many pass the gate and its parts."""

    seed: int
    kind: str
    trades: int
    traded: int
    passed: int
    without_deflation: int
    profitable: int
    best_dsr: float
    best_psr: float
    best: str


def walks(seed: int, symbols: int, days: int, *, planted: bool) -> list[SymbolMarket]:
    """Return the symbols of a market of noise, or of one in which breakouts go on."""
    rng = np.random.default_rng(seed)
    bars = (PAST_DAYS + days) * 86_400 // STEP
    shared = rng.standard_t(5, bars) * VOLATILITY * SHARED
    found: list[SymbolMarket] = []
    for number in range(symbols):
        own = rng.standard_t(5, bars) * VOLATILITY * (1.0 - SHARED)
        volume = rng.gamma(2.0, 5e5, bars)
        steps = with_edge(shared + own, volume) if planted else shared + own
        fine = candles(100.0 * np.exp(np.cumsum(steps)), volume, rng)
        found.append(
            SymbolMarket(
                instrument=Instrument(
                    symbol_id=number + 1, symbol=f"S{number:02d}-USD", base_timeframe=Timeframe.M15
                ),
                decision=fine,
                context=roll_up(fine, 3_600, int(fine.ts[-1]) + STEP),
                candles=whole_candles(fine, Timeframe.M15),
            )
        )
    return found


def with_edge(steps: Floats, volume: Floats) -> Floats:
    """Return the steps with a drift after each close beyond the highest of the bars before, on high volume."""
    made = steps.copy()
    price, prices, until = 0.0, np.zeros(len(steps)), -1
    mean = float(volume.mean())
    for bar in range(len(steps)):
        if bar <= until:
            made[bar] += EDGE * VOLATILITY
        price += made[bar]
        prices[bar] = price
        if bar > CHANNEL_BARS and price > prices[bar - CHANNEL_BARS : bar].max() and volume[bar] > mean:
            until = max(until, bar + EDGE_BARS)
    return made


def candles(close: Floats, volume: Floats, rng: np.random.Generator) -> BarArrays:
    """Return candles through the closes, with wicks."""
    opened = np.concatenate((close[:1], close[:-1]))
    up, down = (np.abs(rng.normal(0.0, 0.3 * VOLATILITY, len(close))) for _ in range(2))
    return BarArrays(
        ts=BEGIN + STEP * np.arange(len(close), dtype=np.int64),
        open=opened,
        high=np.maximum(opened, close) * (1.0 + up),
        low=np.minimum(opened, close) * (1.0 - down),
        close=close,
        volume=volume,
    )


def judged(
    markets: Sequence[SymbolMarket], swarms: Sequence[Swarm], days: int, window: str
) -> tuple[list[Variation], Outcomes, int]:
    """Try all variations on a market and return them with the outcomes of the gate's window."""
    from tracker.quant.compiled import resume, trade_many

    begin = BEGIN + PAST_DAYS * 86_400
    span = Span(first=begin, end=begin + days * 86_400)
    parts: list[Returns] = []
    variations: list[Variation] = []
    trades = 0
    for swarm in swarms:
        past = past_of(markets, swarm.config.rule, swarm.config.params, swarm.config.timeframe, span)
        done = run(past, swarm.variations, resume, trade_many)
        parts.append(returns_of(done.hours, 3_600))
        variations.extend(swarm.variations)
        trades += sum(len(each) for each in done.trades)
    together = replace(
        parts[0],
        **{
            name: np.concatenate([getattr(each, name) for each in parts], axis=1)
            for name in ("returns", "trades", "trade_returns")
        },
    )
    block = next(each.block for each in SPANS if each.name == window)
    return variations, outcomes(together, block, len(variations), seed=span.end), trades


def without_costs(swarm: Swarm) -> Swarm:
    """Return a swarm that trades for nothing."""
    free = {"maker_fee_bps": 0.0, "taker_fee_bps": 0.0, "slippage_base_bps": 0.0, "slippage_impact_bps": 0.0}
    made: list[Variation] = []
    for each in swarm.variations:
        execution = replace(each.rules.paper.execution, **free, slippage_cap_bps=0.0)
        made.append(replace(each, rules=replace(each.rules, paper=replace(each.rules.paper, execution=execution))))
    return replace(swarm, variations=made)


def counted(seed: int, kind: str, symbols: int, days: int, some: int) -> Counted:
    """Count, on one market, what passes."""
    swarms = load_swarms(PROJECT_ROOT / "configs", RULES)
    if kind == FREE:
        swarms = [without_costs(each) for each in swarms]
    if some:
        swarms = [replace(each, variations=each.variations[:: max(len(each.variations) // some, 1)]) for each in swarms]
    limits = load_shadow_config(PROJECT_ROOT / "configs").gate
    variations, found, trades = judged(walks(seed, symbols, days, planted=kind == PLANTED), swarms, days, limits.window)
    passed = [passes(found, place, limits, deflated=True) for place in range(len(variations))]
    plain = [passes(found, place, limits, deflated=False) for place in range(len(variations))]
    best = int(np.nanargmax(np.where(np.isnan(found.dsr), -1.0, found.dsr)))
    return Counted(
        seed=seed,
        kind=kind,
        trades=trades,
        traded=int(np.count_nonzero(found.trades)),
        passed=sum(passed),
        without_deflation=sum(plain),
        profitable=int(np.count_nonzero(found.total_return > 0.0)),
        best_dsr=float(found.dsr[best]),
        best_psr=float(np.nanmax(found.psr)),
        best=f"{variations[best].strategy} {variations[best].id}",
    )


def passes(found: Outcomes, place: int, limits: GateLimits, *, deflated: bool) -> bool:
    """Tell whether the gate takes a variation, with the deflated Sharpe ratio or with the plain one's significance."""
    evidence = Evidence(
        days=float(found.hours[place]) / 24.0,
        trades=int(found.trades[place]),
        deflated_sharpe=float((found.dsr if deflated else found.psr)[place]),
        lower_bound=float(found.lower_bound[place]),
        first_half_return=float(found.first_half_return[place]),
        second_half_return=float(found.second_half_return[place]),
        retired=False,
        # What was drawn of the rules of trading is no matter here: all could be a live account's.
        rules_changed=0,
    )
    return gate(evidence, limits).passed


def table(report: Mapping[str, Any]) -> str:
    """Return the report for people."""
    lines = [
        f"{report['variations']:,} variations x {report['symbols']} symbols x {report['days']} days of 15m candles,"
        f" {report['seconds']:.0f} s",
        f"{'market':12}{'seeds':>6}{'trades':>10}{'traded':>8}{'return > 0':>12}{'undeflated':>12}{'gate':>6}"
        f"{'seeds with any':>16}{'best DSR':>10}",
    ]
    for name in (NOISE, FREE, PLANTED):
        rows = [each for each in report["markets"] if each["kind"] == name]
        if rows:
            lines.append(
                f"{name:12}{len(rows):6}{sum(each['trades'] for each in rows):10,}"
                f"{sum(each['traded'] for each in rows):8,}{sum(each['profitable'] for each in rows):12,}"
                f"{sum(each['without_deflation'] for each in rows):12,}{sum(each['passed'] for each in rows):6,}"
                f"{sum(each['passed'] > 0 for each in rows):16}{max(each['best_dsr'] for each in rows):10.3f}"
            )
    return "\n".join(lines) + "\n"


def main() -> None:
    """Count and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--free", type=int, default=20, help="seeds of noise on which trading costs nothing")
    parser.add_argument("--planted", type=int, default=3, help="seeds with an edge in them")
    parser.add_argument("--symbols", type=int, default=6)
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--variations", type=int, default=0, help="of each strategy, 0 for all")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    began = time.monotonic()
    seeds = {PLANTED: arguments.planted, FREE: arguments.free, NOISE: arguments.seeds}
    work = [(seed, kind) for kind, count in seeds.items() for seed in range(count)]
    asked = (
        delayed(counted)(seed, kind, arguments.symbols, arguments.days, arguments.variations) for seed, kind in work
    )
    found: list[Counted] = []
    for each in Parallel(n_jobs=arguments.jobs, return_as="generator")(asked):
        sys.stderr.write(f"{each}\n")
        found.append(each)
    plain = [{name: getattr(each, name) for name in Counted.__dataclass_fields__} for each in found]
    every = sum(len(each.variations) for each in load_swarms(PROJECT_ROOT / "configs", RULES))
    report = {
        "variations": arguments.variations * 3 or every,
        "symbols": arguments.symbols,
        "days": arguments.days,
        "seconds": time.monotonic() - began,
        "markets": plain,
    }
    sys.stdout.write(json.dumps(report, indent=2) + "\n" if arguments.json else table(report))


if __name__ == "__main__":
    main()
