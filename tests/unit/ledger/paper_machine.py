"""A machine that does to a paper account what a market, strategies, people and crashes do, beside a naive ledger."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal, localcontext
from itertools import zip_longest
from typing import Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from ledger_rows import Rows
from naive_ledger import DIGITS, NaiveBar, NaiveLedger, NaiveTrade, Symbol
from naive_risk import NaiveRisk
from tracker.domain.account import Account
from tracker.domain.candle import Candle
from tracker.domain.command import Command, CommandKind, Outcome
from tracker.domain.instrument import Instrument, InstrumentStatus
from tracker.domain.order import OrderKey, OrderStatus
from tracker.domain.signal import Regime, Side, Signal, Strategy, Volatility
from tracker.domain.timeframe import Timeframe
from tracker.quant.execution import ExecutionParams
from tracker.quant.paper import AccountParams, PaperConfig, TradingRules
from tracker.quant.portfolio.book import LiveTrade, moment_of, seconds_of
from tracker.quant.portfolio.engine import Engine
from tracker.quant.risk import (
    CoolDown,
    DailyLoss,
    Drawdown,
    LowProfit,
    Protections,
    RiskConfig,
    RiskLimits,
    StopStreak,
)
from tracker.quant.sizing import ConfidenceScale, DrawdownScale, RegimeScale, SizingParams, VolatilityScale
from tracker.testing.trades import NOON

D = Decimal
# Midnight comes within hours.
BEGIN = seconds_of(NOON) + 9 * 3600
# Prices are multiples of a tick that is exact in decimals and in binary, so that levels are often touched exactly.
TICK = D("0.0625")
STRATEGIES = ("channel", "dca", "swing")
INSTRUMENTS = (
    Instrument(symbol_id=1, symbol="AAA-USD", lot_step=D("0.001")),
    Instrument(symbol_id=2, symbol="BBB-USD", lot_step=D("0.000001")),
    Instrument(symbol_id=3, symbol="CCC-USD", lot_step=D("0.01"), base_timeframe=Timeframe.M5),
    Instrument(symbol_id=4, symbol="DDD-USD", lot_step=D("0.001")),
)
# By mood: how far a bar goes in ticks, and how far it opens from the last close.
MOODS = {"calm": (3, 1), "busy": (14, 4), "wild": (60, 25), "gappy": (10, 120)}
VOLUMES = (D(0), D(3), D(40), D(700), D(90_000))
SHAPES = ("plain", "trailing", "ladder", "deep ladder", "secured", "both")
# Off the grid of prices, so that what is computed never touches one exactly.
OFF_GRID = D("0.0037")
HALTED = InstrumentStatus.PAUSED
ABOUT_THE_ACCOUNT = (CommandKind.DEPOSIT, CommandKind.WITHDRAW, CommandKind.HALT, CommandKind.RESUME)
STRETCH: dict[str, st.SearchStrategy[Any]] = {
    "count": st.integers(1, 12),
    "moods": st.tuples(*[st.sampled_from(sorted(MOODS))] * len(INSTRUMENTS)),
    "missing": st.sampled_from([0.0, 0.1, 0.5]),
    "eager": st.sampled_from([0.0, 0.2, 0.8]),
    "again": st.booleans(),
    "seed": st.integers(0, 2**32 - 1),
}


def free_risk(most: int, part: float) -> RiskConfig:
    """Return rules under which size depends on risk, cash and the largest share alone."""
    return RiskConfig(
        sizing=SizingParams(risk_per_trade=0.02, size_multiplier=1.5, max_position_share=part),
        limits=RiskLimits(max_open_positions=most),
    )


def strict_risk(most: int, part: float) -> RiskConfig:
    """Return rules under which everything scales, and everything locks within hours."""
    return RiskConfig(
        sizing=SizingParams(
            risk_per_trade=0.02,
            size_multiplier=1.5,
            max_position_share=part,
            min_scale=0.35,
            max_scale=1.3,
            volatility=VolatilityScale(low=1.1, mid=1.0, high=0.7, unknown=0.8),
            regime=RegimeScale(trend_up=1.2, trend_down=0.6, range=0.9, unknown=0.75),
            confidence=ConfidenceScale(at_least=0.55, at_most=0.75, least=0.7, most=1.25, without_model=0.95),
            drawdown=DrawdownScale(begins=0.0, ends=0.03, least=0.5),
        ),
        limits=RiskLimits(
            max_open_positions=most, max_gross_exposure=0.83, max_symbol_exposure=0.37, max_cluster_exposure=0.71
        ),
        protections=Protections(
            stop_streak=StopStreak(trades=3, window_minutes=90, lock_minutes=40),
            cool_down=CoolDown(lock_minutes=6),
            low_profit=LowProfit(trades=3, window_minutes=120, min_return=-0.004, lock_minutes=50),
            daily_loss=DailyLoss(max_loss=0.027),
            drawdown=Drawdown(reduce_at=0.017, reduce_minutes=30, halt_at=0.033, halt_minutes=45),
        ),
    )


class PaperMachine(RuleBasedStateMachine):
    """The engine on rows that are thrown away and read again, held against the naive ledger after every step."""

    counts: ClassVar[Counter[str]] = Counter()

    @initialize(
        fees=st.sampled_from([(16.0, 26.0), (0.0, 12.3), (7.5, 60.0)]),
        slips=st.sampled_from([(2.0, 100.0, 50.0), (1.0, 333.0, 90.0), (0.7, 0.0, 3.0)]),
        share=st.sampled_from([0.1, 0.02, 1.0]),
        most=st.integers(1, 6),
        part=st.sampled_from([0.2, 0.45, 0.9]),
        patience=st.integers(1, 4),
        age=st.sampled_from([0, 1, 4]),
        strict=st.booleans(),
    )
    def open_account(
        self,
        fees: tuple[float, float],
        slips: tuple[float, float, float],
        share: float,
        most: int,
        part: float,
        patience: int,
        age: int,
        strict: bool,
    ) -> None:
        """Begin two ledgers with the same rules."""
        execution = ExecutionParams(
            maker_fee_bps=fees[0],
            taker_fee_bps=fees[1],
            slippage_base_bps=slips[0],
            slippage_impact_bps=slips[1],
            slippage_cap_bps=slips[2],
            max_volume_share=share,
            entry_valid_bars=patience,
            max_price_age_minutes=age,
        )
        cash = D("10007.13")
        self.rules = TradingRules(
            paper=PaperConfig(
                account=AccountParams(name="paper", currency="USD", start_cash=float(cash)), execution=execution
            ),
            risk=strict_risk(most, part) if strict else free_risk(most, part),
        )
        self.rows = Rows(
            Account(account="paper", currency="USD", start_cash=cash, opened_at=NOON, cash=cash), list(INSTRUMENTS)
        )
        self.book = self.rows.book()
        self.naive = NaiveLedger(
            cash=cash,
            execution=execution,
            risk=self.rules.risk,
            guard=NaiveRisk(config=self.rules.risk, worth=cash, peak=cash, day_began_with=cash),
            symbols={
                each.symbol_id: Symbol(each.symbol, each.base_timeframe.seconds, each.lot_step, each.min_notional)
                for each in INSTRUMENTS
            },
        )
        self.minute = BEGIN
        self.ticks = {each.symbol_id: 1600 for each in INSTRUMENTS}
        self.halted: dict[int, int] = {}
        self.seen: dict[int, datetime] = {}
        self.signals: list[Signal] = []
        self.commands: list[tuple[Command, int]] = []
        self.seen_fills = self.seen_in_all = 0
        self.begin()

    def begin(self) -> None:
        """Change what the ledgers begin with; here nothing."""

    @rule(**STRETCH)
    def trade(self, count: int, moods: tuple[str, ...], missing: float, eager: float, again: bool, seed: int) -> None:
        """Let some minutes go by, with new signals."""
        self.go_on(count, moods, missing, eager, again, seed)

    @rule(**STRETCH)
    def trade_on(
        self, count: int, moods: tuple[str, ...], missing: float, eager: float, again: bool, seed: int
    ) -> None:
        """Do the same, so that it is done more often than other things."""
        self.go_on(count, moods, missing, eager, again, seed)

    def go_on(self, count: int, moods: tuple[str, ...], missing: float, eager: float, again: bool, seed: int) -> None:
        """Make bars and signals, and step."""
        rng = random.Random(seed)
        for _ in range(count):
            close = self.minute + 60
            bars: dict[int, NaiveBar] = {}
            while rng.random() < eager:
                self.propose(rng)
            for instrument, mood in zip(INSTRUMENTS, moods, strict=True):
                if close % instrument.base_timeframe.seconds:
                    continue
                if rng.random() >= missing and close > self.halted.get(instrument.symbol_id, 0):
                    bars[instrument.symbol_id] = self.bar(rng, instrument, mood, close)
            self.step(close, bars)
        if again:
            self.begin_again()

    def bar(self, rng: random.Random, instrument: Instrument, mood: str, close: int) -> NaiveBar:
        """Return the next bar of a symbol."""
        reach, gap = MOODS[mood]
        number = instrument.symbol_id
        opened = max(self.ticks[number] + rng.randint(-gap, gap), 400)
        # From far away it is drawn back, so that hours of it stay in the same world.
        pull = 1 if opened < 1200 else -1 if opened > 2000 else 0
        closed = max(opened + rng.randint(-reach, reach) + pull * rng.randint(0, reach), 400)
        high = max(opened, closed) + rng.randint(0, reach)
        low = min(opened, closed) - rng.randint(0, reach)
        self.ticks[number] = closed
        volume = rng.choice(VOLUMES)
        open_, high_, low_, close_ = (TICK * each for each in (opened, high, low, closed))
        return NaiveBar(close - instrument.base_timeframe.seconds, open_, high_, low_, close_, volume)

    def step(self, close: int, bars: Mapping[int, NaiveBar]) -> None:
        """Take both ledgers through a minute and hold them against each other."""
        self.seen.update(dict.fromkeys(bars, moment_of(close)))
        signals = [
            replace(each, priced_at=self.seen.get(each.symbol_id))
            for each in sorted(self.signals, key=lambda each: (_symbol(each.symbol_id), each.strategy))
        ]
        engine = Engine(self.book, self.rules, "rules", signals)
        for number, bar in bars.items():
            candle = Candle(
                bar.ts, float(bar.open), float(bar.high), float(bar.low), float(bar.close), float(bar.volume)
            )
            engine.load(number, {close: candle})
        for command, _ in self.commands:
            engine.obey(command, moment_of(self.minute))
        before = len(engine.events)
        self.obeyed(engine, 0, before, self.minute)
        engine.step(close)
        witness = self.witness()
        self.minute = close
        filled = self.naive.minute(close, bars, witness)
        for signal in signals:
            self.naive.decide(signal, witness)
        self.obeyed(engine, before, len(engine.events), close)
        self.signals.clear()
        answered = {id(each.command) for each in engine.events}
        self.commands = [each for each in self.commands if id(each[0]) not in answered]
        self.counts["minutes"] += 1
        self.counts["signals"] += len(signals)
        self.counts["minutes with fills"] += filled
        self.hold_against()

    def obeyed(self, engine: Engine, begin: int, end: int, at: int) -> None:
        """Let the naive ledger do what the engine did or refused, and see that it did so as soon as it might."""
        for event in engine.events[begin:end]:
            command, arguments = event.command, event.command.arguments
            asked = next(moment for each, moment in self.commands if each is command)
            assert seconds_of(event.ts) == at
            meant = [each for each in self.naive.live if _is_meant(each, arguments)]
            waits = any(at % each.symbol.seconds for each in meant)
            assert command.kind in ABOUT_THE_ACCOUNT or not waits
            assert at == asked or at - asked < 300
            done = self.naive.obey(command.kind.value, arguments, at)
            assert done == (event.answer.outcome is Outcome.DONE), (command, event.answer)
            self.counts[f"{command.kind} {event.answer.outcome}"] += 1

    def witness(self) -> dict[Any, Decimal]:
        """Return what the engine wrote in this minute, for what cannot be told otherwise."""
        found: dict[Any, Decimal] = {}
        for fill in self.book.fills[self.seen_fills :]:
            asked = (*_place(fill.order), seconds_of(fill.bar_ts))
            found[*asked, "price"] = fill.price
            found[*asked, "reference"] = fill.reference_price
            found[*asked, "quantity"] = fill.quantity
        for live in self.book.live:
            for order in live.orders.values():
                found[_place(order.key)] = order.quantity
        return found

    def propose(self, rng: random.Random) -> None:
        """Let a strategy propose a trade at the next close."""
        strategy, number = rng.choice(STRATEGIES), rng.choice(INSTRUMENTS).symbol_id
        if any(each.strategy == strategy and each.symbol_id == number for each in self.signals):
            return
        shape, reach, reward = rng.choice(SHAPES), rng.randint(1, 40), rng.randint(1, 60)
        ticks = self.ticks[number]
        at = moment_of(self.minute + 60)
        rungs = {"ladder": 1, "deep ladder": 2}.get(shape, 0)
        moved = float(TICK * rng.randint(1, 40) + OFF_GRID)
        self.signals.append(
            Signal(
                strategy=Strategy(strategy),
                symbol_id=number,
                decided_at=at,
                side=Side.LONG,
                entry=float(TICK * ticks),
                stop=float(TICK * (ticks - reach * (rungs + 1))),
                # Now and then a target that no rule would set.
                target=float(TICK * (ticks + reward * rng.choice([1, 1, 1, 1, 1, 1, 1, 0]))),
                expires_at=at + timedelta(minutes=rng.randint(2, 90)),
                strength=0.7,
                confirmations=3,
                volatility=rng.choice(list(Volatility)),
                regime=rng.choice(list(Regime)),
                confidence=rng.choice([None, 0.3, 0.61, 0.97]),
                ladder=tuple(float(TICK * (ticks - reach * (index + 1))) for index in range(rungs)),
                size_weights={0: (1.0,), 1: (0.4, 0.6), 2: (0.2, 0.3, 0.5)}[rungs],
                target_fraction=0.0123 if rungs and reward % 2 else None,
                trail_distance=moved if shape in ("trailing", "both") else 0.0,
                break_even_distance=moved if shape in ("secured", "both", "ladder") else 0.0,
                config_hash="config",
                signal_id=1,
            )
        )

    @rule(
        number=st.sampled_from([each.symbol_id for each in INSTRUMENTS]),
        minutes=st.integers(0, 40),
        amount=st.integers(-400_000, 400_000),
    )
    def disturb(self, number: int, minutes: int, amount: int) -> None:
        """Begin anew from the rows; a symbol may have no bars for a while, and money may come in or go out."""
        if minutes > 20:
            self.halted[number] = self.minute + 60 * minutes
        # A symbol that is halted by name may have bars or not.
        self.naive.symbols[number].active = minutes % 4 != 0
        self.rows.instruments = [
            replace(each, status=InstrumentStatus.ACTIVE if self.naive.symbols[each.symbol_id].active else HALTED)
            for each in INSTRUMENTS
        ]
        if amount % 3 == 0:
            kind = CommandKind.DEPOSIT if amount > 0 else CommandKind.WITHDRAW
            self.ask(kind, {"amount": str(D(abs(amount) + 1) / 100)})
        self.begin_again()

    def begin_again(self) -> None:
        """Write everything down, forget it, and read it again, as a process does between two transactions."""
        self.rows.write(self.book.changes())
        self.book = self.rows.book()
        self.seen_fills = 0
        self.counts["restarts"] += 1

    @precondition(lambda self: self.book.live)
    @rule(
        pick=st.integers(0, 99),
        leg=st.integers(0, 99),
        tenths=st.integers(-2, 14),
        quantity=st.sampled_from([None, None, "1", "3.5", "0.0005", "900"]),
        cancel=st.booleans(),
    )
    def change_an_order(self, pick: int, leg: int, tenths: int, quantity: str | None, cancel: bool) -> None:
        """Ask for an order to be taken back or replaced, mostly by one between the stop and the price."""
        live = self.book.live[pick % len(self.book.live)]
        legs = [*sorted(live.orders), *sorted(live.orders), "stop", "target", "rung1"]
        arguments = {
            "strategy": live.position.strategy.value,
            "symbol": live.instrument.symbol,
            "leg": legs[leg % len(legs)],
        }
        if not cancel:
            stop = live.position.stop_price
            price = stop + (TICK * self.ticks[live.position.symbol_id] - stop) * tenths / 10
            arguments["price"] = str(max((price / TICK).to_integral_value(), D(1)) * TICK)
            if quantity is not None and arguments["leg"] not in ("stop", "target"):
                arguments["quantity"] = quantity
        self.ask(CommandKind.CANCEL if cancel else CommandKind.REPLACE, arguments)

    @precondition(lambda self: self.book.live)
    @rule(pick=st.integers(0, 99), everything=st.sampled_from([False, False, False, True]))
    def flatten(self, pick: int, everything: bool) -> None:
        """Ask for a trade, or all of them, to be sold."""
        live = self.book.live[pick % len(self.book.live)]
        one = {"strategy": live.position.strategy.value, "symbol": live.instrument.symbol}
        self.ask(CommandKind.FLATTEN, {} if everything else one)

    @rule(minutes=st.integers(1, 240))
    def halt_or_resume(self, minutes: int) -> None:
        """Ask for new trades to be held back for a while, or to be let through again whatever holds them back."""
        if minutes > 25:
            self.ask(CommandKind.RESUME, {})
        else:
            self.ask(CommandKind.HALT, {"minutes": minutes})

    def ask(self, kind: CommandKind, arguments: Mapping[str, Any]) -> None:
        """Give a command, to be carried out before the next minute."""
        command = Command(account="paper", kind=kind, arguments=arguments, requested_by="machine")
        self.commands.append((command, self.minute))

    def hold_against(self) -> None:
        """Fail where the two ledgers are apart in anything, or a limit is passed."""
        book, naive = self.book, self.naive
        fresh = book.fills[self.seen_fills :]
        expected = naive.fills[self.seen_in_all :]
        for ours, theirs in zip_longest(map(_fill, fresh), map(tuple, expected)):
            assert ours == theirs, (ours, theirs)
        self.seen_in_all = len(naive.fills)
        assert (book.account.cash, book.account.realised_pnl, book.account.fees) == (
            naive.cash, naive.realised, naive.fees,
        )
        self.seen_fills = len(book.fills)
        self.counts["fills"] += len(fresh)
        self.counts.update(f"fill by {each.order.leg.split('.')[0].rstrip('12')}" for each in fresh)
        assert len(book.live) == len(naive.live)
        for live, trade in zip(book.live, naive.live, strict=True):
            _same_trade(live, trade)
        with localcontext(prec=DIGITS):
            assert book.value(moment_of(self.minute)).equity == naive.equity()
        assert book.account.cash >= 0
        self.hold_to_limits()
        assert len(book.live) <= self.rules.risk.limits.max_open_positions

    def hold_to_limits(self) -> None:
        """Fail where a trade that was just taken makes the account pass a limit, or was taken while a lock was on."""
        limits, equity = self.rules.risk.limits, self.naive.equity()
        taken = [each for each in self.naive.live if each.key[2] == self.minute]
        for trade in taken:
            assert not self.naive.guard.locked(trade.key[1], self.minute)
            mine = sum(self.naive.exposure(each) for each in self.naive.live if each.symbol is trade.symbol)
            assert limits.max_symbol_exposure is None or mine <= D(str(limits.max_symbol_exposure)) * equity
        if taken and limits.max_gross_exposure is not None:
            gross = sum(self.naive.exposure(each) for each in self.naive.live)
            assert gross <= D(str(limits.max_gross_exposure)) * equity
        self.counts["trades taken"] += len(taken)

    @invariant()
    def everything_written_is_the_same(self) -> None:
        """Fail where a row of an order or a finished trade is not what the naive ledger has."""
        self.counts["steps"] += 1
        changes = self.book.changes()
        orders = {**self.rows.orders, **{each.key: each for each in (*changes.new_orders, *changes.changed_orders)}}
        known = {each.key: each for each in (*self.naive.ended, *self.naive.live)}
        refused = {
            _place(each.key)[0]: str(each.reason) for each in orders.values() if each.status is OrderStatus.REFUSED
        }
        assert refused == self.naive.refused
        placed = [each for each in orders.values() if each.status is not OrderStatus.REFUSED]
        assert len(placed) == sum(len(each.orders) for each in known.values())
        for order in placed:
            key, leg = _place(order.key)
            other = known[key].orders[leg]
            ended = None if order.ended_at is None else seconds_of(order.ended_at)
            ours = (str(order.status), order.quantity, order.filled_quantity, ended, seconds_of(order.placed_at))
            theirs = (other.status, other.quantity, other.filled, other.ended_at, other.placed_at)
            assert ours == theirs, (key, leg, ours, theirs)
            if other.limit is not None:
                assert _close(order.limit_price, other.limit)
        trades = [*self.rows.trades.values(), *changes.trades]
        assert [
            (
                (str(each.strategy), _symbol(each.symbol_id), seconds_of(each.decided_at)), str(each.exit_reason),
                seconds_of(each.entry_time), seconds_of(each.exit_time), each.quantity, each.gross_pnl, each.fees,
            )
            for each in trades
        ] == [
            (each.key, each.reason, each.entry_time, each.exit_time, each.quantity, each.gross, each.fees)
            for each in self.naive.closed
        ]

    def teardown(self) -> None:
        """Count what was seen."""
        if hasattr(self, "naive"):
            self.counts["runs"] += 1
            self.counts["closed trades"] += len(self.naive.closed)
            self.counts.update(f"refused for {each}" for each in self.naive.refused.values())
            self.counts["roundings that the engine was asked for"] += self.naive.doubts


def _same_trade(live: LiveTrade, trade: NaiveTrade) -> None:
    position = live.settle()
    assert (str(position.strategy), live.instrument.symbol, seconds_of(position.decided_at)) == trade.key
    assert (
        position.quantity, position.cost, position.bought_quantity, position.bought_cost, position.proceeds,
        position.realised_pnl, position.fees, position.last_price, position.leaving, str(position.stop_reason),
    ) == (
        trade.held, trade.cost, trade.bought, trade.paid, trade.proceeds,
        trade.realised, trade.fees, trade.last, trade.leaving, trade.stop_is,
    ), trade.key
    assert _close(position.stop_price, trade.stop), trade.key
    assert _close(position.target_price, trade.target), trade.key


def _close(one: Decimal | None, other: Decimal) -> bool:
    """Return whether two levels are one but for the last digits of a float."""
    return one is not None and abs(one - other) <= abs(other) * D("1e-14")


def _is_meant(trade: NaiveTrade, arguments: Mapping[str, Any]) -> bool:
    strategy, symbol = arguments.get("strategy"), arguments.get("symbol")
    return strategy in (None, trade.key[0]) and symbol in (None, trade.key[1])


def _symbol(number: int) -> str:
    return next(each.symbol for each in INSTRUMENTS if each.symbol_id == number)


def _place(key: OrderKey) -> tuple[tuple[str, str, int], str]:
    return (str(key.strategy), _symbol(key.symbol_id), seconds_of(key.decided_at)), key.leg


def _fill(fill: Any) -> tuple[Any, ...]:
    key, leg = _place(fill.order)
    return (
        key, leg, seconds_of(fill.bar_ts), seconds_of(fill.filled_at), fill.quantity, fill.price,
        fill.reference_price, fill.fee, str(fill.liquidity) == "maker",
    )
