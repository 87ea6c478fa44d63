"""What a swarm of variations does at a close: look, trade, and count what came of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from tracker.quant.backtest.signals import plan_numbers
from tracker.quant.bars import Floats, Ints
from tracker.quant.bulk import desk as columns
from tracker.quant.bulk.desk import Market, Plans, Record
from tracker.quant.kernel import LEG_EXIT
from tracker.quant.shadow.accounts import (
    DESK_BITS,
    SINCE_EQUITY,
    SINCE_RETURNS,
    SINCE_SIZE,
    SINCE_TRADES,
    Accounts,
    OpenTrades,
    arrays_of,
    fitted,
    joined_trades,
    limits_and_costs,
    recent_closed,
)
from tracker.quant.shadow.evaluation import Found, nothing_found
from tracker.quant.shadow.swarm import Work, Written
from tracker.quant.shadow.variation import Variation

HOUR = 3_600
DAY = 86_400
# Room for the fills of one desk between two marks, and of all of them; where it is not enough, more is made.
FILLS_A_DESK = 1_024
FILLS_IN_ALL = 4_096
# Seconds between the decisions of the shortest timeframe that a strategy may have.
CLOSEST_DECISIONS = 60
MORE = 4

ResumeDesks = Callable[[Work, Market], None]
TradeMany = Callable[[Plans, Market, Work, int, Written], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """What the rows of a frame are of: `symbol` a row of the market, `symbol_ids`, `decided_at` in Unix seconds.

    They ascend by time and then by the symbol's name, which is the order in which the paper trader acts.
    """

    symbol: Ints
    symbol_ids: Ints
    decided_at: Ints


@dataclass(frozen=True, slots=True, kw_only=True)
class ClosedTrades:
    """Trades that ended, columns (n,): `account` the place of the variation; the rest as in OpenTrades.

    `pnl` is net of fees, `returns` that as a share of what was paid; `reason` is the kernel's number.
    """

    account: Ints
    symbol_id: Ints
    decided_at: Ints
    entry_at: Ints
    exit_at: Ints
    entry_price: Floats
    exit_price: Floats
    quantity: Floats
    pnl: Floats
    fees: Floats
    returns: Floats
    reason: Ints

    def __len__(self) -> int:
        """Return the number of trades."""
        return int(self.account.shape[0])


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """What V accounts did in the period that ended at `ends_at`: return, closed trades, sum of their returns (V,)."""

    ends_at: int
    returns: Floats
    trades: Floats
    trade_returns: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What a swarm did over some closes."""

    trades: ClosedTrades
    hours: Sequence[Period]
    days: Sequence[Period]


