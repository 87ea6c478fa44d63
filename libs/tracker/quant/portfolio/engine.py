"""One minute of event time after the other: fills of what rested, then the new signals, then equity."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from tracker.domain.candle import Candle
from tracker.domain.command import AccountEvent, Command
from tracker.domain.order import ENTRY_LEG, RefusalReason
from tracker.domain.risk import TradingState
from tracker.domain.signal import Signal
from tracker.quant.entry import below_threshold
from tracker.quant.execution import is_quiet, observe, volume_budget, walk_bar
from tracker.quant.paper import TradingRules
from tracker.quant.portfolio.book import Book, LiveTrade, moment_of, seconds_of
from tracker.quant.portfolio.booking import book_executions, settle_orders, withdraw_buys
from tracker.quant.portfolio.commands import carry_out
from tracker.quant.portfolio.hours import HourlyCloses
from tracker.quant.portfolio.plan import planned, refused
from tracker.quant.portfolio.resting import flatten, is_between_bars
from tracker.quant.risk import Portfolio, judge
from tracker.quant.risk_rules import MARK_SECONDS, in_cluster
from tracker.quant.sizing import AdaptivePositionSizer, Refused, Situation, reserve_price

MINUTE_SECONDS = 60


@dataclass(slots=True)
class _Minute:
    """What the trades of one minute share: its volume by symbol, and the cash that entries may use.

    `pool` is what was free before the minute: money from a sale within a bar cannot buy at its open.
    """

    close: int
    pool: float
    budgets: dict[int, float]


class Engine:
    """Walks a book through minutes, without I/O; only the book changes."""

    def __init__(self, book: Book, rules: TradingRules, rules_hash: str, signals: Sequence[Signal]) -> None:
        """Take the book and the signals of the minutes to come, in the order in which to act on them."""
        self.book = book
        self._rules = rules
        self._rules_hash = rules_hash
        self._execution = rules.paper.execution
        self._limits = rules.numbers()
        self._sizer = AdaptivePositionSizer(limits=self._limits, execution=rules.paper.execution)
        self._hours = HourlyCloses(0, {})
        self._signals: dict[int, list[Signal]] = {}
        for signal in signals:
            self._signals.setdefault(seconds_of(signal.decided_at), []).append(signal)
        self._candles: dict[int, Mapping[int, Candle]] = {}
        self._waiting: list[Command] = []
        self._expected: dict[int, list[Command]] = {}
        self.events: list[AccountEvent] = []

    @property
    def marking(self) -> bool:
        """Whether the account's worth has to be looked at every MARK_SECONDS."""
        return self._rules.risk.marks or self.book.guard.is_halted

    def unloaded(self) -> list[int]:
        """Return the symbols of live trades whose bars are not there yet."""
        return sorted({each.instrument.symbol_id for each in self.book.live} - self._candles.keys())

    def moments(self) -> list[int]:
        """Return the moments at which there are signals or commands, ascending, in Unix seconds."""
        return sorted(self._signals.keys() | self._expected.keys())

    def load(self, symbol_id: int, candles: Mapping[int, Candle]) -> None:
        """Take in a symbol's bars by their close time in Unix seconds."""
        self._candles[symbol_id] = candles

    def load_hours(self, hours: HourlyCloses) -> None:
        """Take in the hourly closes from which the correlation of symbols is worked out."""
        self._hours = hours

    def run(self, after: int, through: int) -> int:
        """Process the minutes in (after, through], in Unix seconds; return the last one processed.

        Stops early once a trade was taken in a symbol whose bars are not loaded.
        """
        for minute in range(after + MINUTE_SECONDS, through + 1, MINUTE_SECONDS):
            filled, taken = self.step(minute)
            if filled or minute % MARK_SECONDS == 0:
                self.book.equity.append(self.book.value(moment_of(minute)))
            if taken and self.unloaded():
                return minute
        return through

    def step(self, minute: int) -> tuple[bool, bool]:
        """Process the one minute that closes at `minute`; return whether there were fills, and new trades."""
        filled = self._fill(minute)
        if self.marking and minute % MARK_SECONDS == 0:
            self._mark(minute)
        taken = self._take(minute)
        self._waiting += self._expected.pop(minute, ())
        if self._waiting:
            self._obey(moment_of(minute))
        return filled, taken

    def obey(self, command: Command, at: datetime) -> None:
        """Carry out a command at event time `at`, after the minute that closes then and before the next.

        What came of it is added to `events`. Where a bar of a trade that it means is open, that comes with the close;
        a command that has no event yet is to be given again to the engine that goes on.
        """
        self._waiting.append(command)
        self._obey(at)

    def expect(self, events: Iterable[AccountEvent]) -> None:
        """Obey again, in the minutes to come, what is known to have been obeyed then."""
        for each in events:
            self._expected.setdefault(seconds_of(each.ts), []).append(each.command)

    def refuse_late(self, signal: Signal, processed_through: datetime) -> None:
        """Note that a signal came after its minute."""
        note = f"arrived when {processed_through.isoformat()} was processed"
        self._refuse(signal, Refused(reason=RefusalReason.LATE, note=note), processed_through)

    def _obey(self, at: datetime) -> None:
        waiting, self._waiting = self._waiting, []
        for command in waiting:
            answer = carry_out(self.book, command, at, self._rules)
            if answer is None:
                self._waiting.append(command)
            else:
                self.events.append(AccountEvent(ts=at, command=command, answer=answer))

    def _fill(self, close: int) -> bool:
        trades = self.book.live
        before, closed = len(self.book.fills), len(self.book.trades)
        entering = any(each.trade.entry_rest > 0.0 for each in trades)
        minute = _Minute(close, self.book.free_cash(self._execution) if entering else 0.0, {})
        for live in trades:
            candle = self._candles.get(live.instrument.symbol_id, {}).get(close)
            if candle is not None and self._is_stale(live, candle):
                self._give_up_entry(live, close)
            if candle is not None and live.position.live:
                self._apply(live, candle, minute)
                self._note_closed(closed, close)
                closed = len(self.book.trades)
            if live.trade.entry_rest > 0.0 and close >= live.trade.entry_until:
                self._give_up_entry(live, close)
        return len(self.book.fills) > before

    def _is_stale(self, live: LiveTrade, candle: Candle) -> bool:
        """Return whether an entry waits on a price that was too old when a bar opened."""
        age = candle.ts - max(live.last_at, live.trade.opens_from)
        return live.trade.entry_rest > 0.0 and age > self._execution.max_price_age_seconds

    def _give_up_entry(self, live: LiveTrade, close: int) -> None:
        live.trade.entry_rest, live.touched = 0.0, True
        settle_orders(self.book, live, moment_of(close))

    def _apply(self, live: LiveTrade, candle: Candle, minute: _Minute) -> None:
        trade = live.trade
        if is_quiet(trade, candle):
            observe(trade, candle)
            live.see(candle.close, minute.close)
            return
        symbol_id = live.instrument.symbol_id
        budget = minute.budgets.get(symbol_id, volume_budget(candle, self._execution))
        claim = self._entry_claim(live)
        executions = walk_bar(trade, candle, self._execution, budget, minute.pool + claim)
        if not executions and trade.bought == 0.0 and trade.leaving is None:
            live.see(candle.close, minute.close)
            return
        fills = len(self.book.fills)
        book_executions(self.book, live, executions, candle, moment_of(minute.close), self._execution)
        minute.budgets[symbol_id] = budget - sum(each.quantity for each in executions)
        entries = [each for each in self.book.fills[fills:] if each.order.leg == ENTRY_LEG]
        if entries:
            cost = sum(float(each.price * each.quantity + each.fee) for each in entries)
            minute.pool += claim - cost - self._entry_claim(live)

    def _note_closed(self, before: int, minute: int) -> None:
        for trade in self.book.trades[before:]:
            self.book.guard.note(self._limits, trade, minute)

    def _mark(self, minute: int) -> None:
        """Let the account's worth decide what it may do; withdraw, or sell, what it may not have."""
        guard, at = self.book.guard, moment_of(minute)
        stopping = guard.mark(self._limits, minute, self.book.worth())
        halted = guard.state(minute) is TradingState.HALTED
        for live in self.book.live if stopping or halted else ():
            if stopping:
                withdraw_buys(self.book, live, at)
            # The open of a bar that is under way is a price of before.
            if halted and live.position.live and is_between_bars([live], at):
                flatten(self.book, [live], at)

    def _take(self, minute: int) -> bool:
        signals = self._signals.get(minute)
        if not signals:
            return False
        equity = float(self.book.value(moment_of(minute)).equity)
        taken = False
        for signal in signals:
            taken = self._decide(signal, equity) or taken
        return taken

    def _decide(self, signal: Signal, equity: float) -> bool:
        trades = self.book.live
        instrument = self.book.instruments[signal.symbol_id]
        minute = seconds_of(signal.decided_at)
        portfolio = Portfolio(
            live={(each.position.strategy, each.position.symbol_id) for each in trades},
            locked=self.book.guard.refusal(signal.symbol_id, minute, signal.strategy),
            situation=Situation(
                equity=equity,
                free_cash=self.book.free_cash(self._execution),
                gross=sum(each.exposure() for each in trades),
                symbol=sum(each.exposure() for each in trades if each.position.symbol_id == signal.symbol_id),
                cluster=lambda: self._cluster(signal.symbol_id, minute),
                fall=self.book.guard.fall(equity),
            ),
        )
        verdict = below_threshold(signal, self._limits) or judge(
            signal, instrument, portfolio, self._rules.risk.limits, self._sizer
        )
        if isinstance(verdict, Refused):
            self._refuse(signal, verdict, signal.decided_at)
            return False
        self.book.add_trade(
            planned(
                signal,
                verdict,
                instrument,
                self.book.account.account,
                self._rules_hash,
                self._execution,
            )
        )
        return True

    def _refuse(self, signal: Signal, verdict: Refused, placed_at: datetime) -> None:
        self.book.add_order(
            refused(
                signal, self.book.account.account, self._rules_hash, verdict.reason, verdict.note, placed_at
            )
        )

    def _cluster(self, symbol_id: int, minute: int) -> float:
        """Return the exposure in the symbol itself and in all that move with it."""
        last = self._hours.row_at(minute)
        mine = self._hours.of(symbol_id)
        return sum(
            each.exposure()
            for each in self.book.live
            if each.position.symbol_id == symbol_id
            or in_cluster(self._limits, mine, self._hours.of(each.position.symbol_id), last)
        )

    def _entry_claim(self, live: LiveTrade) -> float:
        order = live.orders.get(ENTRY_LEG)
        if order is None:
            return 0.0
        return reserve_price(float(order.reference_price), self._execution, maker=False) * float(order.rest)
