"""The state of the fleet as coloured tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Column, Table
from rich.text import Text

from services.control.fleet_status import FleetStatus

_GREEN, _YELLOW, _RED = "green", "yellow", "red"
_STATE_COLOURS = {"running": _GREEN, "starting": _YELLOW, "stopping": _YELLOW, "stopped": "dim"}
_STATUS_COLOURS = {"pass": _GREEN, "warn": _YELLOW, "fail": _RED, "stopped": "dim"}
# A service beats every five seconds.
_LATE_SECONDS = 30


def status_view(status: FleetStatus) -> RenderableType:
    """Return everything `tracker status` shows."""
    document = status.document()
    parts: list[RenderableType] = [_services(document["services"])]
    if status.problem is not None:
        parts.append(Text(f"Database: {status.problem}", style=_RED))
    else:
        parts += [_freshness(document["freshness"]), _summary(document)]
    return Group(*parts)


def _services(rows: list[dict[str, Any]]) -> RenderableType:
    if not rows:
        return Text("The fleet does not run.", style=_YELLOW)
    table = Table(Column("service", no_wrap=True), box=None)
    for heading in ("state", "pid", "health", "beat", "memory", "restarts", "problem"):
        table.add_column(heading)
    for row in rows:
        if row["state"] == "stopped" and row["status"] is None:
            continue
        beat = row["heartbeat_age_seconds"]
        table.add_row(
            row["name"] if row["role"] is None else f"{row['name']} ({row['role']})",
            _coloured(row["state"], _STATE_COLOURS),
            _shown(row["pid"]),
            _coloured(row["status"], _STATUS_COLOURS),
            Text("-") if beat is None else Text(duration(beat), _RED if beat > _LATE_SECONDS else _GREEN),
            "-" if row["rss_mb"] is None else f"{row['rss_mb']:.0f} MB",
            _shown(row["restarts"]),
            row["problem"] or "",
        )
    return table


def _freshness(rows: Mapping[str, Mapping[str, Any]]) -> Table:
    table = Table("timeframe", "newest bar", "closed ago", "complete to", box=None)
    for timeframe, row in rows.items():
        age = row["age_seconds"]
        ago = "-" if age is None else duration(age)
        table.add_row(timeframe, _moment(row["newest"]), ago, _moment(row["closed_through"]))
    return table


def _summary(document: Mapping[str, Any]) -> Table:
    table = Table.grid(padding=(0, 2))
    symbols = document["symbols"]
    table.add_row("symbols", f"{symbols['live']} live of {symbols['total']}")
    if symbols["unsupported"]:
        table.add_row("unsupported", ", ".join(symbols["unsupported"]))
    for strategy, row in document["scans"].items():
        text = (
            f"{row['last_hour']} scans, {row['signals_last_hour']} signals in the hour to"
            f" {_moment(row['closed_through'])}; {row['last_hour_wall_clock']} in the last hour by the clock"
        )
        table.add_row(strategy, text)
    table.add_row("open positions", str(document["open_positions"]))
    for account, row in document["equity"].items():
        table.add_row(f"equity {account}", _money(row))
    for task, row in document["maintenance"].items():
        table.add_row(task, _run(row))
    return table


def _run(row: Mapping[str, Any]) -> Text:
    what = "goes on" if row["unfinished"] else "done"
    text = Text(f"{what} in {row['seconds']:.1f} s", _GREEN) if row["ok"] else Text(f"failed: {row['error']}", _RED)
    return text.append(f" at {_moment(row['finished_at'])}", "dim")


def _money(row: Mapping[str, Any]) -> Text:
    if row["equity"] is None:
        return Text("nothing traded yet", style="dim")
    text = Text(f"{row['equity']:,.2f} {row['currency']}  ")
    for label, key in (("realised", "realised_pnl"), ("unrealised", "unrealised_pnl")):
        amount = row[key] or 0.0
        text.append(f"{label} {amount:+,.2f}  ", _RED if amount < 0 else _GREEN)
    return text.append(f"at {_moment(row['at'])}", "dim")


def duration(seconds: float) -> str:
    """Return a duration in the largest unit that says enough, such as 42 s, 3 min or 5 h."""
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def _coloured(word: str | None, colours: Mapping[str, str]) -> Text:
    return Text("-") if word is None else Text(word, style=colours.get(word, _RED))


def _moment(iso: str | None) -> str:
    return "-" if iso is None else iso[:16].replace("T", " ")


def _shown(value: object) -> str:
    return "-" if value is None else str(value)
