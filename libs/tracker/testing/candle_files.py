"""Cuts of candle files, for replays that a test can wait for."""

from __future__ import annotations

from pathlib import Path


def cut_candles(source: Path, target: Path, *, skip: int, rows: int) -> Path:
    """Write `rows` candles of `source` after the first `skip` ones to `target`, with the header."""
    lines = source.read_text(encoding="utf-8").splitlines(keepends=True)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text("".join([lines[0], *lines[1 + skip : 1 + skip + rows]]), encoding="utf-8")
    return target
