"""The strategy of docs/write-a-strategy.md, as the page shows it: its crosses, its plan, and no future in it."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from quant_builders import M15, walk
from tracker.domain.errors import ConfigError, InputError
from tracker.domain.instrument import Instrument
from tracker.domain.signal import Strategy
from tracker.domain.timeframe import Timeframe
from tracker.quant.backtest import Span, SymbolMarket
from tracker.quant.backtest.looks import look_at
from tracker.quant.backtest.market import whole_candles
from tracker.quant.bars import BarArrays, Floats
from tracker.quant.roll_up import roll_up
from tracker.quant.strategies.inputs import features_read, own_columns
from tracker.quant.verify.lookahead import look_ahead, random_cuts
from tracker.quant.verify.subject import features_subject, strategy_subject
from tracker.quant.verify.synthetic import synthetic_market
from tracker.quant.windows import anchor_seconds
from tracker.runtime.strategies import StrategyConfig, load_rules, load_strategy
from tracker.testing.written_strategy import blocks, write_strategy

EMA_CROSS = Strategy("ema_cross")


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> StrategyConfig:
    """The rule with the numbers of the page."""
    configs, folder = write_strategy(tmp_path_factory.mktemp("written"))
    return load_strategy(configs, EMA_CROSS, rules=load_rules(folder))


def market_of(bars: BarArrays) -> SymbolMarket:
    end = int(bars.ts[-1]) + M15
    return SymbolMarket(
        instrument=Instrument(symbol_id=1, symbol="AAA-USD"),
        decision=bars,
        context=roll_up(bars, 3600, end),
        candles=whole_candles(bars, Timeframe.M15),
    )


def ema(close: Floats, period: int) -> Floats:
    return pd.Series(close).ewm(span=period, adjust=False).mean().to_numpy()


def test_it_signals_at_every_cross_and_nowhere_else(written: StrategyConfig) -> None:
    bars = walk(6_000)
    span = Span(first=int(bars.ts[1_200]), end=int(bars.ts[-1]) + M15)
    (looks,) = look_at([market_of(bars)], written.rule, written.params, written.timeframe, span)
    signals = looks.proposals.take(looks.proposals.is_signal)
    spread = ema(bars.close, 12) - ema(bars.close, 48)
    crosses = np.flatnonzero((spread[1:] > 0) & (spread[:-1] <= 0)) + 1
    crosses = crosses[bars.ts[crosses] + M15 > span.first]
    assert looks.frame.decided_at[looks.proposals.is_signal].tolist() == (bars.ts[crosses] + M15).tolist()
    assert len(crosses) > 30
    np.testing.assert_allclose(signals.entry, bars.close[crosses])
    np.testing.assert_allclose(signals.target - signals.entry, 2.0 * (signals.entry - signals.stop))
    np.testing.assert_allclose((signals.entry - signals.stop) / 2.0, looks.frame["atr"][looks.proposals.is_signal])
    for name in ("open", "high", "low", "close", "volume"):
        assert looks.frame[name].tobytes() == getattr(bars, name)[len(bars) - len(looks.frame) :].tobytes()


def test_its_own_indicators_do_not_depend_on_the_batch(written: StrategyConfig) -> None:
    bars = walk(5_000)
    first = int(bars.ts[300])
    whole = own_columns(written.rule, written.params, bars, M15, first)
    for row in (300, 1_999, 2_000, 2_001, 3_456, 4_999):
        begin = int(np.searchsorted(bars.ts, anchor_seconds(int(bars.ts[row]), M15)))
        alone = own_columns(written.rule, written.params, bars.slice(begin, row + 1), M15, int(bars.ts[row]))
        assert set(alone) == set(whole) == {"open", "high", "low", "close", "volume", "spread", "spread_before", "atr"}
        for name, values in alone.items():
            assert values.tobytes() == whole[name][row - 300 : row - 299].tobytes(), (row, name)


def test_without_a_bar_its_columns_are_empty(written: StrategyConfig) -> None:
    bars = walk(100)
    for some, first in ((bars, int(bars.ts[-1]) + 1), (bars.slice(0, 0), 0)):
        columns = own_columns(written.rule, written.params, some, M15, first)
        assert set(columns) > {"spread", "atr", "high"}
        assert {len(values) for values in columns.values()} == {0}


def test_it_does_not_see_the_future(written: StrategyConfig) -> None:
    series = dict(enumerate(synthetic_market(1_500, M15).values()))
    subject = strategy_subject(written.rule, written.params, features_subject(M15, 0, features_read(written.rule)))
    found = look_ahead([subject], series, random_cuts(series, 3, 1, M15), M15)
    unset = {each.column for each in found if each.verdict == "never known"}
    assert unset == {"target_fraction", "confidence"}, "a fixed target, and no model has spoken"
    assert {each.verdict for each in found if each.column not in unset} == {"clean"}


class Peeking:
    """The same rule, its spread moved one bar towards the past."""

    def __init__(self, config: StrategyConfig) -> None:
        self._rule = config.rule
        self.name, self.params, self.required_features = config.rule.name, config.rule.params, ()
        self.evaluate = config.rule.evaluate

    def indicators(self, bars: BarArrays, params: object) -> dict[str, Floats]:
        found = dict(self._rule.indicators(bars, params))  # type: ignore[attr-defined]
        found["spread"] = np.concatenate((found["spread"][1:], [np.nan]))
        return found


def test_one_that_does_is_caught(written: StrategyConfig) -> None:
    series = dict(enumerate(synthetic_market(1_500, M15).values()))
    rule = Peeking(written)
    subject = strategy_subject(rule, written.params, features_subject(M15, 0, features_read(rule)))  # type: ignore[arg-type]
    found = look_ahead([subject], series, random_cuts(series, 3, 1, M15), M15)
    assert "leaks" in {each.verdict for each in found if each.column == "is_signal"}


@pytest.mark.parametrize("columns", [{"close": np.ones(100)}, {"short": np.ones(3)}, {"table": np.ones((100, 2))}])
def test_an_indicator_that_is_no_column_is_named(written: StrategyConfig, columns: dict[str, Floats]) -> None:
    rule = Peeking(written)
    rule.indicators = lambda bars, params: columns  # type: ignore[method-assign]
    with pytest.raises(InputError, match=f"ema_cross: indicator '{next(iter(columns))}'"):
        own_columns(rule, written.params, walk(100), M15, 0)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("fast = 12 ", "fast = 1 ", "params.fast = 1"),
        ("slow = 48 ", "slow = 201 ", "params.slow = 201"),
        ("fast = 12 ", "fast = 48 ", "fast 48 must be below slow 48"),
        ("atr_stop = 2.0 ", "atr_stop = 0.0 ", "params.atr_stop = 0.0"),
        ("atr_stop = 2.0 ", "atr_stop = nan ", "params.atr_stop = nan"),
        ("fast = 12 ", "quick = 12 ", "params"),
    ],
)
def test_its_numbers_are_checked(tmp_path: Path, old: str, new: str, words: str) -> None:
    configs, folder = write_strategy(tmp_path)
    path = configs / "strategies" / "ema_cross.toml"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(ConfigError, match=rf"^{re.escape(str(path))}: .*{re.escape(words)}"):
        load_strategy(configs, EMA_CROSS, rules=load_rules(folder))


def test_the_page_shows_three_files() -> None:
    assert set(blocks()) == {
        "strategies/ema_cross.py", "configs/strategies/ema_cross.toml", "configs/fleet.toml",
    }  # fmt: skip
