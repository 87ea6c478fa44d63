"""The rule as a freqtrade strategy, read by its resolver."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import talib
from freqtrade.persistence import Trade
from freqtrade.strategy import IStrategy, stoploss_from_absolute
from pandas import DataFrame


class EmaCrossStrategy(IStrategy):
    """Stop and target of the entry's candle are noted once, when the entry is filled."""

    INTERFACE_VERSION = 3
    stoploss = -0.99
    use_custom_stoploss = True
    use_custom_roi = True
    minimal_roi: dict[str, float] = {}  # noqa: RUF012 - as the base class declares it
    use_exit_signal = False
    process_only_new_candles = True
    startup_candle_count = 0

    def __init__(self, config: dict[str, Any]) -> None:
        """Take the rule out of the configuration."""
        super().__init__(config)
        self.rule = config["ema_cross"]["params"]
        self.entries = config["ema_cross"]["entries"]
        self.targets: dict[int, float] = {}

    def populate_indicators(self, dataframe: DataFrame, metadata: dict[str, Any]) -> DataFrame:
        """Compute the indicators, or take the entries that are known."""
        if self.entries is not None:
            known = self.entries[metadata["pair"]]
            dataframe["wanted"], dataframe["stop"], dataframe["target"] = known.enter, known.stop, known.target
            return dataframe
        close, rule = dataframe["close"], self.rule
        fast, slow = talib.EMA(close, rule.fast), talib.EMA(close, rule.slow)
        atr = talib.ATR(dataframe["high"], dataframe["low"], close, rule.atr)
        dataframe["stop"], dataframe["target"] = close - rule.stop_atr * atr, close + rule.target_atr * atr
        crossed = (fast.shift(1) < slow.shift(1)) & (fast > slow)
        dataframe["wanted"] = crossed & (dataframe["stop"] > 0) & (dataframe["stop"] < close)
        return dataframe

    def populate_entry_trend(self, dataframe: DataFrame, metadata: dict[str, Any]) -> DataFrame:
        """Mark the candles after which to enter."""
        dataframe["enter_long"] = dataframe["wanted"].astype(int)
        return dataframe

    def populate_exit_trend(self, dataframe: DataFrame, metadata: dict[str, Any]) -> DataFrame:
        """Leave exits to stop and target."""
        return dataframe

    def custom_stoploss(
        self,
        pair: str,
        trade: Trade,
        current_time: datetime,
        current_rate: float,
        current_profit: float,
        after_fill: bool,
        **kwargs: Any,
    ) -> float | None:
        """Set the stop once."""
        if not after_fill:
            return None
        frame, _ = self.dp.get_analyzed_dataframe(pair, self.timeframe)
        candle = frame.iloc[-1]
        self.targets[trade.id] = trade.calc_profit_ratio(candle["target"])
        return stoploss_from_absolute(candle["stop"], current_rate, is_short=False)

    def custom_roi(
        self, pair: str, trade: Trade, current_time: datetime, trade_duration: int, entry_tag: str | None, side: str,
        **kwargs: Any,
    ) -> float | None:
        """Return the profit, fees included, at which the target lies."""
        return self.targets.get(trade.id)
