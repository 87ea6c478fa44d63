"""What the fleet would have done over a span of the past, by the rules it runs on.

What takes TA-Lib, running a backtest first of all, is in modules of its own: the shadow can spare it.
"""

from tracker.quant.backtest.market import Span, SymbolMarket, finest_candles
from tracker.quant.backtest.plan import BacktestPlan

__all__ = ["BacktestPlan", "Span", "SymbolMarket", "finest_candles"]
