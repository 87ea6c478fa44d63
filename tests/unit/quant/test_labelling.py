"""Labels: the paper trader's own trades, each alone; nothing of the future but the outcome; weights by the formula."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from quant_builders import M15, START, walk
from tracker.domain.instrument import Instrument
from tracker.domain.label import Outcome
from tracker.domain.signal import Strategy
from tracker.domain.timeframe import Timeframe
from tracker.quant.backtest import Span, SymbolMarket, finest_candles
from tracker.quant.backtest.looks import Looks, look_at
from tracker.quant.backtest.trading import trade_in_ledger
from tracker.quant.bars import BarArrays
from tracker.quant.bulk import alone
from tracker.quant.compiled import trade_alone
from tracker.quant.labelling import (
    Outcomes,
    Setups,
    SetupTable,
    opened,
    outcomes_of,
    setups_in,
    uniqueness,
    uniqueness_within,
)
from tracker.quant.paper import TradingRules
from tracker.quant.portfolio.book import seconds_of
from tracker.quant.portfolio.series import CandleSeries
from tracker.quant.risk import Protections, RiskConfig
from tracker.quant.roll_up import roll_up
from tracker.quant.sizing import SizingParams
from tracker.quant.strategies import RULES
from tracker.quant.strategies.signals import signal_of
from tracker.quant.strategies.verdict import HoldParams
from tracker.runtime.strategies import load_strategy
from tracker.runtime.trading_rules import load_trading_rules

CONFIGS = Path(__file__).resolve().parents[3] / "configs"
TRADING = load_trading_rules(CONFIGS)
EXECUTION = TRADING.paper.execution
NOTIONAL = 2_000.0
BEGIN = START + 20 * 86_400


def market(seed: int = 1, volume: float = 1e3) -> SymbolMarket:
    """Return six weeks of a symbol whose 5m bars are the finest; thin enough that some orders fill in parts."""
    fine = walk(12_000, seed=seed, step=300)
    fine = replace(fine, volume=fine.volume * volume)
    end = int(fine.ts[-1]) + 300
    quarters = roll_up(fine, M15, end)
    return SymbolMarket(
        instrument=Instrument(symbol_id=seed, symbol=f"S{seed}-USD", base_timeframe=Timeframe.M5),
        decision=quarters,
        context=roll_up(fine, 3600, end),
        candles=finest_candles(quarters, Timeframe.M15, fine, Timeframe.M5),
    )


def end_of(symbol: SymbolMarket) -> int:
    return int(symbol.candles.closes[-1])


def looked(strategy: str, symbol: SymbolMarket, which: Setups, end: int | None = None) -> tuple[Looks, SetupTable]:
    config = load_strategy(CONFIGS, Strategy(strategy))
    span = Span(first=BEGIN, end=end_of(symbol) if end is None else end)
    looks = next(iter(look_at([symbol], config.rule, config.params, config.timeframe, span)))
    return looks, setups_in(looks.frame, config.rule, config.params, which)


def labelled(setups: SetupTable, symbol: SymbolMarket, until: int | None = None) -> Outcomes:
    return outcomes_of(
        setups, symbol.instrument, symbol.candles, EXECUTION, NOTIONAL, until or end_of(symbol), trade_alone
    )


@pytest.mark.parametrize("strategy", list(RULES))
@pytest.mark.parametrize("volume", [1e5, 3.0])
def test_a_label_is_the_paper_traders_own_trade_where_that_is_alone(strategy: Strategy, volume: float) -> None:
    """The ledger sizes by a share of its equity, here a fifth of 10,000; it rounds prices and fees."""
    cash = TRADING.paper.account.start_cash
    sizing = SizingParams(risk_per_trade=1.0, size_multiplier=10.0, max_position_share=NOTIONAL / cash)
    limits = replace(TRADING.risk.limits, max_symbol_exposure=None, max_cluster_exposure=None)
    trading: TradingRules = replace(TRADING, risk=RiskConfig(sizing=sizing, limits=limits, protections=Protections()))
    symbol = market(seed=2, volume=volume)
    looks, setups = looked(strategy, symbol, Setups.SIGNALS)
    outcomes = labelled(setups, symbol)
    assert len(setups) > 5
    finished = 0
    for place, row in enumerate(setups.rows.tolist()):
        decided_at = int(looks.frame.decided_at[row])
        signal = signal_of(strategy, "c", symbol.instrument.symbol_id, decided_at, looks.proposals, row)
        span = Span(first=decided_at - M15, end=end_of(symbol))
        book = trade_in_ledger(trading, "r", span, [symbol], [replace(signal, signal_id=1)]).engine.book
        outcome = outcomes.outcome[place]
        if not book.trades:
            assert outcome is (Outcome.CENSORED if book.live else Outcome.UNFILLED)
            continue
        finished += 1
        trade = book.trades[0]
        assert outcome is (Outcome.WIN if trade.pnl > 0 else Outcome.LOSS)
        assert outcomes.exit_at[place] == seconds_of(trade.exit_time)
        assert outcomes.reason[place] is trade.exit_reason
        assert outcomes.entry_price[place] == pytest.approx(float(trade.entry_price), rel=1e-9)
        assert outcomes.exit_price[place] == pytest.approx(float(trade.exit_price), rel=1e-9)
        assert outcomes.net_return[place] == pytest.approx(float(trade.pnl) / NOTIONAL, abs=1e-8)
        assert outcomes.gross_return[place] == pytest.approx(float(trade.gross_pnl) / NOTIONAL, abs=1e-8)
        assert (outcomes.mae[place], outcomes.mfe[place]) == pytest.approx((trade.mae, trade.mfe), abs=1e-9)
    assert finished > 3


def test_on_noise_no_way_of_laying_out_a_trade_gains_before_fees() -> None:
    """A ladder that wins small early and loses large late must not look like a gain."""
    means: dict[str, list[float]] = {}
    for seed in range(3, 11):
        symbol = market(seed=seed, volume=1e5)
        for strategy in RULES:
            _, setups = looked(strategy, symbol, Setups.ALL)
            outcomes = labelled(setups, symbol)
            weights = uniqueness(setups.decided_at, outcomes.exit_at)
            done = outcomes.finished
            gained = (outcomes.gross_return * weights)[done].sum() / weights[done].sum()
            means.setdefault(strategy, []).append(float(gained))
    for strategy, each in means.items():
        spread = np.std(each, ddof=1) / np.sqrt(len(each))
        assert np.mean(each) < 2.5 * spread, strategy


def test_the_plain_loop_says_the_same_as_the_compiled_one() -> None:
    symbol = market(volume=3.0)
    _, setups = looked("dca", symbol, Setups.ALL)
    one = labelled(setups, symbol)
    other = outcomes_of(
        setups, symbol.instrument, symbol.candles, EXECUTION, NOTIONAL, end_of(symbol), alone.trade_alone
    )
    for name in ("outcome", "reason", "exit_at", "net_return", "mae", "mfe"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


@pytest.mark.parametrize("strategy", list(RULES))
def test_signals_are_setups_that_passed_the_thresholds_with_the_same_trades(strategy: str) -> None:
    symbol = market()
    looks, everything = looked(strategy, symbol, Setups.ALL)
    _, signals = looked(strategy, symbol, Setups.SIGNALS)
    assert len(everything) > len(signals) > 0
    assert signals.is_signal.all()
    np.testing.assert_array_equal(everything.decided_at[everything.is_signal], signals.decided_at)
    np.testing.assert_array_equal(signals.decided_at, looks.frame.decided_at[looks.proposals.is_signal])
    mine = everything.take(everything.is_signal)
    for name in ("entry", "stop", "target", "strength", "ladder", "expires_at"):
        np.testing.assert_array_equal(getattr(mine.proposals, name), getattr(signals.proposals, name))


def test_only_thresholds_are_opened_where_a_rule_has_any() -> None:
    assert opened(HoldParams(max_hold_minutes=5)) == HoldParams(max_hold_minutes=5)
    params = load_strategy(CONFIGS, Strategy("dca")).params
    wide = opened(params)
    assert (wide.min_strength, wide.min_confirmations) == (0.0, 0)
    assert replace(wide, min_strength=params.min_strength, min_confirmations=params.min_confirmations) == params


def test_other_prices_afterwards_change_nothing_but_outcomes_that_need_them() -> None:
    """Nothing that a decision saw depends on later bars; an outcome depends on bars up to its exit and no later."""
    symbol = market()
    cut = BEGIN + 12 * 86_400
    other = changed_after(symbol, cut)
    for strategy in RULES:
        looks, setups = looked(strategy, symbol, Setups.ALL, cut)
        their_looks, theirs = looked(strategy, other, Setups.ALL, cut)
        np.testing.assert_array_equal(setups.decided_at, theirs.decided_at)
        for name, column in looks.frame.columns.items():
            np.testing.assert_array_equal(column, their_looks.frame.columns[name])
        for name in ("entry", "stop", "target", "strength", "confirmations"):
            np.testing.assert_array_equal(getattr(setups.proposals, name), getattr(theirs.proposals, name))
        ours, changed = labelled(setups, symbol), labelled(theirs, other)
        settled = ours.exit_at <= cut
        assert settled.any()
        np.testing.assert_array_equal(ours.net_return[settled], changed.net_return[settled])
        np.testing.assert_array_equal(ours.reason[settled], changed.reason[settled])
        # And what is not known at the cut is censored there, not lost.
        known = labelled(setups, symbol, cut)
        np.testing.assert_array_equal(known.outcome == Outcome.CENSORED, ours.exit_at > cut)
        assert (known.exit_at <= cut).all()
        assert np.isnan(known.net_return[known.outcome == Outcome.CENSORED]).all()


def changed_after(symbol: SymbolMarket, moment: int) -> SymbolMarket:
    """Return the market with everything after a moment a third dearer, down to the candles."""

    def dearer(bars: BarArrays, seconds: int) -> BarArrays:
        factor = np.where(bars.ts + seconds > moment, 1.3, 1.0)
        return replace(bars, **{name: getattr(bars, name) * factor for name in ("open", "high", "low", "close")})

    return replace(
        symbol,
        decision=dearer(symbol.decision, M15),
        context=dearer(symbol.context, 3600),
        candles=CandleSeries(dearer(symbol.candles.bars, 300), symbol.candles.closes),
    )


def test_nothing_bought_is_unfilled_and_no_candles_are_censored() -> None:
    symbol = market()
    _, setups = looked("swing", symbol, Setups.ALL)
    dry = replace(symbol, candles=CandleSeries(
        replace(symbol.candles.bars, volume=np.zeros(len(symbol.candles))), symbol.candles.closes
    ))  # fmt: skip
    assert set(labelled(setups, dry).outcome[:-1]) == {Outcome.UNFILLED}
    none = CandleSeries(symbol.candles.bars.slice(0, 0), symbol.candles.closes[:0])
    early = outcomes_of(setups, symbol.instrument, none, EXECUTION, NOTIONAL, BEGIN, trade_alone)
    assert set(early.outcome) == {Outcome.CENSORED}
    np.testing.assert_array_equal(early.exit_at, setups.decided_at)


lives = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 25)), min_size=1, max_size=25)


@given(lives)
def test_uniqueness_is_the_mean_share_of_each_second(drawn: list[tuple[int, int]]) -> None:
    begins = np.array([begin for begin, _ in drawn], dtype=np.int64)
    ends = begins + np.array([length for _, length in drawn], dtype=np.int64)
    naive = []
    for begin, length in drawn:
        shares = []
        for second in range(begin, begin + max(length, 1)):
            alive = sum(1 for b, n in drawn if b <= second < b + max(n, 1))
            shares.append(1.0 / alive)
        naive.append(sum(shares) / len(shares))
    weights = uniqueness(begins, ends)
    assert weights == pytest.approx(naive, rel=1e-12)
    assert ((weights > 0) & (weights <= 1 + 1e-12)).all()


@given(lives, st.integers(1, 4))
def test_labels_of_other_symbols_take_nothing_away(drawn: list[tuple[int, int]], groups: int) -> None:
    begins = np.array([begin for begin, _ in drawn], dtype=np.int64)
    ends = begins + np.array([length for _, length in drawn], dtype=np.int64)
    group = np.arange(len(drawn), dtype=np.int64) % groups
    weights = uniqueness_within(group, begins, ends)
    for each in range(groups):
        mine = group == each
        assert weights[mine] == pytest.approx(uniqueness(begins[mine], ends[mine]), rel=1e-12)
    assert (weights >= uniqueness(begins, ends) - 1e-12).all()
