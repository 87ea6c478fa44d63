"""What Slack refuses in a message, as its reference says, apart from how our own messages are made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

BLOCKS = 50
TEXTS = {"section": 3_000, "header": 150}
FIELDS, FIELD = 10, 2_000
ELEMENTS = 10
MESSAGE = 40_000
ALL = 13_000


def refusal(payload: Mapping[str, Any]) -> str | None:
    """Return Slack's error for a message's text and blocks, None where it takes them."""
    blocks: Sequence[Mapping[str, Any]] = payload.get("blocks") or ()
    text = payload.get("text") or ""
    if not blocks and not text:
        return "no_text"
    if _length(text) > MESSAGE:
        return "msg_too_long"
    if len(blocks) > BLOCKS or not all(_valid(block) for block in blocks):
        return "invalid_blocks"
    if sum(_length(each) for block in blocks for each in _texts(block)) > ALL:
        return "msg_blocks_too_long"
    return None


def _length(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


def _texts(block: Mapping[str, Any]) -> list[str]:
    found = [block.get("text"), *block.get("fields", ()), *block.get("elements", ())]
    return [each["text"] for each in found if each]


def _valid(block: Mapping[str, Any]) -> bool:
    kind = block.get("type")
    if kind == "divider":
        return set(block) <= {"type", "block_id"}
    if kind == "header":
        return block["text"]["type"] == "plain_text" and _fits(block["text"], TEXTS["header"])
    if kind == "context":
        elements = block["elements"]
        return 0 < len(elements) <= ELEMENTS and all(_fits(each, TEXTS["section"]) for each in elements)
    if kind != "section" or not (block.get("text") or block.get("fields")):
        return False
    fields = block.get("fields", [])
    text = block.get("text")
    return len(fields) <= FIELDS and all(_fits(each, FIELD) for each in fields) and (
        text is None or _fits(text, TEXTS["section"])
    )


def _fits(text: Mapping[str, Any], most: int) -> bool:
    return text["type"] in ("mrkdwn", "plain_text") and 0 < _length(text["text"]) <= most
