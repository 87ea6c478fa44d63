"""The accounts of many variations side by side, and the bytes in which they are kept from close to close."""

from __future__ import annotations

import json
import math
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from tracker.domain.errors import SchemaError
from tracker.quant import risk_rules
from tracker.quant.backtest.trading import limits_of
from tracker.quant.bars import Bools, Floats, Ints
from tracker.quant.bulk import desk as columns
from tracker.quant.bulk.desk import Desk, new_desk
from tracker.quant.paper import TradingRules
from tracker.quant.risk_rules import Guard

VERSION = 1
# Variations whose accounts are kept together.
BLOCK = 250
# A trade's name among those of all desks: the desk above, its signal's number below.
DESK_BITS = 40

# What a period has brought so far, columns of `hour` and `day`: the equity at its begin, closed trades, and the sum of
# their returns.
SINCE_EQUITY = 0
SINCE_TRADES = 1
SINCE_RETURNS = 2
SINCE_SIZE = 3

_STACKED = ("trades", "rungs", "slots", "values", "order", "sums", "counters")
# Of the guard, what is by symbol; what a lock was set at (`seen`) decides nothing and is not kept.
_BY_SYMBOL = ("locks", "since")
_BY_SLOT = ("trades", "rungs", "slots", "values")


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenTrades:
    """Trades that were taken and have not ended, by desk and signal: columns (n,), sums over their fills so far.

    `key` int64 holds desk and signal number; times int64 in Unix seconds, `entry_at` 0 before the first fill.
    """

    key: Ints
    symbol_id: Ints
    decided_at: Ints
    entry_at: Ints
    bought: Floats
    cost: Floats
    proceeds: Floats
    fees: Floats

    def take(self, rows: Any) -> OpenTrades:
        """Return some of the trades."""
        return OpenTrades(**{each.name: getattr(self, each.name)[rows] for each in fields(self)})


@dataclass(slots=True, kw_only=True)
class Accounts:
    """V accounts: their desks side by side, returns since the last hour and day (V, SINCE_SIZE), and open trades.

    Fields of `desks` have a first axis of V, but for the scratch `out` and `used`.
    """

    desks: Desk
    hour: Floats
    day: Floats
    open: OpenTrades

    def __len__(self) -> int:
        """Return the number of accounts."""
        return int(self.hour.shape[0])

    def copy(self) -> Accounts:
        """Return the same accounts, to go back to."""
        return Accounts(
            desks=with_arrays(self.desks, {name: each.copy() for name, each in arrays_of(self.desks).items()}),
            hour=self.hour.copy(),
            day=self.day.copy(),
            open=self.open,
        )


def arrays_of(desks: Desk) -> dict[str, Any]:
    """Return all arrays of desks by name, those of the guard as guard_marks and so on."""
    named: dict[str, Any] = desks._asdict()
    guard: Guard = named.pop("guard")
    return {**named, **{f"guard_{name}": each for name, each in guard._asdict().items()}}


def with_arrays(desks: Desk, arrays: Mapping[str, Any]) -> Desk:
    """Return desks with other arrays, named as arrays_of does it."""
    guard = {name.removeprefix("guard_"): each for name, each in arrays.items() if name.startswith("guard_")}
    own = {name: each for name, each in arrays.items() if not name.startswith("guard_")}
    return desks._replace(**own, guard=desks.guard._replace(**guard))


def recent_closed(desks: Desk, limits: Floats) -> tuple[Floats, Ints]:
    """Return the closed trades that the guards may still look at, (V, K, CLOSED_SIZE), and how many each has."""
    guard = desks.guard
    window = np.maximum(limits[:, risk_rules.STREAK_WINDOW], limits[:, risk_rules.LOW_WINDOW]) + risk_rules.DAY_SECONDS
    oldest = desks.counters[:, columns.REACHED] - window
    size = int(guard.closed.shape[1])
    kept = (np.arange(size) < guard.counts) & (guard.closed[:, :, risk_rules.CLOSED_AT] > oldest[:, np.newaxis])
    # Those that are kept move to the front, in their order.
    order = np.argsort(~kept, axis=1, kind="stable")
    closed: Any = np.where(kept[:, :, np.newaxis], guard.closed, 0.0)
    counts = np.zeros_like(guard.counts)
    counts[:, 0] = [int(np.count_nonzero(each)) for each in kept]
    return np.take_along_axis(closed, order[:, :, np.newaxis], axis=1), counts


