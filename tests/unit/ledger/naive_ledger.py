"""A second ledger, written from the words of the design and not from the code: slow, plain and in decimals.

What it knows of the project are the shapes of signals and settings. Where the exact result of a formula lies so close
to the middle between two roundings that binary fractions cannot tell them apart, a witness is asked which one it was;
`doubts` counts how often.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import ROUND_DOWN, ROUND_FLOOR, ROUND_HALF_EVEN, ROUND_UP, Decimal, localcontext
from itertools import pairwise
from typing import Any, NamedTuple

from naive_risk import QUARTER, Ended, NaiveRisk
from tracker.domain.signal import Signal
from tracker.domain.timeframe import EPOCH
from tracker.quant.execution import ExecutionParams
from tracker.quant.risk import RiskConfig

D = Decimal
ZERO, INFINITE = D(0), D("inf")
DIGITS = 60
# A purchase leaves this much of the cash for the rounding of price and fee.
CASH_MARGIN, FEE_MARGIN = D("1e-9"), D("1e-7")
ROUNDING_RESERVE = D("0.01")
AT_MARKET = ("stop", "trailing", "break_even", "timeout", "flatten")


class NaiveBar(NamedTuple):
    """One bar; `ts` is its open in Unix seconds."""

    ts: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal


class NaiveFill(NamedTuple):
    """One fill, as a row would hold it."""

    trade: tuple[str, str, int]
    leg: str
    bar_ts: int
    filled_at: int
    quantity: Decimal
    price: Decimal
    reference: Decimal
    fee: Decimal
    maker: bool


@dataclass(slots=True)
class NaiveOrder:
    """One order."""

    leg: str
    kind: str
    quantity: Decimal
    limit: Decimal | None
    placed_at: int
    status: str = "pending"
    filled: Decimal = ZERO
    ended_at: int | None = None

    @property
    def rest(self) -> Decimal:
        """What is still to fill."""
        return self.quantity - self.filled if self.status in ("pending", "partial") else D(0)

    def end(self, status: str, at: int) -> None:
        """Let no more of it fill."""
        if self.status in ("pending", "partial"):
            self.status, self.ended_at = status, at

    def fill(self, quantity: Decimal, at: int) -> None:
        """Count a fill."""
        self.filled += quantity
        self.status = "partial"
        if self.filled == self.quantity:
            self.end("filled", at)


@dataclass(slots=True)
class Symbol:
    """What is known of a symbol."""

    name: str
    seconds: int
    lot: Decimal
    least: Decimal
    active: bool = True


@dataclass(slots=True)
class NaiveTrade:
    """A trade: its orders, what was paid and got, and the levels it is left at."""

    key: tuple[str, str, int]
    symbol: Symbol
    signal: Signal
    step: Decimal
    entry_until: int
    stop: Decimal
    target: Decimal
    fraction: Decimal | None
    trail: Decimal
    secure_after: Decimal
    secure_cost: Decimal
    orders: dict[str, NaiveOrder] = field(default_factory=dict[str, NaiveOrder])
    held: Decimal = ZERO
    bought: Decimal = ZERO
    paid: Decimal = ZERO
    proceeds: Decimal = ZERO
    cost: Decimal = ZERO
    realised: Decimal = ZERO
    fees: Decimal = ZERO
    highest: Decimal = -INFINITE
    lowest: Decimal = INFINITE
    stop_is: str = "stop"
    leaving: str | None = None
    last: Decimal | None = None
    seen_at: int = 0
    opened_at: int | None = None
    closed_at: int | None = None
    void: bool = False
    # What was paid in the bar in work, before prices are rounded as they are booked.
    paid_now: Decimal = ZERO

    @property
    def entry(self) -> NaiveOrder:
        """The market order that begins it."""
        return self.orders["entry"]

    @property
    def average(self) -> Decimal:
        """What a unit was bought for."""
        return self.paid_now / self.bought

    def resting(self) -> list[NaiveOrder]:
        """Rungs that may still fill, the highest first."""
        rungs = [each for each in self.orders.values() if each.kind == "rung" and each.rest > 0]
        return sorted(rungs, key=lambda each: (-(each.limit or D(0)), each.leg))

    def levels_follow(self) -> None:
        """Let the target follow the average price, where it does."""
        if self.fraction is not None:
            self.target = self.average * (1 + self.fraction)

    def leave(self, reason: str) -> None:
        """Begin an exit; one that has begun at the market goes on for its reason."""
        if self.leaving not in AT_MARKET:
            self.leaving = reason


@dataclass(slots=True)
class ClosedTrade:
    """A round trip."""

    key: tuple[str, str, int]
    reason: str
    entry_time: int
    exit_time: int
    quantity: Decimal
    gross: Decimal
    fees: Decimal


@dataclass(slots=True)
class NaiveLedger:
    """An account and its trades.

    `witness` says for a fill or an order, by trade, leg and moment, what the other ledger wrote.
    """

    cash: Decimal
    execution: ExecutionParams
    risk: RiskConfig
    guard: NaiveRisk
    symbols: dict[int, Symbol]
    realised: Decimal = ZERO
    fees: Decimal = ZERO
    live: list[NaiveTrade] = field(default_factory=list[NaiveTrade])
    ended: list[NaiveTrade] = field(default_factory=list[NaiveTrade])
    fills: list[NaiveFill] = field(default_factory=list[NaiveFill])
    closed: list[ClosedTrade] = field(default_factory=list[ClosedTrade])
    refused: dict[tuple[str, str, int], str] = field(default_factory=dict[tuple[str, str, int], str])
    witness: Mapping[Any, Decimal] = field(default_factory=dict[Any, Decimal])
    doubts: int = 0
    too_small: str = ""

    # What orders cost.

    def rate(self, *, maker: bool) -> Decimal:
        """Return a fee as a fraction of the value."""
        return D(str(self.execution.maker_fee_bps if maker else self.execution.taker_fee_bps)) / 10_000

    def slip(self, quantity: Decimal, volume: Decimal) -> Decimal:
        """Return what a market order concedes, as a fraction of the price."""
        rules = self.execution
        share = min(quantity / volume, D(1)) if volume > 0 else D(1)
        bps = D(str(rules.slippage_base_bps)) + D(str(rules.slippage_impact_bps)) * share
        return min(bps, D(str(rules.slippage_cap_bps))) / 10_000

    def tied_up(self, trade: NaiveTrade) -> Decimal:
        """Return the cash that a trade's waiting buys may need at worst."""
        return self.entry_claim(trade) + sum(
            (self.dearest_rung(each.limit or D(0)) * each.rest for each in trade.resting()), D(0)
        )

    def entry_claim(self, trade: NaiveTrade) -> Decimal:
        """Return the same for its entry alone."""
        return self.dearest_entry(exact(trade.signal.entry)) * trade.entry.rest

    def dearest_entry(self, price: Decimal) -> Decimal:
        """Return what a unit bought at the market costs at worst."""
        return price * (1 + D(str(self.execution.slippage_cap_bps)) / 10_000) * (1 + self.rate(maker=False))

    def dearest_rung(self, price: Decimal) -> Decimal:
        """Return what a unit bought by a resting order costs at worst."""
        return price * (1 + self.rate(maker=True))

    def free(self) -> Decimal:
        """Return the cash that no waiting buy needs."""
        return self.cash - sum((self.tied_up(each) for each in self.live), D(0))

    def equity(self) -> Decimal:
        """Return cash and what is held at the last closes."""
        return self.cash + sum((each.held * (each.last or D(0)) for each in self.live), D(0))

    # A minute.

    def minute(self, close: int, bars: Mapping[int, NaiveBar], witness: Mapping[Any, Decimal]) -> bool:
        """Let the bars that close at a moment fill what they fill; return whether there was a fill."""
        with localcontext(prec=DIGITS):
            self.witness = witness
            before = len(self.fills)
            pool = self.free()
            volume = {each: bar.volume * D(str(self.execution.max_volume_share)) for each, bar in bars.items()}
            for trade in list(self.live):
                bar = bars.get(trade.signal.symbol_id)
                if bar is not None and trade.entry.rest > 0 and self.is_old(max(trade.seen_at, trade.key[2]), bar.ts):
                    trade.entry.end("expired", close)
                    self.settle(trade, close)
                if bar is not None and trade in self.live:
                    if bar.ts >= trade.key[2]:
                        pool = self.apply(trade, bar, close, volume, pool)
                    trade.last, trade.seen_at = bar.close, close
                self.settle(trade, close)
                if trade.entry.rest > 0 and close >= trade.entry_until:
                    trade.entry.end("expired", close)
                    self.settle(trade, close)
            if close % QUARTER == 0:
                self.look_at_worth(close)
            return len(self.fills) > before

    def look_at_worth(self, at: int) -> None:
        """Take waiting buys back where the account stops buying; sell what is held while it is halted."""
        stops = self.guard.mark(at, self.equity())
        halted = self.guard.until("halt") > at
        for trade in list(self.live):
            if stops:
                self.take_back_buys(trade, at)
            if halted and trade in self.live and at % trade.symbol.seconds == 0:
                self.flatten([trade], at)

    def take_back_buys(self, trade: NaiveTrade, at: int) -> None:
        """Let a trade buy no more."""
        for order in trade.orders.values():
            if order.kind != "exit":
                order.end("cancelled", at)
        self.settle(trade, at)

    def apply(
        self, trade: NaiveTrade, bar: NaiveBar, close: int, volume: dict[int, Decimal], pool: Decimal
    ) -> Decimal:
        """Take a trade through a bar; return what is left for entries."""
        claim = self.entry_claim(trade)
        first = len(self.fills)
        if bar.ts >= trade.entry_until:
            trade.entry.end("expired", close)
        work = BarWork(self, trade, bar, close, volume, pool + claim)
        trade.paid_now = trade.paid
        work.at_the_open()
        deep = work.down()
        work.up(deep)
        mine = self.fills[first:]
        if trade.held > 0:
            trade.highest, trade.lowest = max(trade.highest, bar.high), min(trade.lowest, bar.low)
            self.raise_stop(trade, bar.close if deep else bar.high)
        if mine:
            trade.paid_now = trade.paid
        if trade.leaving is not None and trade.held > 0 and trade.leaving not in trade.orders:
            work.exit_order()
        entries = [each for each in mine if each.leg == "entry"]
        if entries:
            spent = sum((each.price * each.quantity + each.fee for each in entries), D(0))
            # An exit that begins gives the entry's rest up, and with it the claim.
            pool += claim - spent - (self.entry_claim(trade) if trade.leaving is None else D(0))
        return pool

    def is_old(self, since: int, at: int) -> bool:
        """Return whether a price is too old to buy on."""
        most = self.execution.max_price_age_minutes
        return most > 0 and at - since > 60 * most

    def raise_stop(self, trade: NaiveTrade, seen: Decimal) -> None:
        """Let the stop follow closed bars: it never falls."""
        if trade.trail > 0 and trade.highest - trade.trail > trade.stop:
            trade.stop, trade.stop_is = trade.highest - trade.trail, "trailing"
        if trade.secure_after > 0 and seen >= trade.average + trade.secure_after:
            level = trade.average * (1 + trade.secure_cost)
            if level >= trade.stop:
                trade.stop, trade.stop_is = level, "break_even"

    def settle(self, trade: NaiveTrade, at: int) -> None:
        """End the orders that cannot fill any more, and the trade where nothing is left of it."""
        if trade not in self.live:
            return
        if trade.leaving is not None:
            for order in trade.orders.values():
                if order.leg != trade.leaving:
                    order.end("cancelled", at)
        if trade.held > 0 or (trade.entry.rest > 0 and trade.leaving is None):
            return
        for order in trade.orders.values():
            order.end("cancelled", at)
        self.live.remove(trade)
        self.ended.append(trade)
        if trade.bought == 0:
            trade.void = True
            return
        assert trade.opened_at is not None
        assert trade.closed_at is not None
        assert trade.leaving is not None
        gross = trade.proceeds - trade.paid
        self.closed.append(
            ClosedTrade(trade.key, trade.leaving, trade.opened_at, trade.closed_at, trade.bought, gross, trade.fees)
        )
        lost = trade.leaving in ("stop", "trailing", "break_even") and gross - trade.fees < 0
        self.guard.note_end(Ended(trade.closed_at, trade.key[1], lost, gross - trade.fees, trade.paid), at)

    # Decisions.

    def decide(self, signal: Signal, witness: Mapping[Any, Decimal]) -> None:
        """Take a signal, or note why not."""
        with localcontext(prec=DIGITS):
            self.witness = witness
            symbol = self.symbols[signal.symbol_id]
            at = seconds(signal)
            key = (str(signal.strategy), symbol.name, at)
            reason = self.objection(signal)
            quantities = [] if reason else self.sizes(signal, symbol, key)
            if not reason and not quantities:
                reason = self.too_small
            if reason:
                self.refused[key] = reason
                return
            trade = NaiveTrade(
                key=key,
                symbol=symbol,
                signal=signal,
                step=symbol.lot,
                entry_until=at + self.execution.entry_valid_bars * symbol.seconds,
                stop=exact(signal.stop),
                target=exact(signal.target),
                fraction=None if signal.target_fraction is None else exact(signal.target_fraction),
                trail=exact(signal.trail_distance),
                secure_after=exact(signal.break_even_distance),
                secure_cost=(1 + self.rate(maker=False)) / (1 - self.rate(maker=False)) - 1,
            )
            trade.orders["entry"] = NaiveOrder("entry", "entry", quantities[0], None, at)
            for number, (price, quantity) in enumerate(zip(signal.ladder, quantities[1:], strict=True), start=1):
                trade.orders[f"rung{number}"] = NaiveOrder(f"rung{number}", "rung", quantity, exact(price), at)
            self.live.append(trade)
            self.live.sort(key=lambda each: (each.symbol.name, each.key[0]))

    def objection(self, signal: Signal) -> str:
        """Return why a signal is out of the question, or nothing."""
        prices = [signal.stop, *reversed(signal.ladder), signal.entry, signal.target]
        if any(lower >= upper for lower, upper in pairwise(prices)):
            return "invalid_signal"
        if not self.symbols[signal.symbol_id].active:
            return "symbol_halted"
        priced = None if signal.priced_at is None else int(signal.priced_at.timestamp())
        if priced is not None and self.is_old(priced, seconds(signal)):
            return "stale_price"
        mine = (signal.strategy, signal.symbol_id)
        if any((each.signal.strategy, each.signal.symbol_id) == mine for each in self.live):
            return "already_open"
        if locked := self.guard.locked(self.symbols[signal.symbol_id].name, seconds(signal)):
            return locked
        if len(self.live) >= self.risk.limits.max_open_positions:
            return "too_many_positions"
        return "no_equity" if self.equity() <= 0 else ""

    def sizes(self, signal: Signal, symbol: Symbol, key: tuple[str, str, int]) -> list[Decimal]:
        """Return what may be bought, order by order; nothing where that is too little."""
        params = self.risk.sizing
        prices = [exact(each) for each in (signal.entry, *signal.ladder)]
        weights = [exact(each) for each in signal.size_weights]
        average = sum((price * weight for price, weight in zip(prices, weights, strict=True)), D(0))
        worst = [self.dearest_entry(prices[0]), *(self.dearest_rung(each) for each in prices[1:])]
        unit = sum((price * weight for price, weight in zip(worst, weights, strict=True)), D(0))
        equity = self.equity()
        risked = equity * D(str(params.risk_per_trade)) * D(str(params.size_multiplier))
        largest = equity * D(str(params.max_position_share))
        total = min(risked / (average - exact(signal.stop)), largest / average)
        total = min(total * self.guard.scale(signal, self.guard.fall(equity)), largest / average)
        self.too_small = "below_min_notional"
        for reason, room, price in (
            *((reason, room, average) for reason, room in self.rooms(signal.symbol_id, equity)),
            ("no_cash", self.free() - ROUNDING_RESERVE, unit),
        ):
            if room / price < total:
                total, self.too_small = room / price, reason
        if total <= 0:
            return []
        legs = ["entry", *(f"rung{number}" for number in range(1, len(prices)))]
        quantities = [
            self.floored(total * weight, symbol.lot, (key, leg)) for leg, weight in zip(legs, weights, strict=True)
        ]
        smallest = min(price * quantity for price, quantity in zip(prices, quantities, strict=True))
        return quantities if smallest > 0 and smallest >= symbol.least else []

    def rooms(self, symbol_id: int, equity: Decimal) -> list[tuple[str, Decimal]]:
        """Return for what money more may be bought, by each limit; without hourly bars everything moves together."""
        limits = self.risk.limits
        gross = sum((self.exposure(each) for each in self.live), D(0))
        mine = sum((self.exposure(each) for each in self.live if each.signal.symbol_id == symbol_id), D(0))
        used = (
            ("gross_exposure", limits.max_gross_exposure, gross),
            ("symbol_exposure", limits.max_symbol_exposure, mine),
            ("correlated_exposure", limits.max_cluster_exposure, gross),
        )
        return [(reason, exact(limit) * equity - taken) for reason, limit, taken in used if limit is not None]

    def exposure(self, trade: NaiveTrade) -> Decimal:
        """Return what a trade holds at the last close and what its waiting buys would cost."""
        entry = exact(trade.signal.entry) * trade.entry.rest
        rungs = sum(((each.limit or D(0)) * each.rest for each in trade.resting()), D(0))
        return trade.held * (trade.last or D(0)) + entry + rungs

    # What a person may ask for, between two bars.

    def obey(self, kind: str, arguments: Mapping[str, Any], at: int) -> bool:
        """Do what is asked and return True, or change nothing."""
        with localcontext(prec=DIGITS):
            if kind in ("deposit", "withdraw"):
                amount = D(arguments["amount"]) * (1 if kind == "deposit" else -1)
                if amount < 0 and -amount > self.free():
                    return False
                before = self.equity()
                self.cash += amount
                self.guard.money_moved(before, self.equity())
                return True
            if kind == "halt":
                self.guard.lock("command", "", at, at + 60 * arguments["minutes"])
                for trade in list(self.live):
                    self.take_back_buys(trade, at)
                return True
            if kind == "resume":
                return self.guard.resume(at)
            trades = [each for each in self.live if is_meant(each, arguments)]
            if not trades:
                return False
            if kind == "flatten":
                return self.flatten(trades, at)
            if trades[0].leaving is not None:
                return False
            return self.change(trades[0], kind, arguments, at)

    def flatten(self, trades: list[NaiveTrade], at: int) -> bool:
        """Sell at the opens to come what is held; what waits is taken back."""
        chosen = [each for each in trades if each.leaving not in AT_MARKET]
        for trade in chosen:
            trade.leave("flatten")
            if trade.held > 0:
                trade.orders["flatten"] = NaiveOrder("flatten", "exit", trade.held, None, at)
            self.settle(trade, at)
        return bool(chosen)

    def change(self, trade: NaiveTrade, kind: str, arguments: Mapping[str, Any], at: int) -> bool:
        """Take an order back, put another in its place, or move a level."""
        leg = arguments["leg"]
        now = trade.last if trade.last is not None else exact(trade.signal.entry)
        if kind == "replace" and leg == "stop":
            price = D(arguments["price"])
            if not trade.stop < price < min([now, *(each.limit or now for each in trade.resting())]):
                return False
            trade.stop, trade.stop_is = price, "stop"
            return True
        if kind == "replace" and leg == "target":
            price = D(arguments["price"])
            if price <= now:
                return False
            trade.target, trade.fraction = price, None
            return True
        order = trade.orders.get(leg)
        if order is None or order.rest == 0:
            return False
        if kind == "cancel":
            order.end("cancelled", at)
            self.settle(trade, at)
            return True
        return order.kind == "rung" and self.replace(trade, order, arguments, now, at)

    def replace(
        self, trade: NaiveTrade, order: NaiveOrder, arguments: Mapping[str, Any], now: Decimal, at: int
    ) -> bool:
        """Put a rung in place of another: above the stop, below price and entry, for money that is free."""
        assert order.limit is not None
        price = D(arguments["price"]) if "price" in arguments else order.limit
        quantity = D(arguments["quantity"]) if "quantity" in arguments else order.rest
        entry = self.rounded(trade.average, None) if trade.bought > 0 else exact(trade.signal.entry)
        if not trade.stop < price < min(now, entry) or quantity % trade.step or quantity <= 0:
            return False
        more = self.dearest_rung(price) * quantity - self.dearest_rung(order.limit) * order.rest
        if price * quantity < trade.symbol.least or (more > 0 and more > self.free() - ROUNDING_RESERVE):
            return False
        dearer = price * quantity - order.limit * order.rest
        if dearer > 0 and not self.may_cost_more(trade, dearer, at):
            return False
        name, _, number = order.leg.partition(".")
        leg = f"{name}.{int(number or 0) + 1}"
        order.end("cancelled", at)
        trade.orders[leg] = NaiveOrder(leg, "rung", quantity, price, at)
        return True

    def may_cost_more(self, trade: NaiveTrade, more: Decimal, at: int) -> bool:
        """Return whether a trade may cost more than it was let to at first."""
        equity = self.equity()
        if self.guard.locked(trade.symbol.name, at):
            return False
        if self.exposure(trade) + more > exact(self.risk.sizing.max_position_share) * equity:
            return False
        return all(more <= room for _, room in self.rooms(trade.signal.symbol_id, equity))

    # Roundings that binary fractions may see on the other side.

    def floored(self, quantity: Decimal, step: Decimal, asked: Any) -> Decimal:
        """Return a quantity in whole steps."""
        lots = quantity / step
        nearest = lots.to_integral_value(ROUND_HALF_EVEN)
        whole = lots.to_integral_value(ROUND_FLOOR)
        if abs(lots - nearest) < D("3e-6") and asked in self.witness:
            theirs = self.witness[asked] / step
            if theirs in (nearest, nearest - 1) and theirs != whole:
                self.doubts += 1
                return theirs * step
        return whole * step

    def rounded(self, price: Decimal, asked: Any) -> Decimal:
        """Return a price in 12 significant digits."""
        ulp = D(1).scaleb(price.adjusted() - 11)
        units = price / ulp
        whole = units.to_integral_value(ROUND_HALF_EVEN)
        if abs(units - units.to_integral_value(ROUND_DOWN) - D("0.5")) < D("0.01") and asked in self.witness:
            theirs = self.witness[asked] / ulp
            if abs(theirs - units) < D("0.51") and theirs != whole:
                self.doubts += 1
                return theirs * ulp
        return whole * ulp


