"""A backtest is the scanner's looks and the paper trader's book over the past."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from quant_builders import M15, START, walk
from tracker.domain.account import Account
from tracker.domain.errors import InputError
from tracker.domain.instrument import Instrument
from tracker.domain.order import Order, OrderStatus
from tracker.domain.signal import Strategy
from tracker.domain.timeframe import Timeframe
from tracker.quant.backtest import BacktestPlan, Span, SymbolMarket, finest_candles
from tracker.quant.backtest.market import whole_candles
from tracker.quant.backtest.run import BacktestResult, run_backtest
from tracker.quant.backtest.summary import exit_reasons
from tracker.quant.backtest.trading import REFUSALS, ledger_signals, trade_in_ledger
from tracker.quant.bars import BarArrays
from tracker.quant.bulk import trading
from tracker.quant.compiled import trade_all
from tracker.quant.entry import EntryParams
from tracker.quant.paper import TradingRules
from tracker.quant.portfolio.book import Book, moment_of, seconds_of
from tracker.quant.portfolio.engine import Engine
from tracker.quant.risk import CoolDown, DailyLoss, Drawdown, LowProfit, Protections, StopStreak
from tracker.quant.roll_up import roll_up
from tracker.quant.strategies import RULES
from tracker.runtime.config import config_hash
from tracker.runtime.strategies import load_strategy
from tracker.runtime.trading_rules import load_trading_rules

CONFIGS = Path(__file__).resolve().parents[3] / "configs"
TRADING = load_trading_rules(CONFIGS)
BREAK_EVEN = {"break_even_r": 0.5}


def plan_of(strategy: Strategy, first: int, end: int, **changes: float) -> BacktestPlan:
    """Return the shipped configuration, with some parameters changed, over a span."""
    config = load_strategy(CONFIGS, strategy)
    return BacktestPlan(
        rule=RULES[strategy],
        params=replace(config.params, **changes),
        config_hash=config.hash,
        timeframe=config.timeframe,
        trading=TRADING,
        rules_hash=config_hash(TRADING),
        span=Span(first=first, end=end),
    )


def liquid(bars: BarArrays) -> BarArrays:
    """Return the bars with enough volume to fill any of our orders."""
    return replace(bars, volume=bars.volume * 1e5)


def some_of(bars: BarArrays, rng: np.random.Generator) -> BarArrays:
    """Return the bars with two of five missing."""
    kept = np.flatnonzero(rng.random(len(bars)) < 0.6)
    return BarArrays(**{each.name: getattr(bars, each.name)[kept] for each in fields(BarArrays)})


def market(number: int, fine: BarArrays) -> SymbolMarket:
    """Return a symbol whose 5m bars are the finest."""
    end = int(fine.ts[-1]) + 300
    quarters = roll_up(fine, M15, end)
    return SymbolMarket(
        instrument=Instrument(symbol_id=number, symbol=f"S{number}-USD", base_timeframe=Timeframe.M5),
        decision=quarters,
        context=roll_up(fine, 3600, end),
        candles=finest_candles(quarters, Timeframe.M15, fine, Timeframe.M5),
    )


def two_markets() -> list[SymbolMarket]:
    """Return about six weeks of two symbols."""
    return [market(number, liquid(walk(12_000, seed=number, step=300))) for number in (1, 2)]


def run(strategy: Strategy, markets: list[SymbolMarket], **changes: float) -> BacktestResult:
    """Run the shipped configuration, with some parameters changed, over what follows the warm-up."""
    end = int(markets[0].decision.ts[-1]) + M15
    return run_backtest(plan_of(strategy, START + 20 * 86_400, end, **changes), markets, trade_all)


@pytest.mark.parametrize("strategy", list(RULES))
def test_the_books_balance_and_the_curve_ends_where_the_account_does(strategy: Strategy) -> None:
    result = run(strategy, two_markets())
    trades, fills = result.traded.trades, result.traded.fills
    assert len(trades) > 3
    start = TRADING.paper.account.start_cash
    assert result.curve.cash[-1] == pytest.approx(result.traded.cash, rel=1e-12)
    assert result.curve.fees[-1] == pytest.approx(fills.fee.sum(), rel=1e-12)
    if result.traded.live == 0:
        assert result.curve.equity[-1] == pytest.approx(start + trades.pnl.sum(), rel=1e-12)
    assert (trades.pnl == trades.gross_pnl - trades.fees).all()
    assert (trades.exit_time >= trades.entry_time).all()
    assert (result.traded.verdicts >= 0).all()


def strict(protected: bool = True, **limits: float | None) -> TradingRules:
    """Return the shipped rules with protections, and maybe limits, so tight that all of them bite within weeks."""
    risk = TRADING.risk
    return replace(
        TRADING,
        risk=replace(
            risk,
            limits=replace(risk.limits, **limits),
            protections=Protections() if not protected else Protections(
                stop_streak=StopStreak(trades=2, window_minutes=2_880, lock_minutes=360),
                cool_down=CoolDown(lock_minutes=240),
                low_profit=LowProfit(trades=2, window_minutes=10_080, min_return=-0.001, lock_minutes=1_440),
                daily_loss=DailyLoss(max_loss=0.004),
                drawdown=Drawdown(reduce_at=0.01, reduce_minutes=720, halt_at=0.02, halt_minutes=1_440),
            ),
        ),
    )


def refusals(book: Book) -> list[Order]:
    """Return the orders that were refused."""
    return [each for each in book.changes().new_orders if each.status is OrderStatus.REFUSED]


def decided_alike(strategy: Strategy, rules: TradingRules, markets: list[SymbolMarket]) -> Book:
    """Trade in bulk and in the ledger, see that every decision and every trade is the same, and return the book."""
    end = int(markets[0].decision.ts[-1]) + M15
    plan = replace(plan_of(strategy, START + 20 * 86_400, end), trading=rules)
    result = run_backtest(plan, markets, trade_all)
    signals = ledger_signals(plan, result.looks, markets)
    book = trade_in_ledger(rules, plan.rules_hash, plan.span, markets, signals).engine.book
    assert {each.signal_id: each.reason for each in refusals(book)} == {
        row + 1: REFUSALS[result.traded.verdicts[row]] for row in np.flatnonzero(result.traded.verdicts > 0).tolist()
    }
    trades = result.traded.trades
    assert [seconds_of(each.exit_time) for each in book.trades] == trades.exit_time.tolist()
    assert [float(each.pnl) for each in book.trades] == pytest.approx(trades.pnl.tolist(), rel=1e-7, abs=1e-6)
    return book


def test_an_old_price_is_not_traded_on_in_bulk_nor_in_the_ledger() -> None:
    execution = replace(TRADING.paper.execution, max_price_age_minutes=5, entry_valid_bars=12, max_volume_share=1e-6)
    rules = replace(strict(protected=False), paper=replace(TRADING.paper, execution=execution))
    rng = np.random.default_rng(5)
    fine = [walk(12_000, seed=number, step=300) for number in range(1, 5)]
    # Most quarters have a bar, and often not the last one; what there is of volume fills an entry in parts.
    markets = [market(number, some_of(liquid(each), rng)) for number, each in enumerate(fine, start=1)]
    seen: set[str] = set()
    for strategy in RULES:
        book = decided_alike(strategy, rules, markets)
        seen |= {str(each.reason) for each in refusals(book)}
        entries = [each for each in book.changes().new_orders if each.key.leg == "entry"]
        early = [
            each
            for each in entries
            if each.status is OrderStatus.EXPIRED and each.ended_at is not None
            and each.ended_at < each.placed_at + timedelta(minutes=60)
        ]
        seen |= {"expired early"} if early else set()
    assert seen >= {"stale_price", "expired early"}


def test_limits_and_protections_bite_alike_in_bulk_and_in_the_ledger() -> None:
    clustered = strict(max_cluster_exposure=0.3, cluster_correlation=0.05)
    crowded = strict(protected=False, max_cluster_exposure=None, max_open_positions=1)
    exposed = strict(protected=False, max_cluster_exposure=None, max_gross_exposure=0.1)
    picky = replace(crowded, entry=EntryParams(min_strength=0.7, min_confirmations=3))
    swing = Strategy("swing")
    cases = [*((each, clustered) for each in RULES), *((swing, each) for each in (picky, crowded, exposed))]
    markets = [market(number, liquid(walk(12_000, seed=number, step=300))) for number in range(1, 7)]
    seen: set[str] = set()
    for strategy, rules in cases:
        book = decided_alike(strategy, rules, markets)
        seen |= {str(each.reason) for each in refusals(book)} | {each.protection.value for each in book.guard.locks}
    assert seen >= {
        "gross_exposure", "correlated_exposure", "stop_streak", "cool_down", "low_profit", "daily_loss", "drawdown",
        "halt", "halted", "too_many_positions", "below_account_threshold",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("strategy", "changes"),
    [*((each, {}) for each in RULES), *((Strategy(each), BREAK_EVEN) for each in ("swing", "channel"))],
)
def test_the_ledger_would_have_written_the_same(strategy: Strategy, changes: dict[str, float]) -> None:
    """The paper trader's own engine in decimals, over the same signals: only rounding may differ."""
    markets = two_markets()
    result = run(strategy, markets, **changes)
    signals = ledger_signals(result.plan, result.looks, markets)
    book = trade_in_ledger(TRADING, result.plan.rules_hash, result.plan.span, markets, signals).engine.book
    trades, fills = result.traded.trades, result.traded.fills
    assert len(signals) == len(result.signals)
    assert ("break_even" in exit_reasons(trades)) == bool(changes)
    assert len(book.trades) == len(trades)
    assert [seconds_of(each.entry_time) for each in book.trades] == trades.entry_time.tolist()
    assert [seconds_of(each.exit_time) for each in book.trades] == trades.exit_time.tolist()
    assert [each.exit_reason.value for each in book.trades] == exit_reasons(trades).tolist()
    for name, values in (
        ("entry_price", trades.entry_price),
        ("exit_price", trades.exit_price),
        ("quantity", trades.quantity),
        ("fees", trades.fees),
        ("pnl", trades.pnl),
        ("mfe", trades.mfe),
    ):
        assert [float(getattr(each, name)) for each in book.trades] == pytest.approx(
            values.tolist(), rel=1e-7, abs=1e-6
        )
    assert [-each.mae for each in book.trades] == pytest.approx(trades.mae.tolist(), rel=1e-7, abs=1e-9)
    assert [float(each.price) for each in book.fills] == pytest.approx(fills.price.tolist(), rel=1e-10)
    assert [float(each.quantity) for each in book.fills] == pytest.approx(fills.quantity.tolist(), rel=1e-9)
    assert float(book.account.cash) == pytest.approx(result.traded.cash, rel=1e-9)
    refused = [each for each in book.changes().new_orders if each.status is OrderStatus.REFUSED]
    assert {each.signal_id: each.reason for each in refused} == {
        row + 1: REFUSALS[result.traded.verdicts[row]] for row in np.flatnonzero(result.traded.verdicts > 0).tolist()
    }
    for each in refused:
        assert each.reason is REFUSALS[int(result.traded.verdicts[(each.signal_id or 0) - 1])]


