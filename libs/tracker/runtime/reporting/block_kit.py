"""Slack messages that Slack takes: text that is escaped, and cut where a message may not be longer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

# What Slack refuses beyond; of the whole message less, since what it counts is not said to the letter.
BLOCKS = 50
SECTION = 3_000
HEADER = 150
FIELDS = 10
FIELD = 2_000
TOTAL = 12_000
TEXT = 3_000
# So that one endless name leaves room for others.
LINE = 600
ELLIPSIS = "…"
# What a terminal shows for the names of Slack's emoji.
SIGNS = {
    "arrow_up": "\u25b2", "arrow_down": "\u25bc", "black_small_square": "\u25aa", "warning": "[!]",
    "rotating_light": "[!!]", "information_source": "[i]", "white_check_mark": "[ok]", "no_entry": "[stop]",
    "trophy": "[best]",
}  # fmt: skip

Block = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A heading with lines of mrkdwn under it, the most important first; `fields` are pairs side by side above them.

    What is left out is counted at the end as `more`, which says so many of what.
    """

    title: str
    lines: Sequence[str] = ()
    fields: Sequence[tuple[str, str]] = ()
    more: str = "more"


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What Slack shows: `text` where no blocks are shown, such as on a locked phone."""

    text: str
    blocks: Sequence[Block] = ()

    @property
    def payload(self) -> dict[str, Any]:
        """As Slack takes it."""
        return {"text": self.text, "blocks": list(self.blocks)}


def escape(text: str) -> str:
    """Return plain text as mrkdwn: nobody is mentioned, and no link made, by what a name holds."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def code(text: str) -> str:
    """Return plain text set as code."""
    # Code ends at a backtick and at the end of its line.
    plain = " ".join(text.replace("`", "'").split()) or " "
    return f"`{cut(escape(plain), LINE - 2)}`"


def size(text: str) -> int:
    """Return how long Slack takes a text to be: characters outside the basic plane count twice."""
    return len(text) + sum(character > "\uffff" for character in text)


def cut(text: str, most: int) -> str:
    """Return mrkdwn of at most a size, with an ellipsis where something is gone; no entity is cut in two."""
    if size(text) <= most:
        return text
    kept = text[: max(most - 1, 0)]
    while kept and size(kept) > most - 1:
        kept = kept[:-1]
    opening = kept.rfind("&")
    if opening >= 0 and ";" not in kept[opening:]:
        kept = kept[:opening]
    return kept.rstrip() + ELLIPSIS


def header(text: str) -> Block:
    """Return a title in large letters, of plain text."""
    plain = " ".join(text.split()) or ELLIPSIS
    return {"type": "header", "text": {"type": "plain_text", "text": cut(plain, HEADER), "emoji": True}}


def section(mrkdwn: str, fields: Sequence[str] = ()) -> Block:
    """Return a paragraph, with at most ten short texts in two columns under it."""
    block: Block = {"type": "section"}
    if mrkdwn or not fields:
        block["text"] = {"type": "mrkdwn", "text": cut(mrkdwn, SECTION) or " "}
    if fields:
        block["fields"] = [{"type": "mrkdwn", "text": cut(each, FIELD) or " "} for each in fields[:FIELDS]]
    return block


def context(mrkdwn: str) -> Block:
    """Return small grey text."""
    return {"type": "context", "elements": [{"type": "mrkdwn", "text": cut(mrkdwn, SECTION) or " "}]}


def divider() -> Block:
    """Return a line across."""
    return {"type": "divider"}


def compose(text: str, title: str, notes: Sequence[str], parts: Sequence[Part]) -> Message:
    """Lay out a message that Slack takes, whatever it is given: what does not fit is counted.

    `text` and `title` are plain; `notes` are mrkdwn under the title and `parts` come after them, a section each, cut
    so that a long one leaves room for the others.
    """
    shown = list(parts[: (BLOCKS - 3) // 2])
    blocks: list[Block] = [header(title)]
    blocks += [context(cut(note, 500)) for note in notes[:2]]
    room = TOTAL - text_size(blocks) - 200
    for part, most in zip(shown, _shares([_natural(part) for part in shown], room), strict=True):
        blocks.append(_laid_out(part, min(most, SECTION - 50)))
    left = len(parts) - len(shown)
    if left:
        blocks.append(context(f"{ELLIPSIS} and {left} more parts"))
    return Message(text=cut(escape(" ".join(text.split())) or ELLIPSIS, TEXT), blocks=blocks)


def text_size(blocks: Sequence[Block]) -> int:
    """Return the size of all text in blocks."""
    total = 0
    for block in blocks:
        texts = [block.get("text"), *block.get("fields", ()), *block.get("elements", ())]
        total += sum(size(each["text"]) for each in texts if each)
    return total


def _natural(part: Part) -> int:
    return min(SECTION, size(_title(part)) + sum(size(cut(line, LINE)) + 1 for line in part.lines) + _fields_size(part))


def _fields_size(part: Part) -> int:
    return sum(size(each) for each in _fields(part))


def _title(part: Part) -> str:
    return f"*{cut(escape(' '.join(part.title.split())), HEADER)}*"


def _fields(part: Part) -> list[str]:
    return [f"*{cut(escape(name), 60)}*\n{cut(value, 200)}" for name, value in part.fields[:FIELDS]]


def _shares(wanted: Sequence[int], room: int) -> list[int]:
    """Return how much each gets of what there is: all it wants, or as much as every other that wants more."""
    shares = [0] * len(wanted)
    rest, left = room, sorted(range(len(wanted)), key=lambda index: wanted[index])
    while left:
        index = left.pop(0)
        shares[index] = min(wanted[index], rest // (len(left) + 1))
        rest -= shares[index]
    return shares


def _laid_out(part: Part, most: int) -> Block:
    """Return a part in a section whose text and fields are no larger than `most`, but for its title."""
    fields = _fields(part)
    while fields and sum(map(size, fields)) > most:
        fields.pop()
    title = _title(part)
    room = most - sum(map(size, fields)) - size(title)
    lines = [cut(line, LINE) for line in part.lines]
    kept: list[str] = []
    for number, line in enumerate(lines):
        ending = 0 if number == len(lines) - 1 else size(_more(part, len(lines))) + 1
        if room < size(line) + 1 + ending:
            break
        room -= size(line) + 1
        kept.append(line)
    if len(kept) < len(lines):
        kept.append(_more(part, len(lines) - len(kept)))
    return section("\n".join([title, *kept]), fields)


def _more(part: Part, count: int) -> str:
    return f"{ELLIPSIS} and {count} {cut(escape(' '.join(part.more.split())), 40)}"


def readable(message: Message) -> str:
    """Return a message as a terminal shows it: its texts, a line each, without Slack's marks for plain text."""
    lines: list[str] = []
    for block in message.blocks:
        texts = [block.get("text"), *block.get("fields", ()), *block.get("elements", ())]
        found = [each["text"] for each in texts if each]
        if block["type"] == "header":
            lines += [found[0], "=" * len(found[0])]
        elif block["type"] == "divider":
            lines.append("-" * 40)
        else:
            lines += ["", *found] if block["type"] == "section" else found
    return _unescaped("\n".join(lines)) + "\n"


def _unescaped(text: str) -> str:
    for name, sign in SIGNS.items():
        text = text.replace(f":{name}:", sign)
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
