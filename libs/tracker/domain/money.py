"""From the floats of the market to the exact decimals of the ledger, always the same way."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, ROUND_UP, Context, Decimal

PRICE_DIGITS = 12
FEE_STEP = Decimal("0.00000001")
# Wide enough that no product or sum of the ledger is ever rounded.
EXACT = Context(prec=60, rounding=ROUND_HALF_EVEN)
_PRICE = Context(prec=PRICE_DIGITS, rounding=ROUND_HALF_EVEN)


def decimal_of(value: float) -> Decimal:
    """Return the shortest decimal that reads back as this float."""
    return Decimal(repr(float(value)))


def price_of(value: float) -> Decimal:
    """Return a price with 12 significant digits."""
    return _PRICE.create_decimal(repr(float(value)))


def quantity_of(value: float, step: Decimal) -> Decimal:
    """Return the multiple of `step` that a float quantity stands for."""
    lots = EXACT.divide(decimal_of(value), step).to_integral_value(rounding=ROUND_HALF_EVEN)
    return EXACT.multiply(lots, step)


def floor_quantity(value: Decimal, step: Decimal) -> Decimal:
    """Return the largest multiple of `step` that is not above `value`."""
    return EXACT.multiply(EXACT.divide_int(value, step), step)


def fee_of(notional: Decimal, rate: float) -> Decimal:
    """Return the fee on a traded value, rounded up to 1e-8: an exchange never rounds in our favour."""
    return EXACT.multiply(notional, decimal_of(rate)).quantize(FEE_STEP, rounding=ROUND_UP, context=EXACT)


def quantity_step(lot_step: Decimal, quantity: float) -> Decimal:
    """Return the step in which a trade of about `quantity` is counted.

    It is the lot step, or ten, a hundred.. times that where the quantity would have more than 12
    significant digits, so that every quantity of the trade is the same as a float and as a decimal.
    """
    finest = Decimal(1).scaleb(decimal_of(quantity).adjusted() - PRICE_DIGITS + 1)
    step = lot_step
    while step < finest:
        step = step.scaleb(1)
    return step
