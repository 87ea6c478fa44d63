"""What the paper trader reads beside its ledger, how far it has come, and whether its ledger adds up."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, localcontext

from tracker.domain.candle import Candle
from tracker.domain.money import EXACT
from tracker.domain.signal import Regime, Side, Signal, Strategy, Volatility
from tracker.domain.timeframe import Timeframe
from tracker.store.database import Row, Transaction

PAPER_CHANNEL = "tracker_paper"


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperCursor:
    """The ledger's event time: everything up to `processed_through` has been acted on."""

    started_at: datetime
    processed_through: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanWatermark:
    """How far a strategy has scanned the closes of its timeframe."""

    timeframe: Timeframe
    closed_through: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerCheck:
    """Whether the ledger's running columns are what its fills and events say.

    `difference` is the sum of all absolute differences, in quote currency and, for quantities, base
    currency: 0 where all is well. `findings` names each kind that is not.
    """

    ok: bool
    difference: Decimal
    findings: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperSummary:
    """An account in numbers; money in quote currency, `realised_pnl` gross of `fees`.

    `orders` counts all of them, `refused` those among them that were never placed.
    """

    orders: int
    refused: int
    fills: int
    closed_trades: int
    open_positions: int
    start_cash: Decimal
    cash: Decimal
    realised_pnl: Decimal
    unrealised_pnl: Decimal
    fees: Decimal
    final_equity: Decimal


async def start_cursor(
    transaction: Transaction, account: str, started_at: datetime, processed_through: datetime
) -> None:
    """Begin a ledger's event time; one that has begun is left alone."""
    await transaction.execute("paper.start_cursor", account, started_at, processed_through)


async def lock_cursor(transaction: Transaction, account: str) -> PaperCursor | None:
    """Return how far a ledger has come, locked until the transaction ends; None before its start."""
    row = await transaction.fetch_row("paper.lock_cursor", account)
    return None if row is None else PaperCursor(**dict(row))


async def advance_cursor(transaction: Transaction, account: str, processed_through: datetime) -> None:
    """Declare every minute up to a moment processed."""
    await transaction.execute("paper.advance_cursor", account, processed_through)


async def read_scan_watermarks(transaction: Transaction) -> dict[Strategy, ScanWatermark]:
    """Return how far each strategy has scanned."""
    return {
        Strategy(row["strategy"]): ScanWatermark(
            timeframe=Timeframe(row["timeframe"]), closed_through=row["closed_through"]
        )
        for row in await transaction.fetch("paper.scan_watermarks")
    }


async def read_signals(transaction: Transaction, after: datetime, through: datetime) -> list[Signal]:
    """Return the signals decided in (after, through], by time, symbol and strategy."""
    return [_signal(row) for row in await transaction.fetch("paper.signals", after, through)]


async def read_late_signals(
    transaction: Transaction,
    account: str,
    since: datetime,
    through: datetime,
    strategies: Collection[str] | None = None,
) -> list[Signal]:
    """Return the signals of some strategies, or of all, decided in [since, through] that no order answers."""
    only = None if strategies is None else list(strategies)
    return [_signal(row) for row in await transaction.fetch("paper.late_signals", account, since, through, only)]


async def read_candles(
    transaction: Transaction, symbols: Mapping[Timeframe, Collection[int]], after: datetime, through: datetime
) -> dict[int, dict[int, Candle]]:
    """Return the bars that close in (after, through], by symbol and by close time in Unix seconds.

    `symbols` names the ids to read in each timeframe.
    """
    candles: dict[int, dict[int, Candle]] = {}
    for timeframe, ids in symbols.items():
        length = timeframe.seconds
        rows = await transaction.fetch(
            "paper.bars",
            list(ids),
            timeframe.value,
            timeframe.floor(after),
            timeframe.floor(through),
        )
        for symbol_id, ts, *prices in rows:
            candles.setdefault(symbol_id, {})[ts + length] = Candle(ts, *prices)
    return candles


