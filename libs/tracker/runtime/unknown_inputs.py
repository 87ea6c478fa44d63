"""Why an input of a rule is not known at a close: how many bars it needs, and how many there are."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from tracker.domain.timeframe import EPOCH, Timeframe
from tracker.quant.features import CONTEXTS, FEATURE_SPECS, FeatureSpec, Origin
from tracker.runtime.standing import shown
from tracker.store.database import Transaction
from tracker.store.looks import count_bars, read_last_open

_SPECS = {spec.name: spec for spec in FEATURE_SPECS}
_CONTEXTS = {context.origin: context for context in CONTEXTS}


@dataclass(frozen=True, slots=True, kw_only=True)
class BarCount:
    """Bars of a symbol that a feature needs at a close and that it has, in the window that is computed with."""

    timeframe: Timeframe
    needed: int
    there: int


async def why_unknown(
    transaction: Transaction, symbol_id: int, name: str, timeframe: Timeframe, close: datetime
) -> tuple[BarCount | None, str]:
    """Return the bars behind a feature, where it has bars of the symbol's own, and in words why it is not known."""
    spec = _SPECS.get(name)
    if spec is None:
        return None, "an indicator of the rule's own, which its bars do not give yet"
    if spec.origin is Origin.OWN:
        return await _warm_up(transaction, symbol_id, spec, timeframe, close)
    context = _CONTEXTS.get(spec.origin)
    if context is None:
        return None, f"made of {spec.origin.value}, which do not give it at this close"
    step = context.timeframe
    latest = step.floor(close)
    last = await read_last_open(transaction, symbol_id, step, latest)
    if last is None or close - step.close_of(last) > timedelta(seconds=context.max_age_seconds):
        seen = "none was there in the month before" if last is None else f"the last one opened at {shown(last)}"
        return None, f"made of {spec.origin.value}, and there is no recent one: {seen}"
    return await _warm_up(transaction, symbol_id, spec, step, step.close_of(last))


async def _warm_up(
    transaction: Transaction, symbol_id: int, spec: FeatureSpec, timeframe: Timeframe, close: datetime
) -> tuple[BarCount, str]:
    # TA-Lib comes with it, which is not needed where everything is known.
    from tracker.quant.windows import anchor_seconds

    opened = close - timeframe.duration
    first = EPOCH + timedelta(seconds=anchor_seconds(int(opened.timestamp()), timeframe.seconds))
    # Rows before `warmup_bars` are not known, so that the first that is has one more.
    count = BarCount(
        timeframe=timeframe,
        needed=spec.warmup_bars + 1,
        there=await count_bars(transaction, symbol_id, timeframe, first, close),
    )
    if count.there < count.needed:
        return count, f"warming up: {count.there} of {count.needed} {timeframe} bars are there"
    return count, (
        f"{count.there} of {count.needed} {timeframe} bars are there by now, some of which came after it was computed"
    )
