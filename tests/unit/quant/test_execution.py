"""What the fill rules leave behind in a trade; tests/oracles/test_intrabar.py tells by hand which fills they make."""

from __future__ import annotations

from typing import Any

from tracker.domain.order import ExitReason
from tracker.quant.execution import flatten, is_quiet, volume_budget, walk_bar
from tracker.quant.trade import Trade
from tracker.testing.trades import make_candles, make_rules, make_trade

Row = tuple[float, ...]

FLAT: Row = (100, 101, 99, 100)
DCA: dict[str, Any] = {"rungs": [(95, 10), (92, 20)], "target_fraction": 0.02, "target": 102.0}


def walk(trade: Trade, rows: list[Row], cash: float = 1e12) -> None:
    """Walk the trade over the bars."""
    for bar in make_candles(rows):
        walk_bar(trade, bar, make_rules(), volume_budget(bar, make_rules()), cash)


def test_an_entry_without_cash_waits_and_is_given_up() -> None:
    trade = make_trade()
    walk(trade, [FLAT], cash=0.0)
    assert not trade.done
    walk(trade, [FLAT, FLAT, FLAT, FLAT], cash=0.0)
    assert trade.done


def test_extremes_are_kept_and_the_exit_bar_counts_to_its_exit() -> None:
    trade = make_trade()
    walk(trade, [FLAT, (100, 106, 95, 100), (100, 103, 85, 86)])
    assert (trade.highest, trade.lowest) == (106, 90)
    assert trade.leaving is ExitReason.STOP
    assert trade.done


def test_a_quiet_bar_is_one_that_walks_to_the_same_state() -> None:
    quiet = make_candles([FLAT, (100, 104, 96, 103)])[1]
    trade, other = make_trade(**DCA, trail_distance=2.0), make_trade(**DCA, trail_distance=2.0)
    for each in (trade, other):
        walk(each, [FLAT])
    assert not is_quiet(trade, quiet)  # it touches the target at 102
    calm = quiet._replace(high=101.5, low=99.5)
    assert is_quiet(trade, calm)
    assert walk_bar(trade, calm, make_rules(), 1_000.0) == []
    assert trade.stop == 99.5


def test_flattening_begins_a_sale_and_buys_no_more() -> None:
    trade = make_trade(rungs=[(95, 10)])
    walk(trade, [(100, 101, 99, 100, 5)])
    flatten(trade)
    assert (trade.leaving, trade.entry_rest, trade.rungs[0].rest) == (ExitReason.FLATTEN, 0.0, 0.0)
    assert not trade.done
    walk(trade, [FLAT])
    assert trade.done


def test_flattening_a_trade_that_holds_nothing_ends_it() -> None:
    trade = make_trade()
    flatten(trade)
    assert trade.done


def test_flattening_takes_a_target_over_but_no_stop() -> None:
    trade, other = make_trade(), make_trade()
    walk(trade, [FLAT, (100, 111, 99, 105, 4)])
    walk(other, [FLAT, (100, 101, 88, 95, 4)])
    assert (trade.leaving, other.leaving) == (ExitReason.TARGET, ExitReason.STOP)
    for each in (trade, other):
        flatten(each)
    assert (trade.leaving, other.leaving) == (ExitReason.FLATTEN, ExitReason.STOP)


def test_a_stop_at_what_the_trade_cost_pays_for_its_fees() -> None:
    rules = make_rules(taker_fee_bps=26)
    trade = make_trade(break_even_distance=3.0, break_even_cost=rules.round_trip_cost())
    walk(trade, [FLAT, (100, 104, 100, 103)])
    fee = rules.fee_rate(maker=False)
    assert trade.stop_reason is ExitReason.BREAK_EVEN
    assert abs(10 * trade.stop * (1 - fee) - 10 * 100 * (1 + fee)) < 1e-9