class Swarming:
    """Trades the signals of many variations, each in its own account."""

    def __init__(
        self, variations: Sequence[Variation], accounts: Accounts, resume: ResumeDesks, trade_many: TradeMany
    ) -> None:
        """Go on with the accounts, which change in place; `resume` and `trade_many` compiled or plain."""
        self.accounts = accounts
        self.limits, self._costs = limits_and_costs([each.rules for each in variations])
        self._resume = resume
        self._trade_many = trade_many
        self._room = (FILLS_A_DESK, FILLS_IN_ALL)

    def advance(self, found: Found | None, rows: Rows, market: Market, after: int, until: int) -> Step:
        """Act on the signals, if any, and on the bars of `market`, which close in (after, until], Unix seconds."""
        found = found or nothing_found()
        plans, begins = self._plans(found, rows, market)
        self._make_room(found, begins, after, until)
        work = Work(desks=self.accounts.desks, limits=self.limits, rules=self._costs, begins=begins)
        self._resume(work, market)
        base = self.accounts.desks.counters[:, columns.BASE].copy()
        verdicts = np.full(len(found), columns.UNSEEN, dtype=np.int64)
        closed: list[ClosedTrades] = []
        hours: list[Period] = []
        days: list[Period] = []
        news = found, rows, begins, base
        for moment in _marks(after, until):
            written = self._trade(plans, market, work, moment, verdicts)
            self._take_in(news, verdicts, after, moment)
            closed.append(self._settle(written))
            self._count(closed[-1])
            if moment % HOUR == 0:
                hours.append(_period(self.accounts.hour, written.equity, moment))
            if moment % DAY == 0:
                days.append(_period(self.accounts.day, written.equity, moment))
            after = moment
        return Step(trades=_concatenated(closed), hours=hours, days=days)

    def _plans(self, found: Found, rows: Rows, market: Market) -> tuple[Plans, Ints]:
        asked = int(found.proposals.ladder.shape[1])
        self.accounts = fitted(self.accounts, 0, asked)
        missing = int(self.accounts.desks.rungs.shape[2]) - asked
        pad = ((0, 0), (0, missing))
        plans = Plans(
            times=rows.decided_at[found.row],
            symbol_of=rows.symbol[found.row],
            rank_of=np.zeros(len(found), dtype=np.int64),
            plans=plan_numbers(found.proposals),
            ladders=np.ascontiguousarray(np.pad(found.proposals.ladder, pad, constant_values=np.nan)),
            weights=np.ascontiguousarray(np.pad(found.proposals.size_weights, pad, constant_values=np.nan)),
        )
        begins = np.searchsorted(found.variation, np.arange(len(self.accounts) + 1)).astype(np.int64)
        return plans, begins

    def _make_room(self, found: Found, begins: Ints, after: int, until: int) -> None:
        """Let the guards have room for the trades that may end: each slot holds one between two decisions."""
        accounts = self.accounts
        decisions = (until - after) // CLOSEST_DECISIONS + 1
        most = int(np.minimum(np.diff(begins), accounts.desks.order.shape[1] * decisions).max()) if len(found) else 0
        guard = accounts.desks.guard
        room = most + accounts.desks.order.shape[1]
        if int(guard.counts.max()) + room > guard.closed.shape[1]:
            closed, counts = recent_closed(accounts.desks, self.limits)
            wider = np.pad(closed, ((0, 0), (0, max(int(counts.max()) + 2 * room - closed.shape[1], 0)), (0, 0)))
            accounts.desks = accounts.desks._replace(guard=guard._replace(closed=wider, counts=counts))

    def _trade(self, plans: Plans, market: Market, work: Work, until: int, verdicts: Ints) -> Written:
        """Trade up to a mark, again with more room where there was too little."""
        before = self.accounts.copy()
        decided = verdicts.copy()
        while True:
            written = _paper(verdicts, len(self.accounts), *self._room)
            if self._trade_many(plans, market, work, until, written):
                fills, ends = written.counts.tolist()
                return written._replace(
                    fill_of=written.fill_of[:fills],
                    fills=written.fills[:fills],
                    end_of=written.end_of[:ends],
                    end_signals=written.end_signals[:ends],
                )
            self._room = (self._room[0] * MORE, self._room[1] * MORE)
            then = arrays_of(before.desks)
            for name, now in arrays_of(self.accounts.desks).items():
                now[:] = then[name]
            verdicts[:] = decided

    def _take_in(self, news: tuple[Found, Rows, Ints, Ints], verdicts: Ints, after: int, moment: int) -> None:
        """Note the trades that were taken in (after, moment]."""
        found, rows, begins, base = news
        times = rows.decided_at[found.row]
        taken = np.flatnonzero((verdicts == columns.TAKEN) & (times > after) & (times <= moment))
        if taken.size == 0:
            return
        account = found.variation[taken]
        fresh = np.zeros(taken.size)
        own = OpenTrades(
            key=(account << DESK_BITS) | (base[account] + taken - begins[account]),
            symbol_id=rows.symbol_ids[found.row[taken]],
            decided_at=times[taken],
            entry_at=np.zeros(taken.size, dtype=np.int64),
            bought=fresh,
            cost=fresh,
            proceeds=fresh,
            fees=fresh,
        )
        self.accounts.open = joined_trades((self.accounts.open, own))

    def _settle(self, written: Written) -> ClosedTrades:
        """Add the fills to their trades, and take those that have ended out."""
        trades, fills = self.accounts.open, written.fills
        size = len(trades.key)
        at = np.searchsorted(trades.key, _keys(written.fill_of, fills[:, columns.FILL_SIGNAL].astype(np.int64)))
        selling = fills[:, columns.FILL_LEG] == LEG_EXIT
        quantity = fills[:, columns.FILL_QUANTITY]
        value = quantity * fills[:, columns.FILL_PRICE]
        at_open = fills[:, columns.FILL_AT_OPEN] != 0.0
        filled_at = np.where(at_open, fills[:, columns.FILL_BAR_TS], fills[:, columns.FILL_CLOSE]).astype(np.int64)
        entry_at = trades.entry_at.copy()
        # Backwards, so that the first fill is the last to be written.
        first = entry_at.copy()
        first[at[::-1]] = filled_at[::-1]
        entry_at = np.where(entry_at == 0, first, entry_at)
        exit_at, reason = np.zeros(size, dtype=np.int64), np.zeros(size, dtype=np.int64)
        exit_at[at] = filled_at
        reason[at] = fills[:, columns.FILL_REASON].astype(np.int64)
        sums = OpenTrades(
            key=trades.key,
            symbol_id=trades.symbol_id,
            decided_at=trades.decided_at,
            entry_at=entry_at,
            bought=_added(trades.bought, at[~selling], quantity[~selling]),
            cost=_added(trades.cost, at[~selling], value[~selling]),
            proceeds=_added(trades.proceeds, at[selling], value[selling]),
            fees=_added(trades.fees, at, fills[:, columns.FILL_FEE]),
        )
        over = np.searchsorted(trades.key, _keys(written.end_of, written.end_signals))
        stays = np.ones(size, dtype=np.bool_)
        stays[over] = False
        self.accounts.open = sums.take(stays)
        done = over[sums.bought[over] > 0.0]
        return _closed(sums.take(done), exit_at[done], reason[done])

    def _count(self, closed: ClosedTrades) -> None:
        for since in (self.accounts.hour, self.accounts.day):
            since[:, SINCE_TRADES] += np.bincount(closed.account, minlength=len(self.accounts))
            np.add.at(since[:, SINCE_RETURNS], closed.account, closed.returns)


