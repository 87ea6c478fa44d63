"""What holds for any signals and bars traded in bulk: fills inside the bar, nothing lost, no luck, fees only cost."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from tracker.quant import kernel, risk_rules
from tracker.quant.backtest.trading import ends_by_signal
from tracker.quant.bars import Floats
from tracker.quant.bulk import desk
from tracker.quant.bulk.desk import Desk, Market, Plans, Record, carry_on, new_desk, new_record, still_live
from tracker.quant.compiled import trade_all
from tracker.quant.risk import (
    CoolDown,
    DailyLoss,
    Drawdown,
    LowProfit,
    Protections,
    RiskConfig,
    RiskLimits,
    StopStreak,
)
from tracker.quant.sizing import DrawdownScale, SizingParams, VolatilityScale
from tracker.testing.trades import FREE

CASH = 1e6
MINUTE = 60


@dataclass(frozen=True, slots=True)
class World:
    """Bars, signals, and limits under which any of them may be taken."""

    market: Market
    plans: Plans
    limits: Floats

    def trade(self, rules: Floats) -> tuple[Desk, Record, Floats]:
        """Trade everything; return the desk, the record and its fills."""
        rungs, symbols = self.plans.ladders.shape[1], len(self.market.symbols)
        work = new_desk(int(self.limits[risk_rules.LIMIT_OPEN]), rungs, symbols, CASH, len(self.plans.times))
        record = new_record(len(self.plans.times), 20_000)
        count = trade_all(self.plans, self.market, work, self.limits, rules, int(self.market.closes.max()), record)
        assert count >= 0
        ends = ends_by_signal(record.ends[: work.counters[desk.ENDED]], still_live(work), len(self.plans.times))
        return work, record._replace(ends=ends), record.fills[:count]

    def bar_of(self, fill: Floats) -> Floats:
        """Return the bar of a fill."""
        symbol = self.plans.symbol_of[int(fill[desk.FILL_SIGNAL])]
        rows = slice(self.market.offsets[symbol], self.market.offsets[symbol + 1])
        return self.market.bars[rows][int(fill[desk.FILL_BAR_TS]) // MINUTE]


def market_of(rng: np.random.Generator, symbols: int, bars: int) -> Market:
    """Return minutes around 100 with every kind of gap, and volumes from nothing to plenty."""
    prices = np.sort(rng.uniform(85.0, 115.0, (symbols * bars, 4)), axis=1)
    swap = rng.random(symbols * bars) < 0.5
    ts = np.tile(np.arange(bars, dtype=np.int64) * MINUTE, symbols)
    columns = (
        ts.astype(np.float64),
        np.where(swap, prices[:, 1], prices[:, 2]),
        prices[:, 3],
        prices[:, 0],
        np.where(swap, prices[:, 2], prices[:, 1]),
        rng.choice([0.0, 200.0, 5e3, 1e6], symbols * bars),
    )
    return Market(
        symbols=np.tile([1e-3, 10.0, 3.0 * MINUTE, MINUTE], (symbols, 1)),
        bars=np.column_stack(columns),
        closes=ts + MINUTE,
        offsets=np.arange(symbols + 1, dtype=np.int64) * bars,
        hours=np.empty((symbols, 0)),
        first_hour=np.zeros(1, dtype=np.int64),
    )


def plans_of(rng: np.random.Generator, symbols: int, times: list[int]) -> Plans:
    """Return one signal a time and symbol: with and without ladder, moving target, trailing stop and early time-out."""
    n = symbols * len(times)
    decided = np.repeat(np.array(times, dtype=np.int64), symbols)
    plans = np.empty((n, desk.PLAN_SIZE))
    plans[:, desk.PLAN_ENTRY] = 100.0
    plans[:, desk.PLAN_STOP] = rng.uniform(86.0, 92.0, n)
    plans[:, desk.PLAN_TARGET] = rng.uniform(101.0, 112.0, n)
    plans[:, desk.PLAN_FRACTION] = rng.choice([np.nan, 0.02], n)
    plans[:, desk.PLAN_TRAIL] = rng.choice([0.0, 4.0, 12.0], n)
    plans[:, desk.PLAN_BREAK_EVEN] = rng.choice([0.0, 1.0, 5.0], n)
    plans[:, desk.PLAN_CONFIDENCE] = np.nan
    plans[:, desk.PLAN_STRENGTH], plans[:, desk.PLAN_CONFIRMATIONS] = rng.random(n), rng.integers(0, 5, n)
    plans[:, desk.PLAN_VOLATILITY] = rng.integers(0, 4, n)
    plans[:, desk.PLAN_REGIME] = rng.integers(0, 4, n)
    plans[:, desk.PLAN_EXPIRES_AT] = decided + rng.choice([2, 10, 10_000], n) * MINUTE
    with_ladder = rng.random(n) < 0.5
    ladders = np.where(with_ladder[:, None], [97.0, 94.0], np.nan)
    weights = np.where(with_ladder[:, None], [0.5, 0.25, 0.25], [1.0, np.nan, np.nan])
    return Plans(
        times=decided,
        symbol_of=np.tile(np.arange(symbols, dtype=np.int64), len(times)),
        rank_of=np.zeros(n, dtype=np.int64),
        plans=plans,
        ladders=ladders,
        weights=weights,
    )


@st.composite
def protections(draw: st.DrawFn) -> Protections:
    """Protections that are off, or so tight that forty minutes set them off."""
    return Protections(
        stop_streak=StopStreak(trades=draw(st.integers(0, 2)), window_minutes=20, lock_minutes=5),
        cool_down=CoolDown(lock_minutes=draw(st.integers(0, 3))),
        low_profit=LowProfit(trades=draw(st.integers(0, 2)), window_minutes=15, min_return=-0.01, lock_minutes=10),
        daily_loss=DailyLoss(max_loss=draw(st.sampled_from([0.0, 0.01]))),
        drawdown=draw(
            st.sampled_from(
                [Drawdown(), Drawdown(reduce_at=0.005, reduce_minutes=20, halt_at=0.02, halt_minutes=20)]
            )
        ),
    )


@st.composite
def worlds(draw: st.DrawFn, *, at_once: bool = False) -> World:
    """Draw a world; `at_once`: all signals in the first minute, a sliver of the cash each, none to break even."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    symbols, bars = draw(st.integers(1, 4)), draw(st.integers(2, 40))
    every = draw(st.integers(1, 5))
    sizing = SizingParams(
        risk_per_trade=0.5,
        size_multiplier=1.0,
        max_position_share=0.01 if at_once else draw(st.sampled_from([0.05, 0.9])),
        volatility=VolatilityScale(high=0.5),
        drawdown=DrawdownScale(begins=0.0, ends=0.05, least=1.0 if at_once else 0.5),
    )
    config = RiskConfig(
        sizing=sizing,
        limits=RiskLimits(
            max_open_positions=symbols if at_once else draw(st.integers(1, symbols)),
            max_gross_exposure=None if at_once else draw(st.sampled_from([None, 0.7])),
        ),
        protections=Protections() if at_once else draw(protections()),
    )
    limits = np.array(config.numbers(FREE))
    limits[risk_rules.LIMIT_VOLUME_SHARE] = draw(st.sampled_from([0.01, 0.5, 1.0]))
    limits[risk_rules.LIMIT_SLIP_RESERVE] = 0.005
    times = [MINUTE] if at_once else [each * MINUTE for each in range(1, bars, every)]
    world = World(market_of(rng, symbols, bars), plans_of(rng, symbols, times), limits)
    if at_once:
        world.plans.plans[:, desk.PLAN_BREAK_EVEN] = 0.0
    return world


