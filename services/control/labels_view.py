"""Labels as tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Column, Table
from rich.text import Text

MOST_SYMBOLS = 10


def build_view(report: Mapping[str, Any]) -> RenderableType:
    """Return what `tracker labels build` prints without --json."""
    table = Table(
        "strategy", "config", "after", "to", _right("symbols"), _right("setups"), _right("written"),
        _right("reweighed"), "features", box=None,
    )  # fmt: skip
    for each in report["strategies"]:
        table.add_row(
            each["strategy"], each["config_hash"], _moment(each["from"]), _moment(each["to"]), f"{each['symbols']:,}",
            f"{each['setups']:,}", f"{each['changed']:,}", f"{each['reweighed']:,}",
            f"{each['features_stored']:,} as stored, {each['features_computed']:,} computed",
        )  # fmt: skip
    return Group(Text(f"Labels built in {report['seconds']:.1f} s", "bold"), table)


def report_view(report: Mapping[str, Any]) -> RenderableType:
    """Return what `tracker labels report` prints without --json."""
    parts: list[RenderableType] = []
    for each in report["strategies"]:
        kind = "signals" if each["setups"] == "signals" else "setups, signals or not"
        several = each["effective_n"]
        parts += [
            Text(f"{each['strategy']}, {kind}, {each['config_hash']}", "bold"),
            Text(
                f"{_moment(each['first'])} to {_moment(each['last'])} UTC, made {_moment(each['made_at'])}."
                f" They say as much as {several['by_symbol']:,.0f} labels that do not overlap within a symbol,"
                f" or {several['one_market']:,.0f} if all symbols move as one.",
                "dim",
            ),
            _table([{"name": "all", **_counts(each)}, {"name": "signals", **each["signals"]}], ""),
            _table(each["by_regime"], "regime"),
            _table(each["by_month"], "month"),
            _symbols(each["by_symbol"]),
            Text(""),
        ]
    return Group(*parts)


def _counts(each: Mapping[str, Any]) -> dict[str, Any]:
    return {**each, "effective_n": each["effective_n"]["by_symbol"]}


def _symbols(rows: Sequence[Mapping[str, Any]]) -> RenderableType:
    most = sorted(rows, key=lambda row: (-row["labels"], row["name"]))[:MOST_SYMBOLS]
    table = _table(most, "symbol")
    rest = len(rows) - len(most)
    return Group(table, Text(f"and {rest} symbols more: --json has them all", "dim")) if rest else table


def _table(rows: Sequence[Mapping[str, Any]], name: str) -> Table:
    table = Table(
        Column(name, width=10), _right("labels", 7), _right("wins", 7), _right("open", 5), _right("unfilled", 8),
        _right("won", 6), _right("net", 7), _right("gross", 7), _right("bars", 5), _right("distinct", 8),
        box=None, padding=(0, 0, 0, 1),
    )  # fmt: skip
    for row in rows:
        table.add_row(
            row["name"], f"{row['labels']:,}", f"{row['wins']:,}", f"{row['censored']:,}", f"{row['unfilled']:,}",
            _share(row["base_rate"], 1), _share(row["mean_net_return"], 2), _share(row["mean_gross_return"], 2),
            "-" if row["mean_bars_to_exit"] is None else f"{row['mean_bars_to_exit']:.0f}",
            f"{row['effective_n']:,.0f}",
        )  # fmt: skip
    return table


def _right(name: str, width: int | None = None) -> Column:
    return Column(name, justify="right", no_wrap=True, width=width)


def _share(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{100 * value:.{digits}f}%"


def _moment(iso: str | None) -> str:
    return "-" if iso is None else iso[:16].replace("T", " ")
