"""Which proposals an account takes at all: it may be pickier than the scanner."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from annotated_types import Ge, Le

from tracker.domain.order import RefusalReason
from tracker.domain.signal import Signal
from tracker.quant import risk_rules
from tracker.quant.sizing import Refused


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryParams:
    """What a signal must have; the `[entry]` table of an account's file. 0 asks for nothing."""

    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid"}

    min_strength: Annotated[float, Ge(0), Le(1)] = 0.0
    min_confirmations: Annotated[int, Ge(0)] = 0
    min_confidence: Annotated[float, Ge(0), Le(1)] = 0.0


def below_threshold(signal: Signal, limits: Sequence[float]) -> Refused | None:
    """Return why a signal is too weak for the account, with the figures, or None.

    `limits` are the numbers of `tracker.quant.risk_rules`.
    """
    confidence = math.nan if signal.confidence is None else signal.confidence
    short = risk_rules.lacks(limits, signal.strength, signal.confirmations, confidence)
    if not short:
        return None
    names: Mapping[int, tuple[str, float | None]] = {
        risk_rules.ENTRY_STRENGTH: ("strength", signal.strength),
        risk_rules.ENTRY_CONFIRMATIONS: ("confirmations", signal.confirmations),
        risk_rules.ENTRY_CONFIDENCE: ("confidence", signal.confidence),
    }
    name, has = names[short]
    shown = "unknown" if has is None else f"{has:.4g}"
    note = f"{name} {shown}, this account asks for {limits[short]:.4g}"
    return Refused(reason=RefusalReason.BELOW_ACCOUNT_THRESHOLD, note=note)