@st.composite
def rules(draw: st.DrawFn) -> Floats:
    """Costs from none to heavy."""
    maker = draw(st.floats(0, 0.005))
    taker = maker + draw(st.floats(0, 0.005))
    return np.array([maker, taker, draw(st.floats(0, 20)), draw(st.floats(0, 500)), draw(st.floats(0, 50))])


def net(fills: Floats) -> Floats:
    """Return the cash that each fill moves before its fee: sales bring, buys cost."""
    sign = np.where(fills[:, desk.FILL_LEG] == kernel.LEG_EXIT, 1.0, -1.0)
    return sign * fills[:, desk.FILL_QUANTITY] * fills[:, desk.FILL_PRICE]


@given(worlds(), rules())
def test_no_fill_lies_outside_its_bar_or_takes_more_than_its_share(world: World, costs: Floats) -> None:
    _, _, fills = world.trade(costs)
    taken: dict[tuple[int, int], float] = {}
    for fill in fills:
        bar = world.bar_of(fill)
        assert bar[kernel.BAR_LOW] <= fill[desk.FILL_PRICE] <= bar[kernel.BAR_HIGH]
        key = int(world.plans.symbol_of[int(fill[desk.FILL_SIGNAL])]), int(fill[desk.FILL_BAR_TS])
        taken[key] = taken.get(key, 0.0) + fill[desk.FILL_QUANTITY]
        assert taken[key] <= bar[kernel.BAR_VOLUME] * world.limits[risk_rules.LIMIT_VOLUME_SHARE] + 1e-6


