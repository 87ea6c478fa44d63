"""The fill rules of `tracker.quant.kernel` on trades and candles, as the live engine works with them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from annotated_types import Ge, Gt, Le

from tracker.domain.candle import Candle
from tracker.domain.order import ExitReason, OrderKind
from tracker.quant import kernel
from tracker.quant.pricing import BPS_PER_UNIT, round_trip_cost
from tracker.quant.trade import Execution, Trade

# In the order of the kernel's numbers.
REASONS = (
    None,
    ExitReason.STOP,
    ExitReason.TRAILING,
    ExitReason.TARGET,
    ExitReason.TIMEOUT,
    ExitReason.BREAK_EVEN,
    ExitReason.FLATTEN,
)
_NUMBER_OF = {reason: float(number) for number, reason in enumerate(REASONS)}


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionParams:
    """What trading costs and how much of a bar it may take; the `[execution]` table of paper_trading.toml."""

    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid"}

    maker_fee_bps: Annotated[float, Ge(0), Le(500)]
    taker_fee_bps: Annotated[float, Ge(0), Le(500)]
    slippage_base_bps: Annotated[float, Ge(0), Le(1_000)]
    slippage_impact_bps: Annotated[float, Ge(0)]
    slippage_cap_bps: Annotated[float, Ge(0), Le(1_000)]
    max_volume_share: Annotated[float, Gt(0), Le(1)]
    entry_valid_bars: Annotated[int, Ge(1)]
    max_price_age_minutes: Annotated[int, Ge(0), Le(525_600)] = 0

    def fee_rate(self, *, maker: bool) -> float:
        """Return the fee as a fraction of the traded value."""
        # Divided, not times 1e-4, which is no decimal: 26 bps would be 0.0026000000000000003.
        return (self.maker_fee_bps if maker else self.taker_fee_bps) / BPS_PER_UNIT

    @property
    def max_price_age_seconds(self) -> float:
        """How long ago a symbol's last bar may have closed; infinite where no price is too old."""
        return 60.0 * self.max_price_age_minutes if self.max_price_age_minutes else math.inf

    def round_trip_cost(self) -> float:
        """Return how far a price must rise, as a fraction, to pay the fees of buying and selling at the market."""
        return round_trip_cost(self.fee_rate(maker=False))

    def numbers(self) -> list[float]:
        """Return the rules as the kernel reads them."""
        return [
            self.fee_rate(maker=True),
            self.fee_rate(maker=False),
            self.slippage_base_bps,
            self.slippage_impact_bps,
            self.slippage_cap_bps,
        ]


def walk_bar(
    trade: Trade, bar: Candle, rules: ExecutionParams, budget: float, cash: float = math.inf
) -> list[Execution]:
    """Apply one bar to a trade and return its fills, at most one for each order.

    `budget` is the quantity that may trade in this bar (see `volume_budget`), `cash` what the entry may
    cost with its fee.
    """
    numbers, rungs = numbers_of(trade, budget, cash)
    out = [[0.0] * kernel.OUT_SIZE for _ in range(len(rungs) + 2)]
    count = kernel.walk(numbers, rungs, bar, rules.numbers(), out)
    _take_over(trade, numbers, rungs)
    return [_execution(row) for row in out[:count]]


def volume_budget(bar: Candle, rules: ExecutionParams) -> float:
    """Return the quantity that all orders together may trade in a bar."""
    return bar.volume * rules.max_volume_share


def is_quiet(trade: Trade, bar: Candle) -> bool:
    """Return whether a bar fills nothing, so that `observe` is all it does to the trade."""
    numbers, rungs = numbers_of(trade, 0.0, 0.0)
    return kernel.is_quiet(numbers, rungs, bar)


def observe(trade: Trade, bar: Candle) -> None:
    """Take the extremes of a quiet bar in, or of several as one; the stop follows them for the bars to come."""
    numbers, rungs = numbers_of(trade, 0.0, 0.0)
    kernel.observe(numbers, bar)
    _take_over(trade, numbers, rungs)


def flatten(trade: Trade) -> None:
    """Begin a sale at the market that was asked for from outside; see `tracker.quant.kernel.flatten`."""
    numbers, rungs = numbers_of(trade, 0.0, 0.0)
    kernel.flatten(numbers, rungs)
    _take_over(trade, numbers, rungs)


def numbers_of(trade: Trade, budget: float, cash: float) -> tuple[list[float], list[list[float]]]:
    """Return a trade and its rungs as the kernel reads them."""
    fraction = trade.target_fraction
    numbers = [
        trade.step,
        float(trade.opens_from),
        float(trade.entry_until),
        float(trade.expires_at),
        trade.entry_rest,
        trade.stop,
        trade.target,
        _NUMBER_OF[trade.stop_reason],
        math.nan if fraction is None else fraction,
        trade.trail_distance,
        trade.held,
        trade.bought,
        trade.cost,
        trade.highest,
        trade.lowest,
        _NUMBER_OF[trade.leaving],
        budget,
        cash,
        trade.break_even_distance,
        trade.break_even_cost,
    ]
    return numbers, [[each.price, each.rest] for each in trade.rungs]


def _take_over(trade: Trade, numbers: list[float], rungs: list[list[float]]) -> None:
    trade.entry_rest = numbers[kernel.ENTRY_REST]
    trade.stop, trade.target = numbers[kernel.STOP], numbers[kernel.TARGET]
    trade.held, trade.bought, trade.cost = numbers[kernel.HELD], numbers[kernel.BOUGHT], numbers[kernel.COST]
    trade.highest, trade.lowest = numbers[kernel.HIGHEST], numbers[kernel.LOWEST]
    trade.leaving = REASONS[int(numbers[kernel.LEAVING])]
    trade.stop_reason = REASONS[int(numbers[kernel.STOP_REASON])] or ExitReason.STOP
    for rung, (_, rest) in zip(trade.rungs, rungs, strict=True):
        rung.rest = rest


def _execution(row: list[float]) -> Execution:
    leg = int(row[kernel.OUT_LEG])
    kinds = {kernel.LEG_ENTRY: OrderKind.ENTRY, kernel.LEG_EXIT: OrderKind.EXIT}
    return Execution(
        kind=kinds.get(leg, OrderKind.RUNG),
        quantity=row[kernel.OUT_QUANTITY],
        price=row[kernel.OUT_PRICE],
        reference=row[kernel.OUT_REFERENCE],
        maker=bool(row[kernel.OUT_MAKER]),
        at_open=bool(row[kernel.OUT_AT_OPEN]),
        rung=max(leg, 0),
        reason=REASONS[int(row[kernel.OUT_REASON])],
    )
