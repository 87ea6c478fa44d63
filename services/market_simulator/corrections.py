"""What a correction does to a bar."""

from __future__ import annotations

from services.market_simulator.bars import CLOSE, HIGH, LOW, TRADES, VOLUME, Floats


def corrected(column: Floats) -> Floats:
    """Return a bar's column with a late trade added: other close and volume, still a possible bar."""
    changed = column.copy()
    close = float(f"{changed[CLOSE] * 1.0007:.6g}")
    changed[CLOSE] = close
    changed[HIGH] = max(changed[HIGH], close)
    changed[LOW] = min(changed[LOW], close)
    # An eighth more keeps a binary fraction a binary fraction: sums of volumes stay exact.
    changed[VOLUME] *= 1.125
    changed[TRADES] += 1
    return changed
