"""A sweep's work as files, so that any process that sees the folder can do a part of it.

Everything a worker needs lies in the folder; a block of tries depends on nothing else, and doing it twice does no
harm. Workers are given paths, not arrays.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray
from pydantic import TypeAdapter

from tracker.domain.signal import Strategy
from tracker.domain.timeframe import Timeframe
from tracker.quant.backtest.equity import equity_curve
from tracker.quant.backtest.looks import Looks
from tracker.quant.backtest.market import Span, SymbolMarket
from tracker.quant.backtest.plan import BacktestPlan
from tracker.quant.backtest.signals import proposed
from tracker.quant.backtest.trading import bulk_market, trade_in_bulk
from tracker.quant.bars import BarArrays
from tracker.quant.bulk.desk import Market
from tracker.quant.compiled import trade_all
from tracker.quant.frame import FeatureFrame
from tracker.quant.metrics import period_returns
from tracker.quant.paper import TradingRules
from tracker.quant.portfolio.series import CandleSeries
from tracker.quant.strategies.inputs import BAR_COLUMNS, features_read, own_columns
from tracker.runtime.strategies import load_rules

DAY = 86_400
META = "work.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What try number `number` came to: `daily` float64 (days,) returns."""

    number: int
    trades: int
    total_return: float
    daily: NDArray[np.float64]


def write_work(
    folder: Path, plan: BacktestPlan, markets: Sequence[SymbolMarket], looks: Sequence[Looks], strategies: Path
) -> None:
    """Write what every try reads: the frames, the candles in the order of the symbols' names, and the rules.

    `strategies` is the folder of one's own rules.
    """
    folder.mkdir(parents=True, exist_ok=True)
    columns = features_read(plan.rule)
    frames = [each.frame for each in looks]
    for name in ("ts", *BAR_COLUMNS):
        _save(folder, f"bar_{name}", np.concatenate([getattr(each.decision, name) for each in markets]))
    _save(folder, "bar_offsets", np.concatenate(([0], np.cumsum([len(each.decision) for each in markets]))))
    _save(folder, "close", np.concatenate([each.close for each in frames]))
    _save(folder, "decided_at", np.concatenate([each.decided_at for each in frames]))
    _save(folder, "market", np.repeat(np.arange(len(frames), dtype=np.int64), [len(each) for each in frames]))
    for number, name in enumerate(columns):
        _save(folder, f"feature_{number}", np.concatenate([each[name] for each in frames]))
    bulk = bulk_market(markets, plan.trading, plan.span)
    for name, values in bulk._asdict().items():
        _save(folder, f"bulk_{name}", values)
    meta = {
        "strategy": plan.rule.name.value,
        "strategies": str(strategies.resolve()),
        "timeframe": plan.timeframe,
        "first": plan.span.first,
        "end": plan.span.end,
        "columns": columns,
        "names": [each.instrument.symbol for each in markets],
        "trading": TypeAdapter(TradingRules).dump_python(plan.trading, mode="json"),
        "rules_hash": plan.rules_hash,
    }
    (folder / META).write_bytes(orjson.dumps(meta))


