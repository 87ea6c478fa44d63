"""Candle files of a made-up market."""

from __future__ import annotations

import csv
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

BEGIN = datetime(2024, 3, 1, tzinfo=UTC)


def write_candles(
    path: Path, *, bars: int = 9_000, minutes: int = 5, seed: int = 3, spoil: tuple[int, str, str] | None = None
) -> Path:
    """Write 5m candles of a walk; `spoil` is (row, column, text)."""
    rng = np.random.default_rng(seed)
    close = 100.0 * np.exp(np.cumsum(rng.normal(0, 0.003 * (minutes / 5) ** 0.5, bars)))
    with path.open("w", newline="") as file:
        out = csv.writer(file)
        out.writerow(("ts", "open", "high", "low", "close", "volume"))
        for row in range(bars):
            open_ = close[row - 1] if row else 100.0
            cells = {
                "ts": f"{BEGIN + timedelta(minutes=minutes * row):%Y-%m-%dT%H:%M:%SZ}",
                "open": repr(float(open_)),
                "high": repr(float(max(open_, close[row]) * 1.001)),
                "low": repr(float(min(open_, close[row]) * 0.999)),
                "close": repr(float(close[row])),
                "volume": repr(float(rng.gamma(2.0, 5e5))),
            }
            if spoil is not None and spoil[0] == row:
                cells[spoil[1]] = spoil[2]
            out.writerow(cells.values())
    return path
