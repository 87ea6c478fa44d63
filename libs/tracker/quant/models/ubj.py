"""Universal Binary JSON (draft 12), as far as XGBoost writes it: typed arrays become NumPy arrays."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np

from tracker.domain.errors import ModelError

# Markers of numbers: their struct formats, big-endian.
_NUMBERS = {b"i": ">b", b"U": ">B", b"I": ">h", b"l": ">i", b"L": ">q", b"d": ">f", b"D": ">d"}
_WORDS = {b"Z": None, b"T": True, b"F": False}
# Nothing we read is nested deeper; damaged bytes may claim anything.
MOST_DEPTH = 32


def decode_ubj(data: bytes) -> Any:
    """Return what the bytes hold; raises ModelError where they are no such document, or more than one."""
    reader = _Reader(data)
    try:
        value = reader.value(reader.take(1), 0)
    except (struct.error, UnicodeDecodeError, KeyError, ValueError) as error:
        raise ModelError(f"the model's bytes are no UBJSON document: {error}") from None
    if reader.at != len(data):
        raise ModelError(f"the model's bytes go on for {len(data) - reader.at} after their end")
    return value


class _Reader:
    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def take(self, count: int) -> bytes:
        if count < 0 or self.at + count > len(self.data):
            raise ValueError(f"{count} bytes wanted at {self.at} of {len(self.data)}")
        found = self.data[self.at : self.at + count]
        self.at += count
        return found

    def number(self, marker: bytes) -> Any:
        layout = _NUMBERS[marker]
        return struct.unpack(layout, self.take(struct.calcsize(layout)))[0]

    def text(self) -> str:
        return self.take(self.number(self.take(1))).decode()

    def value(self, marker: bytes, depth: int) -> Any:
        if depth > MOST_DEPTH:
            raise ValueError(f"nested deeper than {MOST_DEPTH}")
        if marker in _NUMBERS:
            return self.number(marker)
        if marker in _WORDS:
            return _WORDS[marker]
        if marker == b"S":
            return self.text()
        if marker == b"{":
            return self.object(depth + 1)
        if marker == b"[":
            return self.array(depth + 1)
        raise ValueError(f"marker {marker!r} at {self.at - 1}")

    def object(self, depth: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        while self.data[self.at : self.at + 1] != b"}":
            name = self.text()
            found[name] = self.value(self.take(1), depth)
        self.take(1)
        return found

    def array(self, depth: int) -> Any:
        head = self.data[self.at : self.at + 1]
        if head == b"$":
            return self.typed()
        if head == b"#":
            self.take(1)
            count = self.number(self.take(1))
            return [self.value(self.take(1), depth) for _ in range(count)]
        items: list[Any] = []
        while self.data[self.at : self.at + 1] != b"]":
            items.append(self.value(self.take(1), depth))
        self.take(1)
        return items

    def typed(self) -> Any:
        _, kind, sign = self.take(1), self.take(1), self.take(1)
        if sign != b"#":
            raise ValueError(f"no count of the typed array at {self.at}")
        count = self.number(self.take(1))
        layout = np.dtype(_NUMBERS[kind])
        return np.frombuffer(self.take(count * layout.itemsize), dtype=layout).astype(layout.newbyteorder("="))
