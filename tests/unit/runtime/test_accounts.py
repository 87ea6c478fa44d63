"""Accounts from files: what is not said is as in the default account, what is wrong is named."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from tracker.domain.errors import ConfigError
from tracker.runtime.accounts import default_account, load_accounts, rules_of, stored_account
from tracker.runtime.settings import PROJECT_ROOT

CONFIGS = PROJECT_ROOT / "configs"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The shipped configuration without accounts of its own."""
    shutil.copytree(CONFIGS, tmp_path / "configs", ignore=shutil.ignore_patterns("accounts"))
    (tmp_path / "configs" / "accounts").mkdir()
    return tmp_path / "configs"


def test_only_what_is_said_differs(folder: Path) -> None:
    (folder / "accounts" / "calm.toml").write_text(
        "[sizing]\nrisk_per_trade = 0.001\n[entry]\nmin_strength = 0.8\n[account]\nstrategies = ['swing']\n"
    )
    default, calm = load_accounts(folder)
    assert calm.name == "calm"
    assert calm.rules.paper.account.start_cash == default.rules.paper.account.start_cash
    assert calm.rules.paper.execution == default.rules.paper.execution
    assert calm.rules.risk.limits == default.rules.risk.limits
    assert calm.rules.risk.sizing.risk_per_trade == 0.001
    assert calm.rules.entry.min_strength == 0.8
    assert calm.rules.paper.account.strategies == ("swing",)
    own = {name for name, origin in calm.rules_from.items() if origin == "accounts/calm.toml"}
    assert own == {"sizing.risk_per_trade", "entry.min_strength", "account.name", "account.strategies"}
    assert calm.rules_from["execution.taker_fee_bps"] == "paper_trading.toml"
    assert calm.rules_from["limits.max_open_positions"] == "risk.toml"


def test_the_tables_of_an_account_make_the_same_account(folder: Path) -> None:
    for each in load_accounts(CONFIGS):
        assert rules_of("here", each.document(), folder) == each.rules
    default = default_account(folder)
    shipped = load_accounts(CONFIGS)[1]
    again = stored_account(shipped.name, shipped.document(), shipped.rules_from, default, folder)
    assert again.hash == shipped.hash
    assert again.rules_from == shipped.rules_from
    assert not again.from_file


WRONG = {
    "[sizing]\nrisk_per_trade = 'much'": r"bad\.toml: sizing\.risk_per_trade = 'much': Input should be a valid number",
    "[limits]\nmax_open_positions = 0": r"bad\.toml: limits\.max_open_positions = 0: .* greater than or equal to 1",
    "[limits]\nmax_opn_positions = 1": r"bad\.toml: unknown key limits\.max_opn_positions = 1",
    "[entry]\nmin_strength = 1.5": r"bad\.toml: entry\.min_strength = 1\.5: .* less than or equal to 1",
    "[execution]\nmax_volume_share = 0": r"bad\.toml: execution\.max_volume_share = 0: .* greater than 0",
    "[account]\nname = 'good'": r"bad\.toml: account\.name = 'good' is not the name of the file",
    "[account]\nstart_cash = -5": r"bad\.toml: account\.start_cash = -5: .* greater than 0",
    "[account]\nstrategies = ['swung']": r"bad\.toml: account\.strategies = 'swung': there is no such file",
    "sizing = 3": r"bad\.toml: sizing = 3 is not a table",
    "account = 3": r"bad\.toml: account = 3 is not a table",
    "[size]\nx = 1": r"bad\.toml: unknown key size = .*: the tables are account, execution, sizing",
    "[sizing": r"bad\.toml: not valid TOML",
}


@pytest.mark.parametrize("text", WRONG)
def test_what_is_wrong_is_named(folder: Path, text: str) -> None:
    (folder / "accounts" / "bad.toml").write_text(text)
    with pytest.raises(ConfigError, match=WRONG[text]):
        load_accounts(folder)


@pytest.mark.parametrize("name", ["Upper", "9lives", "a b", "paper"])
def test_a_name_is_one_word_of_its_own(folder: Path, name: str) -> None:
    (folder / "accounts" / f"{name}.toml").write_text("")
    with pytest.raises(ConfigError, match=r"account\.name = "):
        load_accounts(folder)


def test_rules_of_before_a_value_was_added_take_it_from_the_files(folder: Path) -> None:
    default = default_account(folder)
    document = {**default.document(), "account": {**default.document()["account"], "name": "old"}}
    del document["limits"], document["entry"]
    assert stored_account("old", document, {}, default, folder).rules.risk == default.rules.risk
    with pytest.raises(ConfigError, match="account 'old': there are no rules for it"):
        stored_account("old", None, {}, default, folder)
