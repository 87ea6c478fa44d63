"""What a backtest came to, in figures of docs/metrics.md."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tracker.quant.backtest.market import SymbolMarket
from tracker.quant.backtest.run import BacktestResult
from tracker.quant.backtest.tables import TradeTable
from tracker.quant.backtest.trading import REFUSALS
from tracker.quant.backtest.trials import Trials
from tracker.quant.bars import Floats, Ints, Objects
from tracker.quant.bulk.desk import PLAN_STOP
from tracker.quant.execution import REASONS
from tracker.quant.metrics import (
    ExcursionSummary,
    MonthReturn,
    annual_volatility,
    average_trade,
    buy_and_hold,
    cagr,
    calmar_ratio,
    cost_share,
    excursion_summary,
    expectancy,
    exposure,
    kurtosis,
    max_drawdown,
    max_drawdown_duration,
    monthly_returns,
    period_returns,
    profit_factor,
    sharpe_ratio,
    skewness,
    sortino_ratio,
    system_quality_number,
    time_in_market,
    total_return,
    turnover,
    win_rate,
)
from tracker.quant.overfitting import deflated_sharpe_ratio, probabilistic_sharpe_ratio

DAY = 86_400
DAYS_A_YEAR = 365


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """The figures of docs/metrics.md over the whole account; NaN where one is not defined."""

    total_return: float
    cagr: float
    annual_volatility: float
    sharpe_ratio: float
    sortino_ratio: float
    calmar_ratio: float
    max_drawdown: float
    max_drawdown_amount: float
    max_drawdown_days: float
    profit_factor: float
    expectancy: float
    expectancy_ratio: float
    system_quality_number: float
    win_rate: float
    average_trade: float
    turnover: float
    exposure: float
    time_in_market: float
    fees: float
    slippage: float
    fee_share: float
    slippage_share: float
    probabilistic_sharpe_ratio: float
    deflated_sharpe_ratio: float
    trials: int
    buy_and_hold_return: float
    buy_and_hold_sharpe: float
    buy_and_hold_drawdown: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """The trades that have something in common; money in quote currency."""

    name: str
    trades: int
    win_rate: float
    pnl: float
    fees: float
    profit_factor: float
    expectancy: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """A backtest in figures; `basket` is the equity of buying and holding, at the moments of the result's curve."""

    figures: Figures
    signals: int
    refused: Mapping[str, int]
    skipped: Mapping[str, int]
    months: Sequence[MonthReturn]
    by_symbol: Sequence[Slice]
    by_regime: Sequence[Slice]
    by_volatility: Sequence[Slice]
    by_exit: Sequence[Slice]
    excursions: ExcursionSummary
    basket: Floats


def summarise(result: BacktestResult, markets: Sequence[SymbolMarket], trials: Trials) -> Summary:
    """Work out everything that is said of a backtest."""
    trades, signals = result.traded.trades, result.signals
    names = np.array([each.instrument.symbol for each in markets], dtype=object)
    basket = _basket(result, markets)
    return Summary(
        figures=_figures(result, trials, basket),
        signals=len(signals),
        refused=_refusals(result),
        skipped=_skips(result),
        months=monthly_returns(result.curve.ts, result.curve.equity),
        by_symbol=_slices(trades, names[signals.market[trades.signal]]),
        by_regime=_slices(trades, _values(signals.regime[trades.signal])),
        by_volatility=_slices(trades, _values(signals.volatility[trades.signal])),
        by_exit=_slices(trades, exit_reasons(trades)),
        excursions=excursion_summary(trades.mae, trades.mfe, trades.pnl),
        basket=basket,
    )


def _values(members: Objects) -> Objects:
    return np.array([each.value for each in members], dtype=object)


def exit_reasons(trades: TradeTable) -> Objects:
    """Return the names of why the trades were left, object (T,)."""
    names = np.array([None if each is None else each.value for each in REASONS], dtype=object)
    return names[trades.reason]


def daily_equity(ts: Ints, equity: Floats) -> Floats:
    """Return the first equity and then the last one of every day, UTC; a value at midnight ends the day before."""
    if len(ts) == 0:
        return equity
    day = (ts - 1) // DAY
    lasts = np.append(day[1:] != day[:-1], True)
    lasts[0] = True
    return equity[lasts]


