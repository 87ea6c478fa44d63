"""Variations in the shadow, for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

# Of changed values, in a line of the leaderboard.
NAMED = 5


def top_view(report: Mapping[str, Any]) -> RenderableType:
    """Return the leaderboard."""
    if not report["strategies"]:
        return Text("nothing has been tried yet: the shadow tester begins with the first close that has features")
    lines: list[RenderableType] = [Text(_count(each, report["window"])) for each in report["strategies"]]
    table = Table("id", "strategy", box=None)
    for name in ("trades", "return", "Sharpe", "DSR", "drawdown", "p"):
        table.add_column(name, justify="right")
    table.add_column("promotable")
    for each in report["leaders"]:
        table.add_row(
            each["id"], each["strategy"], str(each["trades"]), _percent(each["total_return"]),
            _number(each["sharpe"]), _number(each["dsr"], 3), _percent(each["max_drawdown"]),
            _number(each["p_value"], 3), "yes" if each["promotable"] else "no",
        )  # fmt: skip
    reasons = [Text(_words(each)) for each in report["leaders"]]
    gate = Text(f"promotable: by the gate of configs/shadow.toml, over {report['gate_window']}", "dim")
    return Group(*lines, table, Text(), *reasons, gate)


def show_view(report: Mapping[str, Any]) -> RenderableType:
    """Return one variation."""
    head = f"{report['id']}: {report['strategy']} {report['timeframe']}, {report['source']}"
    head += f", since {report['added_at'][:16]}"
    if report["retired_at"]:
        head += f", retired {report['retired_at'][:16]}"
    parts: list[RenderableType] = [Text(head, "bold")]
    for name, value in report["params"].items():
        changed = name in report["changes"]
        parts.append(Text(f"  {name} = {value}{'  (not as in force)' if changed else ''}", "yellow" if changed else ""))
    parts += [Text(f"  {name} = {value}  (not as in force)", "yellow")
              for name, value in report["changes"].items() if name not in report["params"]]  # fmt: skip
    windows = Table(
        "window", "trades", "return", "Sharpe", "DSR", "drawdown", "p", "mean trade", "at least", "1st half",
        "2nd half", box=None,
    )  # fmt: skip
    for each in report["outcomes"]:
        windows.add_row(
            each["span"], str(each["trades"]), _percent(each["total_return"]), _number(each["sharpe"]),
            _number(each["dsr"], 3), _percent(each["max_drawdown"]), _number(each["p_value"], 3),
            _percent(each["mean_trade_return"]), _percent(each["lower_bound"]), _percent(each["first_half_return"]),
            _percent(each["second_half_return"]),
        )  # fmt: skip
    trades = Table("symbol", "entry", "exit", "bought at", "sold at", "quantity", "pnl", "left by", box=None)
    for each in report["trades"]:
        trades.add_row(
            each["symbol"], each["entry_at"][:16], each["exit_at"][:16], f"{each['entry_price']:.6g}",
            f"{each['exit_price']:.6g}", f"{each['quantity']:.6g}", f"{each['pnl']:.2f}", each["reason"],
        )  # fmt: skip
    return Group(*parts, windows, trades)


def _count(each: Mapping[str, Any], window: str) -> str:
    as_of = "not judged yet" if each["as_of"] is None else f"as of {each['as_of'][:16]}"
    return f"{each['strategy']}: {each['variations']:,} variations, {each['traded']:,} traded in {window}, {as_of}"


def _few(each: Mapping[str, Any]) -> str:
    if not each["changes"]:
        return f"nothing ({each['source']})"
    named = [f"{name.split('.')[-1]} {value}" for name, value in list(each["changes"].items())[:NAMED]]
    return ", ".join(named) + (f" and {len(each['changes']) - NAMED} more" if len(each["changes"]) > NAMED else "")


def _words(each: Mapping[str, Any]) -> str:
    """Return what a variation changes, and the first reason why it may not be promoted."""
    words = f"{each['id']}: {_few(each)}"
    if each["promotable"]:
        return words
    more = f", and {len(each['why_not']) - 1} more" if len(each["why_not"]) > 1 else ""
    return f"{words}; not promotable: {each['why_not'][0]}{more}"


def _percent(value: float | None) -> str:
    return "" if value is None else f"{value:.2%}"


def _number(value: float | None, digits: int = 2) -> str:
    return "" if value is None else f"{value:.{digits}f}"
