"""Paper: what does an account hold, what did it earn, and where?"""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta
from typing import Any

from nicegui import ui
from tracker.store.pages.paper import (
    AccountFigures,
    EquityPoint,
    Lock,
    PositionRow,
    RestingOrder,
    StrategyFigures,
    SymbolFigures,
    TradePage,
    read_account_figures,
    read_equity,
    read_locks,
    read_positions,
    read_resting_orders,
    read_strategy_figures,
    read_symbol_figures,
    read_trade_page,
)

from services.dashboard import formats
from services.dashboard.charts.equity import equity_options
from services.dashboard.context import PageContext
from services.dashboard.elements.columns import Column
from services.dashboard.elements.command import CommandButton
from services.dashboard.elements.controls import chooser, toggle
from services.dashboard.elements.grid import Grid
from services.dashboard.elements.parts import Stat, empty, section
from services.dashboard.elements.sent_chart import SentChart
from services.dashboard.elements.small_table import SmallTable
from services.dashboard.reader import Question, Watch

FIGURES = Question(read=read_account_figures)
LOCKS = Question(read=read_locks, seconds=2.0)
POSITIONS = Question(read=read_positions)
RESTING = Question(read=read_resting_orders)
TRADES = Question(read=read_trade_page, seconds=10.0)
EQUITY = Question(read=read_equity, seconds=15.0)
STRATEGIES = Question(read=read_strategy_figures, seconds=30.0, with_bars=False)
SYMBOLS = Question(read=read_symbol_figures, seconds=30.0, with_bars=False)
SPANS = {"1 d": timedelta(days=1), "7 d": timedelta(days=7), "30 d": timedelta(days=30), "all": None}
POINTS = 500
ENDLESS = timedelta(days=365)
TRADES_A_PAGE = 15
EVERY = "all"
STATES = {
    "ACTIVE": ("buys and sells", "good"), "REDUCING": ("buys nothing", "warn"), "HALTED": ("sells everything", "bad"),
}  # fmt: skip

POSITION_COLUMNS = (
    Column(name="symbol", label="Symbol"), Column(name="unrealised_pnl", label="Unrealised", look="signed"),
    Column(name="unrealised_return", label="Return", look="signed_percent"),
    Column(name="last_price", label="Last", look="price"), Column(name="average_price", label="Average", look="price"),
    Column(name="stop_price", label="Stop", look="price"), Column(name="to_stop", label="To stop", look="percent"),
    Column(name="target_price", label="Target", look="price"),
    Column(name="to_target", label="To target", look="percent"),
    Column(name="loss_at_stop", label="Lost at stop", look="money"), Column(name="rungs", label="Rungs"),
    Column(name="strategy", label="Strategy"), Column(name="state", label="State", look="words"),
    Column(name="opened_at", label="Since", look="moment"),
)  # fmt: skip
LOCK_COLUMNS = (
    Column(name="protection", label="Protection", look="words"), Column(name="what", label="Of"),
    Column(name="until", label="Until", look="moment"), Column(name="note", label="Why"),
)  # fmt: skip
RESTING_COLUMNS = (
    Column(name="symbol", label="Symbol"), Column(name="strategy", label="Strategy"),
    Column(name="leg", label="Leg", look="words"), Column(name="side", label="Side"),
    Column(name="limit_price", label="Limit", look="price"), Column(name="quantity", label="Quantity", look="number"),
    Column(name="notional", label="Worth", look="money"), Column(name="filled_share", label="Filled", look="percent"),
    Column(name="placed_at", label="Placed", look="moment", hint="note"),
)  # fmt: skip
TRADE_COLUMNS = (
    Column(name="exit_time", label="Out", look="moment"), Column(name="symbol", label="Symbol"),
    Column(name="pnl", label="P&L net", look="signed"),
    Column(name="net_return", label="Return", look="signed_percent"),
    Column(name="r_multiple", label="R", look="signed"), Column(name="exit_reason", label="Why", look="words"),
    Column(name="strategy", label="Strategy"), Column(name="entry_price", label="Entry", look="price"),
    Column(name="exit_price", label="Exit", look="price"), Column(name="quantity", label="Quantity", look="number"),
    Column(name="fees", label="Fees", look="money"), Column(name="held_seconds", label="Held", look="seconds"),
    Column(name="confidence", label="Confidence", look="percent"),
)  # fmt: skip
STRATEGY_COLUMNS = (
    Column(name="strategy", label="Strategy"), Column(name="trades", label="Trades", look="count"),
    Column(name="win_rate", label="Won", look="percent"), Column(name="pnl", label="P&L net", look="signed"),
    Column(name="expectancy", label="A trade", look="signed"),
    Column(name="profit_factor", label="Profit factor", look="number"),
    Column(name="mean_r", label="Mean R", look="signed"),
    Column(name="return_lower_bound", label="Return \u2265", look="signed_percent"),
    Column(name="fees", label="Fees", look="money"),
)  # fmt: skip
SYMBOL_COLUMNS = (
    Column(name="symbol", label="Symbol", width=110), Column(name="pnl", label="P&L net", look="signed", width=100),
    Column(name="trades", label="Trades", look="count", width=78),
    Column(name="win_rate", label="Won", look="percent", width=78),
    Column(name="expectancy", label="A trade", look="signed", width=90),
    Column(name="worst", label="Worst", look="signed", width=90),
    Column(name="best", label="Best", look="signed", width=90),
)  # fmt: skip