def _figures(result: BacktestResult, trials: Trials, basket: Floats) -> Figures:
    curve, trades, fills = result.curve, result.traded.trades, result.traded.fills
    equity = curve.equity
    days = (result.plan.span.end - result.plan.span.first) / DAY
    returns = period_returns(daily_equity(curve.ts, equity))
    amount, fraction = max_drawdown(equity)
    before = trades.gross_pnl + trades.slippage
    value, ratio = expectancy(trades.pnl)
    certain, deflated = _chances(returns, trials)
    holding = daily_equity(curve.ts, basket)
    return Figures(
        total_return=total_return(equity),
        cagr=cagr(float(equity[0]), float(equity[-1]), days),
        annual_volatility=annual_volatility(returns, DAYS_A_YEAR),
        sharpe_ratio=sharpe_ratio(returns, DAYS_A_YEAR),
        sortino_ratio=sortino_ratio(returns, DAYS_A_YEAR),
        calmar_ratio=calmar_ratio(equity, days),
        max_drawdown=fraction,
        max_drawdown_amount=amount,
        max_drawdown_days=max_drawdown_duration(equity) * result.plan.timeframe.seconds / DAY,
        profit_factor=profit_factor(trades.pnl),
        expectancy=value,
        expectancy_ratio=ratio,
        system_quality_number=system_quality_number(_r_multiples(result)),
        win_rate=win_rate(trades.pnl),
        average_trade=average_trade(trades.returns),
        turnover=turnover(fills.price * fills.quantity, equity, days),
        exposure=exposure(np.maximum(curve.held, 0.0), equity),
        time_in_market=time_in_market(np.maximum(curve.held, 0.0)),
        fees=float(fills.fee.sum()),
        slippage=float(fills.slippage.sum()),
        fee_share=cost_share(trades.fees, before),
        slippage_share=cost_share(trades.slippage, before),
        probabilistic_sharpe_ratio=certain,
        deflated_sharpe_ratio=deflated,
        trials=trials.count,
        buy_and_hold_return=total_return(basket),
        buy_and_hold_sharpe=sharpe_ratio(period_returns(holding), DAYS_A_YEAR),
        buy_and_hold_drawdown=max_drawdown(basket)[1],
    )


def _chances(returns: Floats, trials: Trials) -> tuple[float, float]:
    """Return the probabilistic and the deflated Sharpe ratio of daily returns; NaN where they have no Sharpe."""
    daily = sharpe_ratio(returns, 1)
    if math.isnan(daily):
        return math.nan, math.nan
    shape = (skewness(returns), kurtosis(returns))
    certain = probabilistic_sharpe_ratio(daily, 0.0, len(returns), *shape)
    if trials.count < 2:  # the only try has nothing to be deflated by
        return certain, certain
    return certain, deflated_sharpe_ratio(daily, trials.sharpe_variance, trials.count, len(returns), *shape)


def _r_multiples(result: BacktestResult) -> Floats:
    """Return each trade's profit over what a stop at once would have cost."""
    trades = result.traded.trades
    planned = result.signals.risk[trades.signal]
    stops = result.signals.plans.plans[trades.signal, PLAN_STOP]
    risk = trades.entry_price - stops
    # A gap can fill an entry under its own stop; what was at risk then is what the plan had meant to risk.
    return trades.pnl / (np.where(risk > 0.0, risk, planned) * trades.quantity)


def _slices(trades: TradeTable, keys: Objects) -> list[Slice]:
    found: list[Slice] = []
    for name in sorted(set(keys.tolist())):
        part = trades.take(keys == name)
        found.append(
            Slice(
                name=name,
                trades=len(part),
                win_rate=win_rate(part.pnl),
                pnl=float(part.pnl.sum()),
                fees=float(part.fees.sum()),
                profit_factor=profit_factor(part.pnl),
                expectancy=expectancy(part.pnl)[0],
            )
        )
    return found


def _refusals(result: BacktestResult) -> dict[str, int]:
    counts = np.bincount(np.maximum(result.traded.verdicts, 0), minlength=len(REFUSALS)).tolist()
    pairs = [(reason.value, count) for reason, count in zip(REFUSALS, counts, strict=True) if reason and count]
    return dict(sorted(pairs))


def _skips(result: BacktestResult) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for looks in result.looks:
        counts.update(each.value for each in looks.proposals.reason[~looks.proposals.is_signal])
    return dict(sorted(counts.items()))


def _basket(result: BacktestResult, markets: Sequence[SymbolMarket]) -> Floats:
    """Return the equity of an equal part of the cash in every symbol, bought at its first close in the span."""
    moments = result.curve.ts
    closes = np.full((len(moments), len(markets)), np.nan)
    for column, market in enumerate(markets):
        at = np.searchsorted(market.candles.closes, moments, side="right") - 1
        listed = at >= 0
        closes[listed, column] = market.candles.bars.close[at[listed]]
    rules = result.plan.trading.paper
    return buy_and_hold(closes, rules.account.start_cash, fee_rate=rules.execution.fee_rate(maker=False))