def test_the_curve_is_what_the_paper_trader_would_have_written() -> None:
    markets = two_markets()
    result = run(Strategy("channel"), markets)
    span = result.plan.span
    signals = ledger_signals(result.plan, result.looks, markets)
    engine = Engine(_fresh_book(result), TRADING, result.plan.rules_hash, signals)
    for each in markets:
        engine.load(each.instrument.symbol_id, each.candles)
    after = span.first
    while after < span.end:
        after = engine.run(after, span.end)
    points = {seconds_of(each.ts): float(each.equity) for each in engine.book.equity if seconds_of(each.ts) % M15 == 0}
    curve = dict(zip(result.curve.ts.tolist(), result.curve.equity.tolist(), strict=True))
    assert len(points) > 1000
    for at, equity in points.items():
        assert curve[at] == pytest.approx(equity, rel=1e-9), moment_of(at)


def _fresh_book(result: BacktestResult) -> Book:
    start = Decimal(str(TRADING.paper.account.start_cash))
    account = Account(
        account=TRADING.paper.account.name,
        currency="USD",
        start_cash=start,
        opened_at=moment_of(result.plan.span.first),
        cash=start,
    )
    return Book(account, (), (), [each.instrument for each in two_markets()])


def test_an_entry_is_filled_where_only_longer_bars_are_left_of_the_past() -> None:
    """A symbol that is collected by the minute has only quarters from before the collecting began."""
    markets = [replace(each, candles=whole_candles(each.decision, Timeframe.M15)) for each in two_markets()]
    by_quarter = [replace(each, instrument=replace(each.instrument, base_timeframe=Timeframe.M15)) for each in markets]
    by_minute = [replace(each, instrument=replace(each.instrument, base_timeframe=Timeframe.M1)) for each in markets]
    one, other = run(Strategy("channel"), by_quarter), run(Strategy("channel"), by_minute)
    assert len(one.traded.trades) > 3
    assert np.array_equal(one.traded.trades.entry_time, other.traded.trades.entry_time)
    assert np.array_equal(one.traded.trades.exit_price, other.traded.trades.exit_price)


