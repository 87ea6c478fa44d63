"""A rule that every backtester knows, for comparing ours with others: an EMA cross with an ATR bracket.

At a close where EMA(fast) crosses above EMA(slow): buy at the next open, with the stop `stop_atr` and the target
`target_atr` times ATR under and over that close. Nothing else ends the trade, and a symbol has one trade at a time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, ClassVar

import numpy as np
import talib

from tracker.domain.instrument import Instrument
from tracker.domain.signal import Strategy
from tracker.domain.timeframe import Timeframe
from tracker.quant.backtest import BacktestPlan, Span, SymbolMarket
from tracker.quant.backtest.looks import Looks
from tracker.quant.backtest.market import CONTEXT, whole_candles
from tracker.quant.backtest.run import BacktestResult, run_backtest, trade_looks
from tracker.quant.backtest.trading import TradeAll
from tracker.quant.bars import BarArrays, Bools, Floats, Ints
from tracker.quant.execution import ExecutionParams
from tracker.quant.frame import FeatureFrame
from tracker.quant.kernel import LEG_EXIT
from tracker.quant.paper import AccountParams, PaperConfig, TradingRules
from tracker.quant.risk import RiskConfig, RiskLimits
from tracker.quant.roll_up import roll_up
from tracker.quant.sizing import SizingParams
from tracker.quant.strategies.base import Proposals

COLUMNS = ("fast", "slow", "fast_before", "slow_before", "atr")
# Start cash so large that the sums of a year do not change what a trade is given.
START_CASH = 1e12
TEN_YEARS = 315_360_000
# The exit bar of a trade that is still open at the end.
NEVER = 2**62


@dataclass(frozen=True, slots=True, kw_only=True)
class EmaCrossParams:
    """Lengths in bars, distances in ATRs; `cash` a trade in quote currency, `fee` a fraction of the traded value."""

    fast: int = 20
    slow: int = 50
    atr: int = 14
    stop_atr: float = 2.0
    target_atr: float = 3.0
    cash: float = 1_000.0
    fee: float = 0.001


@dataclass(frozen=True, slots=True, kw_only=True)
class Entries:
    """What the rule wants at each of n closes: `enter` (n,), and the prices `stop` and `target` (n,)."""

    enter: Bools
    stop: Floats
    target: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class TradeList:
    """Trades by symbol and entry: `symbol` a place among the series, `entry` and `exit` opens of bars (Unix seconds).

    `exit` is NEVER and `exit_price` NaN where a trade is still open at the end.
    """

    symbol: Ints
    entry: Ints
    exit: Ints
    entry_price: Floats
    exit_price: Floats

    def __len__(self) -> int:
        """Return the number of trades."""
        return len(self.symbol)


def trade_list(rows: Sequence[tuple[int, int, int, float, float]]) -> TradeList:
    """Return trades from (symbol, entry, exit, entry price, exit price)."""
    columns = list(zip(*sorted(rows), strict=True)) if rows else [()] * 5
    return TradeList(
        symbol=np.array(columns[0], dtype=np.int64),
        entry=np.array(columns[1], dtype=np.int64),
        exit=np.array(columns[2], dtype=np.int64),
        entry_price=np.array(columns[3], dtype=np.float64),
        exit_price=np.array(columns[4], dtype=np.float64),
    )


def cross_columns(bars: BarArrays, params: EmaCrossParams) -> dict[str, Floats]:
    """Return COLUMNS at every close, from TA-Lib."""
    fast, slow = talib.EMA(bars.close, params.fast), talib.EMA(bars.close, params.slow)
    atr = talib.ATR(bars.high, bars.low, bars.close, params.atr)
    before = [np.concatenate(([np.nan], each[:-1])) for each in (fast, slow)]
    return dict(zip(COLUMNS, (fast, slow, *before, atr), strict=True))


def entries_of(close: Floats, columns: Any, params: EmaCrossParams) -> Entries:
    """Return what the rule wants; nothing where an indicator is not known yet."""
    crossed = (columns["fast_before"] < columns["slow_before"]) & (columns["fast"] > columns["slow"])
    stop = close - params.stop_atr * columns["atr"]
    return Entries(
        enter=crossed & (stop > 0.0) & (stop < close), stop=stop, target=close + params.target_atr * columns["atr"]
    )


class EmaCross:
    """The rule as our backtest runs it."""

    name: ClassVar[Strategy] = Strategy("ema_cross")
    required_features: ClassVar[tuple[str, ...]] = ()
    params: ClassVar[type] = EmaCrossParams

    def indicators(self, bars: BarArrays, params: EmaCrossParams) -> Mapping[str, Floats]:
        """Return the averages, those of the bar before, and the average true range."""
        return cross_columns(bars, params)

    def evaluate(self, frame: FeatureFrame, params: EmaCrossParams) -> Proposals:
        """Return one proposal a row."""
        return proposals_of(frame, entries_of(frame.close, frame, params))


def proposals_of(frame: FeatureFrame, entries: Entries) -> Proposals:
    """Return the entries as our backtest reads them."""
    n, enter = len(frame), entries.enter
    nothing = np.full(n, None, dtype=object)
    return Proposals(
        is_signal=enter,
        reason=nothing,
        entry=np.where(enter, frame.close, np.nan),
        stop=np.where(enter, entries.stop, np.nan),
        target=np.where(enter, entries.target, np.nan),
        strength=np.ones(n),
        confirmations=np.ones(n, dtype=np.int64),
        expires_at=np.where(enter, frame.decided_at + TEN_YEARS, 0),
        ladder=np.empty((n, 0)),
        size_weights=np.ones((n, 1)),
        target_fraction=np.full(n, np.nan),
        trail_distance=np.where(enter, 0.0, np.nan),
        regime=nothing,
        volatility=nothing,
    )


def look(market: SymbolMarket, timeframe: Timeframe, entries: Entries) -> Looks:
    """Return what is known already as the rule's looks at a symbol, those alone that enter."""
    bars, rows = market.decision, np.flatnonzero(entries.enter)
    frame = FeatureFrame(close=bars.close[rows], decided_at=bars.ts[rows] + timeframe.seconds, columns={})
    chosen = Entries(enter=entries.enter[rows], stop=entries.stop[rows], target=entries.target[rows])
    return Looks(symbol_id=market.instrument.symbol_id, frame=frame, proposals=proposals_of(frame, chosen))


