"""Numbers as people read them."""

from __future__ import annotations

import pytest

from services.dashboard import formats

CASES = [
    (formats.money, 1234567.891, "1,234,567.89"), (formats.money, -5, "\N{MINUS SIGN}5.00"),
    (formats.money, None, "\N{EN DASH}"),
    (formats.signed, 12.3, "+12.30"), (formats.signed, -12.3, "\N{MINUS SIGN}12.30"), (formats.signed, 0.0, "+0.00"),
    (formats.percent, 0.1234, "12.3%"), (formats.signed_percent, -0.00123, "\N{MINUS SIGN}0.12%"),
    (formats.price, 67412.5, "67,412.50"), (formats.price, 0.0842134, "0.084213"), (formats.price, 12.5, "12.500"),
    (formats.count, 12345, "12,345"), (formats.megabytes, 67_400_000, "67 MB"),
    (formats.seconds, 12, "12 s"), (formats.seconds, 240, "4 min"), (formats.seconds, 10_800, "3 h"),
    (formats.seconds, 400_000, "5 d"), (formats.seconds, None, "\N{EN DASH}"),
    (formats.words, "trend_down", "trend down"),
    (formats.tone, 0, "plain"), (formats.tone, None, "plain"), (formats.tone, 0.1, "good"), (formats.tone, -0.1, "bad"),
]  # fmt: skip


@pytest.mark.parametrize(("look", "value", "shown"), CASES)
def test_figures_look_as_people_read_them(look, value, shown: str) -> None:
    assert look(value) == shown
