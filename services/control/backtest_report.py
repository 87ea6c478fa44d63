"""A backtest as one page that stands alone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import fields

import numpy as np
from tracker.quant.backtest.summary import Slice
from tracker.quant.metrics import MonthReturn
from tracker.quant.metrics.drawdown import drawdown_curve
from tracker.runtime.charts import Line, histogram, scatter, time_chart
from tracker.runtime.page import card, figures, legend, page, section, table

from services.control.backtest import Backtest
from services.control.backtest_view import GROUPS, MONEY, NUMBER, PERCENT, evidence, headline, shown, trade_rows

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
LAST_TRADES = 200


def report(done: Backtest) -> str:
    """Return the HTML document."""
    parts = [
        f"<h1>{done.request.strategy.value.capitalize()} backtest</h1>",
        f'<p class="note">{headline(done)}. {evidence(done).capitalize()}.</p>',
        figures(_headline_figures(done)),
        *_curves(done),
        section("By month", _months(done.summary.months), note="Calendar months, UTC, of equity at the last close."),
        *_groups(done),
        section("By symbol", _slices(done.summary.by_symbol)),
        section(
            "By market regime at the decision",
            _slices(done.summary.by_regime),
        ),
        section(
            "By volatility at the decision",
            _slices(done.summary.by_volatility),
            note="Which third the hour's ATR lies in among those of the symbol's 144 hours before.",
        ),
        section("By exit reason", _slices(done.summary.by_exit)),
        *_trades(done),
        *_looks(done),
        *_settings(done),
    ]
    return page(f"{done.request.strategy.value} backtest", parts)


def _headline_figures(done: Backtest) -> list[tuple[str, str]]:
    found = done.summary.figures
    return [
        ("Return", shown(found.total_return, PERCENT)),
        ("Buy and hold", shown(found.buy_and_hold_return, PERCENT)),
        ("Max drawdown", shown(found.max_drawdown, PERCENT)),
        ("Sharpe", shown(found.sharpe_ratio, NUMBER)),
        ("Deflated Sharpe", shown(found.deflated_sharpe_ratio, PERCENT)),
        ("Random entry p", shown(done.random_entry_p, NUMBER)),
        ("Trades", f"{len(done.result.traded.trades):,}"),
        ("Win rate", shown(found.win_rate, PERCENT)),
        ("Profit factor", shown(found.profit_factor, NUMBER)),
        ("Fees and slippage", shown(found.fees + found.slippage, MONEY)),
    ]


def _curves(done: Backtest) -> list[str]:
    curve = done.result.curve
    ts = curve.ts.tolist()
    equity = curve.equity
    return [
        section(
            "Equity",
            card(
                legend((("this strategy", "a"), ("buy and hold, equal parts", "b"))),
                time_chart(
                    ts,
                    [
                        Line(name="buy and hold", values=done.summary.basket, style="b"),
                        Line(name="equity", values=equity),
                    ],
                ),
            ),
        ),
        section(
            "Drawdown",
            card(
                time_chart(
                    ts,
                    [Line(name="drawdown", values=-drawdown_curve(equity), style="loss", filled=True)],
                    height=170,
                    percent=True,
                )
            ),
        ),
        section(
            "Exposure",
            card(
                time_chart(
                    ts, [Line(name="exposure", values=curve.held / equity, filled=True)], height=150, percent=True
                )
            ),
            note="What is held at the last closes, as a share of equity.",
        ),
    ]


def _months(months: Sequence[MonthReturn]) -> str:
    years: defaultdict[int, dict[int, float]] = defaultdict(dict)
    for each in months:
        years[each.year][each.month] = each.value
    rows = [
        [
            str(year),
            *(shown(found[month], PERCENT) if month in found else "" for month in range(1, 13)),
            shown(float(np.prod([1.0 + value for value in found.values()])) - 1.0, PERCENT),
        ]
        for year, found in sorted(years.items())
    ]
    return table(("year", *MONTHS, "year's"), rows)


def _groups(done: Backtest) -> list[str]:
    found = done.summary.figures
    return [
        section(
            "All figures",
            *(
                f'<p class="note">{title}</p>'
                + figures((label, shown(getattr(found, name), kind)) for name, label, kind in fields)
                for title, fields in GROUPS
            ),
            note="Each is defined in docs/metrics.md.",
        )
    ]


def _slices(slices: Sequence[Slice]) -> str:
    rows = [
        [
            each.name,
            f"{each.trades:,}",
            shown(each.win_rate, PERCENT),
            shown(each.pnl, MONEY),
            shown(each.expectancy, MONEY),
            shown(each.profit_factor, NUMBER),
            shown(each.fees, MONEY),
        ]
        for each in slices
    ]
    return table(("", "trades", "win rate", "P&L", "a trade", "profit factor", "fees"), rows)


def _trades(done: Backtest) -> list[str]:
    trades = done.result.traded.trades
    styles = ["a" if pnl > 0 else "loss" for pnl in trades.pnl.tolist()]
    rows = [
        [
            each["symbol"],
            each["entry_time"][:16].replace("T", " "),
            each["exit_time"][:16].replace("T", " "),
            f"{each['entry_price']:,.8g}",
            f"{each['exit_price']:,.8g}",
            shown(each["return"], PERCENT),
            shown(each["pnl"], MONEY),
            each["exit_reason"],
        ]
        for each in trade_rows(done)[-LAST_TRADES:]
    ]
    shown_trades = f"The last {LAST_TRADES} of {len(trades):,}." if len(trades) > LAST_TRADES else ""
    return [
        section("Returns of the trades", card(histogram(trades.returns, percent=True, label="returns of the trades"))),
        section(
            "Best and worst price while held",
            card(
                legend((("won", "a"), ("lost", "loss"))),
                scatter(trades.mae, trades.mfe, styles, x_label="worst fall (MAE)", y_label="best rise (MFE)"),
            ),
            figures(
                (name.replace("_", " "), shown(value, NUMBER if name == "edge_ratio" else PERCENT))
                for name, value in _excursions(done)
            ),
            note="Shares of the average entry price.",
        ),
        section(
            "Trades", table(("symbol", "in", "out", "entry", "exit", "return", "P&L", "why"), rows), note=shown_trades
        ),
    ]


def _excursions(done: Backtest) -> list[tuple[str, float]]:
    found = done.summary.excursions
    return [(name, getattr(found, name)) for name in found.__slots__]


def _looks(done: Backtest) -> list[str]:
    rows = [[name, f"{count:,}"] for name, count in done.summary.skipped.items()]
    refused = [[name, f"{count:,}"] for name, count in done.summary.refused.items()]
    return [
        section(
            "Why not",
            '<div class="pair">',
            table(("skipped looks", "how often"), rows),
            table(("refused signals", "how often"), refused),
            "</div>",
        )
    ]


def _settings(done: Backtest) -> list[str]:
    plan = done.result.plan
    params = [[name, f"{getattr(plan.params, name)}"] for name in sorted(each.name for each in fields(plan.params))]
    execution = plan.trading.paper.execution
    rules = [[name, f"{getattr(execution, name)}"] for name in (each.name for each in fields(execution))]
    return [
        section(
            "Settings",
            '<div class="pair">',
            table(("parameter", "value"), params),
            table(("execution", "value"), rules),
            "</div>",
            note=f"Configuration {plan.config_hash}, rules of trading {plan.rules_hash}, bars: {done.request.candles}.",
        )
    ]