def no_trades() -> OpenTrades:
    """Return no open trades."""
    whole, real = np.empty(0, dtype=np.int64), np.empty(0)
    return OpenTrades(
        key=whole, symbol_id=whole, decided_at=whole, entry_at=whole, bought=real, cost=real, proceeds=real, fees=real
    )


def joined_trades(parts: Sequence[OpenTrades]) -> OpenTrades:
    """Return all the trades by their key."""
    columns_of: dict[str, Any] = {
        each.name: np.concatenate([getattr(part, each.name) for part in parts]) for each in fields(OpenTrades)
    }
    return OpenTrades(**columns_of).take(np.argsort(columns_of["key"], kind="stable"))


def open_accounts(rules: Sequence[TradingRules], rungs: int, symbols: int) -> Accounts:
    """Return new accounts under these rules, each with its starting cash."""
    slots = max(each.risk.limits.max_open_positions for each in rules)
    singles = [new_desk(slots, rungs, symbols, each.paper.account.start_cash, 0) for each in rules]
    stacked = {name: np.stack([getattr(each, name) for each in singles]) for name in _STACKED}
    guard = Guard(*(np.stack(each) for each in zip(*(single.guard for single in singles), strict=True)))
    # What a lock was set at is nobody's business here: all write it to the same place.
    guard = guard._replace(seen=singles[0].guard.seen)
    since = np.zeros((len(rules), SINCE_SIZE))
    since[:, SINCE_EQUITY] = [each.paper.account.start_cash for each in rules]
    return Accounts(
        desks=Desk(**stacked, out=singles[0].out, used=singles[0].used, guard=guard),
        hour=since,
        day=since.copy(),
        open=no_trades(),
    )


def rungs_of(params: Sequence[Any]) -> int:
    """Return for how many rungs the desks need room; a rule that has no such parameter gets more when it asks."""
    return max((int(getattr(each, "rungs", 0)) for each in params), default=0)


def longest_memory(rules: Sequence[TradingRules]) -> TradingRules:
    """Return the rules that look furthest back for symbols that move together: a market for all reaches as far."""
    return max(rules, key=lambda each: each.risk.limits.cluster_hours)


def limits_and_costs(rules: Sequence[TradingRules]) -> tuple[Floats, Floats]:
    """Return the limits (V, LIMIT_SIZE) and the costs of trading (V, RULES_SIZE) of many accounts."""
    return (
        np.array([limits_of(each) for each in rules]),
        np.array([each.paper.execution.numbers() for each in rules]),
    )