def market_of(place: int, bars: BarArrays, timeframe: Timeframe) -> SymbolMarket:
    """Return a symbol whose name sorts by its place; it trades in any quantity."""
    return SymbolMarket(
        instrument=Instrument(
            symbol_id=place + 1, symbol=f"S{place:03d}-USD", base_timeframe=timeframe, min_notional=Decimal(0)
        ),
        decision=bars,
        context=roll_up(bars, CONTEXT.seconds, int(bars.ts[-1]) + timeframe.seconds),
        candles=whole_candles(bars, timeframe),
    )


def plan_of(markets: Sequence[SymbolMarket], timeframe: Timeframe, params: EmaCrossParams) -> BacktestPlan:
    """Return the plan over all bars: the same cash for each trade, one fee, no slippage, any number of positions."""
    execution = ExecutionParams(
        maker_fee_bps=params.fee * 1e4,
        taker_fee_bps=params.fee * 1e4,
        slippage_base_bps=0.0,
        slippage_impact_bps=0.0,
        slippage_cap_bps=0.0,
        max_volume_share=1.0,
        entry_valid_bars=10_000,
    )
    sizing = SizingParams(risk_per_trade=1.0, size_multiplier=1.0, max_position_share=params.cash / START_CASH)
    return BacktestPlan(
        rule=EmaCross(),
        params=params,
        config_hash="",
        timeframe=timeframe,
        trading=TradingRules(
            paper=PaperConfig(
                account=AccountParams(name="peers", currency="USD", start_cash=START_CASH), execution=execution
            ),
            risk=RiskConfig(sizing=sizing, limits=RiskLimits(max_open_positions=len(markets))),
        ),
        rules_hash="",
        span=Span(
            first=min(int(each.decision.ts[0]) for each in markets),
            end=max(int(each.decision.ts[-1]) for each in markets) + timeframe.seconds,
        ),
    )


def backtest(
    markets: Sequence[SymbolMarket],
    timeframe: Timeframe,
    params: EmaCrossParams,
    trade_all: TradeAll,
    entries: Sequence[Entries] | None = None,
) -> BacktestResult:
    """Run the rule over the markets as any strategy; `entries`, one a market, replace what it would find itself."""
    plan = plan_of(markets, timeframe, params)
    if entries is None:
        return run_backtest(plan, markets, trade_all)
    looks = [look(market, timeframe, each) for market, each in zip(markets, entries, strict=True)]
    return trade_looks(plan, markets, looks, trade_all)


def trades_of(result: BacktestResult) -> TradeList:
    """Return the trades of a result, those that are still open too."""
    fills, market = result.traded.fills, result.signals.market
    opened: dict[int, tuple[int, float]] = {}
    rows: list[tuple[int, int, int, float, float]] = []
    for signal, leg, ts, price in zip(
        fills.signal.tolist(), fills.leg.tolist(), fills.bar_ts.tolist(), fills.price.tolist(), strict=True
    ):
        if leg == LEG_EXIT:
            entry, entry_price = opened.pop(signal)
            rows.append((int(market[signal]), entry, ts, entry_price, price))
        else:
            opened[signal] = (ts, price)
    rows += [(int(market[signal]), entry, NEVER, price, np.nan) for signal, (entry, price) in opened.items()]
    return trade_list(rows)