async def paper_summary(transaction: Transaction, account: str = "paper") -> PaperSummary | None:
    """Return an account in numbers, or None where it was never opened."""
    money = await transaction.fetch_row("paper.summary_money", account)
    counts = await transaction.fetch_row("paper.summary_counts", account)
    if money is None or counts is None:
        return None
    with localcontext(EXACT):
        equity = money["cash"] + money["positions_value"]
    return PaperSummary(
        **dict(counts),
        start_cash=money["start_cash"],
        cash=money["cash"],
        realised_pnl=money["realised_pnl"],
        unrealised_pnl=money["unrealised_pnl"],
        fees=money["fees"],
        final_equity=equity,
    )


async def see_one_moment(transaction: Transaction) -> None:
    """Let a transaction that has read nothing yet see one moment throughout, and write nothing."""
    await transaction.execute("paper.one_snapshot")


async def ledger_check(transaction: Transaction, account: str = "paper") -> LedgerCheck:
    """Compare every running column of an account with what its fills and events say, alone and as double entry."""
    found: dict[str, Decimal] = {}
    with localcontext(EXACT):
        row = await transaction.fetch_row("paper.check_account", account)
        if row is None:
            return LedgerCheck(ok=True, difference=Decimal(0), findings=())
        positions = await transaction.fetch_row("paper.check_positions", account)
        if positions is not None:
            _check_positions(positions, found)
            _check_account(row, positions["value"] - positions["held_cost"], positions["value"], found)
        orders = await transaction.fetch_row("paper.check_orders", account)
        if orders is not None:
            _note(found, "orders.filled_quantity", orders["difference"])
            _note(found, "orders filled beyond their size", Decimal(orders["overfilled"]))
        _note(found, "equity_curve", await transaction.fetch_value("paper.check_equity", account))
        _note(found, "journal rows", await transaction.fetch_value("paper.check_postings", account))
        for row in await transaction.fetch("paper.check_journal", account):
            _note(found, f"journal {row['ledger_account']}", row["difference"])
        wrong = {name: size for name, size in found.items() if size != 0}
        return LedgerCheck(
            ok=not wrong,
            difference=sum(wrong.values(), Decimal(0)),
            findings=tuple(f"{name}: {size}" for name, size in sorted(wrong.items())),
        )


def _check_account(row: Row, unrealised: Decimal, value: Decimal, found: dict[str, Decimal]) -> None:
    cash = row["capital"] + row["filled_flow"] - row["filled_fees"]
    _note(found, "accounts.cash", row["cash"] - cash)
    _note(found, "accounts.cash below 0", min(row["cash"], Decimal(0)))
    _note(found, "accounts.fees", row["fees"] - row["filled_fees"])
    identity = row["capital"] + row["realised_pnl"] + unrealised - row["fees"]
    _note(found, "cash + positions = capital + realised + unrealised - fees", row["cash"] + value - identity)


def _check_positions(row: Row, found: dict[str, Decimal]) -> None:
    for name in ("quantity", "cost", "fees"):
        _note(found, f"positions.{name}", row[name])
    _note(found, "closed positions without a trade, or trades without one", Decimal(row["unmatched"]))
    _note(found, "positions.realised_pnl", row["realised"])
    _note(found, "trade_logs.gross_pnl", row["gross"])
    _note(found, "trade_logs.pnl", row["pnl"])


def _note(found: dict[str, Decimal], name: str, difference: Decimal) -> None:
    found[name] = found.get(name, Decimal(0)) + abs(difference)


def _signal(row: Row) -> Signal:
    return Signal(
        strategy=Strategy(row["strategy"]),
        symbol_id=row["symbol_id"],
        decided_at=row["decided_at"],
        side=Side(row["side"]),
        entry=row["entry"],
        stop=row["stop"],
        target=row["target"],
        expires_at=row["expires_at"],
        strength=row["strength"],
        confirmations=row["confirmations"],
        ladder=tuple(row["ladder"]),
        size_weights=tuple(row["size_weights"]),
        target_fraction=row["target_fraction"],
        trail_distance=row["trail_distance"],
        break_even_distance=row["break_even_distance"],
        confidence=row["confidence"],
        model_id=row["model_id"],
        regime=Regime(row["market_regime"]),
        volatility=Volatility(row["volatility"]),
        config_hash=row["config_hash"],
        signal_id=row["signal_id"],
        priced_at=row["priced_at"],
    )
