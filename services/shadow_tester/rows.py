"""Signals and closed trades as rows of the shadow's tables."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tracker.quant.execution import REASONS
from tracker.quant.portfolio.book import moment_of
from tracker.quant.shadow.deciders import Decider, decider_at
from tracker.quant.shadow.engine import ClosedTrades
from tracker.quant.shadow.evaluation import Found
from tracker.store.shadow import ScanRow

from services.shadow_tester.inputs import Seen


def scans_of(
    found: Found | None,
    held: NDArray[np.int64],
    deciders: Sequence[Decider],
    seen: Seen,
    numbers: NDArray[np.int64],
) -> Iterator[ScanRow]:
    """Yield a row for each close: which variations, by their number, had a signal in which symbol.

    `held` are the rows of signals that a model of `deciders` held back.
    """
    size = int(numbers.max()) + 1
    for close in seen.closes.tolist():
        begin, end = np.searchsorted(seen.rows.decided_at, (close, close + 1)).tolist()
        bits = np.zeros((size, end - begin), dtype=np.bool_)
        if found is not None:
            inside = (found.row >= begin) & (found.row < end)
            bits[numbers[found.variation[inside]], found.row[inside] - begin] = True
        yield ScanRow(
            decided_at=moment_of(close),
            variations=len(numbers),
            signals=int(np.count_nonzero(bits)),
            signalling=int(np.count_nonzero(bits.any(axis=1))),
            symbol_ids=seen.rows.symbol_ids[begin:end].tolist(),
            model_id=None if (model := decider_at(deciders, close)) is None else model.model_id,
            held_back=int(np.count_nonzero((held >= begin) & (held < end))),
            bitmap=zlib.compress(np.packbits(bits).tobytes(), level=1),
        )


def trade_columns(trades: ClosedTrades, ids: Sequence[str]) -> list[list[Any]]:
    """Return closed trades as the columns that are written."""
    return [
        [ids[place] for place in trades.account.tolist()],
        trades.symbol_id.tolist(),
        [moment_of(each) for each in trades.decided_at.tolist()],
        [moment_of(each) for each in trades.entry_at.tolist()],
        [moment_of(each) for each in trades.exit_at.tolist()],
        trades.entry_price.tolist(),
        trades.exit_price.tolist(),
        trades.quantity.tolist(),
        trades.pnl.tolist(),
        trades.fees.tolist(),
        [str(REASONS[each]) for each in trades.reason.tolist()],
    ]