async def build(page: PageContext) -> None:
    """Build the page."""
    if page.account is None:
        with section("Account"):
            empty(
                "There is no paper account yet.",
                "The paper trader opens its accounts with the first minute that it acts on: `tracker up` starts it, and"
                " the page Fleet says how it is.",
            )
        return
    await _figures(page, page.account)
    await _restraints(page, page.account)
    await _equity(page, page.account)
    await _held(page, page.account)
    await _performance(page, page.account)
    await _Trades(page, page.account).build()


async def _figures(page: PageContext, account: str) -> None:
    with section(f"Account {account}"), ui.element("div").classes("stats eight"):
        equity, today = Stat(f"Equity {page.currency}"), Stat("P&L today")
        unrealised, cash = Stat("Unrealised"), Stat("Cash")
        drawdown, fees = Stat("Drawdown"), Stat("Fees")
        trades, state = Stat("Trades"), Stat("May trade")

    def show(found: AccountFigures | None) -> None:
        if found is None or found.equity is None:
            state.show("Waits", "for its first minute")
            return
        equity.show(formats.money(found.equity), f"{formats.signed_percent(found.net_return)} since opened")
        today.show(
            formats.signed(found.pnl_today), formats.signed_percent(found.return_today), formats.tone(found.pnl_today)
        )
        unrealised.show(
            formats.signed(found.unrealised_pnl), f"{formats.count(found.open_positions)} open positions",
            formats.tone(found.unrealised_pnl),
        )  # fmt: skip
        cash.show(formats.money(found.cash), f"{formats.money(found.positions_value)} in positions")
        drawdown.show(formats.percent(found.drawdown, 2), "from the highest so far")
        fees.show(formats.money(found.fees), "since opened")
        share = formats.percent(found.wins / found.trades) if found.trades else formats.NONE
        trades.show(formats.count(found.trades), f"{share} won; today {formats.count(found.trades_today)}")
        said, tone = STATES.get(found.state or "", ("", "plain"))
        state.show((found.state or formats.NONE).capitalize(), said, tone)

    await page.reader.watch(show, FIGURES, account)


async def _restraints(page: PageContext, account: str) -> None:
    with section("What holds it back", span=8):
        locks = SmallTable(LOCK_COLUMNS, "Nothing: new trades are let through as far as the risk rules go.")
    with section("Commands", span=4, note="" if page.token else page.how_to_command):
        with ui.element("div").classes("commands"):
            CommandButton(
                page, "Halt", "halt", account, "Nothing is bought any more; what is held goes on towards its exits.",
                icon="pause_circle",
            )  # fmt: skip
            CommandButton(
                page, "Resume", "resume", account,
                "Everything that holds new trades back ends, but for paused strategies.", icon="play_circle",
            )  # fmt: skip
            CommandButton(
                page, "Flatten", "flatten", account, "Everything that is held is sold at the next opens.",
                icon="sell", grave=True,
            )  # fmt: skip

    def show(found: tuple[Lock, ...]) -> None:
        locks.set_rows(lock_row(each) for each in found)

    await page.reader.watch(show, LOCKS, account)


async def _equity(page: PageContext, account: str) -> None:
    with section("Equity and drawdown", note="event time"):
        with ui.element("div").classes("controls"):
            span = toggle(list(SPANS), "7 d")
        nothing = empty(
            "No equity in this time.",
            "The paper trader writes a point with each closed minute, from the first on that it has acted on.",
        )
        chart = SentChart(320)

    def show(points: tuple[EquityPoint, ...]) -> None:
        nothing.set_visibility(not points)
        chart.place.set_visibility(bool(points))
        if points:
            chart.draw(equity_options(points))

    watch = await page.reader.watch(show, EQUITY, account, SPANS[span.value], POINTS)
    span.on_value_change(lambda event: watch.ask_for(EQUITY, account, SPANS[event.value], POINTS))


