"""Every variation trades as a backtest of it alone does, and goes on after any stop as if there had been none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from shadow_builders import markets, model, past, some
from tracker.domain.errors import SchemaError
from tracker.domain.signal import Strategy
from tracker.quant.backtest.looks import look_at
from tracker.quant.backtest.market import Span
from tracker.quant.backtest.plan import BacktestPlan
from tracker.quant.backtest.signals import signal_table
from tracker.quant.backtest.trading import bulk_market, trade_in_bulk
from tracker.quant.compiled import resume, trade_all, trade_many
from tracker.quant.shadow import engine, swarm
from tracker.quant.shadow.accounts import Accounts, limits_and_costs, open_accounts, packed, restore, rungs_of
from tracker.quant.shadow.deciders import Decider
from tracker.quant.shadow.offline import Past, Run, run
from tracker.quant.shadow.variation import Variation
from tracker.quant.strategies import RULES

NAMES = [each.instrument.symbol for each in markets()]


def trades_of(done: Run, account: int) -> list[tuple[float, ...]]:
    columns = ("decided_at", "entry_at", "exit_at", "entry_price", "exit_price", "quantity", "pnl", "fees", "reason")
    rows = [
        tuple(getattr(part, name)[place] for name in columns)
        for part in done.trades
        for place in np.flatnonzero(part.account == account)
    ]
    return sorted(rows)


def kept(done: Run, variations: Sequence[Variation], names: Sequence[str] = NAMES) -> dict[int, bytes]:
    limits, _ = limits_and_costs([each.rules for each in variations])
    return packed(done.accounts, limits, np.arange(len(variations)), names)


def restored(
    blocks: dict[int, bytes], variations: Sequence[Variation], names: Sequence[str] = NAMES
) -> Accounts:
    numbers = np.arange(len(variations))
    rungs = rungs_of([each.params for each in variations])
    fresh = open_accounts([each.rules for each in variations], rungs, len(names))
    return restore(fresh, numbers, numbers, list(blocks.values()), names)


def middle(strategy: str) -> int:
    span = past(strategy).span
    return span.first + (span.end - span.first) // 2 // 900 * 900


@pytest.mark.parametrize("strategy", sorted(RULES))
@pytest.mark.parametrize("scored", [False, True])
def test_each_trades_as_a_backtest_of_it_alone(strategy: Strategy, scored: bool) -> None:
    asked = model(1, middle(strategy)) if scored else None
    variations = some(strategy, 12)
    whole = past(strategy, deciders=[Decider(after=0, model=asked)])
    done = run(whole, variations, resume, trade_many)
    assert (done.held_back > 0) == scored
    compared = 0
    for number, each in enumerate(variations):
        plan = BacktestPlan(
            rule=whole.rule, params=each.params, config_hash="", timeframe=each.timeframe, trading=each.rules,
            rules_hash="", span=whole.span,
        )  # fmt: skip
        looks = list(look_at(whole.markets, plan.rule, plan.params, plan.timeframe, plan.span, asked))
        table = signal_table(looks, whole.markets)
        traded = trade_in_bulk(plan, bulk_market(whole.markets, each.rules, whole.span), table, trade_all).trades
        alone = zip(
            table.decided_at[traded.signal], traded.entry_time, traded.exit_time, traded.entry_price,
            traded.exit_price, traded.quantity, traded.pnl, traded.fees, traded.reason, strict=True,
        )  # fmt: skip
        own = trades_of(done, number)
        assert np.array(own) == pytest.approx(np.array(sorted(alone)), rel=1e-12)
        compared += len(own)
    assert compared > 25


@pytest.mark.parametrize("strategy", ["dca", "swing"])
@pytest.mark.parametrize("closes", [1, 5, 96])
def test_it_makes_no_difference_how_many_closes_are_done_at_once(strategy: str, closes: int) -> None:
    whole, variations = past(strategy), some(strategy, 12)
    one, other = (run(whole, variations, resume, trade_many, closes_at_once=each) for each in (23, closes))
    assert kept(one, variations) == kept(other, variations)
    for mine, theirs in zip(one.hours, other.hours, strict=True):
        assert mine.ends_at == theirs.ends_at
        for name in ("returns", "trades", "trade_returns"):
            assert (getattr(mine, name) == getattr(theirs, name)).all()


@pytest.mark.parametrize("strategy", ["dca", "swing"])
@pytest.mark.parametrize("share", [0.13, 0.5, 0.81])
def test_it_goes_on_from_its_bytes_as_if_it_had_not_stopped(strategy: str, share: float) -> None:
    whole, variations = past(strategy), some(strategy, 12)
    at = whole.span.first + int((whole.span.end - whole.span.first) * share) // 900 * 900
    first = run(part(whole, whole.span.first, at), variations, resume, trade_many)
    accounts = restored(kept(first, variations), variations)
    second = run(part(whole, at, whole.span.end), variations, resume, trade_many, accounts=accounts)
    unbroken = run(whole, variations, resume, trade_many)
    assert kept(second, variations) == kept(unbroken, variations)
    for number in range(len(variations)):
        assert sorted(trades_of(first, number) + trades_of(second, number)) == trades_of(unbroken, number)


@pytest.mark.parametrize("closes", [7, 96])
def test_each_close_is_decided_by_the_model_of_its_time(closes: int) -> None:
    at, variations = middle("dca"), some("dca", 12)
    one, other = Decider(after=0, model=model(1)), Decider(after=at, model=model(2))
    both = run(past("dca", deciders=[one, other]), variations, resume, trade_many, closes_at_once=closes)
    span = past("dca").span
    first = run(part(past("dca", deciders=[one]), span.first, at), variations, resume, trade_many)
    accounts = restored(kept(first, variations), variations)
    second = run(
        part(past("dca", deciders=[other]), at, span.end), variations, resume, trade_many, accounts=accounts
    )
    assert first.held_back * second.held_back > 0
    assert both.held_back == first.held_back + second.held_back
    assert kept(both, variations) == kept(second, variations)


def test_a_variation_may_ask_for_another_confidence() -> None:
    (live, *_), asked = some("dca", 2), (None, 0.5, 0.0, 0.999)
    variations = [replace(live, min_confidence=each) for each in asked]
    done = run(past("dca", deciders=[Decider(after=0, model=model(1))]), variations, resume, trade_many)
    alone = run(past("dca"), [live], resume, trade_many)
    usual, same, everything, nothing = (trades_of(done, number) for number in range(4))
    assert usual == same
    assert 0 < len(usual) < len(everything)
    assert nothing == []
    # The entries are those of the rule alone, the sizes are not: they follow the confidence.
    assert [each[1] for each in everything] == [each[1] for each in trades_of(alone, 0)]
    assert [each[5] for each in everything] != [each[5] for each in trades_of(alone, 0)]


def test_compiled_and_plain_trade_alike() -> None:
    whole, variations = past("dca"), some("dca", 4)
    short = part(whole, whole.span.first, whole.span.first + 86_400)
    plain = run(short, variations, swarm.resume, swarm.trade_many)
    fast = run(short, variations, resume, trade_many)
    assert kept(plain, variations) == kept(fast, variations)


def test_a_full_record_is_done_again_with_more_room(monkeypatch: pytest.MonkeyPatch) -> None:
    whole, variations = past("dca"), some("dca", 6)
    roomy = run(whole, variations, resume, trade_many)
    monkeypatch.setattr(engine, "FILLS_A_DESK", 2)
    monkeypatch.setattr(engine, "FILLS_IN_ALL", 3)
    tight = run(whole, variations, resume, trade_many)
    assert kept(tight, variations) == kept(roomy, variations)


def test_new_symbols_move_the_rows_of_the_old_ones() -> None:
    whole, variations = past("dca"), some("dca", 12)
    done = run(whole, variations, resume, trade_many)
    blocks = kept(done, variations)
    more = ["A-USD", *NAMES, "Z-USD"]
    accounts = restored(blocks, variations, more)
    again = Run(accounts=accounts)
    assert kept(again, variations, more) != blocks
    assert kept(Run(accounts=restored(kept(again, variations, more), variations)), variations) == blocks


def test_a_symbol_that_is_gone_is_named() -> None:
    whole, variations = past("dca"), some("dca", 12)
    end = next(
        at
        for at in range(whole.span.first + 9_000, whole.span.end, 9_000)
        if len(run(part(whole, whole.span.first, at), variations, resume, trade_many).accounts.open.key)
    )
    blocks = kept(run(part(whole, whole.span.first, end), variations, resume, trade_many), variations)
    with pytest.raises(SchemaError, match="which is no symbol any more"):
        restored(blocks, variations, ["OTHER-USD"])


def part(whole: Past, first: int, end: int) -> Past:
    return replace(whole, span=Span(first=first, end=end))
