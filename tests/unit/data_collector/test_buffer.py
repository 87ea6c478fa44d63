"""The bounded buffer loses nothing without saying so."""

from __future__ import annotations

import asyncio

from hypothesis import given
from hypothesis import strategies as st
from tracker.testing.builders import make_bar

from services.data_collector.buffer import BarBuffer


def test_a_full_buffer_drops_the_oldest_and_remembers_from_when_on() -> None:
    buffer = BarBuffer(3)
    buffer.extend([make_bar(minute) for minute in range(5)])
    assert buffer.drain(10) == [make_bar(2), make_bar(3), make_bar(4)]
    assert buffer.overflowed == 2
    assert buffer.take_lost() == {"BTC-USD": make_bar(0).ts}


def test_what_was_lost_counts_as_lost_until_it_is_repaired() -> None:
    buffer = BarBuffer(1)
    buffer.extend([make_bar(0), make_bar(1)])
    buffer.take_lost()
    assert buffer.has_lost
    assert buffer.take_lost() == {"BTC-USD": make_bar(0).ts}
    buffer.lost_repaired()
    assert not buffer.has_lost


def test_restored_items_come_out_first_again() -> None:
    buffer = BarBuffer(10)
    buffer.extend([make_bar(0), make_bar(1)])
    taken = buffer.drain(2)
    buffer.extend([make_bar(2)])
    buffer.restore(taken)
    assert buffer.drain(10) == [make_bar(0), make_bar(1), make_bar(2)]


@given(st.lists(st.sampled_from(["add", "drain", "fail"]), max_size=60), st.integers(1, 5))
def test_every_bar_is_taken_waiting_or_counted_as_lost(steps: list[str], size: int) -> None:
    buffer, added, taken = BarBuffer(size), 0, 0
    for step in steps:
        if step == "add":
            buffer.extend([make_bar(added)])
            added += 1
        elif step == "drain":
            taken += len(buffer.drain(2))
        else:
            buffer.restore(buffer.drain(2))
    assert taken + len(buffer) + buffer.overflowed == added
    assert len(buffer) <= size
    assert buffer.has_lost == (buffer.overflowed > 0)


def test_a_bar_known_to_be_missing_counts_as_lost_from_the_earliest_on() -> None:
    buffer = BarBuffer(3)
    buffer.mark_lost("BTC-USD", make_bar(5).ts)
    buffer.mark_lost("BTC-USD", make_bar(2).ts)
    buffer.mark_lost("BTC-USD", make_bar(7).ts)
    assert buffer.has_lost
    assert buffer.overflowed == 0
    assert buffer.take_lost() == {"BTC-USD": make_bar(2).ts}


async def test_what_was_received_has_settled_once_it_is_stored_or_lost() -> None:
    buffer = BarBuffer(2)
    await buffer.settled()
    buffer.extend([make_bar(0), make_bar(1)])
    waiting = asyncio.create_task(buffer.settled())
    await asyncio.sleep(0)
    buffer.restore(buffer.drain(1))
    buffer.drain(1)
    buffer.stored()
    await asyncio.sleep(0)
    assert not waiting.done()
    # The second bar goes for want of room.
    buffer.extend([make_bar(2), make_bar(3)])
    await asyncio.wait_for(waiting, 1)


def test_an_answer_says_nothing_on_what_the_stream_brought_since_it_was_asked_for() -> None:
    buffer = BarBuffer(9)
    buffer.extend([make_bar(0)])
    answer = [make_bar(minute) for minute in range(4)]
    with buffer.freshness.asking() as question:
        buffer.extend([make_bar(1)])
        with buffer.freshness.asking() as later:
            buffer.extend([make_bar(3)])
            assert question.still_latest(answer) == [make_bar(0), make_bar(2)]
            assert later.still_latest(answer) == [make_bar(0), make_bar(1), make_bar(2)]
    buffer.extend([make_bar(2)])
    assert question.still_latest(answer) == [make_bar(0), make_bar(2)]
