"""The rows with which a signal enters the ledger: a trade with its orders, or a refusal."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from tracker.domain.instrument import Instrument
from tracker.domain.money import decimal_of, price_of
from tracker.domain.order import (
    ENTRY_LEG,
    Order,
    OrderKey,
    OrderKind,
    OrderSide,
    OrderStatus,
    RefusalReason,
    rung_leg,
)
from tracker.domain.position import Position, PositionStatus
from tracker.domain.signal import Signal
from tracker.quant.execution import ExecutionParams
from tracker.quant.portfolio.book import LiveTrade
from tracker.quant.sizing import Approved


def planned(
    signal: Signal,
    approved: Approved,
    instrument: Instrument,
    account: str,
    rules_hash: str,
    execution: ExecutionParams,
) -> LiveTrade:
    """Return the trade that an approved signal becomes: a market entry and its ladder's resting rungs."""
    orders = [_buy(signal, account, rules_hash, approved, index) for index in range(len(approved.quantities))]
    position = Position(
        account=account,
        strategy=signal.strategy,
        symbol_id=signal.symbol_id,
        decided_at=signal.decided_at,
        signal_id=signal.signal_id,
        config_hash=signal.config_hash,
        rules_hash=rules_hash,
        side=signal.side,
        status=PositionStatus.PENDING,
        quantity_step=approved.step,
        stop_price=decimal_of(signal.stop),
        initial_stop_price=decimal_of(signal.stop),
        target_price=decimal_of(signal.target),
        expires_at=signal.expires_at,
        target_fraction=signal.target_fraction,
        trail_distance=decimal_of(signal.trail_distance),
        break_even_distance=decimal_of(signal.break_even_distance),
        break_even_cost=execution.round_trip_cost(),
        entry_until=signal.decided_at + execution.entry_valid_bars * instrument.base_timeframe.duration,
    )
    return LiveTrade(
        position=position, instrument=instrument, orders={order.key.leg: order for order in orders}
    )


def refused(
    signal: Signal, account: str, rules_hash: str, reason: RefusalReason, note: str, placed_at: datetime
) -> Order:
    """Return the row that says why a signal led to no trade."""
    return Order(
        key=_key(signal, account, ENTRY_LEG),
        kind=OrderKind.ENTRY,
        side=OrderSide.BUY,
        status=OrderStatus.REFUSED,
        quantity=Decimal(0),
        reference_price=price_of(signal.entry),
        reason=reason,
        note=note,
        placed_at=placed_at,
        ended_at=placed_at,
        signal_id=signal.signal_id,
        config_hash=signal.config_hash,
        rules_hash=rules_hash,
    )


def _buy(signal: Signal, account: str, rules_hash: str, approved: Approved, index: int) -> Order:
    price = signal.entry if index == 0 else signal.ladder[index - 1]
    return Order(
        key=_key(signal, account, ENTRY_LEG if index == 0 else rung_leg(index - 1)),
        kind=OrderKind.ENTRY if index == 0 else OrderKind.RUNG,
        side=OrderSide.BUY,
        status=OrderStatus.PENDING,
        quantity=approved.quantities[index],
        limit_price=None if index == 0 else decimal_of(price),
        reference_price=decimal_of(price),
        note=", ".join(each for each in (f"sized by {approved.how}", approved.scaled) if each),
        placed_at=signal.decided_at,
        signal_id=signal.signal_id,
        config_hash=signal.config_hash,
        rules_hash=rules_hash,
    )


def _key(signal: Signal, account: str, leg: str) -> OrderKey:
    return OrderKey(
        account=account,
        strategy=signal.strategy,
        symbol_id=signal.symbol_id,
        decided_at=signal.decided_at,
        leg=leg,
    )
