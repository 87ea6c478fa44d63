"""Labels of a made-up market, with an edge that features know of, or with none."""

from __future__ import annotations

import numpy as np

from tracker.quant.learning.samples import DAY, Samples

START = 1_717_200_000 // DAY * DAY
FEE = 0.0015
GAIN = 0.016
LOSS = 0.013


def make_samples(
    seed: int = 1,
    *,
    days: int = 120,
    symbols: int = 12,
    per_day: float = 4.0,
    features: int = 12,
    edge: float = 0.0,
    edge_until: int | None = None,
    names: tuple[str, ...] = (),
) -> Samples:
    """Return trades with two ways to end, over days that all symbols share.

    The log-odds of a win are those that fees leave nothing of, plus what the market does to all trades of six hours
    alike, which no feature knows, plus `edge` times what features 0 to 2 say (up to day `edge_until`). Features drift
    slowly; every symbol sees a slot of six hours with a chance of `per_day` / 24 an hour.
    """
    rng = np.random.default_rng(seed)
    hours = days * 24
    columns = names or tuple(f"f{each}" for each in range(features))
    states = _drifting(rng, hours, symbols * min(len(columns), 12)).reshape(hours, symbols, -1)
    shock = np.repeat(rng.normal(0.0, 0.35, hours // 6 + 1), 6)[:hours]
    at, symbol = np.nonzero(rng.random((hours, symbols)) < per_day / 24.0)
    known = states[at, symbol]
    said = np.tanh(known[:, 0]) + 0.7 * np.where(known[:, 1] * known[:, 2] > 0, 1.0, -1.0)
    alive = 1.0 if edge_until is None else (at // 24 < edge_until).astype(np.float64)
    break_even = (LOSS + FEE) / (GAIN + LOSS)
    odds = np.log(break_even / (1 - break_even)) + shock[at] + edge * alive * said
    won = (rng.random(at.size) < 1.0 / (1.0 + np.exp(-odds))).astype(np.float64)
    noise = rng.normal(0.0, 0.002, at.size)
    filler = rng.normal(size=(at.size, len(columns) - known.shape[1])).astype(np.float32)
    table = np.concatenate((known.astype(np.float32), filler), axis=1)
    table[rng.random(table.shape) < 0.01] = np.nan
    decided = START + (at.astype(np.int64) + 1) * 3600
    return Samples(
        names=columns,
        features=table,
        decided_at=decided,
        exit_at=decided + rng.integers(1, 30, at.size) * 3600,
        symbol=symbol.astype(np.int64),
        regime=np.digitize(states[at, 0, -1], (-0.5, 0.5)).astype(np.int64),
        won=won,
        net_return=np.where(won == 1, GAIN, -LOSS) - FEE + noise,
        weight=rng.uniform(0.3, 1.0, at.size),
    )


def _drifting(rng: np.random.Generator, hours: int, series: int) -> np.ndarray:
    """Return series (hours, series) of standard deviation 1 that forget half in about half a day."""
    keep = 0.94
    steps = rng.normal(size=(hours, series)) * np.sqrt(1 - keep**2)
    found = np.empty_like(steps)
    found[0] = rng.normal(size=series)
    for hour in range(1, hours):
        found[hour] = keep * found[hour - 1] + steps[hour]
    return found
