"""A sweep in words, as JSON, and as one page that stands alone."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text
from tracker.quant.portfolio.book import moment_of
from tracker.runtime.charts import Line, heat_map, histogram, time_chart
from tracker.runtime.page import card, figures, legend, page, section, table, warning
from tracker.runtime.sweep_work import days_of

from services.control.backtest_view import NUMBER, PERCENT, shown
from services.control.sweep import Sweep

SHOWN = 15
# More parameters than this do not fit beside each other; --json and the page have them all.
MOST_COLUMNS = 5
# A PBO from here on says that the best in the past is no better than a coin in the future.
COIN = 0.5


def sweep_view(done: Sweep) -> RenderableType:
    """Return what `tracker sweep` prints without --json."""
    parts: list[RenderableType] = [Text(headline(done), "bold"), *(Text(each, "yellow") for each in warnings(done))]
    summary = Table(box=None, padding=(0, 2), show_header=False)
    for name, value in summary_rows(done):
        summary.add_row(name, value)
    parts.append(summary)
    names = varied(done)
    narrow = len(names) > MOST_COLUMNS
    found = Table(box=None, padding=(0, 2))
    for name in ("", *(("configuration",) if narrow else names), "trades", "return", "Sharpe"):
        found.add_column(name, justify="right")
    for place, number in enumerate(ranking(done)[:SHOWN], start=1):
        row = _row(done, number, () if narrow else names)
        found.add_row(str(place), *([done.points[number].config.hash, *row] if narrow else row))
    parts.append(found)
    if narrow:
        best = ", ".join(f"{name} {value:g}" for name, value in done.points[done.best].changes.items())
        parts.append(Text(f"the best: {best}"))
    return Group(*parts)


def headline(done: Sweep) -> str:
    """Return what was tried, over what and when."""
    span = done.plan.span
    listed = ", ".join(done.symbols) if len(done.symbols) <= 4 else f"{len(done.symbols)} symbols"
    return (
        f"{len(done.points)} configurations of {done.plan.rule.name} on {listed},"
        f" {moment_of(span.first):%Y-%m-%d} to {moment_of(span.end):%Y-%m-%d}: {done.seconds:,.1f} s"
    )


def warnings(done: Sweep) -> list[str]:
    """Return what must not be missed."""
    found: list[str] = []
    if done.alone:
        found.append("The best configuration stands alone: one step aside, less than half of its Sharpe ratio is left.")
    if done.pbo >= COIN:
        found.append(
            f"Choosing the best of these is overfitting with a probability of {shown(done.pbo, PERCENT)}:"
            " what was best in one half of the days was below the middle in the other that often."
        )
    if not any(each.trades for each in done.outcomes):
        found.append("No configuration traded at all.")
    return found


def summary_rows(done: Sweep) -> list[tuple[str, str]]:
    """Return name and value pairs."""
    best = done.outcomes[done.best]
    return [
        ("best Sharpe, chosen in hindsight", shown(float(done.sharpes[done.best]), NUMBER)),
        ("its return", shown(best.total_return, PERCENT)),
        ("deflated by all tries", shown(done.deflated, PERCENT)),
        ("tries of this strategy so far", f"{done.trials.count:,}"),
        ("walk-forward Sharpe", shown(done.walk.sharpe, NUMBER)),
        ("walk-forward return", shown(done.walk.total_return, PERCENT)),
        ("probability of overfitting", shown(done.pbo, PERCENT)),
    ]


def ranking(done: Sweep) -> list[int]:
    """Return the tries from the highest Sharpe ratio down, those without one last."""
    return np.argsort(-np.where(np.isnan(done.sharpes), -np.inf, done.sharpes), kind="stable").tolist()


def varied(done: Sweep) -> list[str]:
    """Return the parameters that the tries differ in."""
    names = list(done.points[0].changes)
    return [name for name in names if len({each.changes[name] for each in done.points}) > 1] or names


def document(done: Sweep) -> dict[str, Any]:
    """Return the sweep as plain values; what is not defined is null."""
    span = done.plan.span
    return {
        "sweep": done.sweep_id,
        "strategy": str(done.plan.rule.name),
        "symbols": list(done.symbols),
        "from": moment_of(span.first).isoformat(),
        "to": moment_of(span.end).isoformat(),
        "tries": [_try(done, number) for number in ranking(done)],
        "best": dict(done.points[done.best].changes),
        "best_sharpe": _known(float(done.sharpes[done.best])),
        "deflated_sharpe_ratio": _known(done.deflated),
        "trials": done.trials.count,
        "pbo": _known(done.pbo),
        "stands_alone": done.alone,
        "walk_forward": {
            "sharpe": _known(done.walk.sharpe),
            "return": _known(done.walk.total_return),
            "folds": [
                {
                    "from": moment_of(int(days_of(span)[each.begin])).isoformat(),
                    "to": moment_of(int(days_of(span)[each.end])).isoformat(),
                    "chosen": dict(done.points[each.chosen].changes),
                    "chosen_sharpe": _known(each.chosen_sharpe),
                    "sharpe": _known(each.sharpe),
                    "return": _known(each.total_return),
                }
                for each in done.walk.folds
            ],
        },
        "warnings": warnings(done),
        "seconds": round(done.seconds, 3),
    }


def report(done: Sweep) -> str:
    """Return the HTML document."""
    names = varied(done)
    rows = [_row(done, number, names) for number in ranking(done)[:100]]
    parts = [
        f"<h1>{str(done.plan.rule.name).capitalize()} sweep</h1>",
        f'<p class="note">{headline(done)}.</p>',
        *(warning(each) for each in warnings(done)),
        figures(summary_rows(done)),
        *_heat(done, names),
        section(
            "Sharpe ratios of all tries", card(histogram(_finite(done.sharpes), percent=False, label="Sharpe ratios"))
        ),
        section(
            "Walk-forward",
            card(
                legend((("chosen on the days before, then followed", "a"), ("best in hindsight", "b"))),
                time_chart(_walk_days(done), _walk_lines(done)),
            ),
            table(("from", "to", "chosen", "Sharpe until then", "Sharpe after", "return after"), _folds(done)),
            note="Growth of 1. What a chooser would have had, who never sees the days to come.",
        ),
        section(
            "Tries",
            table((*names, "trades", "return", "Sharpe"), rows),
            note=f"The best {len(rows)} of {len(done.outcomes)}.",
        ),
    ]
    return page(f"{done.plan.rule.name} sweep", parts)


def _heat(done: Sweep, names: Sequence[str]) -> list[str]:
    if len(names) < 2 or not done.request.grid:
        return []
    across, down = names[1], names[0]
    columns = sorted({each.changes[across] for each in done.points})
    rows = sorted({each.changes[down] for each in done.points})
    cells = np.full((len(rows), len(columns)), np.nan)
    for number, each in enumerate(done.points):
        place = rows.index(each.changes[down]), columns.index(each.changes[across])
        value = float(done.sharpes[number])
        if not math.isnan(value):
            cells[place] = value if math.isnan(cells[place]) else max(cells[place], value)
    note = "The best Sharpe ratio over the other parameters." if len(names) > 2 else "Sharpe ratios."
    drawn = heat_map(
        cells, [f"{each:g}" for each in rows], [f"{each:g}" for each in columns], row_label=down, column_label=across
    )
    return [section(f"{down} by {across}", card(drawn), note=note)]


def _walk_days(done: Sweep) -> list[int]:
    return days_of(done.plan.span)[done.walk.folds[0].begin :].tolist()


def _walk_lines(done: Sweep) -> list[Line]:
    begin = done.walk.folds[0].begin
    return [
        Line(name="best in hindsight", values=_grown(done.daily[begin:, done.best]), style="b"),
        Line(name="walk-forward", values=_grown(done.walk.returns)),
    ]


def _grown(returns: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.concatenate(([1.0], np.cumprod(1.0 + returns)))


def _folds(done: Sweep) -> list[list[str]]:
    days = days_of(done.plan.span)
    return [
        [
            f"{moment_of(int(days[each.begin])):%Y-%m-%d}",
            f"{moment_of(int(days[each.end])):%Y-%m-%d}",
            ", ".join(f"{name} {value:g}" for name, value in done.points[each.chosen].changes.items()),
            shown(each.chosen_sharpe, NUMBER),
            shown(each.sharpe, NUMBER),
            shown(each.total_return, PERCENT),
        ]
        for each in done.walk.folds
    ]


def _row(done: Sweep, number: int, names: Sequence[str]) -> list[str]:
    outcome, changes = done.outcomes[number], done.points[number].changes
    return [
        *(f"{changes[name]:g}" for name in names),
        f"{outcome.trades:,}",
        shown(outcome.total_return, PERCENT),
        shown(float(done.sharpes[number]), NUMBER),
    ]


def _try(done: Sweep, number: int) -> Mapping[str, Any]:
    outcome = done.outcomes[number]
    return {
        "params": dict(done.points[number].changes),
        "config_hash": done.points[number].config.hash,
        "trades": outcome.trades,
        "return": _known(outcome.total_return),
        "sharpe": _known(float(done.sharpes[number])),
    }


def _finite(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return values[np.isfinite(values)]


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None