def packed(accounts: Accounts, limits: Floats, numbers: Ints, symbols: Sequence[str]) -> dict[int, bytes]:
    """Return the accounts as bytes by block; `numbers` int64 (V,) ascending, `symbols` the names of the market's rows.

    `limits` (V, LIMIT_SIZE) are those of the accounts. The same accounts give the same bytes.
    """
    plain = {name: getattr(accounts.desks, name).copy() for name in _STACKED}
    live = _live(accounts.desks)
    for name in _BY_SLOT:
        plain[name][~live] = 0
    plain["sums"][:, np.arange(columns.SUM_SIZE) != columns.SUM_CASH] = 0
    # Where a desk stands in bars and signals is found anew; how many signals it has had in all is kept.
    plain["slots"][:, :, (columns.SLOT_NEXT, columns.SLOT_NEWS)] = 0
    plain["counters"][:, columns.BASE] += plain["counters"][:, columns.UPCOMING]
    plain["counters"][:, (columns.UPCOMING, columns.FILLED, columns.ENDED)] = 0
    plain["hour"], plain["day"] = accounts.hour, accounts.day
    plain["marks"] = accounts.desks.guard.marks
    closed, counts = recent_closed(accounts.desks, limits)
    desks = accounts.open.key >> DESK_BITS
    found: dict[int, bytes] = {}
    for block in np.unique(numbers // BLOCK).tolist():
        rows = np.flatnonzero(numbers // BLOCK == block)
        own = accounts.open.take((desks >= rows[0]) & (desks <= rows[-1]))
        arrays = {name: values[rows] for name, values in plain.items()}
        arrays["numbers"] = numbers[rows]
        arrays["closed_counts"] = counts[rows]
        arrays["closed"] = closed[rows][np.arange(closed.shape[1]) < counts[rows]]
        for name in _BY_SYMBOL:
            arrays |= _sparse(name, getattr(accounts.desks.guard, name)[rows])
        arrays |= {f"open_{each.name}": getattr(own, each.name) for each in fields(OpenTrades)}
        # Desks are counted from the first of the block, so that its bytes depend on nothing before it.
        arrays["open_key"] = own.key - (int(rows[0]) << DESK_BITS)
        found[int(block)] = _bytes(arrays, symbols)
    return found


def restore(
    accounts: Accounts, numbers: Ints, going_on: Ints, blocks: Sequence[bytes], symbols: Sequence[str]
) -> Accounts:
    """Return the accounts as they were kept for the numbers `going_on`, for the rest of `numbers` as they are.

    Raises SchemaError where a symbol that is traded in is no longer there.
    """
    opened: list[OpenTrades] = []
    for block in blocks:
        arrays, names = _arrays(block)
        both: Ints = np.intersect1d(arrays["numbers"], going_on)
        kept, mine = np.searchsorted(arrays["numbers"], both), np.searchsorted(numbers, both)
        accounts = fitted(accounts, arrays["trades"].shape[1], arrays["rungs"].shape[2])
        _renumber(arrays, names, symbols)
        for name in _STACKED:
            _place(getattr(accounts.desks, name), mine, arrays[name][kept], name)
        accounts.hour[mine], accounts.day[mine] = arrays["hour"][kept], arrays["day"][kept]
        _guard(accounts, arrays, kept, mine, [symbols.index(name) if name in symbols else -1 for name in names])
        opened.append(_moved(arrays, kept, mine))
    if opened:
        accounts.open = joined_trades(opened)
    return accounts


def _sparse(name: str, values: Any) -> dict[str, Any]:
    """Return where an array is not 0, and what it is there: of thousands of accounts few symbols are locked."""
    places = np.nonzero(values)
    whole = [np.asarray(each, dtype=np.int32) for each in places]
    return {f"{name}_at": np.stack(whole), f"{name}_value": values[places]}


def _guard(accounts: Accounts, arrays: Mapping[str, Any], kept: Ints, mine: Ints, moved: Sequence[int]) -> None:
    """Take over what the accounts remember; `moved` says which row each symbol has now, -1 for none."""
    guard = accounts.desks.guard
    guard.marks[mine] = arrays["marks"][kept]
    places = np.full(len(arrays["numbers"]), -1, dtype=np.int64)
    places[kept] = mine
    rows = np.array([*moved, guard.locks.shape[1] - 1], dtype=np.int64)
    for name in _BY_SYMBOL:
        account, symbol, protection = arrays[f"{name}_at"]
        there = (places[account] >= 0) & (rows[symbol] >= 0)
        into: Any = getattr(guard, name)
        into[places[account][there], rows[symbol][there], protection[there]] = arrays[f"{name}_value"][there]
    counts = arrays["closed_counts"]
    missing = int(counts.max(initial=0)) - guard.closed.shape[1]
    closed = np.pad(guard.closed, ((0, 0), (0, max(missing, 0)), (0, 0)))
    ends = np.cumsum(counts[:, 0])
    for old, new in zip(kept.tolist(), mine.tolist(), strict=True):
        own: Any = arrays["closed"][ends[old] - counts[old, 0] : ends[old]]
        own[:, risk_rules.CLOSED_SYMBOL] = rows[own[:, risk_rules.CLOSED_SYMBOL].astype(np.int64)]
        closed[new, : len(own)] = own
        guard.counts[new] = len(own)
    accounts.desks = accounts.desks._replace(guard=guard._replace(closed=closed))


def _live(desks: Desk) -> Bools:
    """Return which slots (V, L) hold a live trade."""
    count, slots = desks.order.shape
    live = np.zeros((count, slots), dtype=np.bool_)
    for row, living in enumerate(desks.counters[:, columns.LIVE].tolist()):
        live[row, desks.order[row, :living]] = True
    return live


def fitted(accounts: Accounts, slots: int, rungs: int) -> Accounts:
    """Return the accounts with room for at least so many trades and rungs."""
    desks = accounts.desks
    old_slots, old_rungs = desks.trades.shape[1], desks.rungs.shape[2]
    more, longer = max(slots - old_slots, 0), max(rungs - old_rungs, 0)
    if not more and not longer:
        return accounts
    wider: dict[str, Any] = {}
    for name in _BY_SLOT:
        values = getattr(desks, name)
        pad = [(0, 0), (0, more)] + [(0, 0)] * (values.ndim - 2)
        if name == "rungs":
            pad[2] = (0, longer)
        wider[name] = np.pad(values, pad)
    extra = np.zeros((len(accounts), more), dtype=np.int64)
    extra[:] = np.arange(old_slots, old_slots + more)
    wider["order"] = np.concatenate((desks.order, extra), axis=1)
    wider["out"] = np.pad(desks.out, ((0, longer), (0, 0)))
    accounts.desks = desks._replace(**wider)
    return accounts


def _place(into: Any, rows: Ints, values: Any, name: str) -> None:
    """Write kept rows into arrays that may be wider; slots beyond the kept ones follow in the order."""
    wide = np.zeros((len(rows), *into.shape[1:]), dtype=into.dtype)
    if name == "order":
        wide[:] = np.arange(into.shape[1])
    wide[tuple(slice(size) for size in values.shape)] = values
    into[rows] = wide


def _renumber(arrays: Mapping[str, Any], names: Sequence[str], symbols: Sequence[str]) -> None:
    """Give the live trades' symbols the rows that they have now."""
    if list(names) == list(symbols):
        return
    place = {name: row for row, name in enumerate(symbols)}
    rows = np.array([place.get(name, -1) for name in names], dtype=np.int64)
    slots = arrays["slots"]
    live = arrays["trades"].any(axis=2)
    moved = rows[slots[:, :, columns.SLOT_SYMBOL]] if len(rows) else slots[:, :, columns.SLOT_SYMBOL]
    if (moved[live] < 0).any():
        gone = names[int(slots[:, :, columns.SLOT_SYMBOL][live & (moved < 0)][0])]
        raise SchemaError(f"the shadow trades in {gone}, which is no symbol any more")
    slots[:, :, columns.SLOT_SYMBOL] = np.where(live, moved, 0)


def _moved(arrays: Mapping[str, Any], kept: Ints, mine: Ints) -> OpenTrades:
    """Return a block's open trades under the places of their accounts now; those of accounts that are gone go too."""
    own = OpenTrades(**{each.name: arrays[f"open_{each.name}"] for each in fields(OpenTrades)})
    places = np.full(len(arrays["numbers"]), -1, dtype=np.int64)
    places[kept] = mine
    desk = places[own.key >> DESK_BITS]
    signal = own.key & ((1 << DESK_BITS) - 1)
    stays = desk >= 0
    return replace(own, key=(desk << DESK_BITS) | signal).take(stays)


def _bytes(arrays: Mapping[str, Any], symbols: Sequence[str]) -> bytes:
    layout = [[name, str(each.dtype), list(each.shape)] for name, each in arrays.items()]
    text = json.dumps({"symbols": list(symbols), "arrays": layout}).encode()
    parts = [len(text).to_bytes(4, "little"), text, *(np.ascontiguousarray(each).tobytes() for each in arrays.values())]
    return zlib.compress(b"".join(parts), level=1)


def _arrays(data: bytes) -> tuple[dict[str, Any], list[str]]:
    plain = zlib.decompress(data)
    size = int.from_bytes(plain[:4], "little")
    head: dict[str, Any] = json.loads(plain[4 : 4 + size])
    at = 4 + size
    found: dict[str, Any] = {}
    for name, kind, shape in head["arrays"]:
        values: Any = np.frombuffer(plain, np.dtype(kind), math.prod(shape), at).reshape(shape)
        found[name] = values.copy()
        at += int(values.nbytes)
    return found, head["symbols"]


