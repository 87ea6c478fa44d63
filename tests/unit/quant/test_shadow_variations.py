"""What configs/shadow.toml declares: every variation valid, the same each time, and refused by name where not."""

from __future__ import annotations

import re
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
from quant_builders import ROOT
from shadow_builders import changed_file, shipped_swarms
from tracker.domain.errors import ConfigError
from tracker.domain.signal import Strategy
from tracker.quant.shadow.axes import Between, drawn, listed
from tracker.quant.strategies import RULES
from tracker.runtime.config import config_hash
from tracker.runtime.shadow_config import load_swarms
from tracker.runtime.strategies import load_strategy
from tracker.runtime.trading_rules import load_trading_rules

CONFIGS = ROOT / "configs"


def test_more_than_three_thousand_are_shipped_and_none_twice() -> None:
    swarms = shipped_swarms().values()
    ids = [each.id for swarm in swarms for each in swarm.variations]
    assert len(ids) == len(set(ids)) >= 3_000
    assert {each.config.strategy for each in swarms} == set(RULES)


@pytest.mark.parametrize("strategy", sorted(RULES))
def test_the_first_is_exactly_what_is_live(strategy: Strategy) -> None:
    swarm = shipped_swarms()[strategy]
    live = swarm.variations[0]
    assert (live.source, dict(live.changes)) == ("live", {})
    assert live.config_hash == load_strategy(CONFIGS, strategy).hash
    assert live.rules == load_trading_rules(CONFIGS)
    assert live.rules_hash == config_hash(load_trading_rules(CONFIGS))


@pytest.mark.parametrize("strategy", sorted(RULES))
def test_each_is_what_the_fleet_would_run_with_its_changes(strategy: Strategy) -> None:
    for each in shipped_swarms()[strategy].variations[1::150]:
        params = {name: value for name, value in each.changes.items() if "." not in name}
        loaded = load_strategy(CONFIGS, strategy, params)
        assert (loaded.params, loaded.hash) == (each.params, each.config_hash)
        assert each.changes


def test_ids_are_the_same_each_time_and_another_seed_draws_others(tmp_path: Path) -> None:
    again = load_swarms(CONFIGS, RULES)
    assert [each.hash for each in again] == [each.hash for each in shipped_swarms().values()]
    other = load_swarms(changed_file(tmp_path, "shadow.toml", "seed = 20260101", "seed = 5"), RULES)
    ours = {each.id for each in again[0].variations}
    theirs = {each.id for each in other[0].variations}
    assert 300 < len(ours & theirs) < 400  # the grid and the live one


def test_a_promotion_leaves_all_accounts_and_names_what_differs_from_it() -> None:
    before = shipped_swarms()[Strategy("swing")]
    chosen = before.variations[100]
    live = replace(before.config, params=chosen.params, hash=chosen.config_hash)
    after = {each.config.strategy: each for each in load_swarms(CONFIGS, RULES, {Strategy("swing"): live})}
    swarm = after[Strategy("swing")]
    assert {each.id for each in swarm.variations} == {each.id for each in before.variations}
    assert (swarm.variations[0].id, dict(swarm.variations[0].changes)) == (chosen.id, {})
    file = next(each for each in swarm.variations if each.source == "file")
    assert file.id == before.variations[0].id
    assert file.changes == {name: asdict(before.config.params)[name] for name in chosen.changes}
    assert swarm.hash != before.hash


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("min_drop_pct = [1.0, 1.5, 2.5]", "min_drop_pct = [1.0, 95.0]", "dca_grid: params.min_drop_pct = 95.0: "),
        ("min_drop_pct = [1.0, 1.5, 2.5]", "min_fall = [1.0]", "dca_grid: params.min_fall: dca has no such number"),
        ("drop_atr = { low = 4.0, high = 8.0, steps = 3 }", "drop_atr = { low = 4.0, high = 8.0 }", "needs steps"),
        ("drop_atr = { low = 4.0, high = 8.0, steps = 3 }", "drop_atr = { low = 8.0, high = 4.0 }", "drop_atr"),
        ('"risk.sizing.risk_per_trade" = [0.01', '"risk.sizing.nothing" = [0.01', "trading.risk.sizing.nothing"),
        ('"risk.sizing.risk_per_trade" = [0.01', '"paper.execution.taker_fee_bps" = [0.01', "no such number in risk"),
        ('"risk.sizing.risk_per_trade" = [0.01', '"risk.sizing.risk_per_trade" = [1.5', "risk_per_trade = 1.5"),
        ("count = 711", "count = 0", "count = 0"),
        ('name = "dca_draws"', 'name = "dca_grid"', "the name dca_grid is given to two sets"),
        ('name = "dca_draws"', 'name = "live"', "live is the name of a configuration that is always tried"),
        ('strategy = "swing"', 'strategy = "nothing"', "there is no rule 'nothing'"),
        ("seed = 20260101", "seed = 20260101\nseeds = 1", "unknown key seeds = 1"),
    ],
)
def test_what_cannot_be_tried_is_named(tmp_path: Path, old: str, new: str, sentence: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(sentence)):
        load_swarms(changed_file(tmp_path, "shadow.toml", old, new), RULES)


