"""How far looks at the market come on their way to a finished trade, and where they stop."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from tracker.domain.signal import SkipReason


class FunnelStep(StrEnum):
    """What a look comes to, in this order.

    `SCANS`: a strategy looked at a symbol at a close. `SETUPS`: it passed every gate of the rule itself. `SCORED`: it
    passed what is asked of confirmations, strength and confidence too, and is a signal. `APPROVED`: the account's risk
    rules let it be placed. `FILLED`: at least in part. `CLOSED`: the trade is finished.
    """

    SCANS = "scans"
    SETUPS = "setups"
    SCORED = "scored"
    APPROVED = "approved"
    FILLED = "filled"
    CLOSED = "closed"


# The last step that a skipped look came to. The view tracker.looks says the same, and a test holds it to this.
LAST_STEP: Mapping[SkipReason, FunnelStep] = MappingProxyType(
    {
        SkipReason.WARMING_UP: FunnelStep.SCANS,
        SkipReason.NO_BAR: FunnelStep.SCANS,
        SkipReason.NO_SETUP: FunnelStep.SCANS,
        SkipReason.TREND_AGAINST: FunnelStep.SCANS,
        SkipReason.VOLUME_TOO_LOW: FunnelStep.SCANS,
        SkipReason.VOLUME_TOO_HIGH: FunnelStep.SCANS,
        SkipReason.VOLATILITY_OUT_OF_RANGE: FunnelStep.SCANS,
        SkipReason.CHANNEL_BROKEN: FunnelStep.SCANS,
        SkipReason.TOO_FEW_CONFIRMATIONS: FunnelStep.SETUPS,
        SkipReason.STRENGTH_TOO_LOW: FunnelStep.SETUPS,
        SkipReason.CONFIDENCE_TOO_LOW: FunnelStep.SETUPS,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LookCount:
    """So many looks of a strategy came to one last step and stopped there for one reason.

    `account` is None for looks without a signal, which are no account's; `stopped_by` for a finished trade.
    """

    strategy: str
    account: str | None
    last_step: FunnelStep
    stopped_by: str | None
    looks: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """A reason not to come further, and how many looks it stopped."""

    reason: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StepCount:
    """How many looks came to a step; `fell_out` of them, for the `reasons`, commonest first, came to no other."""

    step: FunnelStep
    count: int
    fell_out: int
    reasons: tuple[Stop, ...]


def funnel_of(counts: Iterable[LookCount], account: str | None) -> tuple[StepCount, ...]:
    """Return the steps of one strategy's looks for one account (None: there is none yet).

    What came to a step is what fell out of it and what came to the next.
    """
    mine = [each for each in counts if each.account is None or each.account == account]
    steps = tuple(FunnelStep)
    return tuple(_step(step, mine, steps[place:]) for place, step in enumerate(steps))


def _step(step: FunnelStep, counts: Sequence[LookCount], reached_by: Sequence[FunnelStep]) -> StepCount:
    stopped: dict[str, int] = {}
    for each in counts:
        if each.last_step is step and each.stopped_by is not None:
            stopped[each.stopped_by] = stopped.get(each.stopped_by, 0) + each.looks
    return StepCount(
        step=step,
        count=sum(each.looks for each in counts if each.last_step in reached_by),
        fell_out=sum(stopped.values()),
        reasons=tuple(
            Stop(reason=reason, count=count)
            for reason, count in sorted(stopped.items(), key=lambda item: (-item[1], item[0]))
        ),
    )
