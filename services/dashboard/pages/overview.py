"""Overview: is all well, and how do we stand today?"""

from __future__ import annotations

from collections.abc import Sequence

from nicegui import ui
from tracker.store.pages.overview import AccountFacts, FunnelStep, read_account_facts, read_funnel_today
from tracker.store.pages.shell import Account, read_accounts

from services.dashboard import formats, health_card
from services.dashboard.context import PageContext
from services.dashboard.elements.chart import BAD, GOOD, Chart, base, line, points, time_axis, value_axis
from services.dashboard.elements.columns import Column
from services.dashboard.elements.command import CommandButton
from services.dashboard.elements.parts import Stat, empty, section
from services.dashboard.elements.small_table import SmallTable
from services.dashboard.reader import Question

ACCOUNTS = Question(read=read_accounts)
ACCOUNT_FACTS = Question(read=read_account_facts)
FUNNEL = Question(read=read_funnel_today, seconds=20.0, with_bars=False)

POSITIONS = (
    Column(name="symbol", label="Symbol"), Column(name="strategy", label="Strategy"),
    Column(name="value", label="Value", look="money"), Column(name="average_price", label="Average", look="price"),
    Column(name="last_price", label="Last", look="price"), Column(name="stop_price", label="Stop", look="price"),
    Column(name="target_price", label="Target", look="price"),
    Column(name="unrealised_pnl", label="Unrealised", look="signed"),
    Column(name="unrealised_return", label="Return", look="signed_percent"),
)  # fmt: skip
TRADES = (
    Column(name="exit_time", label="Sold", look="moment"), Column(name="symbol", label="Symbol"),
    Column(name="strategy", label="Strategy"), Column(name="exit_reason", label="Why", look="words"),
    Column(name="held_seconds", label="Held", look="seconds"), Column(name="pnl", label="P&L net", look="signed"),
    Column(name="net_return", label="Return", look="signed_percent"),
)  # fmt: skip
FUNNEL_COLUMNS = (
    Column(name="strategy", label="Strategy"), Column(name="scans", label="Scans", look="count"),
    Column(name="setups", label="Setups", look="count"), Column(name="scored", label="Signals", look="count"),
    Column(name="approved", label="Approved", look="count"), Column(name="filled", label="Filled", look="count"),
    Column(name="closed", label="Closed", look="count"),
)  # fmt: skip


async def build(page: PageContext) -> None:
    """Build the overview."""
    await health_card.build(page)
    await _today(page)
    await _account(page)
    await _funnel(page)
    await _commands(page)


async def _today(page: PageContext) -> None:
    with section("Today", span=12, note=page.account or ""):
        with ui.element("div").classes("stats"):
            equity, today = Stat(f"Equity {page.currency}"), Stat("P&L today")
            trades, positions = Stat("Trades today"), Stat("Open positions")
            drawdown, state = Stat("Drawdown"), Stat("May trade")

    def show(accounts: tuple[Account, ...]) -> None:
        found = next((each for each in accounts if each.account == page.account), None)
        if found is None or found.equity is None:
            return
        equity.show(formats.money(found.equity), f"{formats.signed_percent(found.net_return)} since opened")
        today.show(
            formats.signed(found.pnl_today), formats.signed_percent(found.return_today), formats.tone(found.pnl_today)
        )
        trades.show(formats.count(found.trades_today), won(found.wins_today, found.trades_today))
        positions.show(formats.count(found.open_positions), f"unrealised {formats.signed(found.unrealised_pnl)}")
        drawdown.show(formats.percent(found.drawdown), "from the highest so far")
        word = found.state or ""
        state.show(word.capitalize() or formats.NONE, STATES.get(word, ""), STATE_TONES.get(word, "plain"))

    await page.reader.watch(show, ACCOUNTS)


STATES = {"ACTIVE": "buys and sells", "REDUCING": "buys nothing", "HALTED": "sells everything"}
STATE_TONES = {"REDUCING": "warn", "HALTED": "bad"}


