"""What one process sends of candles is what the other receives, or it says that something is missing."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tracker.runtime.candle_batches import CandleBatch
from tracker.runtime.candle_wire import receive, send_batch, send_end
from tracker.runtime.candles import BadRow
from tracker.store.bars import BarTable

BAD = BadRow(
    file=Path("x.parquet"), line=7, field="close", value="née", reason="is not a number", ts=60, raw=("1", "é")
)


def batch(count: int, *, plain: bool = False) -> CandleBatch:
    values = np.random.default_rng(count).normal(size=(6, count))
    return CandleBatch(
        table=BarTable(
            ts=np.arange(count, dtype=np.int64) * 60, open=values[0], high=values[1], low=values[2], close=values[3],
            volume=values[4], vwap=None if plain else values[5],
            trades=None if plain else np.arange(count, dtype=np.int32),
        ),
        lines=np.arange(count, dtype=np.int64) + 2,
        bad_rows=() if plain else (BAD, BAD),
        read=count * 10,
    )


@given(st.integers(0, 50), st.booleans())
def test_a_batch_comes_as_it_was_sent(count: int, plain: bool) -> None:
    sent, pipe = batch(count, plain=plain), io.BytesIO()
    send_batch(pipe, sent)
    send_batch(pipe, sent)
    send_end(pipe)
    pipe.seek(0)
    for _ in range(2):
        got = receive(pipe)
        assert isinstance(got, CandleBatch)
        assert (got.bad_rows, got.read) == (sent.bad_rows, sent.read)
        assert np.array_equal(got.lines, sent.lines)
        for name in ("ts", "open", "high", "low", "close", "volume", "vwap", "trades"):
            one, other = getattr(got.table, name), getattr(sent.table, name)
            assert (one is None) == (other is None)
            assert one is None or (np.array_equal(one, other) and one.dtype == other.dtype)
    assert receive(pipe) is None


def test_why_there_is_no_more_is_told() -> None:
    pipe = io.BytesIO()
    send_end(pipe, "column 'close' is missing")
    pipe.seek(0)
    assert receive(pipe) == "column 'close' is missing"


@given(st.integers(0, 400))
def test_a_stream_that_ends_early_is_noticed(cut: int) -> None:
    pipe = io.BytesIO()
    send_batch(pipe, batch(5))
    whole = pipe.getvalue()
    with pytest.raises((EOFError, ValueError)):
        receive(io.BytesIO(whole[: min(cut, len(whole) - 1)]))
