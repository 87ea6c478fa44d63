"""What holds for any prices: fills inside the bar, nothing lost, no luck."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal, localcontext

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tracker.domain.account import Account, EquityPoint
from tracker.domain.candle import Candle
from tracker.domain.fill import Fill
from tracker.domain.money import EXACT, decimal_of, quantity_of
from tracker.domain.order import ExitReason, Order, OrderKey, OrderKind, OrderSide, OrderStatus
from tracker.domain.position import Position, PositionStatus
from tracker.domain.signal import Side, Strategy
from tracker.domain.timeframe import EPOCH
from tracker.quant.execution import ExecutionParams, is_quiet, observe, volume_budget, walk_bar
from tracker.quant.ledger import book_account, book_position, fill_of, mark, trade_of
from tracker.quant.trade import Execution, Trade
from tracker.testing.trades import NOON, make_trade

STEP = Decimal("0.001")
INITIAL_STOP = 90.0
FREE = ExecutionParams(
    maker_fee_bps=0.0, taker_fee_bps=0.0, slippage_base_bps=0.0, slippage_impact_bps=0.0, slippage_cap_bps=0.0,
    max_volume_share=1.0, entry_valid_bars=3,
)  # fmt: skip
STOPS = (ExitReason.STOP, ExitReason.TRAILING, ExitReason.BREAK_EVEN)


@st.composite
def candles(draw: st.DrawFn) -> list[Candle]:
    """Bars around 100 with every kind of gap, and volumes from nothing to plenty."""
    bars: list[Candle] = []
    for index in range(draw(st.integers(1, 12))):
        prices = sorted(draw(st.lists(st.floats(80, 120), min_size=4, max_size=4)))
        open_, close = draw(st.permutations(prices[1:3]))
        bars.append(
            Candle(
                index * 60, open_, prices[3], prices[0], close, draw(st.sampled_from([0.0, 5.0, 50.0, 1e4]))
            )
        )
    return bars


@st.composite
def trades(draw: st.DrawFn) -> Trade:
    """Trades with and without ladder, moving target, trailing stop and an early time-out."""
    rungs = draw(st.sampled_from([(), ((96.0, 5.0),), ((97.0, 2.5), (94.0, 20.0))]))
    return make_trade(
        rungs=rungs,
        target_fraction=draw(st.sampled_from([None, 0.01, 0.05])),
        trail_distance=draw(st.sampled_from([0.0, 3.0, 10.0])),
        break_even_distance=draw(st.sampled_from([0.0, 1.0, 6.0])),
        break_even_cost=draw(st.sampled_from([0.0, 0.005])),
        expires_at=draw(st.sampled_from([0, 120, 400, 6_000])),
        entry_until=draw(st.sampled_from([60, 180])),
    )


@st.composite
def rules(draw: st.DrawFn) -> ExecutionParams:
    """Costs from none to heavy."""
    maker = draw(st.floats(0, 50))
    return ExecutionParams(
        maker_fee_bps=maker,
        taker_fee_bps=maker + draw(st.floats(0, 50)),
        slippage_base_bps=draw(st.floats(0, 20)),
        slippage_impact_bps=draw(st.floats(0, 500)),
        slippage_cap_bps=draw(st.floats(0, 100)),
        max_volume_share=draw(st.sampled_from([0.01, 0.1, 1.0])),
        entry_valid_bars=3,
    )


def run(trade: Trade, bars: list[Candle], params: ExecutionParams) -> list[tuple[Candle, Execution]]:
    """Walk all bars and return the fills with their bars."""
    return [(bar, each) for bar in bars for each in walk_bar(trade, bar, params, volume_budget(bar, params))]


@given(trades(), candles(), rules())
def test_no_fill_lies_outside_its_bar_or_takes_more_than_its_share(
    trade: Trade, bars: list[Candle], params: ExecutionParams
) -> None:
    taken: dict[int, float] = {}
    for bar, each in run(trade, bars, params):
        assert bar.low <= each.price <= bar.high
        taken[bar.ts] = taken.get(bar.ts, 0.0) + each.quantity
    for bar in bars:
        assert taken.get(bar.ts, 0.0) <= volume_budget(bar, params) + 1e-6


@given(trades(), candles(), rules())
def test_no_quantity_is_lost_or_invented(trade: Trade, bars: list[Candle], params: ExecutionParams) -> None:
    wanted = trade.entry_rest + sum(rung.rest for rung in trade.rungs)
    fills = [each for _, each in run(trade, bars, params)]
    bought = sum(each.quantity for each in fills if each.kind is not OrderKind.EXIT)
    sold = sum(each.quantity for each in fills if each.kind is OrderKind.EXIT)
    assert abs(bought - sold - trade.held) < 1e-9
    assert bought <= wanted + 1e-9
    assert trade.held >= 0


@given(
    st.integers(1, 10**13) | st.integers(10**13, 10**17),
    st.lists(st.floats(0.0, 1.0) | st.sampled_from([0.0, 1e-12, 0.5]), max_size=12),
    st.sampled_from([0.1, 0.37, 1.0]),
)
@example(435_164_796_907, [1 - 1 / 435_164_796_907], 1.0)
def test_an_exit_sells_what_was_bought_to_the_last_lot(lots: int, parts: list[float], share: float) -> None:
    step = 1e-8
    size = lots * step
    params = replace(FREE, max_volume_share=share)
    trade = make_trade(step=step, entry_rest=size, entry_until=10**9, expires_at=10**9, stop=90.0)
    falling = [Candle(60 * (index + 1), 80.0, 80.0, 80.0, 80.0, size * part) for index, part in enumerate(parts)]
    last = [Candle(60 * (len(parts) + 1 + index), 80.0, 80.0, 80.0, 80.0, 1e3 * size) for index in range(4)]
    fills = run(trade, [Candle(0, 100.0, 100.0, 100.0, 100.0, 1e3 * size), *falling, *last], params)
    assert trade.held == 0.0
    bought, sold = (
        sum(each.quantity for _, each in fills if (each.kind is OrderKind.EXIT) is leaves) for leaves in (False, True)
    )
    assert bought == pytest.approx(sold, rel=1e-12)
    assert all(each.quantity > 0 for _, each in fills)


@given(trades(), candles(), rules())
def test_a_stop_is_never_better_than_the_worst_path(
    trade: Trade, bars: list[Candle], params: ExecutionParams
) -> None:
    for bar in bars:
        stop = trade.stop
        began = trade.leaving in (None, ExitReason.TARGET)
        for each in walk_bar(trade, bar, params, volume_budget(bar, params)):
            if each.reason in STOPS and began:
                assert each.price <= min(stop, bar.open if each.at_open else stop)
                if bar.open <= stop:
                    assert each.reference == bar.open
        assert trade.stop >= stop
    assert (trade.stop > INITIAL_STOP) == (trade.stop_reason is not ExitReason.STOP)
    assert trade.trail_distance > 0 or trade.stop_reason is not ExitReason.TRAILING
    assert trade.break_even_distance > 0 or trade.stop_reason is not ExitReason.BREAK_EVEN


@given(trades(), candles(), rules(), st.floats(0, 50))
def test_higher_fees_never_pay(
    trade: Trade, bars: list[Candle], params: ExecutionParams, extra: float
) -> None:
    dearer = replace(
        params, maker_fee_bps=params.maker_fee_bps + extra, taker_fee_bps=params.taker_fee_bps + extra
    )
    assert worth(copy_of(trade), bars, dearer) <= worth(copy_of(trade), bars, params)


@given(trades(), candles(), rules())
def test_the_short_cut_for_quiet_bars_changes_nothing(
    trade: Trade, bars: list[Candle], params: ExecutionParams
) -> None:
    other = copy_of(trade)
    for bar in bars:
        fills = walk_bar(trade, bar, params, volume_budget(bar, params))
        if is_quiet(other, bar):
            assert fills == []
            observe(other, bar)
        else:
            walk_bar(other, bar, params, volume_budget(bar, params))
        assert other == trade


@settings(max_examples=200)
@given(trades(), candles(), rules())
def test_the_ledger_adds_up_to_the_last_digit(
    trade: Trade, bars: list[Candle], params: ExecutionParams
) -> None:
    books = Books()
    for bar in bars:
        for each in walk_bar(trade, bar, params, volume_budget(bar, params)):
            books.book(each, bar, params)
        point = books.mark(bar)
        with localcontext(EXACT):
            assert point.equity == books.start + point.realised_pnl + point.unrealised_pnl - point.fees
            flows = sum(
                (f.price * f.quantity * (1 if f.side is OrderSide.SELL else -1) - f.fee for f in books.fills),
                Decimal(0),
            )
            assert books.account.cash == books.start + flows
        assert books.position.quantity == quantity_of(trade.held, STEP)
    if books.position.status is PositionStatus.CLOSED:
        closed = trade_of(replace(books.position, leaving=trade.leaving))
        assert closed.pnl == books.account.cash - books.start
        assert closed.mae <= 0 <= closed.mfe


class Books:
    """A position and an account in decimals."""

    def __init__(self) -> None:
        """Begin with cash only."""
        self.start = Decimal(10_000)
        self.fills: list[Fill] = []
        self.account = Account(
            account="a", currency="USD", start_cash=self.start, opened_at=NOON, cash=self.start
        )
        self.position = Position(
            account="a",
            strategy=Strategy("dca"),
            symbol_id=1,
            decided_at=NOON,
            signal_id=1,
            config_hash="",
            rules_hash="",
            side=Side.LONG,
            status=PositionStatus.PENDING,
            quantity_step=STEP,
            stop_price=Decimal(90),
            initial_stop_price=Decimal(90),
            target_price=Decimal(110),
            expires_at=NOON,
            entry_until=NOON,
        )

    def book(self, execution: Execution, bar: Candle, params: ExecutionParams) -> None:
        """Write one fill."""
        side = OrderSide.SELL if execution.kind is OrderKind.EXIT else OrderSide.BUY
        key = OrderKey(account="a", strategy=Strategy("dca"), symbol_id=1, decided_at=NOON, leg="any")
        order = Order(
            key=key,
            kind=execution.kind,
            side=side,
            status=OrderStatus.PENDING,
            quantity=Decimal(1_000),
            reference_price=Decimal(100),
            placed_at=NOON,
            signal_id=1,
            config_hash="",
            rules_hash="",
        )
        opened = EPOCH + timedelta(seconds=bar.ts)
        fill = fill_of(execution, order, STEP, params, opened, opened + timedelta(minutes=1))
        before = self.position
        self.position = book_position(before, fill)
        self.account = book_account(self.account, fill, before, self.position)
        self.fills.append(fill)

    def mark(self, bar: Candle) -> EquityPoint:
        """Value at the bar's close."""
        self.position = replace(self.position, last_price=decimal_of(bar.close))
        return mark(self.account, [self.position], NOON)


def worth(trade: Trade, bars: list[Candle], params: ExecutionParams) -> float:
    """Return what the fills brought, with what is still held at the last close."""
    money = 0.0
    for _, each in run(trade, bars, params):
        sign = 1 if each.kind is OrderKind.EXIT else -1
        notional = each.quantity * each.price
        money += sign * notional - notional * params.fee_rate(maker=each.maker)
    return money + trade.held * bars[-1].close


def copy_of(trade: Trade) -> Trade:
    """Return an equal trade that shares nothing."""
    return replace(trade, rungs=[replace(rung) for rung in trade.rungs])