def test_draws_that_contradict_themselves_are_drawn_again_but_not_for_ever(tmp_path: Path) -> None:
    configs = changed_file(tmp_path, "shadow.toml", "max_rsi = { low = 28.0, high = 45.0 }", "max_rsi = [1.0, 2.0]")
    with pytest.raises(ConfigError, match="only 0 different valid ones could be drawn"):
        load_swarms(configs, RULES)


def test_what_is_asked_of_a_model_may_vary_too(tmp_path: Path) -> None:
    path = changed_file(tmp_path, "shadow.toml", "seed = 20260101", "seed = 20260101")
    text = (path / "shadow.toml").read_text()
    extra = '[[set]]\nname = "asked"\nstrategy = "dca"\n[set.model]\nmin_confidence = [0.5, 0.6]\n'
    (path / "shadow.toml").write_text(text + extra)
    swarm = load_swarms(path, RULES)[0]
    before = shipped_swarms()[swarm.config.strategy].variations
    # What varies nothing of it keeps its account.
    assert [each.id for each in swarm.variations[:-2]] == [each.id for each in before]
    assert {each.min_confidence for each in before} == {None}
    more = swarm.variations[-2:]
    assert [each.min_confidence for each in more] == [0.5, 0.6]
    assert [dict(each.changes) for each in more] == [{"model.min_confidence": 0.5}, {"model.min_confidence": 0.6}]
    assert len({each.rules_hash for each in (*more, before[0])}) == 3
    for wrong, sentence in {
        "min_confidence = [1.0]": "set asked: model.min_confidence = 1.0: a probability from 0 to below 1 is wanted",
        "threshold = [0.5]": "set asked: model.threshold: only min_confidence is asked of a model",
    }.items():
        (path / "shadow.toml").write_text(text + extra.replace("min_confidence = [0.5, 0.6]", wrong))
        with pytest.raises(ConfigError, match=re.escape(sentence)):
            load_swarms(path, RULES)


def test_axes() -> None:
    assert listed(Between(low=1, high=5, steps=3), whole=True) == (1, 3, 5)
    assert listed(Between(low=0.0, high=1.0, steps=5), whole=False) == (0.0, 0.25, 0.5, 0.75, 1.0)
    rng = np.random.default_rng(3)
    whole = {drawn(Between(low=1, high=3), rng, whole=True) for _ in range(100)}
    assert whole == {1, 2, 3}
    assert all(0.2 <= drawn(Between(low=0.2, high=0.4), rng, whole=False) <= 0.4 for _ in range(100))
    assert {drawn((5, 7), rng, whole=True) for _ in range(50)} == {5, 7}
