"""An account's protections in memory: the rules of `tracker.quant.risk_rules` on the ledger's own rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from tracker.domain.order import ExitReason, RefusalReason
from tracker.domain.risk import Protection, ProtectionLock, RiskMarks, TradingState
from tracker.domain.signal import Strategy
from tracker.domain.timeframe import EPOCH
from tracker.domain.trade import ClosedTrade
from tracker.quant import risk_rules
from tracker.quant.sizing import Refused

# In the order in which the rules number them.
PROTECTIONS = (
    Protection.HALT,
    Protection.DRAWDOWN,
    Protection.DAILY_LOSS,
    Protection.COMMAND,
    Protection.STOP_STREAK,
    Protection.COOL_DOWN,
    Protection.LOW_PROFIT,
)
STATES = (TradingState.ACTIVE, TradingState.REDUCING, TradingState.HALTED)
REFUSALS: Mapping[Protection, RefusalReason] = {
    Protection.HALT: RefusalReason.HALTED,
    Protection.DRAWDOWN: RefusalReason.DRAWDOWN,
    Protection.DAILY_LOSS: RefusalReason.DAILY_LOSS,
    Protection.COMMAND: RefusalReason.HALTED_BY_COMMAND,
    Protection.PAUSE: RefusalReason.PAUSED_BY_COMMAND,
    Protection.STOP_STREAK: RefusalReason.STOP_STREAK,
    Protection.COOL_DOWN: RefusalReason.COOL_DOWN,
    Protection.LOW_PROFIT: RefusalReason.LOW_PROFIT,
}
# What each of them saw, for people.
WORDS: Mapping[Protection, str] = {
    Protection.HALT: "equity fell {:.2%} under its peak: all is sold, nothing is bought",
    Protection.DRAWDOWN: "equity fell {:.2%} under its peak: nothing is bought",
    Protection.DAILY_LOSS: "the day lost {:.2%} of equity: nothing is bought",
    Protection.COMMAND: "somebody halted the account: nothing is bought",
    Protection.STOP_STREAK: "the last {:.0f} trades ended in a losing stop",
    Protection.COOL_DOWN: "{:.0f} trade in the symbol has just ended",
    Protection.LOW_PROFIT: "the symbol's trades returned {:.2%} of their cost together",
}
STOPS = frozenset({ExitReason.STOP, ExitReason.TRAILING, ExitReason.BREAK_EVEN})
SECOND = timedelta(seconds=1)
ENDED_BY_COMMAND = "ended by command"


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """What an account remembers of before: its marks (None: it has none), locks and closed trades, oldest first."""

    marks: RiskMarks | None = None
    locks: Sequence[ProtectionLock] = ()
    trades: Sequence[ClosedTrade] = ()


class AccountGuard:
    """Decides what holds new trades back, and keeps the locks it has set since it was made."""

    def __init__(
        self,
        account: str,
        symbol_ids: Iterable[int],
        worth: float,
        memory: Memory,
        trades: int,
        opened_at: datetime = EPOCH,
    ) -> None:
        """Take up what the account remembers; `trades` is how many live ones may still close.

        An account that was never marked begins with its `worth` now, and remembers that: where a later one began, its
        first quarter of an hour would not count.
        """
        self._account = account
        self._ids = sorted(symbol_ids)
        self._row = {symbol_id: row for row, symbol_id in enumerate(self._ids)}
        self._whole = len(self._ids)
        self._marked_at = opened_at if memory.marks is None else memory.marks.marked_at
        self._rules = risk_rules.Guard(
            marks=_marks(memory.marks, worth),
            locks=self._table(0.0),
            since=self._table(0.0),
            seen=self._table(0.0),
            closed=[],
            counts=[0],
        )
        self._notes: dict[tuple[int, int], str] = {}
        # People pause strategies; the rules of protections, which are compiled for bulk work, know none.
        self._pauses: dict[Strategy, ProtectionLock] = {}
        self.locks: list[ProtectionLock] = []
        self.changed = memory.marks is None
        for lock in memory.locks:
            self._restore(lock)
        for trade in memory.trades:
            self._rules.closed.append([0.0] * risk_rules.CLOSED_SIZE)
            self._put_closed(trade)
        self.expect(trades)

    def expect(self, trades: int = 1) -> None:
        """Make room for so many more trades to close."""
        self._rules.closed.extend([0.0] * risk_rules.CLOSED_SIZE for _ in range(trades))

    def mark(self, limits: Sequence[float], minute: int, equity: float) -> bool:
        """Take in what the account is worth at a moment; return whether waiting buys must be withdrawn for it."""
        risk_rules.mark(self._rules, limits, minute, equity)
        self._marked_at, self.changed = _moment(minute), True
        self._note_locks(self._whole, minute)
        return risk_rules.stops_buying(self._rules, minute)

    def note(self, limits: Sequence[float], trade: ClosedTrade, minute: int) -> None:
        """Take in a trade that ended in the bar that closed at `minute`."""
        row = self._row[trade.symbol_id]
        risk_rules.note_close(self._rules, limits, row, minute, *_facts(trade))
        self._note_locks(row, minute)
        self._note_locks(self._whole, minute)

    @property
    def is_halted(self) -> bool:
        """Whether a halt has begun whose end was not marked yet."""
        return self._rules.marks[risk_rules.MARK_HALTED] != 0.0

    def state(self, minute: int) -> TradingState:
        """Return what the account may do at a moment."""
        return STATES[risk_rules.state_at(self._rules, minute)]

    def refusal(self, symbol_id: int, minute: int, strategy: Strategy | None = None) -> Refused | None:
        """Return what holds a new trade in a symbol back at a moment, if anything does; with `strategy`, one of its."""
        found = risk_rules.locked_by(self._rules, self._row[symbol_id], minute)
        if found == risk_rules.UNLOCKED:
            return self._paused(strategy, minute)
        protection = PROTECTIONS[found]
        row = self._whole if self._rules.locks[self._whole][found] > minute else self._row[symbol_id]
        until = _moment(int(self._rules.locks[row][found]))
        return Refused(
            reason=REFUSALS[protection], note=f"{self._notes.get((row, found), '')}; until {until.isoformat()}"
        )

    def fall(self, equity: float) -> float:
        """Return how far the equity lies under its peak, as a fraction."""
        return risk_rules.fall_of(self._rules, equity)

    def cash_moved(self, before: float, after: float) -> None:
        """Keep money that came in or went out from counting as profit or loss; equity before and after."""
        if before <= 0.0:
            return
        for each in (risk_rules.MARK_EQUITY, risk_rules.MARK_PEAK, risk_rules.MARK_DAY_EQUITY):
            self._rules.marks[each] *= after / before
        self.changed = True

    def halt(self, minute: int, until: int) -> None:
        """Let nothing be bought until a moment, by command."""
        self._rules.locks[self._whole][risk_rules.COMMAND] = until
        self._keep(self._whole, risk_rules.COMMAND, minute, WORDS[Protection.COMMAND])

    def resume(self, minute: int) -> list[Protection]:
        """End every lock that is on but pauses of strategies; return what they were."""
        ended: list[Protection] = []
        for row, locks in enumerate(self._rules.locks):
            for number, until in enumerate(locks):
                if until > minute:
                    locks[number] = minute
                    note = f"{self._notes.get((row, number), '')}; {ENDED_BY_COMMAND}"
                    self._keep(row, number, int(self._rules.since[row][number]), note)
                    ended.append(PROTECTIONS[number])
        return ended

    def pause(self, strategy: Strategy, minute: int, until: int, note: str) -> None:
        """Let a strategy buy nothing until a moment, by command."""
        self._keep_pause(
            ProtectionLock(
                account=self._account,
                protection=Protection.PAUSE,
                symbol_id=None,
                strategy=strategy,
                locked_at=_moment(minute),
                until=_moment(until),
                observed=0.0,
                note=note,
            )
        )

    def unpause(self, strategy: Strategy, minute: int) -> bool:
        """Let a strategy buy again; return whether it was paused."""
        lock = self._pauses.get(strategy)
        if lock is None or _seconds(lock.until) <= minute:
            return False
        self._keep_pause(replace(lock, until=_moment(minute), note=f"{lock.note}; {ENDED_BY_COMMAND}"))
        return True

    def begin_anew(self, minute: int, cash: float) -> None:
        """Forget what was lost, locked and closed so far: the books begin again with `cash`."""
        self.resume(minute)
        for place, value in enumerate(_marks(None, cash)):
            self._rules.marks[place] = value
        self._rules.counts[0] = 0
        self._marked_at, self.changed = _moment(minute), True

    def marks(self) -> RiskMarks:
        """Return what is to be remembered."""
        marks = self._rules.marks
        return RiskMarks(
            account=self._account,
            marked_at=self._marked_at,
            equity=marks[risk_rules.MARK_EQUITY],
            peak=marks[risk_rules.MARK_PEAK],
            day=int(marks[risk_rules.MARK_DAY]),
            day_equity=marks[risk_rules.MARK_DAY_EQUITY],
            armed=marks[risk_rules.MARK_ARMED] != 0.0,
            halted=marks[risk_rules.MARK_HALTED] != 0.0,
        )

    def _table(self, value: float) -> list[list[float]]:
        return [[value] * risk_rules.PROTECTIONS for _ in range(self._whole + 1)]

    def _put_closed(self, trade: ClosedTrade) -> None:
        ended_at, stopped, pnl, cost = _facts(trade)
        row = self._rules.closed[self._rules.counts[0]]
        row[risk_rules.CLOSED_AT], row[risk_rules.CLOSED_SYMBOL] = ended_at, self._row[trade.symbol_id]
        row[risk_rules.CLOSED_PNL], row[risk_rules.CLOSED_COST] = pnl, cost
        row[risk_rules.CLOSED_STOPPED] = 1.0 if stopped and pnl < 0.0 else 0.0
        self._rules.counts[0] += 1

    def _restore(self, lock: ProtectionLock) -> None:
        if lock.strategy is not None:
            self._pauses[lock.strategy] = lock
            return
        row = self._whole if lock.symbol_id is None else self._row[lock.symbol_id]
        number = PROTECTIONS.index(lock.protection)
        if _seconds(lock.locked_at) >= self._rules.since[row][number]:
            self._rules.locks[row][number] = _seconds(lock.until)
            self._rules.since[row][number] = _seconds(lock.locked_at)
            self._rules.seen[row][number] = lock.observed
            self._notes[row, number] = lock.note

    def _note_locks(self, row: int, minute: int) -> None:
        """Keep what was locked at this very minute."""
        for number, protection in enumerate(PROTECTIONS):
            if self._rules.since[row][number] == minute and self._rules.locks[row][number] > minute:
                self._keep(row, number, minute, WORDS[protection].format(self._rules.seen[row][number]))

    def _keep(self, row: int, number: int, since: int, note: str) -> None:
        self._rules.since[row][number] = since
        self._notes[row, number] = note
        lock = ProtectionLock(
            account=self._account,
            protection=PROTECTIONS[number],
            symbol_id=None if row == self._whole else self._ids[row],
            locked_at=_moment(since),
            until=_moment(int(self._rules.locks[row][number])),
            observed=float(self._rules.seen[row][number]),
            note=note,
        )
        self._replace(lock)

    def _paused(self, strategy: Strategy | None, minute: int) -> Refused | None:
        lock = None if strategy is None else self._pauses.get(strategy)
        if lock is None or _seconds(lock.until) <= minute:
            return None
        return Refused(reason=REFUSALS[Protection.PAUSE], note=f"{lock.note}; until {lock.until.isoformat()}")

    def _keep_pause(self, lock: ProtectionLock) -> None:
        assert lock.strategy is not None  # noqa: S101 - a pause is a strategy's
        self._pauses[lock.strategy] = lock
        self._replace(lock)

    def _replace(self, lock: ProtectionLock) -> None:
        same = _identity(lock)
        self.locks = [each for each in self.locks if _identity(each) != same]
        self.locks.append(lock)


def _identity(lock: ProtectionLock) -> tuple[object, ...]:
    return lock.protection, lock.symbol_id, lock.strategy, lock.locked_at


def _marks(marks: RiskMarks | None, cash: float) -> list[float]:
    numbers = [0.0] * risk_rules.MARKS
    numbers[risk_rules.MARK_EQUITY] = cash if marks is None else marks.equity
    numbers[risk_rules.MARK_PEAK] = cash if marks is None else marks.peak
    numbers[risk_rules.MARK_DAY] = -1 if marks is None else marks.day
    numbers[risk_rules.MARK_DAY_EQUITY] = cash if marks is None else marks.day_equity
    numbers[risk_rules.MARK_ARMED] = 1.0 if marks is None or marks.armed else 0.0
    numbers[risk_rules.MARK_HALTED] = 0.0 if marks is None or not marks.halted else 1.0
    return numbers


def _facts(trade: ClosedTrade) -> tuple[int, bool, float, float]:
    """Return when a trade ended, whether by a stop, what it brought and what it cost."""
    cost = float(trade.entry_price) * float(trade.quantity)
    return _seconds(trade.exit_time), trade.exit_reason in STOPS, float(trade.pnl), cost


def _seconds(moment: datetime) -> int:
    return (moment - EPOCH) // SECOND


def _moment(seconds: int) -> datetime:
    return EPOCH + seconds * SECOND