def try_block(folder: str, block: Sequence[tuple[int, Mapping[str, Any]]]) -> list[Outcome]:
    """Try each point, its number and all its parameters by name, on the work in `folder`."""
    work = _load(folder)
    return [work.attempt(number, params) for number, params in block]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Work:
    plan: BacktestPlan
    names: Sequence[str]
    frame: FeatureFrame
    decision: Sequence[BarArrays]
    market: NDArray[np.int64]
    bulk: Market
    series: Sequence[CandleSeries]

    def attempt(self, number: int, point: Mapping[str, Any]) -> Outcome:
        plan = self.plan
        params = TypeAdapter(plan.rule.params).validate_python(dict(point))
        proposals = plan.rule.evaluate(self._frame(params), params)
        rows = np.flatnonzero(proposals.is_signal)
        signals = proposed(proposals.take(rows), self.frame.decided_at[rows], self.market[rows], self.names)
        traded = trade_in_bulk(plan, self.bulk, signals, trade_all)
        cash = plan.trading.paper.account.start_cash
        # The symbols of a bulk market stand in the order of their names, and so do these series.
        place = signals.plans.symbol_of[traded.fills.signal]
        curve = equity_curve(cash, traded.fills, place, self.series, days_of(plan.span))
        return Outcome(
            number=number,
            trades=len(traded.trades),
            total_return=float(curve.equity[-1] / curve.equity[0] - 1.0),
            daily=period_returns(curve.equity),
        )

    def _frame(self, params: Any) -> FeatureFrame:
        """Return the frame with the bars' columns, and with the rule's own indicators, which depend on parameters."""
        seconds = self.plan.timeframe.seconds
        parts = [
            {
                name: values[bars.ts[len(bars) - len(values) :] + seconds <= self.plan.span.end]
                for name, values in own_columns(
                    self.plan.rule, params, bars, seconds, self.plan.span.first - seconds + 1
                ).items()
            }
            for bars in self.decision
        ]
        own = {name: np.concatenate([each[name] for each in parts]) for name in parts[0]}
        return FeatureFrame(
            close=self.frame.close, decided_at=self.frame.decided_at, columns={**self.frame.columns, **own}
        )


def days_of(span: Span) -> NDArray[np.int64]:
    """Return the moments between which returns are taken: the begin, every midnight, the end."""
    first = span.first // DAY * DAY + DAY
    middle = np.arange(first, span.end, DAY, dtype=np.int64)
    return np.concatenate(([span.first], middle, [span.end])).astype(np.int64)


@lru_cache(maxsize=1)
def _load(folder: str) -> _Work:
    path = Path(folder)
    meta = orjson.loads((path / META).read_bytes())
    trading = TypeAdapter(TradingRules).validate_python(meta["trading"])
    rule = load_rules(Path(meta["strategies"]))[Strategy(meta["strategy"])]
    bulk = Market(**{name: _read(path, f"bulk_{name}") for name in Market._fields})
    return _Work(
        plan=BacktestPlan(
            rule=rule,
            params=None,
            config_hash="",
            timeframe=Timeframe(meta["timeframe"]),
            trading=trading,
            rules_hash=meta["rules_hash"],
            span=Span(first=meta["first"], end=meta["end"]),
        ),
        names=meta["names"],
        frame=FeatureFrame(
            close=_read(path, "close"),
            decided_at=_read(path, "decided_at"),
            columns={name: _read(path, f"feature_{number}") for number, name in enumerate(meta["columns"])},
        ),
        decision=_decision(path),
        market=_read(path, "market"),
        bulk=bulk,
        series=_series(bulk),
    )


def _decision(path: Path) -> list[BarArrays]:
    columns = {name: _read(path, f"bar_{name}") for name in ("ts", *BAR_COLUMNS)}
    offsets = _read(path, "bar_offsets").tolist()
    whole = [{name: values[begin:end] for name, values in columns.items()} for begin, end in pairwise(offsets)]
    return [BarArrays(**each) for each in whole]


def _series(bulk: Market) -> list[CandleSeries]:
    found: list[CandleSeries] = []
    for begin, end in zip(bulk.offsets[:-1].tolist(), bulk.offsets[1:].tolist(), strict=True):
        rows = bulk.bars[begin:end]
        bars = BarArrays(
            ts=rows[:, 0].astype(np.int64),
            open=rows[:, 1],
            high=rows[:, 2],
            low=rows[:, 3],
            close=rows[:, 4],
            volume=rows[:, 5],
        )
        found.append(CandleSeries(bars, bulk.closes[begin:end]))
    return found


def _save(folder: Path, name: str, values: NDArray[Any]) -> None:
    np.save(folder / f"{name}.npy", values, allow_pickle=False)


def _read(folder: Path, name: str) -> Any:
    return np.load(folder / f"{name}.npy", allow_pickle=False)
