"""Figures of a backtest or an account, one pinned definition each; docs/metrics.md is made from the docstrings.

A figure that is not defined for its input (no trades, no variance) is NaN, one without bound infinity; input that is
not a finite number is refused with InputError.
"""

from tracker.quant.metrics.account import (
    MonthReturn,
    buy_and_hold,
    exposure,
    monthly_returns,
    time_in_market,
    turnover,
)
from tracker.quant.metrics.chance import break_even_probability, random_entry_p_value
from tracker.quant.metrics.drawdown import (
    Drawdown,
    drawdown_curve,
    largest_drawdowns,
    max_drawdown,
    max_drawdown_duration,
    time_under_water,
)
from tracker.quant.metrics.excursions import (
    ExcursionSummary,
    adverse_excursions,
    excursion_summary,
    favourable_excursions,
)
from tracker.quant.metrics.returns import (
    annual_volatility,
    cagr,
    calmar_ratio,
    kurtosis,
    period_returns,
    sharpe_ratio,
    skewness,
    sortino_ratio,
    total_return,
)
from tracker.quant.metrics.trades import (
    average_trade,
    cost_share,
    expectancy,
    profit_factor,
    system_quality_number,
    win_rate,
)

__all__ = [
    "Drawdown",
    "ExcursionSummary",
    "MonthReturn",
    "adverse_excursions",
    "annual_volatility",
    "average_trade",
    "break_even_probability",
    "buy_and_hold",
    "cagr",
    "calmar_ratio",
    "cost_share",
    "drawdown_curve",
    "excursion_summary",
    "expectancy",
    "exposure",
    "favourable_excursions",
    "kurtosis",
    "largest_drawdowns",
    "max_drawdown",
    "max_drawdown_duration",
    "monthly_returns",
    "period_returns",
    "profit_factor",
    "random_entry_p_value",
    "sharpe_ratio",
    "skewness",
    "sortino_ratio",
    "system_quality_number",
    "time_in_market",
    "time_under_water",
    "total_return",
    "turnover",
    "win_rate",
]