@dataclass(slots=True)
class BarWork:
    """A trade in a bar: at the open, on the way down, on the way up. What is not certain goes against us."""

    ledger: NaiveLedger
    trade: NaiveTrade
    bar: NaiveBar
    close: int
    volume: dict[int, Decimal]
    cash: Decimal

    @property
    def room(self) -> Decimal:
        """What may still trade of the bar's volume."""
        return self.volume[self.trade.signal.symbol_id]

    @property
    def may_fill(self) -> bool:
        """Whether anything is held that is not being sold at the market."""
        return self.trade.held > 0 and self.trade.leaving not in AT_MARKET

    def at_the_open(self) -> None:
        """What waits for an open: the rest of a sale, the time-out, the entry, and what the open has jumped."""
        trade, bar = self.trade, self.bar
        if trade.leaving in AT_MARKET:
            self.sell_at_market(bar.open, at_open=True)
            return
        if bar.ts >= int(trade.signal.expires_at.timestamp()):
            trade.leave(trade.stop_is if bar.open <= trade.stop else "timeout")
            self.sell_at_market(bar.open, at_open=True)
            return
        self.enter()
        self.buy_rungs(bar.open, at_open=True)
        if trade.held > 0 and bar.open <= trade.stop:
            trade.leave(trade.stop_is)
            self.sell_at_market(bar.open, at_open=True)
        elif trade.held > 0 and bar.open >= trade.target:
            self.sell_at_limit(bar.open, at_open=True)

    def down(self) -> bool:
        """The rungs from the top, then the stop; return whether a rung filled, from when on little is certain."""
        if not self.may_fill:
            return False
        deep = self.buy_rungs(self.bar.low, at_open=False)
        if self.bar.low <= self.trade.stop:
            self.trade.leave(self.trade.stop_is)
            self.sell_at_market(min(self.trade.stop, self.bar.open), at_open=False)
        return deep

    def up(self, deep: bool) -> None:
        """The target, where the stop was not touched and the price certainly came to it."""
        trade, bar = self.trade, self.bar
        if not self.may_fill or bar.high < trade.target or (deep and bar.close < trade.target):
            return
        self.sell_at_limit(trade.target if deep else max(trade.target, bar.open), at_open=False)

    def enter(self) -> None:
        """Buy at the market what volume and cash allow."""
        trade, bar, ledger = self.trade, self.bar, self.ledger
        wanted = min(trade.entry.rest, self.room)
        if trade.leaving is not None or wanted <= 0:
            return
        worst = self.price_of_buying(wanted) * (1 + ledger.rate(maker=False))
        spendable = self.cash * (1 - CASH_MARGIN) - FEE_MARGIN
        quantity = ledger.floored(min(wanted, spendable / worst), trade.step, (trade.key, "entry", bar.ts, "quantity"))
        if quantity > 0:
            self.buy(trade.entry, quantity, self.price_of_buying(quantity), bar.open, maker=False, at_open=True)

    def price_of_buying(self, quantity: Decimal) -> Decimal:
        """Return what a market order pays: it slips, but never over the bar's high."""
        return min(self.bar.open * (1 + self.ledger.slip(quantity, self.bar.volume)), self.bar.high)

    def buy_rungs(self, reached: Decimal, *, at_open: bool) -> bool:
        """Fill the rungs that the price has come down to, and that lie above the stop."""
        trade, bought = self.trade, False
        if trade.bought <= 0 or trade.leaving is not None:
            return False
        for order in trade.resting():
            limit = order.limit
            assert limit is not None
            if reached > limit or limit <= trade.stop:
                continue
            quantity = self.ledger.floored(min(order.rest, self.room), trade.step, None)
            if quantity > 0:
                price = min(self.bar.open, limit)
                self.buy(order, quantity, price, price, maker=True, at_open=at_open)
                bought = True
        return bought

    def buy(
        self, order: NaiveOrder, quantity: Decimal, price: Decimal, reference: Decimal, *, maker: bool, at_open: bool
    ) -> None:
        """Book a purchase."""
        trade = self.trade
        fill = self.fill(order, quantity, price, reference, maker=maker, at_open=at_open)
        value = fill.price * quantity
        self.ledger.cash -= value + fill.fee
        trade.paid_now += price * quantity
        trade.held += quantity
        trade.bought += quantity
        trade.paid += value
        trade.cost += value
        trade.opened_at = trade.opened_at or fill.filled_at
        trade.highest, trade.lowest = max(trade.highest, price), min(trade.lowest, price)
        trade.levels_follow()

    def sell_at_market(self, reference: Decimal, *, at_open: bool) -> None:
        """Sell what the volume allows; it slips, but never under the bar's low."""
        quantity = self.ledger.floored(min(self.trade.held, self.room), self.trade.step, None)
        price = max(reference * (1 - self.ledger.slip(quantity, self.bar.volume)), self.bar.low)
        self.sell(quantity, price, reference, maker=False, at_open=at_open)

    def sell_at_limit(self, price: Decimal, *, at_open: bool) -> None:
        """Sell at the target what the volume allows."""
        quantity = self.ledger.floored(min(self.trade.held, self.room), self.trade.step, None)
        if quantity > 0:
            self.trade.leave("target")
            if not at_open:
                self.trade.lowest = min(self.trade.lowest, self.bar.low)
        self.sell(quantity, price, price, maker=True, at_open=at_open)

    def sell(
        self, quantity: Decimal, price: Decimal, reference: Decimal, *, maker: bool, at_open: bool
    ) -> None:
        """Book a sale: the part of the cost that goes with it is its share, to eight digits, the last part the rest."""
        if quantity <= 0:
            return
        trade = self.trade
        order = self.exit_order()
        fill = self.fill(order, quantity, price, reference, maker=maker, at_open=at_open)
        value = fill.price * quantity
        share = trade.cost
        if quantity < trade.held:
            share = (trade.cost * quantity / trade.held).quantize(D("1e-8"), ROUND_HALF_EVEN)
        trade.cost -= share
        trade.held -= quantity
        trade.proceeds += value
        trade.realised += value - share
        self.ledger.realised += value - share
        self.ledger.cash += value - fill.fee
        trade.highest, trade.lowest = max(trade.highest, price), min(trade.lowest, price)
        if trade.held == 0:
            trade.closed_at = fill.filled_at

    def exit_order(self) -> NaiveOrder:
        """Return the order that closes the trade for its reason."""
        trade = self.trade
        assert trade.leaving is not None
        if trade.leaving not in trade.orders:
            limit = trade.target if trade.leaving == "target" else None
            trade.orders[trade.leaving] = NaiveOrder(trade.leaving, "exit", trade.held, limit, self.close)
        return trade.orders[trade.leaving]

    def fill(
        self, order: NaiveOrder, quantity: Decimal, price: Decimal, reference: Decimal, *, maker: bool, at_open: bool
    ) -> NaiveFill:
        """Write a fill down, with its fee, which is rounded up."""
        trade, ledger = self.trade, self.ledger
        asked = (trade.key, order.leg, self.bar.ts)
        booked = ledger.rounded(price, (*asked, "price"))
        fee = (booked * quantity * ledger.rate(maker=maker)).quantize(D("1e-8"), ROUND_UP)
        filled_at = self.bar.ts if at_open else self.close
        order.fill(quantity, filled_at)
        self.volume[trade.signal.symbol_id] -= quantity
        trade.fees += fee
        ledger.fees += fee
        fill = NaiveFill(
            trade.key, order.leg, self.bar.ts, filled_at, quantity, booked,
            ledger.rounded(reference, (*asked, "reference")), fee, maker,
        )
        ledger.fills.append(fill)
        return fill


def is_meant(trade: NaiveTrade, arguments: Mapping[str, Any]) -> bool:
    """Return whether a command means a trade: one that names nothing means all."""
    strategy, symbol = arguments.get("strategy"), arguments.get("symbol")
    return strategy in (None, trade.key[0]) and symbol in (None, trade.key[1])


def exact(number: float) -> Decimal:
    """Return the decimal that a float is written as."""
    return D(repr(float(number)))


def seconds(signal: Signal) -> int:
    """Return when a signal was decided, in Unix seconds."""
    return int((signal.decided_at - EPOCH).total_seconds())
