"""A backtest in words, and as JSON."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text
from tracker.domain.signal import SkipReason
from tracker.quant.backtest.looks import Looks
from tracker.quant.backtest.summary import Figures, Slice, exit_reasons
from tracker.quant.models.scoring import Model
from tracker.quant.portfolio.book import moment_of

from services.control.backtest import Backtest

PERCENT = "percent"
MONEY = "money"
NUMBER = "number"

# What is shown of the figures, in groups: (field, name, kind).
GROUPS: Sequence[tuple[str, Sequence[tuple[str, str, str]]]] = (
    (
        "Result",
        (
            ("total_return", "return", PERCENT),
            ("cagr", "CAGR", PERCENT),
            ("max_drawdown", "max drawdown", PERCENT),
            ("max_drawdown_days", "longest drawdown, days", NUMBER),
            ("buy_and_hold_return", "buy and hold", PERCENT),
            ("buy_and_hold_drawdown", "its max drawdown", PERCENT),
        ),
    ),
    (
        "Risk and evidence",
        (
            ("sharpe_ratio", "Sharpe", NUMBER),
            ("sortino_ratio", "Sortino", NUMBER),
            ("calmar_ratio", "Calmar", NUMBER),
            ("annual_volatility", "volatility", PERCENT),
            ("probabilistic_sharpe_ratio", "P(Sharpe > 0)", PERCENT),
            ("deflated_sharpe_ratio", "deflated", PERCENT),
        ),
    ),
    (
        "Trades",
        (
            ("win_rate", "win rate", PERCENT),
            ("profit_factor", "profit factor", NUMBER),
            ("expectancy", "expectancy a trade", MONEY),
            ("expectancy_ratio", "per unit lost", NUMBER),
            ("average_trade", "average trade", PERCENT),
            ("system_quality_number", "SQN", NUMBER),
        ),
    ),
    (
        "Use and cost",
        (
            ("exposure", "exposure", PERCENT),
            ("time_in_market", "time in market", PERCENT),
            ("turnover", "turnover a year", NUMBER),
            ("fees", "fees", MONEY),
            ("slippage", "slippage", MONEY),
            ("fee_share", "fees of gross wins", PERCENT),
        ),
    ),
)


def shown(value: float, kind: str) -> str:
    """Return a figure as text, a dash where it is not defined."""
    if math.isnan(value):
        return "–"  # noqa: RUF001 - a dash is what is meant
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    if kind == PERCENT:
        return f"{value * 100:,.2f}%"
    return f"{value:,.2f}"


def backtest_view(done: Backtest) -> RenderableType:
    """Return what `tracker backtest` prints without --json."""
    figures = done.summary.figures
    parts: list[RenderableType] = [Text(headline(done), "bold"), Text(evidence(done), "dim")]
    if done.result.plan.model is not None:
        parts.append(Text(asked(done.result.plan.model, done.result.looks)))
    parts += [_pair(figures, GROUPS[start : start + 2]) for start in range(0, len(GROUPS), 2)]
    for title, slices in (
        ("symbol", done.summary.by_symbol),
        ("regime", done.summary.by_regime),
        ("volatility", done.summary.by_volatility),
        ("exit", done.summary.by_exit),
    ):
        parts.append(_slices(title, slices))
    if done.summary.refused:
        parts.append(Text("refused: " + ", ".join(f"{count} {name}" for name, count in done.summary.refused.items())))
    return Group(*parts)


def _pair(figures: Figures, groups: Sequence[tuple[str, Sequence[tuple[str, str, str]]]]) -> Table:
    """Return two groups side by side, which fits into 80 columns."""
    table = Table(box=None, padding=(0, 2))
    for title, _ in groups:
        table.add_column(title)
        table.add_column("", justify="right")
    for row in zip(*(fields for _, fields in groups), strict=True):
        table.add_row(*(cell for name, label, kind in row for cell in (label, shown(getattr(figures, name), kind))))
    return table


def headline(done: Backtest) -> str:
    """Return what was tried, over what and when."""
    span = done.result.plan.span
    names = [each.instrument.symbol for each in done.markets]
    listed = ", ".join(names) if len(names) <= 4 else f"{len(names)} symbols"
    trades = len(done.result.traded.trades)
    return (
        f"{done.request.strategy.value} on {listed}, {moment_of(span.first):%Y-%m-%d %H:%M} to"
        f" {moment_of(span.end):%Y-%m-%d %H:%M} UTC: {trades} trades of {done.summary.signals} signals"
    )


def evidence(done: Backtest) -> str:
    """Return what speaks for the result being more than luck."""
    figures = done.summary.figures
    tried = "the only configuration tried" if figures.trials == 1 else f"{figures.trials} configurations tried so far"
    return f"{tried}; random entries with these exits do as well with p = {shown(done.random_entry_p, NUMBER)}"


def asked(model: Model, looks: Sequence[Looks]) -> str:
    """Return what a model was asked, and what it held back."""
    said = scored(looks)
    return (
        f"model {model.model_id} was asked about {said['asked']} setups and held back {said['held_back']} signals below"
        f" {model.threshold:.4g}; before {moment_of(model.known_from):%Y-%m-%d %H:%M} the rule decided alone, for the"
        " model knows how that went"
    )


def scored(looks: Sequence[Looks]) -> dict[str, int]:
    """Return how many setups a model was asked about, and how many signals it held back."""
    return {
        "asked": sum(int(np.isfinite(each.proposals.confidence).sum()) for each in looks),
        "held_back": sum(int((each.proposals.reason == SkipReason.CONFIDENCE_TOO_LOW).sum()) for each in looks),
    }


def document(done: Backtest) -> dict[str, Any]:
    """Return the report as plain values; what is not defined or without bound is null."""
    result, summary = done.result, done.summary
    span = result.plan.span
    return {
        "strategy": done.request.strategy.value,
        "timeframe": result.plan.timeframe.value,
        "symbols": [each.instrument.symbol for each in done.markets],
        "from": moment_of(span.first).isoformat(),
        "to": moment_of(span.end).isoformat(),
        "candles": done.request.candles,
        "params": asdict(done.config.params),
        "config_hash": result.plan.config_hash,
        "rules_hash": result.plan.rules_hash,
        "model": None if result.plan.model is None else {
            "model_id": result.plan.model.model_id,
            "threshold": result.plan.model.threshold,
            "known_from": moment_of(result.plan.model.known_from).isoformat(),
            **scored(result.looks),
        },
        "metrics": {**_figures(summary.figures), "random_entry_p": _known(done.random_entry_p)},
        "signals": summary.signals,
        "refused": dict(summary.refused),
        "skipped": dict(summary.skipped),
        "monthly": [{"year": each.year, "month": each.month, "return": each.value} for each in summary.months],
        "per_symbol": [_slice(each) for each in summary.by_symbol],
        "per_regime": [_slice(each) for each in summary.by_regime],
        "per_volatility": [_slice(each) for each in summary.by_volatility],
        "per_exit_reason": [_slice(each) for each in summary.by_exit],
        "excursions": {name: _known(value) for name, value in asdict(summary.excursions).items()},
        "start_cash": result.plan.trading.paper.account.start_cash,
        "final_equity": float(result.curve.equity[-1]),
        "realised_pnl": float(result.traded.trades.pnl.sum()),
        "fees": float(result.traded.fills.fee.sum()),
        "open_positions": result.traded.live,
        "trades": trade_rows(done),
        "equity": {"ts": result.curve.ts.tolist(), "equity": result.curve.equity.tolist()},
        "seconds": round(done.seconds, 3),
    }


def _figures(figures: Figures) -> dict[str, Any]:
    return {name: _known(value) for name, value in asdict(figures).items()}


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _slice(each: Slice) -> dict[str, Any]:
    return {name: _known(value) if isinstance(value, float) else value for name, value in asdict(each).items()}


def trade_rows(done: Backtest) -> list[dict[str, Any]]:
    """Return the finished trades in the order of their ends."""
    signals, trades = done.result.signals, done.result.traded.trades
    names = [each.instrument.symbol for each in done.markets]
    columns = {
        "symbol": [names[number] for number in signals.market[trades.signal].tolist()],
        "decided_at": _moments(signals.decided_at[trades.signal]),
        "entry_time": _moments(trades.entry_time),
        "exit_time": _moments(trades.exit_time),
        "entry_price": trades.entry_price.tolist(),
        "exit_price": trades.exit_price.tolist(),
        "quantity": trades.quantity.tolist(),
        "pnl": trades.pnl.tolist(),
        "fees": trades.fees.tolist(),
        "return": trades.returns.tolist(),
        "exit_reason": exit_reasons(trades).tolist(),
        "held_seconds": (trades.exit_time - trades.entry_time).tolist(),
        "mae": trades.mae.tolist(),
        "mfe": trades.mfe.tolist(),
        "regime": [each.value for each in signals.regime[trades.signal]],
        "volatility": [each.value for each in signals.volatility[trades.signal]],
    }
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _moments(seconds: NDArray[np.int64]) -> list[str]:
    return [moment_of(each).isoformat() for each in seconds.tolist()]


def _slices(title: str, slices: Iterable[Slice]) -> Table:
    table = Table(box=None, padding=(0, 2))
    table.add_column(f"by {title}")
    for name in ("trades", "win rate", "P&L", "fees", "profit factor"):
        table.add_column(name, justify="right")
    for each in slices:
        table.add_row(
            each.name,
            str(each.trades),
            shown(each.win_rate, PERCENT),
            shown(each.pnl, MONEY),
            shown(each.fees, MONEY),
            shown(each.profit_factor, NUMBER),
        )
    return table
