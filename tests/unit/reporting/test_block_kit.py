"""Whatever is put into a message, Slack takes it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tracker.runtime.reporting.block_kit import (
    SECTION,
    TOTAL,
    Part,
    code,
    compose,
    cut,
    escape,
    readable,
    size,
    text_size,
)
from tracker.testing.slack_limits import refusal

TEXTS = st.text(max_size=400) | st.text(alphabet="&<>`*_ a\U0001f4c8", max_size=900)
PARTS = st.builds(
    Part,
    title=TEXTS,
    lines=st.lists(TEXTS.map(escape), max_size=60),
    fields=st.lists(st.tuples(TEXTS, TEXTS.map(escape)), max_size=14),
    more=TEXTS,
)


@given(text=TEXTS, title=TEXTS, notes=st.lists(TEXTS.map(escape), max_size=4), parts=st.lists(PARTS, max_size=70))
def test_no_input_breaks_a_limit(text: str, title: str, notes: list[str], parts: list[Part]) -> None:
    message = compose(text, title, notes, parts)
    assert refusal(message.payload) is None
    assert text_size(message.blocks) <= 13_000


@pytest.mark.parametrize("lines", [1, 5, 40, 5_000])
def test_what_is_left_out_is_counted(lines: int) -> None:
    parts = [Part(title=f"part {n}", lines=[f"line {i} of {n} " + "x" * 60 for i in range(lines)], more="lines")
             for n in range(12)]  # fmt: skip
    for block in compose("t", "t", [], parts).blocks[1:]:
        shown = block["text"]["text"].split("\n")[1:]
        told = 0
        if shown[-1].startswith("… and "):
            told = int(shown.pop().split()[2])
        assert len(shown) + told == lines
        assert told == 0 or lines > 5


def test_a_long_part_leaves_room_for_others() -> None:
    long = Part(title="long", lines=["x" * 500] * 100)
    blocks = compose("t", "t", [], [long, *[Part(title="short", lines=["all of it"])] * 11]).blocks
    assert [each["text"]["text"] for each in blocks[2:]] == ["*short*\nall of it"] * 11
    assert size(blocks[1]["text"]["text"]) > SECTION - 700


@given(text=TEXTS, most=st.integers(1, 500))
def test_cut_text_holds_whole_entities(text: str, most: int) -> None:
    found = cut(escape(text), most)
    assert size(found) <= max(most, 1)
    rest = found.replace("&amp;", "").replace("&lt;", "").replace("&gt;", "")
    assert not set(rest) & set("&<>")


@given(TEXTS)
def test_code_stays_code(text: str) -> None:
    found = code(text)
    assert found.count("`") == 2
    assert "\n" not in found


def test_nobody_is_mentioned_by_a_name() -> None:
    message = compose("<!channel> & co", "<!here>", [escape("<@U1>")], [Part(title="<!here>", lines=[code("<!here>")])])
    texts = [message.text, message.blocks[1]["elements"][0]["text"], message.blocks[2]["text"]["text"]]
    assert texts == ["&lt;!channel&gt; &amp; co", "&lt;@U1&gt;", "*&lt;!here&gt;*\n`&lt;!here&gt;`"]
    assert "<!here>" in readable(message)


def test_the_total_is_below_what_slack_takes() -> None:
    assert TOTAL < 13_000