async def _held(page: PageContext, account: str) -> None:
    with section("Positions"):
        positions = SmallTable(POSITION_COLUMNS, "Nothing is held. The page Strategies says how far the looks come.")
    with section("Resting orders"):
        resting = SmallTable(RESTING_COLUMNS, "No order rests: rungs of a ladder and targets do while it is held.")

    def show_positions(rows: tuple[PositionRow, ...]) -> None:
        positions.set_rows(position_row(each) for each in rows)

    def show_resting(rows: tuple[RestingOrder, ...]) -> None:
        resting.set_rows(asdict(each) for each in rows)

    await page.reader.watch(show_positions, POSITIONS, account)
    await page.reader.watch(show_resting, RESTING, account)


async def _performance(page: PageContext, account: str) -> None:
    with section("By strategy", span=7, note="finished trades; return \u2265: the mean at 95%"):
        strategies = SmallTable(STRATEGY_COLUMNS, "No trade has closed yet.")
    with section("By symbol", span=5, note="finished trades"):
        symbols = Grid(SYMBOL_COLUMNS, "No trade has closed yet.", row_id="symbol", height=300)

    def show_strategies(rows: tuple[StrategyFigures, ...]) -> None:
        strategies.set_rows(strategy_row(each) for each in rows)

    def show_symbols(rows: tuple[SymbolFigures, ...]) -> None:
        symbols.set_rows(asdict(each) for each in rows)

    await page.reader.watch(show_strategies, STRATEGIES, account)
    await page.reader.watch(show_symbols, SYMBOLS, account)


class _Trades:
    """Finished trades, page by page: an account may have thousands, of which a viewer holds a few."""

    def __init__(self, page: PageContext, account: str) -> None:
        self._page = page
        self._account = account
        self._first = 0
        self._watch: Watch[TradePage] | None = None

    async def build(self) -> None:
        known = await self._page.reader.ask(STRATEGIES, self._account)
        traded = await self._page.reader.ask(SYMBOLS, self._account)
        with section("Trades"):
            with ui.element("div").classes("controls"):
                self._symbol = chooser(
                    "Symbol", [EVERY, *sorted(each.symbol for each in traded)], EVERY, self._from_start, typed=True
                )
                self._strategy = chooser(
                    "Strategy", [EVERY, *sorted(each.strategy for each in known)], EVERY, self._from_start
                )
                with ui.element("div").classes("pager"):
                    self._newer = ui.button(icon="chevron_left", on_click=lambda: self._turn(-TRADES_A_PAGE))
                    self._place = ui.label().classes("quiet")
                    self._older = ui.button(icon="chevron_right", on_click=lambda: self._turn(TRADES_A_PAGE))
                self._newer.props("flat round dense aria-label=Newer")
                self._older.props("flat round dense aria-label=Older")
            self._table = SmallTable(TRADE_COLUMNS, "No trade has closed yet.")
        self._watch = await self._page.reader.watch(self._show, TRADES, *self._asked())

    def _asked(self) -> tuple[Any, ...]:
        chosen = (None if each.value in (EVERY, None) else each.value for each in (self._symbol, self._strategy))
        return (self._account, *chosen, self._first, TRADES_A_PAGE)

    async def _from_start(self) -> None:
        self._first = 0
        await self._ask()

    async def _turn(self, by: int) -> None:
        self._first = max(self._first + by, 0)
        await self._ask()

    async def _ask(self) -> None:
        if self._watch is not None:
            await self._watch.ask_for(TRADES, *self._asked())

    def _show(self, page: TradePage) -> None:
        self._table.set_rows(asdict(each) for each in page.rows)
        last = self._first + len(page.rows)
        self._place.set_text(f"{self._first + 1 if page.rows else 0}\u2013{last} of {formats.count(page.total)}")
        self._newer.set_enabled(self._first > 0)
        self._older.set_enabled(last < page.total)


def lock_row(lock: Lock) -> dict[str, Any]:
    """Return a lock as a row; one of years is one until somebody ends it."""
    row = asdict(lock) | {"what": lock.symbol or lock.strategy or "all of it"}
    if lock.until - lock.locked_at < ENDLESS:
        return row
    return row | {"until": None, "note": f"{lock.note}; until somebody ends it"}


def strategy_row(figures: StrategyFigures) -> dict[str, Any]:
    """Return a strategy's figures as a row."""
    factor = figures.profit_factor
    return asdict(figures) | {"profit_factor": None if factor is None else round(factor, 2)}


def position_row(position: PositionRow) -> dict[str, Any]:
    """Return a position as a row: why it is being left where it is, its filled rungs of all that were placed."""
    rungs = f"{position.rungs_filled} of {position.rungs}"
    state = position.status if position.leaving is None else f"leaving: {position.leaving}"
    return asdict(position) | {"rungs": rungs, "state": state}