def _paper(verdicts: Ints, accounts: int, fills_a_desk: int, fills_in_all: int) -> Written:
    return Written(
        scratch=Record(
            verdicts=verdicts,
            fills=np.zeros((fills_a_desk, columns.FILL_SIZE)),
            ends=np.zeros((fills_a_desk, columns.END_SIZE)),
        ),
        fill_of=np.zeros(fills_in_all, dtype=np.int64),
        fills=np.zeros((fills_in_all, columns.FILL_SIZE)),
        end_of=np.zeros(fills_in_all, dtype=np.int64),
        end_signals=np.zeros(fills_in_all, dtype=np.int64),
        equity=np.zeros(accounts),
        counts=np.zeros(2, dtype=np.int64),
    )


def _marks(after: int, until: int) -> list[int]:
    """Return the full hours in (after, until], and `until` itself."""
    hours = list(range(after // HOUR * HOUR + HOUR, until + 1, HOUR))
    return hours if hours and hours[-1] == until else [*hours, until]


def _period(since: Floats, equity: Floats, moment: int) -> Period:
    """Return what the accounts did since the last mark, and begin a new period in `since`."""
    before = since[:, SINCE_EQUITY]
    # An account that is ruined earns nothing any more.
    returns = np.divide(equity - before, before, out=np.zeros(len(equity)), where=before > 0.0)
    period = Period(
        ends_at=moment,
        returns=returns,
        trades=since[:, SINCE_TRADES].copy(),
        trade_returns=since[:, SINCE_RETURNS].copy(),
    )
    since[:, :SINCE_SIZE] = 0.0
    since[:, SINCE_EQUITY] = equity
    return period


def _keys(desks: Ints, signals: Ints) -> Ints:
    return (desks << DESK_BITS) | signals


def _added(sums: Floats, rows: Ints, values: Floats) -> Floats:
    total = sums.copy()
    # One after the other and from what there is, so that it makes no difference where a run ended.
    np.add.at(total, rows, values)
    return total


def _closed(trades: OpenTrades, exit_at: Ints, reason: Ints) -> ClosedTrades:
    pnl = trades.proceeds - trades.cost - trades.fees
    return ClosedTrades(
        account=trades.key >> DESK_BITS,
        symbol_id=trades.symbol_id,
        decided_at=trades.decided_at,
        entry_at=trades.entry_at,
        exit_at=exit_at,
        entry_price=trades.cost / trades.bought,
        exit_price=trades.proceeds / trades.bought,
        quantity=trades.bought,
        pnl=pnl,
        fees=trades.fees,
        returns=pnl / trades.cost,
        reason=reason,
    )


def _concatenated(parts: Sequence[ClosedTrades]) -> ClosedTrades:
    joined: dict[str, Any] = {
        each.name: np.concatenate([getattr(part, each.name) for part in parts]) for each in fields(ClosedTrades)
    }
    return ClosedTrades(**joined)
