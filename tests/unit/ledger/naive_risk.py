"""What an account may do, once more and plainly: what it is worth, what it has lost, and what that locks."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import NamedTuple

from tracker.domain.signal import Signal
from tracker.quant.risk import RiskConfig

D = Decimal
QUARTER, DAY = 900, 86_400
# As they are asked for a reason, and the reason that each gives.
REASONS = {
    "halt": "halted",
    "drawdown": "drawdown",
    "daily": "daily_loss",
    "command": "halted_by_command",
    "streak": "stop_streak",
    "cool": "cool_down",
    "low": "low_profit",
}
STOP_BUYING = ("halt", "drawdown", "daily", "command")
EVERYWHERE = ""


class Lock(NamedTuple):
    """A stretch of time in which nothing new is bought."""

    since: int
    until: int


class Ended(NamedTuple):
    """A trade that ended."""

    at: int
    symbol: str
    by_losing_stop: bool
    pnl: Decimal
    cost: Decimal


@dataclass(slots=True)
class NaiveRisk:
    """An account's worth as it was marked every quarter of an hour, its locks, and its ended trades."""

    config: RiskConfig
    worth: Decimal
    peak: Decimal
    day_began_with: Decimal
    day: int | None = None
    armed: bool = True
    halted: bool = False
    locks: dict[tuple[str, str], Lock] = field(default_factory=dict[tuple[str, str], Lock])
    ended: list[Ended] = field(default_factory=list[Ended])

    def mark(self, at: int, equity: Decimal) -> bool:
        """Look at what the account is worth; return whether that stops it from buying."""
        before, self.worth = self.worth, equity
        # Midnight itself belongs to the day that ends.
        day = (at - 1) // DAY
        if day != self.day:
            self.day, self.day_began_with = day, before
        if self.halted and at >= self.until("halt"):
            self.halted, self.armed, self.peak = False, True, before
        self.peak = max(self.peak, equity)
        if not self.halted:
            self.look_at_fall(at, self.fall(equity))
        most, midnight = exactly(self.config.protections.daily_loss.max_loss), (day + 1) * DAY
        if most > 0 and self.day_began_with > 0 and 1 - equity / self.day_began_with >= most:
            if self.until("daily") < midnight and at < midnight:
                self.lock("daily", EVERYWHERE, at, midnight)
        begun = [self.locks.get((each, EVERYWHERE), Lock(0, 0)) for each in STOP_BUYING]
        return any(each.since == at < each.until for each in begun)

    def look_at_fall(self, at: int, fall: Decimal) -> None:
        """Halt, or reduce, where equity fell too far under its peak."""
        rule = self.config.protections.drawdown
        if rule.halt_at > 0 and fall >= exactly(rule.halt_at):
            self.halted = True
            self.lock("halt", EVERYWHERE, at, at + 60 * rule.halt_minutes)
        elif rule.reduce_at <= 0 or fall < exactly(rule.reduce_at):
            self.armed = True
        elif self.armed:
            self.armed = False
            self.lock("drawdown", EVERYWHERE, at, at + 60 * rule.reduce_minutes)

    def fall(self, equity: Decimal) -> Decimal:
        """Return how far a worth lies under the peak."""
        return max(1 - equity / self.peak, D(0)) if self.peak > 0 else D(0)

    def note_end(self, trade: Ended, at: int) -> None:
        """Take in a trade that ended in the bar that closed at a moment."""
        self.ended.append(trade)
        rules = self.config.protections
        if rules.cool_down.lock_minutes:
            self.lock("cool", trade.symbol, at, trade.at + 60 * rules.cool_down.lock_minutes)
        streak = rules.stop_streak
        last = self.ended[-streak.trades :] if streak.trades else []
        after = max(at - 60 * streak.window_minutes, self.locks.get(("streak", EVERYWHERE), Lock(0, 0)).since)
        if last and len(last) == streak.trades and all(each.by_losing_stop and each.at > after for each in last):
            self.lock("streak", EVERYWHERE, at, at + 60 * streak.lock_minutes)
        low = rules.low_profit
        after = max(at - 60 * low.window_minutes, self.locks.get(("low", trade.symbol), Lock(0, 0)).since)
        mine = [each for each in self.ended if each.symbol == trade.symbol and each.at > after]
        brought, paid = sum((each.pnl for each in mine), D(0)), sum((each.cost for each in mine), D(0))
        if low.trades and len(mine) >= low.trades and brought < exactly(low.min_return) * paid:
            self.lock("low", trade.symbol, at, at + 60 * low.lock_minutes)

    def lock(self, name: str, symbol: str, since: int, until: int) -> None:
        """Let nothing new be bought for a while."""
        self.locks[name, symbol] = Lock(since, until)

    def until(self, name: str, symbol: str = EVERYWHERE) -> int:
        """Return when a lock ends."""
        return self.locks.get((name, symbol), Lock(0, 0)).until

    def locked(self, symbol: str, at: int) -> str:
        """Return why nothing new may be bought, or nothing."""
        for name, reason in REASONS.items():
            if max(self.until(name), self.until(name, symbol)) > at:
                return reason
        return ""

    def resume(self, at: int) -> bool:
        """End every lock; return whether there was one."""
        on = [key for key, lock in self.locks.items() if lock.until > at]
        for key in on:
            self.locks[key] = Lock(self.locks[key].since, at)
        return bool(on)

    def money_moved(self, before: Decimal, after: Decimal) -> None:
        """Let money that came or went be neither profit nor loss."""
        if before > 0:
            self.worth, self.peak = self.worth * after / before, self.peak * after / before
            self.day_began_with = self.day_began_with * after / before

    def scale(self, signal: Signal, fall: Decimal) -> Decimal:
        """Return by how much market and account scale a size."""
        sizing = self.config.sizing
        volatility: float = getattr(sizing.volatility, signal.volatility.value)
        regime: float = getattr(sizing.regime, signal.regime.value)
        model, deep = sizing.confidence, sizing.drawdown
        confidence = exactly(model.without_model)
        if signal.confidence is not None:
            way = between(exactly(signal.confidence), exactly(model.at_least), exactly(model.at_most))
            confidence = exactly(model.least) + way * (exactly(model.most) - exactly(model.least))
        depth = 1 - between(fall, exactly(deep.begins), exactly(deep.ends)) * (1 - exactly(deep.least))
        wanted = exactly(volatility) * exactly(regime) * confidence * depth
        return min(max(wanted, exactly(sizing.min_scale)), exactly(sizing.max_scale))


def exactly(number: float) -> Decimal:
    """Return the decimal that a float is written as."""
    return D(repr(float(number)))


def between(value: Decimal, low: Decimal, high: Decimal) -> Decimal:
    """Return where a value lies between two others, from 0 to 1."""
    return min(max((value - low) / (high - low), D(0)), D(1))
