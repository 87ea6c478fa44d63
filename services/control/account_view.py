"""Paper accounts as tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Column, Table
from rich.text import Text

# What fits a terminal; --json has everything.
_SHOWN: Mapping[str, Sequence[str]] = {
    "rules": ("name", "value", "from"),
    "positions": ("strategy", "symbol", "quantity", "average_price", "last_price", "last_bar_at", "stop_price",
                  "unrealised_pnl"),
    "resting_orders": ("strategy", "symbol", "leg", "side", "quantity", "filled_quantity", "limit_price"),
    "last_trades": ("exit_time", "strategy", "symbol", "entry_price", "exit_price", "pnl", "exit_reason"),
    "locks": ("protection", "symbol", "strategy", "until", "note"),
    "events": ("at", "kind", "outcome", "amount", "note"),
    "waiting_commands": ("command_id", "kind", "arguments"),
}
_OUTCOMES = {"done": "green", "refused": "bold red", "waiting": "yellow"}


def accounts_view(report: Mapping[str, Any]) -> RenderableType:
    """Return what `tracker account list` prints without --json."""
    names = ("account", "from", "", "equity", "cash", "P&L", "open", "trades", "since")
    table = Table(*(Column(name, no_wrap=True) for name in names), box=None, padding=(0, 1, 0, 0))
    for each in report["accounts"]:
        table.add_row(
            each["name"], each["source"], each["currency"], f"{each['equity']:,.2f}", f"{each['cash']:,.2f}",
            _gain(each["pnl"]), str(each["open_positions"]), f"{each['trades']:,}",
            "not begun" if each["since"] is None else each["since"][:10],
        )  # fmt: skip
    waiting = [each["name"] for each in report["accounts"] if each["waiting_commands"]]
    told = Text(f"commands wait for the paper trader: {', '.join(waiting)}", "yellow")
    return Group(table, told) if waiting else table


def account_view(report: Mapping[str, Any]) -> RenderableType:
    """Return what `tracker account show` prints without --json."""
    account = report["account"]
    state = Text(f"{account['state']}; books {account['books']}, acted on through {account['processed_through']}")
    parts: list[RenderableType] = [accounts_view({"accounts": [account]}), state]
    for name, columns in _SHOWN.items():
        title, rows = name.replace("_", " "), report[name]
        parts += [Text(), rows_table(title, columns, rows) if rows else Text(f"no {title}", "dim")]
    return Group(*parts)


def answer_view(report: Mapping[str, Any]) -> RenderableType:
    """Return what came of a command."""
    number = f" (command {report['command_id']})" if report["command_id"] is not None else ""
    return Text.assemble(
        (report["outcome"], _OUTCOMES[report["outcome"]]),
        f": {report['kind']} {report['account']}{number}: {report['note']}",
    )


def rows_table(title: str, columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> Table:
    """Return rows as a table of some of their columns."""
    heads = [name.removesuffix("_price").removesuffix("_time").replace("_", " ") for name in columns]
    wrapped = ("note", "arguments", "value")
    table = Table(
        *(Column(head, no_wrap=name not in wrapped) for head, name in zip(heads, columns, strict=True)),
        title=title, title_justify="left", box=None, padding=(0, 1, 0, 0),
    )  # fmt: skip
    for row in rows:
        table.add_row(*(_cell(name, row[name]) for name in columns))
    return table


def _cell(name: str, value: Any) -> str:
    if value is None or value == "":
        return "-"
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {each}" for key, each in value.items()) or "-"
    if isinstance(value, float):
        return f"{value:,.2f}" if name in ("amount", "pnl", "unrealised_pnl") else f"{value:.7g}"
    return _moment(value) if name in ("at", "until", "exit_time", "placed_at", "last_bar_at") else str(value)


def _gain(value: float) -> Text:
    return Text(f"{value:+,.2f}", "green" if value > 0 else "red" if value < 0 else "")


def _moment(iso: str) -> str:
    return iso[:16].replace("T", " ")
