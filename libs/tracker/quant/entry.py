"""Which proposals an account takes at all: it may be pickier than the scanner."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from annotated_types import Ge, Le

from tracker.domain.order import RefusalReason
from tracker.domain.signal import Signal
from tracker.quant.sizing import Refused


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryParams:
    """What a signal must have; the `[entry]` table of an account's file. 0 asks for nothing."""

    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid"}

    min_strength: Annotated[float, Ge(0), Le(1)] = 0.0
    min_confirmations: Annotated[int, Ge(0)] = 0
    min_confidence: Annotated[float, Ge(0), Le(1)] = 0.0


def below_threshold(signal: Signal, params: EntryParams) -> Refused | None:
    """Return why a signal is too weak for the account, with the figures, or None."""
    asked = (
        ("strength", signal.strength, params.min_strength),
        ("confirmations", signal.confirmations, params.min_confirmations),
        ("confidence", signal.confidence, params.min_confidence),
    )
    for name, has, wanted in asked:
        if wanted and (has is None or has < wanted):
            shown = "unknown" if has is None else f"{has:.4g}"
            note = f"{name} {shown}, this account asks for {wanted:.4g}"
            return Refused(reason=RefusalReason.BELOW_ACCOUNT_THRESHOLD, note=note)
    return None