@given(worlds(), rules())
def test_no_cash_and_no_quantity_is_lost_or_invented(world: World, costs: Floats) -> None:
    work, record, fills = world.trade(costs)
    value = fills[:, desk.FILL_QUANTITY] * fills[:, desk.FILL_PRICE]
    rate = np.where(fills[:, desk.FILL_MAKER] != 0.0, costs[kernel.MAKER_FEE], costs[kernel.TAKER_FEE])
    assert np.allclose(fills[:, desk.FILL_FEE], value * rate, rtol=1e-12, atol=0)
    expected = CASH + (net(fills) - fills[:, desk.FILL_FEE]).sum()
    assert abs(work.sums[desk.SUM_CASH] - expected) < 1e-9 * CASH
    assert work.sums[desk.SUM_CASH] >= -1e-6
    bought = np.where(fills[:, desk.FILL_LEG] == kernel.LEG_EXIT, -1.0, 1.0) * fills[:, desk.FILL_QUANTITY]
    held = np.bincount(fills[:, desk.FILL_SIGNAL].astype(np.int64), weights=bought, minlength=len(record.ends))
    traded = record.verdicts == desk.TAKEN
    assert np.allclose(held[traded], np.nan_to_num(record.ends[traded, desk.END_HELD]), rtol=0, atol=1e-6)
    assert not held[~traded].any()


@given(worlds(), rules())
def test_a_stop_is_never_better_than_the_worst_path(world: World, costs: Floats) -> None:
    _, record, fills = world.trade(costs)
    seen: set[int] = set()
    for fill in fills[fills[:, desk.FILL_LEG] == kernel.LEG_EXIT]:
        signal, reason = int(fill[desk.FILL_SIGNAL]), int(fill[desk.FILL_REASON])
        if signal in seen or reason not in (kernel.LEFT_BY_STOP, kernel.LEFT_BY_TRAILING, kernel.LEFT_BY_BREAK_EVEN):
            continue
        seen.add(signal)
        # A stop that was raised was never higher than at the end.
        trailed = reason != kernel.LEFT_BY_STOP
        stop = record.ends[signal, desk.END_STOP] if trailed else world.plans.plans[signal, desk.PLAN_STOP]
        opened, reference = world.bar_of(fill)[kernel.BAR_OPEN], fill[desk.FILL_REFERENCE]
        assert fill[desk.FILL_PRICE] <= reference
        if fill[desk.FILL_AT_OPEN] == 0.0:
            assert reference <= min(stop, opened)
        else:
            assert reference == opened
            # Above the stop only where an earlier bar touched it without volume to sell in.
            assert opened <= stop or touched_before(world, fill, stop)


