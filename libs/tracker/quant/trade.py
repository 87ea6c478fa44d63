"""The working state of a trade, and a fill, in the floats that the fill rules read."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from tracker.domain.order import ExitReason, OrderKind


@dataclass(slots=True)
class Rung:
    """A resting buy below the entry: its limit price and the quantity still to fill."""

    price: float
    rest: float


@dataclass(slots=True, kw_only=True)
class Trade:
    """The working state of one long trade; `walk_bar` changes it in place.

    `step`: every quantity is a multiple of it. Bars that open before `opens_from` do not concern the trade;
    `entry_rest` is given up at `entry_until`. `bought` and `cost` cover all buys. `leaving` is set once an
    exit has begun: from then on nothing is bought. `stop_reason` is what a touched stop would be: `stop`, or what
    raised it. `break_even_distance` is in price above the average (0 for none), `break_even_cost` what a round trip
    costs as a fraction of the price.
    """

    step: float
    opens_from: int
    entry_until: int
    expires_at: int
    entry_rest: float
    stop: float
    target: float
    target_fraction: float | None = None
    trail_distance: float = 0.0
    stop_reason: ExitReason = ExitReason.STOP
    break_even_distance: float = 0.0
    break_even_cost: float = 0.0
    rungs: list[Rung] = field(default_factory=list[Rung])
    held: float = 0.0
    bought: float = 0.0
    cost: float = 0.0
    highest: float = -math.inf
    lowest: float = math.inf
    leaving: ExitReason | None = None

    @property
    def done(self) -> bool:
        """Whether nothing is held and nothing more will be bought."""
        return self.held == 0.0 and (self.entry_rest == 0.0 or self.leaving is not None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """A fill in floats; `rung` counts from 0, `reason` is set for exits, `reference` is before slippage."""

    kind: OrderKind
    quantity: float
    price: float
    reference: float
    maker: bool
    at_open: bool
    rung: int = 0
    reason: ExitReason | None = None
