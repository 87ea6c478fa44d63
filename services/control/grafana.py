"""Grafana dashboards made from their descriptions, configs/grafana/boards/*.toml."""

from __future__ import annotations

import json
import math
import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from tracker.domain.errors import ConfigError
from tracker.runtime.settings import PROJECT_ROOT

BOARDS = PROJECT_ROOT / "configs" / "grafana" / "boards"
VARIABLES = "variables"
SCHEMA_VERSION = 42
COLUMNS = 24
DATASOURCE = {"type": "grafana-postgresql-datasource", "uid": "${datasource}"}
# Grafana's macros end at the first closing bracket.
NESTED_MACRO = re.compile(r"\$__\w+\([^()]*\(")
# Looked up by every board, so that a link from one keeps what was chosen on it.
TAG = "crypto-tracker"

T = TypeVar("T", bound="_Described")
Kind = Literal["stat", "timeseries", "table", "barchart", "bargauge", "candlestick", "xychart", "histogram"]


class _Described(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Variable(_Described):
    """A choice above the panels: a column of rows, or the words of `choices`; `many` of them may be chosen at once."""

    label: str
    sql: str = ""
    choices: tuple[str, ...] = ()
    many: bool = False


class Panel(_Described):
    """One panel; `units` are by column, `steps` colours from a value on, the first one from nan: from anywhere."""

    title: str
    description: str
    kind: Kind
    sql: str
    unit: str = ""
    units: Mapping[str, str] = Field(default_factory=dict)
    decimals: int | None = None
    low: float | None = None
    high: float | None = None
    steps: tuple[tuple[float, str], ...] = ()
    coloured: tuple[str, ...] = ()
    words: Mapping[str, str] = Field(default_factory=dict)
    width: int = Field(default=12, ge=2, le=COLUMNS)
    height: int = Field(default=8, ge=3)
    stacked: bool = False
    bars: bool = False
    x: str = ""
    y: str = ""


class Board(_Described):
    """A dashboard; `variables` are names of variables.toml."""

    title: str
    description: str
    since: str = "now-24h"
    refresh: str = "30s"
    variables: tuple[str, ...] = ()
    panel: tuple[Panel, ...] = Field(min_length=1)


def grafana_files(boards: Path = BOARDS) -> dict[str, str]:
    """Return the text of each dashboard by its path below the project root.

    Raises ConfigError naming file and field.
    """
    variables = {name: _read(Variable, value, VARIABLES) for name, value in _toml(boards / f"{VARIABLES}.toml").items()}
    files: dict[str, str] = {}
    for path in sorted(boards.glob("*.toml")):
        if path.stem != VARIABLES:
            board = _read(Board, _toml(path), path.stem)
            document = dashboard(path.stem, board, variables)
            files[f"configs/grafana/{path.stem}.json"] = json.dumps(document, indent=2, ensure_ascii=False) + "\n"
    return files


def dashboard(name: str, board: Board, variables: Mapping[str, Variable]) -> dict[str, Any]:
    """Return the model of a dashboard, panels from left to right; raises ConfigError naming what does not fit."""
    unknown = [each for each in board.variables if each not in variables]
    if unknown:
        raise ConfigError(f"configs/grafana/boards/{name}.toml: variable {unknown[0]!r} is not one of variables.toml")
    return {
        "uid": f"tracker-{name.replace('_', '-')}",
        "title": board.title,
        "description": board.description,
        "tags": [TAG],
        "schemaVersion": SCHEMA_VERSION,
        "version": 1,
        "editable": True,
        "graphTooltip": 1,
        "liveNow": False,
        "refresh": board.refresh,
        "time": {"from": board.since, "to": "now"},
        "timezone": "browser",
        "links": [{
            "type": "dashboards", "title": "Crypto Tracker", "tags": [TAG], "asDropdown": True, "includeVars": True,
            "keepTime": True, "icon": "external link", "targetBlank": False, "tooltip": "", "url": "",
        }],
        "annotations": {"list": []},
        "templating": {"list": [_datasource(), *(_variable(each, variables[each]) for each in board.variables)]},
        "panels": _panels(name, board.panel),
    }  # fmt: skip


def _panels(board: str, described: Sequence[Panel]) -> list[dict[str, Any]]:
    made: list[dict[str, Any]] = []
    x = y = tallest = 0
    for number, panel in enumerate(described, start=1):
        if NESTED_MACRO.search(panel.sql):
            raise ConfigError(f"configs/grafana/boards/{board}.toml: {panel.title!r} has brackets inside a macro")
        if x + panel.width > COLUMNS:
            x, y, tallest = 0, y + tallest, 0
        place = {"x": x, "y": y, "w": panel.width, "h": panel.height}
        x, tallest = x + panel.width, max(tallest, panel.height)
        made.append(_panel(number, panel, place))
    return made


def _panel(number: int, panel: Panel, place: Mapping[str, int]) -> dict[str, Any]:
    shape = "time_series" if panel.kind == "timeseries" else "table"
    return {
        "id": number,
        "type": panel.kind,
        "title": panel.title,
        "description": panel.description,
        "datasource": DATASOURCE,
        "gridPos": place,
        "targets": [{
            "refId": "A", "datasource": DATASOURCE, "editorMode": "code", "format": shape, "rawQuery": True,
            "rawSql": panel.sql.strip(),
        }],
        "fieldConfig": {"defaults": _defaults(panel), "overrides": _overrides(panel)},
        "options": _options(panel),
    }  # fmt: skip


def _defaults(panel: Panel) -> dict[str, Any]:
    steps = panel.steps or ((math.nan, "text" if panel.kind in ("stat", "table") else "blue"),)
    found: dict[str, Any] = {
        "color": {"mode": "thresholds" if panel.kind in ("stat", "table", "bargauge") else "palette-classic"},
        "thresholds": {
            "mode": "absolute",
            "steps": [{"value": None if math.isnan(value) else value, "color": colour} for value, colour in steps],
        },
        "mappings": _mappings(panel.words),
        "custom": _custom(panel),
    }  # fmt: skip
    named = {"unit": panel.unit or None, "decimals": panel.decimals, "min": panel.low, "max": panel.high}
    return found | {name: value for name, value in named.items() if value is not None}


def _custom(panel: Panel) -> dict[str, Any]:
    if panel.kind == "timeseries":
        return {
            "drawStyle": "bars" if panel.bars else "line", "lineWidth": 1, "fillOpacity": 60 if panel.bars else 8,
            "showPoints": "never", "spanNulls": True, "stacking": {"mode": "normal" if panel.stacked else "none"},
        }  # fmt: skip
    if panel.kind == "table":
        return {"align": "auto", "filterable": True, "cellOptions": {"type": "auto"}}
    return {"show": "points"} if panel.kind == "xychart" else {}


def _overrides(panel: Panel) -> list[dict[str, Any]]:
    units = [_override(column, "unit", unit) for column, unit in panel.units.items()]
    cells = {"type": "color-background", "mode": "basic"}
    return units + [_override(column, "custom.cellOptions", cells) for column in panel.coloured]


def _override(column: str, name: str, value: object) -> dict[str, Any]:
    return {"matcher": {"id": "byName", "options": column}, "properties": [{"id": name, "value": value}]}


def _mappings(words: Mapping[str, str]) -> list[dict[str, Any]]:
    if not words:
        return []
    options = {word: {"color": colour, "index": place} for place, (word, colour) in enumerate(words.items())}
    return [{"type": "value", "options": options}]


def _options(panel: Panel) -> dict[str, Any]:
    reduced = {"calcs": ["lastNotNull"], "fields": "/.*/", "values": False}
    legend = {"calcs": [], "displayMode": "list", "placement": "bottom", "showLegend": True}
    if panel.kind == "stat":
        return {"reduceOptions": reduced, "colorMode": "background", "graphMode": "none", "textMode": "auto"}
    if panel.kind == "bargauge":
        return {
            "reduceOptions": reduced | {"values": True, "fields": ""}, "displayMode": "basic",
            "orientation": "horizontal",
        }  # fmt: skip
    if panel.kind == "table":
        return {"showHeader": True, "cellHeight": "sm"}
    if panel.kind == "barchart":
        stacking = "normal" if panel.stacked else "none"
        return {"orientation": "horizontal", "xField": panel.x, "stacking": stacking, "legend": legend}
    if panel.kind == "xychart":
        series = [{"x": {"matcher": {"id": "byName", "options": panel.x}},
                   "y": {"matcher": {"id": "byName", "options": panel.y}}}]  # fmt: skip
        return {"mapping": "manual", "series": series, "legend": legend}
    if panel.kind == "candlestick":
        return {
            "mode": "candles+volume", "candleStyle": "candles", "colorStrategy": "open-close", "fields": {},
            "legend": legend,
        }  # fmt: skip
    return {"legend": legend, "tooltip": {"mode": "multi", "sort": "desc"}}


def _datasource() -> dict[str, Any]:
    return {
        "name": "datasource", "label": "Database", "type": "datasource", "query": DATASOURCE["type"], "refresh": 1,
        "hide": 0, "regex": "", "multi": False, "includeAll": False, "options": [], "current": {},
    }  # fmt: skip


def _variable(name: str, described: Variable) -> dict[str, Any]:
    shared = {
        "name": name, "label": described.label, "hide": 0, "multi": described.many, "includeAll": described.many,
        "options": [], "current": {"text": ["All"], "value": ["$__all"]} if described.many else {},
    }  # fmt: skip
    if described.choices:
        initial = described.choices[0]
        first = {"text": initial, "value": initial}
        choices = [{"text": each, "value": each, "selected": each == initial} for each in described.choices]
        return shared | {"type": "custom", "query": ",".join(described.choices), "options": choices, "current": first}
    return shared | {
        "type": "query", "datasource": DATASOURCE, "query": described.sql, "definition": described.sql, "refresh": 1,
        "sort": 0, "regex": "",
    }  # fmt: skip


def _toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path.name}: {error}") from None


def _read(kind: type[T], value: object, name: str) -> T:
    try:
        return kind.model_validate(value)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(each) for each in first["loc"])
        raise ConfigError(f"configs/grafana/boards/{name}.toml: {where}: {first['msg']}") from None