def touched_before(world: World, fill: Floats, stop: float) -> bool:
    """Return whether a bar between the decision and the fill fell to the stop and had no volume left for it."""
    signal = int(fill[desk.FILL_SIGNAL])
    symbol = world.plans.symbol_of[signal]
    bars = world.market.bars[world.market.offsets[symbol] : world.market.offsets[symbol + 1]]
    held = (bars[:, kernel.BAR_TS] >= world.plans.times[signal]) & (bars[:, kernel.BAR_TS] < fill[desk.FILL_BAR_TS])
    return bool((bars[held, kernel.BAR_LOW] <= stop).any())


@given(worlds(at_once=True), rules(), st.floats(0, 0.005), st.floats(0, 0.005))
def test_higher_fees_never_pay(world: World, costs: Floats, maker: float, taker: float) -> None:
    dearer = costs.copy()
    dearer[kernel.MAKER_FEE] += maker
    dearer[kernel.TAKER_FEE] += maker + taker
    cheap, record, fills = world.trade(costs)
    dear, dear_record, dear_fills = world.trade(dearer)
    # The same trades: sizes were settled before the first fee was paid, and no stop goes to where fees are paid for.
    apart = [desk.FILL_SIGNAL, desk.FILL_LEG, desk.FILL_QUANTITY, desk.FILL_PRICE, desk.FILL_BAR_TS, desk.FILL_REASON]
    assert np.array_equal(fills[:, apart], dear_fills[:, apart])
    assert np.array_equal(record.ends, dear_record.ends, equal_nan=True)
    assert dear.sums[desk.SUM_CASH] <= cheap.sums[desk.SUM_CASH] + 1e-9
    paid = dear_fills[:, desk.FILL_FEE].sum() - fills[:, desk.FILL_FEE].sum()
    assert abs(cheap.sums[desk.SUM_CASH] - dear.sums[desk.SUM_CASH] - paid) < 1e-9 * CASH


@given(worlds(), rules(), st.lists(st.integers(1, 45), max_size=3))
def test_a_desk_that_is_carried_on_trades_as_if_it_had_never_stopped(
    world: World, costs: Floats, cuts: list[int]
) -> None:
    whole, _, fills = world.trade(costs)
    plans, market = world.plans, world.market
    work = new_desk(int(world.limits[risk_rules.LIMIT_OPEN]), plans.ladders.shape[1], len(market.symbols), CASH, 0)
    found: list[Floats] = []
    given_before, reached = 0, 0
    for until in [*sorted(each * MINUTE for each in cuts), int(market.closes.max())]:
        rows = (market.closes > reached) & (market.closes <= until)
        counts = [
            int(rows[begin:end].sum()) for begin, end in zip(market.offsets[:-1], market.offsets[1:], strict=True)
        ]
        piece = Market(
            symbols=market.symbols,
            bars=market.bars[rows],
            closes=market.closes[rows],
            offsets=np.concatenate(([0], np.cumsum(counts))).astype(np.int64),
            hours=market.hours,
            first_hour=market.first_hour,
        )
        due = (plans.times > reached) & (plans.times <= until)
        part = Plans(*(each[due] for each in plans))
        work = carry_on(work, piece, world.limits, given_before, int(due.sum()))
        record = new_record(int(due.sum()), 20_000)
        count = trade_all(part, piece, work, world.limits, costs, until, record)
        found.append(record.fills[:count])
        given_before, reached = int(due.sum()), until
    assert np.array_equal(np.concatenate(found), fills)
    assert np.array_equal(work.sums[desk.SUM_CASH], whole.sums[desk.SUM_CASH])
