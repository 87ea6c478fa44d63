"""What the fleet would have done over a span of the past, by the rules it runs on."""

from tracker.quant.backtest.market import Span, SymbolMarket, finest_candles
from tracker.quant.backtest.plan import BacktestPlan
from tracker.quant.backtest.run import BacktestResult, run_backtest

__all__ = ["BacktestPlan", "BacktestResult", "Span", "SymbolMarket", "finest_candles", "run_backtest"]
