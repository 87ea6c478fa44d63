"""A quantity that changed hands."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from tracker.domain.order import OrderKey, OrderSide


class Liquidity(StrEnum):
    """Whether the order rested (`maker`) or crossed the market (`taker`)."""

    MAKER = "maker"
    TAKER = "taker"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fill:
    """One fill of one order in one bar.

    `bar_ts` is the open of the bar; `filled_at` is that open where the fill happened at the opening price,
    else the bar's close. `reference_price` is the price before slippage; `fee` is in quote currency.
    Once booked, `cost` is what it added to (a sell: took from) the book value of its position, and `realised_pnl`
    what a sell made beyond that, gross of fees.
    """

    order: OrderKey
    side: OrderSide
    bar_ts: datetime
    filled_at: datetime
    quantity: Decimal
    price: Decimal
    reference_price: Decimal
    fee: Decimal
    liquidity: Liquidity
    cost: Decimal = Decimal(0)
    realised_pnl: Decimal = Decimal(0)