def test_two_runs_are_alike_and_so_is_the_uncompiled_one() -> None:
    one, other = run(Strategy("swing"), two_markets()), run(Strategy("swing"), two_markets())
    markets = two_markets()
    plain = run_backtest(one.plan, markets, trading.trade_all)
    for again in (other, plain):
        for each in fields(one.traded.fills):
            assert np.array_equal(getattr(one.traded.fills, each.name), getattr(again.traded.fills, each.name))
        assert np.array_equal(one.traded.verdicts, again.traded.verdicts)
        assert np.array_equal(one.curve.equity, again.curve.equity)
    assert len(one.traded.fills) > 10


def test_what_comes_after_the_span_changes_nothing_in_it() -> None:
    markets = two_markets()
    cut = int(markets[0].decision.ts[-1]) - 10 * 86_400
    cut -= cut % M15
    plan = plan_of(Strategy("channel"), START + 20 * 86_400, cut)
    shorter = [
        SymbolMarket(
            instrument=each.instrument,
            decision=_before(each.decision, cut - M15),
            context=_before(each.context, cut - 3600),
            candles=whole_candles(_before(each.candles.bars, cut - 300), Timeframe.M5),
        )
        for each in markets
    ]
    whole, part = run_backtest(plan, markets, trade_all), run_backtest(plan, shorter, trade_all)
    for each in fields(whole.traded.fills):
        assert np.array_equal(getattr(whole.traded.fills, each.name), getattr(part.traded.fills, each.name))
    assert len(whole.traded.fills) > 5


def _before(bars: BarArrays, last_open: int) -> BarArrays:
    return bars.slice(0, int(np.searchsorted(bars.ts, last_open, side="right")))


def test_a_span_without_time_is_refused() -> None:
    with pytest.raises(InputError, match="not after its begin"):
        Span(first=10, end=10)


def test_minutes_fill_in_only_where_they_tell_the_whole_bar() -> None:
    fine = walk(90, seed=5, step=60)
    quarters = roll_up(fine, M15, START + 90 * 60)
    columns = ("ts", "open", "high", "low", "close", "volume")
    # Without its first minute a quarter opens elsewhere.
    holes = BarArrays(**{name: np.delete(getattr(fine, name), 15) for name in columns})
    series = finest_candles(quarters, Timeframe.M15, holes, Timeframe.M1)
    lengths = series.closes - series.bars.ts
    assert lengths.tolist() == [60] * 15 + [900] + [60] * 60
    assert (np.diff(series.closes) > 0).all()
    assert series.bars.open[15] == quarters.open[1]
