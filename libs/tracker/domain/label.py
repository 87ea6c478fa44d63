"""What became of a setup's trade, taken alone."""

from __future__ import annotations

from enum import StrEnum


class Outcome(StrEnum):
    """How a setup's trade ended.

    `win`: something was left after fees, `loss`: nothing was; `censored`: it has not ended yet, which says neither;
    `unfilled`: nothing could be bought.
    """

    WIN = "win"
    LOSS = "loss"
    CENSORED = "censored"
    UNFILLED = "unfilled"
