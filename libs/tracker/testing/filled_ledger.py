"""Paper accounts that took the proposals of a made-up market: books that balance, minute by minute."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import count

import numpy as np
from numpy.typing import NDArray

from tracker.testing.filled_decisions import CONFIG_HASH, MadeSignal
from tracker.testing.filled_market import Copier, Market

Floats = NDArray[np.float64]
ACCOUNTS = {"paper": Decimal(1000), "aggressive": Decimal(2200)}
CASH = Decimal(10_000)
RULES_HASH = "rulesc0ffee"
MOST_OPEN = 6
LIFE_MINUTES = 1440
FEE = Decimal("0.001")
SLIPPAGE = 0.0005
CENT = Decimal("0.00000001")


@dataclass(slots=True)
class _Book:
    """What one account wrote; the arrays are sums at the close of each minute."""

    account: str
    value: Floats
    cost: Floats
    held: NDArray[np.int64]
    money: dict[int, list[tuple[Decimal, Decimal, Decimal]]] = field(
        default_factory=dict[int, list[tuple[Decimal, Decimal, Decimal]]]
    )
    live: list[tuple[int, str, int]] = field(default_factory=list[tuple[int, str, int]])
    orders: list[tuple[object, ...]] = field(default_factory=list[tuple[object, ...]])
    fills: list[tuple[object, ...]] = field(default_factory=list[tuple[object, ...]])
    positions: list[tuple[object, ...]] = field(default_factory=list[tuple[object, ...]])
    trades: list[tuple[object, ...]] = field(default_factory=list[tuple[object, ...]])

    def move(self, minute: int, cash: Decimal, realised: Decimal, fee: Decimal) -> None:
        """Note what a fill of a minute did to cash, realised profit and fees."""
        self.money.setdefault(minute, []).append((cash, realised, fee))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Leg:
    """One buy or the sale of a trade, in one minute."""

    leg: str
    minute: int
    at: datetime
    price: Decimal
    reference: Decimal
    quantity: Decimal

    @property
    def notional(self) -> Decimal:
        """Money that changes hands, exact."""
        return self.price * self.quantity

    @property
    def fee(self) -> Decimal:
        """Fee, to eight digits."""
        return (self.notional * FEE).quantize(CENT)


async def write_ledger(copier: Copier, market: Market, signals: Sequence[MadeSignal]) -> None:
    """Write the accounts, what they ordered, filled, hold and closed, and their equity curves."""
    closes = _without_holes(market.bars[..., 3])
    order_ids = count(1)
    begin = market.start - timedelta(minutes=1)
    books: list[_Book] = []
    for account, stake in ACCOUNTS.items():
        shape = market.minutes
        book = _Book(account, np.zeros(shape), np.zeros(shape), np.zeros(shape, dtype=np.int64))
        for signal in signals:
            _act(book, market, closes, signal, stake, order_ids)
        books.append(book)
    curves = {book.account: _curve(book, market) for book in books}
    await copier.put(
        "accounts", ("account", "currency", "start_cash", "opened_at", "cash", "realised_pnl", "fees"),
        [(name, "USD", CASH, begin, *_last_money(curve)) for name, curve in curves.items()],
    )  # fmt: skip
    await copier.put(
        "account_events", ("account", "ts", "kind", "amount", "arguments", "outcome", "note"),
        [(name, begin, "open", CASH, '{"cash": "10000"}', "done", "opened") for name in curves],
    )  # fmt: skip
    for book in books:
        await _write_book(copier, book)
        await copier.put(
            "equity_curve",
            ("account", "ts", "cash", "positions_value", "equity", "realised_pnl", "unrealised_pnl", "fees",
             "open_positions"),
            curves[book.account],
        )  # fmt: skip
    await copier.put("paper_cursor", ("account", "started_at", "processed_through"),
                     [(name, market.start, market.end) for name in curves])  # fmt: skip
    await _write_risk(copier, market, curves)


def _act(
    book: _Book, market: Market, closes: Floats, signal: MadeSignal, stake: Decimal, order_ids: count[int]
) -> None:
    first = signal.minute
    if first >= market.minutes or np.isnan(market.bars[signal.symbol, first, 0]):
        return
    book.live = [each for each in book.live if each[0] > first]
    key = (book.account, signal.strategy, signal.symbol + 1, signal.decided_at)
    reason = "too_many_positions" if len(book.live) >= MOST_OPEN else None
    if any(each[1:] == (signal.strategy, signal.symbol) for each in book.live):
        reason = "already_open"
    if reason is not None:
        book.orders.append((next(order_ids), *key, "entry", "entry", "buy", "refused", reason,
                            f"refused: {reason.replace('_', ' ')}", Decimal(0), Decimal(0), None,
                            _money(signal.entry), signal.decided_at, signal.decided_at, *_origin(signal)))  # fmt: skip
        return
    buys, sale, why = _legs(market, signal, stake)
    end = market.minutes if sale is None else sale.minute
    book.live.append((end, signal.strategy, signal.symbol))
    for leg in buys:
        _fill(book, market, leg, "entry" if leg.leg == "entry" else "rung", "buy", key, signal, order_ids)
        book.value[leg.minute : end] += float(leg.quantity) * closes[signal.symbol, leg.minute : end]
        book.cost[leg.minute : end] += float(leg.notional)
        book.move(leg.minute, -leg.notional - leg.fee, Decimal(0), leg.fee)
    book.held[first:end] += 1
    if signal.ladder and len(buys) == 1:
        level = _money(signal.ladder[0])
        ended = None if sale is None else sale.at
        book.orders.append((next(order_ids), *key, "rung1", "rung", "buy", "pending" if ended is None else "cancelled",
                            None, "waits for its level", buys[0].quantity, Decimal(0), level, level, buys[0].at, ended,
                            *_origin(signal)))  # fmt: skip
    cost = sum((leg.notional for leg in buys), Decimal(0))
    if sale is not None:
        _fill(book, market, sale, "exit", "sell", key, signal, order_ids, cost)
        book.move(sale.minute, sale.notional - sale.fee, sale.notional - cost, sale.fee)
        book.trades.append(_trade_row(key, market, signal, buys, sale, why))
    book.positions.append(_position_row(key, market, closes, signal, buys, sale))


def _legs(market: Market, signal: MadeSignal, stake: Decimal) -> tuple[list[_Leg], _Leg | None, str]:
    bars = market.bars[signal.symbol, signal.minute : signal.minute + LIFE_MINUTES]
    stopped, reached = bars[:, 2] <= signal.stop, bars[:, 1] >= signal.target
    touched = np.flatnonzero(stopped | reached)
    opened = float(bars[0, 0])
    quantity = (stake / _money(opened)).quantize(Decimal("0.000001"))
    buys = [_leg("entry", market, signal.minute, opened * (1 + SLIPPAGE), opened, quantity, at_open=True)]
    last = int(touched[0]) if touched.size else len(bars)
    for level in signal.ladder:
        crossed = np.flatnonzero(bars[:last, 2] <= level)
        if crossed.size:
            buys.append(_leg("rung1", market, signal.minute + int(crossed[0]), level, level, quantity))
    whole = sum((leg.quantity for leg in buys), Decimal(0))
    if touched.size:
        why = "stop" if stopped[last] else "target"
        level = signal.stop if why == "stop" else signal.target
        paid = level * (1 - SLIPPAGE) if why == "stop" else level
        return buys, _leg(why, market, signal.minute + last, paid, level, whole), why
    if len(bars) == LIFE_MINUTES:
        level = float(bars[-1, 3]) if bars[-1, 3] == bars[-1, 3] else signal.entry
        return buys, _leg("timeout", market, signal.minute + LIFE_MINUTES - 1, level * (1 - SLIPPAGE), level, whole), (
            "timeout"
        )
    return buys, None, ""


def _leg(
    leg: str, market: Market, minute: int, price: float, reference: float, quantity: Decimal, *, at_open: bool = False
) -> _Leg:
    return _Leg(
        leg=leg, minute=minute, at=market.at(minute + (not at_open)), price=_money(price), reference=_money(reference),
        quantity=quantity,
    )  # fmt: skip


def _fill(
    book: _Book, market: Market, leg: _Leg, kind: str, side: str, key: tuple[object, ...], signal: MadeSignal,
    order_ids: count[int], cost: Decimal | None = None,
) -> None:  # fmt: skip
    number = next(order_ids)
    limit = None if leg.leg in ("entry", "stop", "timeout") else leg.reference
    book.orders.append((number, *key, leg.leg, kind, side, "filled", None, "sized by risk", leg.quantity, leg.quantity,
                        limit, leg.reference, signal.decided_at if kind == "entry" else leg.at, leg.at,
                        *_origin(signal)))  # fmt: skip
    taker = "maker" if limit is not None else "taker"
    made = (leg.notional, Decimal(0)) if cost is None else (cost, leg.notional - cost)
    book.fills.append((number, market.at(leg.minute), leg.at, side, leg.quantity, leg.price, leg.reference, leg.fee,
                       taker, *made))  # fmt: skip


def _trade_row(
    key: tuple[object, ...], market: Market, signal: MadeSignal, buys: Sequence[_Leg], sale: _Leg, why: str
) -> tuple[object, ...]:
    cost, quantity = sum((each.notional for each in buys), Decimal(0)), sale.quantity
    fees = sum((each.fee for each in (*buys, sale)), Decimal(0))
    gross, average = sale.notional - cost, cost / quantity
    seen = market.bars[signal.symbol, signal.minute : sale.minute + 1]
    return (
        *key, signal.signal_id, CONFIG_HASH[signal.strategy], RULES_HASH, "long", buys[0].at, sale.at, average,
        sale.notional / quantity, quantity, gross, fees, gross - fees, _money(signal.stop), _money(signal.target), why,
        min(float(np.nanmin(seen[:, 2])) / float(average) - 1, 0.0),
        max(float(np.nanmax(seen[:, 1])) / float(average) - 1, 0.0),
    )  # fmt: skip


def _position_row(
    key: tuple[object, ...], market: Market, closes: Floats, signal: MadeSignal, buys: Sequence[_Leg],
    sale: _Leg | None,
) -> tuple[object, ...]:  # fmt: skip
    cost = sum((each.notional for each in buys), Decimal(0))
    quantity = sum((each.quantity for each in buys), Decimal(0))
    fees = sum((each.fee for each in (*buys, *(() if sale is None else (sale,)))), Decimal(0))
    held = (quantity, cost) if sale is None else (Decimal(0), Decimal(0))
    proceeds = Decimal(0) if sale is None else sale.notional
    last = market.minutes - 1 if sale is None else sale.minute
    return (
        *key, signal.signal_id, CONFIG_HASH[signal.strategy], RULES_HASH, "long", "open" if sale is None else "closed",
        CENT, *held, quantity, cost, proceeds, Decimal(0) if sale is None else proceeds - cost, fees,
        _money(signal.stop), _money(signal.stop), _money(signal.target), Decimal(0),
        _money(float(closes[signal.symbol, last])), market.at(last + 1),
        signal.decided_at + timedelta(minutes=LIFE_MINUTES), signal.decided_at + timedelta(minutes=3), buys[0].at,
        None if sale is None else sale.at,
    )  # fmt: skip


def _curve(book: _Book, market: Market) -> list[tuple[object, ...]]:
    cash, realised, fees = CASH, Decimal(0), Decimal(0)
    rows: list[tuple[object, ...]] = []
    value, paid = book.value.tolist(), book.cost.tolist()
    for minute in range(market.minutes):
        for moved, made, fee in book.money.get(minute, ()):
            cash, realised, fees = cash + moved, realised + made, fees + fee
        worth = _money(value[minute])
        rows.append((book.account, market.at(minute + 1), cash, worth, cash + worth, realised,
                     worth - _money(paid[minute]), fees, int(book.held[minute])))  # fmt: skip
    return rows


def _last_money(curve: Sequence[tuple[object, ...]]) -> tuple[object, object, object]:
    return curve[-1][2], curve[-1][5], curve[-1][7]


def _origin(signal: MadeSignal) -> tuple[object, ...]:
    return signal.signal_id, CONFIG_HASH[signal.strategy], RULES_HASH


def _money(value: float) -> Decimal:
    return Decimal(value).quantize(CENT)


def _without_holes(closes: Floats) -> Floats:
    places = np.where(np.isnan(closes), 0, np.arange(closes.shape[1]))
    return np.take_along_axis(closes, np.maximum.accumulate(places, axis=1), axis=1)


async def _write_book(copier: Copier, book: _Book) -> None:
    key = ("account", "strategy", "symbol_id", "decided_at")
    await copier.put(
        "orders",
        ("order_id", *key, "leg", "kind", "side", "status", "reason", "note", "quantity", "filled_quantity",
         "limit_price", "reference_price", "placed_at", "ended_at", "signal_id", "config_hash", "rules_hash"),
        book.orders,
    )  # fmt: skip
    await copier.put(
        "fills",
        ("order_id", "bar_ts", "filled_at", "side", "quantity", "price", "reference_price", "fee", "liquidity", "cost",
         "realised_pnl"),
        book.fills,
    )  # fmt: skip
    await copier.put(
        "positions",
        (*key, "signal_id", "config_hash", "rules_hash", "side", "status", "quantity_step", "quantity", "cost",
         "bought_quantity", "bought_cost", "proceeds", "realised_pnl", "fees", "stop_price", "initial_stop_price",
         "target_price", "trail_distance", "last_price", "last_bar_at", "expires_at", "entry_until", "opened_at",
         "closed_at"),
        book.positions,
    )  # fmt: skip
    await copier.put(
        "trade_logs",
        (*key, "signal_id", "config_hash", "rules_hash", "side", "entry_time", "exit_time", "entry_price", "exit_price",
         "quantity", "gross_pnl", "fees", "pnl", "stop_loss_price", "take_profit_price", "exit_reason", "mae", "mfe"),
        book.trades,
    )  # fmt: skip


async def _write_risk(
    copier: Copier, market: Market, curves: dict[str, list[tuple[object, ...]]]
) -> None:
    marks = [
        (name, market.end, float(str(curve[-1][4])), max(float(str(each[4])) for each in curve),
         int(market.end.timestamp()) // 86_400, float(str(curve[-1][4])), True, False)
        for name, curve in curves.items()
    ]  # fmt: skip
    await copier.put(
        "risk_marks", ("account", "marked_at", "equity", "peak", "day", "day_equity", "armed", "halted"), marks
    )
    await copier.put(
        "protection_locks", ("account", "protection", "symbol_id", "locked_at", "until", "observed", "note"),
        [("paper", "cool_down", 1, market.end - timedelta(hours=9), market.end - timedelta(hours=7), 1.0,
          "a stop was hit: no trade in the symbol for two hours"),
         ("paper", "low_profit", 3, market.end - timedelta(hours=2), market.end + timedelta(hours=10), -0.004,
          "the last trades in the symbol lost 0.4%"),
         ("aggressive", "stop_streak", None, market.end - timedelta(hours=30), market.end - timedelta(hours=26), 4.0,
          "four stops in a row: nothing is bought for four hours")],
    )  # fmt: skip
