"""freqtrade: all symbols together, candle after candle; its exchange is told its markets, so nothing is fetched."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Sequence
from importlib.metadata import version as version_of
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from freqtrade.configuration import TimeRange
from freqtrade.data.history import get_timerange
from freqtrade.enums import RunMode
from freqtrade.optimize.backtesting import Backtesting
from freqtrade.resolvers import ExchangeResolver
from tracker.testing.ema_cross import NEVER, EmaCrossParams, trade_list

from benchmarks.peers.agreement import Cause
from benchmarks.peers.series import Run, Series, Watch, frame_of

NAME = "freqtrade"
CAUSES = frozenset({Cause.UNDER_STOP, Cause.STOP_FIRST, Cause.STOP_AT_GAP, Cause.ROUNDING, Cause.LAST_BAR})
# It knows profits to 8 digits, and target and stop as profits.
RTOL = 1e-7
WALLET = 1e9


def version() -> str:
    """Return the version that runs."""
    return version_of(NAME)


def run(series: Sequence[Series], params: EmaCrossParams, own_indicators: bool = False) -> Run:
    """Trade all series with the same cash each time."""
    logging.getLogger("freqtrade").setLevel(logging.ERROR)
    pairs = [f"S{place:03d}/USDT" for place in range(len(series))]
    frames = {pair: frame_of(each.bars).reset_index() for pair, each in zip(pairs, series, strict=True)}
    with tempfile.TemporaryDirectory(prefix="tracker-bench-") as folder:
        config = _config(Path(folder), pairs, series, params)
        config["ema_cross"] = {
            "params": params,
            "entries": None if own_indicators else dict(zip(pairs, (each.entries for each in series), strict=True)),
        }
        exchange = ExchangeResolver.load_exchange(config, validate=False)
        exchange._markets = {pair: _market(pair) for pair in pairs}
        test = Backtesting(config, exchange)
        test.timerange = TimeRange()
        test._set_strategy(test.strategylist[0])
        watch = Watch()
        processed = test.strategy.advise_all_indicators(frames)
        first, last = get_timerange(processed)
        result = test.backtest(processed=processed, start_date=first, end_date=last)
        effort = watch.read()
        Backtesting.cleanup()
    return Run(trades=trade_list(_rows(pairs, result["results"])), effort=effort)


def _config(folder: Path, pairs: list[str], series: Sequence[Series], params: EmaCrossParams) -> dict[str, Any]:
    for name in ("data", "user"):
        (folder / name).mkdir()
    return {
        "runmode": RunMode.BACKTEST,
        "dry_run": True,
        "dry_run_wallet": WALLET,
        "stake_currency": "USDT",
        "stake_amount": params.cash,
        "max_open_trades": -1,
        "tradable_balance_ratio": 1.0,
        "fee": params.fee,
        "timeframe": series[0].timeframe.value,
        "strategy": "EmaCrossStrategy",
        "strategy_path": str(Path(__file__).parent / "freqtrade_strategy"),
        "exchange": {"name": "binance", "pair_whitelist": pairs, "pair_blacklist": []},
        "pairlists": [{"method": "StaticPairList"}],
        "entry_pricing": {"price_side": "same", "use_order_book": False},
        "exit_pricing": {"price_side": "same", "use_order_book": False},
        "datadir": folder / "data",
        "user_data_dir": folder / "user",
        "dataformat_ohlcv": "feather",
        "dataformat_trades": "feather",
        "export": "none",
    }


def _market(pair: str) -> dict[str, Any]:
    base, quote = pair.split("/")
    nothing = {"min": None, "max": None}
    return {
        "id": base + quote,
        "symbol": pair,
        "base": base,
        "quote": quote,
        "active": True,
        "spot": True,
        "type": "spot",
        "linear": None,
        "contractSize": None,
        "precision": {"amount": 1e-8, "price": None},
        "limits": {"amount": nothing, "price": nothing, "cost": nothing, "leverage": nothing},
        "info": {},
    }


def _rows(pairs: list[str], trades: pd.DataFrame) -> list[tuple[int, int, int, float, float]]:
    places = {pair: place for place, pair in enumerate(pairs)}
    rows: list[tuple[int, int, int, float, float]] = []
    for pair, opened, closed, bought, sold, reason in zip(
        trades["pair"], trades["open_date"], trades["close_date"], trades["open_rate"], trades["close_rate"],
        trades["exit_reason"], strict=True,
    ):
        # What is open at the end is sold at the last close.
        ended = reason != "force_exit"
        rows.append(
            (
                places[pair],
                int(opened.timestamp()),
                int(closed.timestamp()) if ended else NEVER,
                float(bought),
                float(sold) if ended else np.nan,
            )
        )
    return rows
