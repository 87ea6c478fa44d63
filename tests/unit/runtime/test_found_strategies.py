"""Rules are found by their files, and a file that holds none is one sentence that names it."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from tracker.domain.errors import ConfigError
from tracker.domain.signal import Strategy
from tracker.quant.strategies import RULES
from tracker.runtime.settings import PROJECT_ROOT
from tracker.runtime.strategies import configured_strategies, load_rules, load_strategy, scanned_strategies

from services.control.config_check import check_configs

CONFIGS = PROJECT_ROOT / "configs"
RULE = """
from dataclasses import dataclass

from tracker.domain.signal import Strategy


@dataclass(frozen=True, kw_only=True)
class Params:
    length: int


class Rule:
    name = Strategy("mine")
    params = Params
    required_features = ()

    def evaluate(self, frame, params):
        raise NotImplementedError


RULE = Rule()
"""


@pytest.fixture
def configs(tmp_path: Path) -> Path:
    """A copy of the shipped configuration."""
    return Path(shutil.copytree(CONFIGS, tmp_path / "configs"))


def put(folder: Path, text: str = RULE, name: str = "mine.py") -> Path:
    """Write a file, and return its folder."""
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(text)
    return folder


@pytest.mark.parametrize("name", ["swing", "a", "ema_cross_2", "x" * 40])
def test_names_that_strategies_may_have(name: str) -> None:
    assert (Strategy(name), Strategy(name).value, f"{Strategy(name)}") == (name, name, name)
    assert type(Strategy(name).value) is str


@pytest.mark.parametrize("name", ["", "Swing", "2x", "_x", "a-b", "a b", "x" * 41, "swing\n", "größe"])
def test_names_that_they_may_not_have(name: str) -> None:
    with pytest.raises(ValueError, match=re.escape(repr(name))):
        Strategy(name)


def test_every_module_with_a_rule_is_shipped() -> None:
    folder = PROJECT_ROOT / "libs" / "tracker" / "quant" / "strategies"
    holding = {path.stem for path in folder.glob("*.py") if "\nRULE = " in path.read_text()}
    assert set(RULES) == holding == {"channel", "dca", "swing"}
    assert {name: rule.name for name, rule in RULES.items()} == {name: name for name in holding}


def test_what_is_shipped_is_configured_and_scanned() -> None:
    assert set(configured_strategies(CONFIGS)) == set(scanned_strategies(CONFIGS)) == set(RULES)
    assert check_configs(CONFIGS, PROJECT_ROOT / "strategies") == []


def test_a_file_in_the_folder_is_a_rule(tmp_path: Path, configs: Path) -> None:
    folder = put(put(tmp_path / "own"), "no Python at all", "_notes.py")
    rules = load_rules(folder)
    assert set(rules) == {*RULES, "mine"}
    put(configs / "strategies", 'timeframe = "1h"\n[params]\nlength = 3\n', "mine.toml")
    config = load_strategy(configs, Strategy("mine"), rules=rules)
    assert (config.rule, config.params.length, config.timeframe) == (rules[Strategy("mine")], 3, "1h")


def test_no_folder_is_no_rule(tmp_path: Path) -> None:
    assert dict(load_rules(tmp_path / "nowhere")) == dict(RULES)


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("mine.py", "import nothing_of_that_name", "cannot be imported: ModuleNotFoundError: No module named"),
        ("mine.py", "def broken(:", "cannot be imported: SyntaxError"),
        ("mine.py", "raise ValueError('two\\nlines')", "cannot be imported: ValueError: two lines"),
        ("mine.py", "RULES = 1", "there is no RULE in it"),
        ("mine.py", "RULE = object()", "RULE has no 'name'"),
        ("mine.py", RULE.replace("    params = Params\n", ""), "RULE has no 'params'"),
        ("mine.py", RULE.replace("@dataclass(frozen=True, kw_only=True)", ""), "not a dataclass"),
        ("other.py", RULE, "RULE has the name 'mine', not that of its file"),
        ("swing.py", RULE, "a rule called swing is shipped, take another name"),
        ("My-Rule.py", RULE, "'My-Rule' is no name of a strategy"),
    ],
)
def test_a_file_that_holds_no_rule_is_named(tmp_path: Path, name: str, text: str, words: str) -> None:
    folder = put(tmp_path / "own", text, name)
    with pytest.raises(ConfigError) as caught:
        load_rules(folder)
    sentence = str(caught.value)
    assert sentence.startswith(f"{folder / name}: ")
    assert words in sentence
    assert "\n" not in sentence


def test_an_unknown_strategy_is_named_beside_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="there is no rule 'scalping'; known are channel, dca, swing"):
        load_strategy(CONFIGS, Strategy("scalping"))


def test_a_strategy_without_a_scanner_is_told(tmp_path: Path, configs: Path) -> None:
    folder = put(tmp_path / "own")
    put(configs / "strategies", 'timeframe = "1h"\n[params]\nlength = 3\n', "mine.toml")
    (sentence,) = check_configs(configs, folder)
    assert sentence.startswith("mine can be backtested, but has no scanner: add a [[service]] with --strategy mine")
    fleet = configs / "fleet.toml"
    row = '\n[[service]]\nname = "mine"\nmodule = "services.strategy_scanner"\narguments = ["--strategy", "mine"]\n'
    fleet.write_text(fleet.read_text() + row)
    assert check_configs(configs, folder) == []
    put(configs / "strategies", 'timeframe = "5m"\n[params]\nlength = 3\n', "mine.toml")
    with pytest.raises(ConfigError, match=r"mine.toml: timeframe = '5m': a scanner decides on 15m and 1h bars alone"):
        check_configs(configs, folder)


@pytest.mark.parametrize(
    ("remove", "words"),
    [
        ("own/mine.py", "mine.toml: there is no rule 'mine'"),
        ("configs/strategies/mine.toml", "mine.toml: cannot be read"),
    ],
)
def test_half_a_strategy_is_told(tmp_path: Path, configs: Path, remove: str, words: str) -> None:
    folder = put(tmp_path / "own")
    put(configs / "strategies", 'timeframe = "1h"\n[params]\nlength = 3\n', "mine.toml")
    (tmp_path / remove).unlink()
    with pytest.raises(ConfigError, match=re.escape(words)):
        check_configs(configs, folder)


def test_a_scanner_of_nothing_is_told(configs: Path) -> None:
    fleet = configs / "fleet.toml"
    fleet.write_text(fleet.read_text().replace('["--strategy", "dca"]', '["--strategy"]'))
    with pytest.raises(ConfigError, match="strategy_scanner_dca has arguments"):
        scanned_strategies(configs)
    fleet.write_text(fleet.read_text().replace('["--strategy"]', '["--strategy", "gone"]'))
    with pytest.raises(ConfigError, match="there is no rule 'gone'; known are channel, dca, swing"):
        check_configs(configs, PROJECT_ROOT / "strategies")


@pytest.mark.parametrize(
    ("file", "old", "new", "words"),
    [
        ("shadow.toml", "min_trades = 100", "min_trades = 0", "gate.min_trades = 0"),
        ("shadow.toml", "min_trades = 100", "min_trades = 100\nfewest = 100", "unknown key gate.fewest = 100"),
        ("shadow.toml", 'window = "30d"', 'window = "2d"', "gate.window = '2d'"),
        ("data_scheduler.toml", "longest_days = 7", "longest_days = 0", "parity.longest_days = 0"),
        ("data_scheduler.toml", "nightly_parity = {", "# nightly_parity = {", "schedule: nightly_parity is missing"),
    ],
)
def test_what_no_service_could_start_with_is_told_before(
    configs: Path, file: str, old: str, new: str, words: str
) -> None:
    path = configs / file
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(ConfigError, match=re.escape(words)):
        check_configs(configs, PROJECT_ROOT / "strategies")
