"""What a backtest came to, in figures of docs/metrics.md."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tracker.domain.fill import Fill
from tracker.domain.order import Order, OrderSide, OrderStatus
from tracker.domain.signal import Signal
from tracker.domain.trade import ClosedTrade
from tracker.quant.backtest.market import SymbolMarket
from tracker.quant.backtest.run import BacktestResult
from tracker.quant.backtest.trials import Trials
from tracker.quant.bars import Floats, Ints
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
TradeKey = tuple[str, int, object]


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
    by_exit: Sequence[Slice]
    excursions: ExcursionSummary
    basket: Floats


def summarise(result: BacktestResult, markets: Sequence[SymbolMarket], trials: Trials) -> Summary:
    """Work out everything that is said of a backtest."""
    names = {each.instrument.symbol_id: each.instrument.symbol for each in markets}
    signals = {each.signal_id: each for each in result.signals}
    trades = result.trades
    basket = _basket(result, markets)
    return Summary(
        figures=_figures(result, signals, trials, basket),
        signals=len(result.signals),
        refused=_refusals(result.orders),
        skipped=_skips(result),
        months=monthly_returns(result.curve.ts, result.curve.equity),
        by_symbol=_slices(trades, lambda each: names[each.symbol_id]),
        by_regime=_slices(trades, lambda each: signals[each.signal_id or 0].regime.value),
        by_exit=_slices(trades, lambda each: each.exit_reason.value),
        excursions=excursion_summary(
            [-each.mae for each in trades], [each.mfe for each in trades], [float(each.pnl) for each in trades]
        ),
        basket=basket,
    )


def daily_equity(ts: Ints, equity: Floats) -> Floats:
    """Return the first equity and then the last one of every day, UTC; a value at midnight ends the day before."""
    if len(ts) == 0:
        return equity
    day = (ts - 1) // DAY
    lasts = np.append(day[1:] != day[:-1], True)
    lasts[0] = True
    return equity[lasts]


def slippage_by_trade(fills: Sequence[Fill]) -> dict[TradeKey, float]:
    """Return what the fills of each trade lost against their reference prices, in quote currency."""
    lost: defaultdict[TradeKey, float] = defaultdict(float)
    for each in fills:
        paid = each.price - each.reference_price
        against = paid if each.side is OrderSide.BUY else -paid
        key = (each.order.strategy, each.order.symbol_id, each.order.decided_at)
        lost[key] += max(float(against * each.quantity), 0.0)
    return dict(lost)


def _figures(result: BacktestResult, signals: Mapping[int, Signal], trials: Trials, basket: Floats) -> Figures:
    curve, trades = result.curve, result.trades
    equity = curve.equity
    days = (result.plan.span.end - result.plan.span.first) / DAY
    returns = period_returns(daily_equity(curve.ts, equity))
    pnls = [float(each.pnl) for each in trades]
    amount, fraction = max_drawdown(equity)
    slips = slippage_by_trade(result.fills)
    slippage = [slips.get((each.strategy, each.symbol_id, each.decided_at), 0.0) for each in trades]
    before = [float(each.gross_pnl) + lost for each, lost in zip(trades, slippage, strict=True)]
    value, ratio = expectancy(pnls)
    certain, deflated = _chances(returns, trials)
    holding = daily_equity(curve.ts, basket)
    step = result.plan.timeframe.seconds
    return Figures(
        total_return=total_return(equity),
        cagr=cagr(float(equity[0]), float(equity[-1]), days),
        annual_volatility=annual_volatility(returns, DAYS_A_YEAR),
        sharpe_ratio=sharpe_ratio(returns, DAYS_A_YEAR),
        sortino_ratio=sortino_ratio(returns, DAYS_A_YEAR),
        calmar_ratio=calmar_ratio(equity, days),
        max_drawdown=fraction,
        max_drawdown_amount=amount,
        max_drawdown_days=max_drawdown_duration(equity) * step / DAY,
        profit_factor=profit_factor(pnls),
        expectancy=value,
        expectancy_ratio=ratio,
        system_quality_number=system_quality_number(_r_multiples(trades, signals)),
        win_rate=win_rate(pnls),
        average_trade=average_trade([float(each.pnl / (each.entry_price * each.quantity)) for each in trades]),
        turnover=turnover([float(each.price * each.quantity) for each in result.fills], equity, days),
        exposure=exposure(np.maximum(curve.held, 0.0), equity),
        time_in_market=time_in_market(np.maximum(curve.held, 0.0)),
        fees=float(result.account.fees),
        slippage=sum(slips.values()),
        fee_share=cost_share([float(each.fees) for each in trades], before),
        slippage_share=cost_share(slippage, before),
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


def _r_multiples(trades: Sequence[ClosedTrade], signals: Mapping[int, Signal]) -> list[float]:
    return [_r_multiple(each, signals[each.signal_id or 0]) for each in trades]


def _r_multiple(trade: ClosedTrade, signal: Signal) -> float:
    risk = (float(trade.entry_price) - signal.stop) * float(trade.quantity)
    # A gap can fill an entry under its own stop; what was at risk then is what the plan had meant to risk.
    planned = (signal.entry - signal.stop) * float(trade.quantity)
    return float(trade.pnl) / (risk if risk > 0 else planned)


def _slices(trades: Sequence[ClosedTrade], key: Callable[[ClosedTrade], str]) -> list[Slice]:
    groups: defaultdict[str, list[ClosedTrade]] = defaultdict(list)
    for each in trades:
        groups[key(each)].append(each)
    found: list[Slice] = []
    for name in sorted(groups):
        pnls = [float(each.pnl) for each in groups[name]]
        found.append(
            Slice(
                name=name,
                trades=len(pnls),
                win_rate=win_rate(pnls),
                pnl=math.fsum(pnls),
                fees=math.fsum(float(each.fees) for each in groups[name]),
                profit_factor=profit_factor(pnls),
                expectancy=expectancy(pnls)[0],
            )
        )
    return found


def _skips(result: BacktestResult) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for looks in result.looks:
        counts.update(each.value for each in looks.proposals.reason[~looks.proposals.is_signal])
    return dict(sorted(counts.items()))


def _refusals(orders: Iterable[Order]) -> dict[str, int]:
    reasons = (each.reason for each in orders if each.status is OrderStatus.REFUSED)
    return dict(sorted(Counter(each.value for each in reasons if each is not None).items()))


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