async def _account(page: PageContext) -> None:
    with section("Equity", span=7, note="last seven days of event time"):
        nothing = empty(
            "No equity yet.",
            "The paper trader writes the first point with the first closed minute after the features are warm.",
        )
        chart = Chart(equity_options(), height=330)
    with section("Last trades", span=5):
        trades = SmallTable(
            [each for each in TRADES if each.name not in ("held_seconds", "net_return", "strategy")],
            "No trade has closed yet. The funnel below says how far the looks come.",
        )
    with section("Open positions", span=12):
        positions = SmallTable(POSITIONS, "Nothing is held. The funnel below says how far the looks come.")

    def show(facts: AccountFacts) -> None:
        nothing.set_visibility(not facts.equity)
        chart.element.set_visibility(bool(facts.equity))
        chart.set_series(0, points((at, value) for at, value, _ in facts.equity))
        chart.set_series(1, points((at, -fall if fall is not None else None) for at, _, fall in facts.equity))
        trades.set_rows(facts.trades)
        positions.set_rows(facts.positions)

    if page.account is None:
        show(AccountFacts(equity=(), positions=(), trades=()))
    else:
        await page.reader.watch(show, ACCOUNT_FACTS, page.account)


async def _funnel(page: PageContext) -> None:
    with section("From looks to trades, today", span=12, note="UTC day of event time"):
        table = SmallTable(
            FUNNEL_COLUMNS, "Nothing was looked at today: the first scan comes with the first closed 15 minutes."
        )
    await page.reader.watch(lambda steps: table.set_rows(funnel_rows(steps)), FUNNEL, page.account or "")


async def _commands(page: PageContext) -> None:
    if page.account is None:
        return
    account, note = page.account, "" if page.token else page.how_to_command
    strategies = sorted({each.strategy for each in await page.reader.ask(FUNNEL, account)})
    with section("Commands", span=12, note=note), ui.element("div").classes("commands"):
        CommandButton(
            page, "Halt", "halt", account, "Nothing is bought any more; what is held goes on towards its exits.",
            icon="pause_circle",
        )
        CommandButton(
            page, "Resume", "resume", account, "Everything that holds new trades back ends, but for paused strategies.",
            icon="play_circle",
        )
        CommandButton(
            page, "Flatten", "flatten", account, "Everything that is held is sold at the next opens.",
            icon="sell", grave=True,
        )
        for name in strategies:
            arguments = {"strategy": name}
            CommandButton(
                page, f"Pause {name}", "pause", account, f"{name} buys nothing any more; its exits go on.",
                arguments=arguments,
            )
            CommandButton(page, f"Unpause {name}", "unpause", account, f"{name} may buy again.", arguments=arguments)


def funnel_rows(steps: Sequence[FunnelStep]) -> list[dict[str, object]]:
    """Return a row a strategy with its count at each step."""
    rows: dict[str, dict[str, object]] = {}
    for each in steps:
        rows.setdefault(each.strategy, {"strategy": each.strategy})[each.step] = each.count
    return list(rows.values())


def equity_options() -> dict[str, object]:
    """Return a chart of equity above and drawdown below, without data."""
    return base(
        grid=[
            {"left": 72, "right": 14, "top": 12, "height": "60%"},
            {"left": 72, "right": 14, "top": "74%", "bottom": 24},
        ],
        axisPointer={"link": [{"xAxisIndex": "all"}]},
        xAxis=[time_axis(axisLabel={"show": False}), time_axis(gridIndex=1)],
        yAxis=[value_axis("money"), value_axis("signed_percent", gridIndex=1, splitNumber=2, max=0)],
        series=[
            line("equity", [], lineStyle={"width": 1.8, "color": GOOD}, itemStyle={"color": GOOD}),
            line(
                "drawdown", [], xAxisIndex=1, yAxisIndex=1, areaStyle={"opacity": 0.25},
                lineStyle={"width": 1.2, "color": BAD}, itemStyle={"color": BAD},
            ),
        ],
    )  # fmt: skip


def won(wins: int, trades: int) -> str:
    """Return how many of some trades were won, in words."""
    return f"{wins} won, {trades - wins} lost" if trades else "none closed yet"
