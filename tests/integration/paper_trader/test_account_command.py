"""`tracker account` beside a paper trader, with and without one that answers."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from busy_market import HOURS, busy_market
from paper_desk import BALANCE, UNBALANCED, Desk
from pydantic import SecretStr
from test_accounts import ALL, CONFIGS, DEFAULT, differences
from tracker.domain.command import CommandKind
from tracker.domain.errors import ConfigError, InputError
from tracker.runtime.settings import environment, load_settings
from tracker.store.paper import ledger_check
from tracker.testing.paper_world import minutes
from tracker.testing.trades import NOON

from services.control.account import NewAccount, Order, new_account, tell_account
from services.control.account_report import list_accounts, show_account
from services.control.settings import ControlSettings

END = NOON + timedelta(hours=HOURS)
Run = Callable[..., Awaitable[tuple[int, str, str]]]


@pytest.fixture
def run(database_url: str) -> Run:
    """Return a function that types `tracker account ...` on the test's database."""

    async def typed(*arguments: str) -> tuple[int, str, str]:
        variables = {**environment(), "DATABASE_URL": database_url, "TRACKER_USER": "ada"}
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "services.control", "account", *arguments, env=variables,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        out, err = await process.communicate()
        return process.returncode or 0, out.decode(), err.decode()

    return typed


@pytest.fixture
def settings(database_url: str) -> ControlSettings:
    """The command line's settings for the test's database."""
    return load_settings(ControlSettings, {"database_url": SecretStr(database_url), "config_dir": CONFIGS})


async def test_accounts_are_opened_told_and_shown(desk: Desk, run: Run, tmp_path: Path) -> None:
    await busy_market(desk)
    trader = desk.trader(strategies=ALL)
    await desk.catch_up(trader)
    (tmp_path / "mine.toml").write_text("[limits]\nmax_open_positions = 2\n[entry]\nmin_strength = 0.1\n")
    code, out, err = await run("new", "mine", "--rules", str(tmp_path / "mine.toml"), "--cash", "500.5", "--json")
    assert (code, err) == (0, "")
    asked = orjson.loads(out)
    assert (asked["outcome"], asked["note"]) == ("waiting", "the paper trader answers as soon as it runs")
    code, out, err = await run("new", "mine")
    assert (code, err) == (2, f"tracker: NAME: command {asked['command_id']} opens an account 'mine' already\n")
    await desk.catch_up(trader)
    assert (await run("deposit", "mine", "99.5", "--reason", "birthday"))[0] == 0
    code, out, _ = await run("withdraw", "mine", "1000")
    assert "waiting: withdraw mine (command 3)" in out
    await desk.catch_up(trader)
    code, out, err = await run("show", "mine", "--json")
    assert (code, err) == (0, "")
    shown = orjson.loads(out)
    account = shown["account"]
    assert account["since"] == END.isoformat()
    assert {name: account[name] for name in ("name", "source", "cash", "equity", "capital", "pnl", "trades")} == {
        "name": "mine", "source": "command", "cash": 600.0, "equity": 600.0, "capital": 600.0, "pnl": 0.0, "trades": 0,
    }  # fmt: skip
    rules = {each["name"]: (each["value"], each["from"]) for each in shown["rules"]}
    assert rules["limits.max_open_positions"] == (2, "mine.toml")
    assert rules["account.start_cash"] == (500.5, "tracker account new")
    assert rules["execution.taker_fee_bps"] == (26.0, "paper_trading.toml")
    events = [(each["kind"], each["outcome"], each["amount"], each["note"], each["reason"]) for each in shown["events"]]
    assert events == [
        ("open", "done", 500.5, "opened with 500.5 USD", ""),
        ("deposit", "done", 99.5, "99.5 USD came in", "birthday"),
        ("withdraw", "refused", None, "1000 USD is more than the free cash, 600.00 USD", ""),
    ]
    people = await desk.rows("SELECT DISTINCT requested_by FROM tracker.commands")
    assert people == [{"requested_by": "ada"}]
    code, out, err = await run("list")
    assert code == 0
    assert [line.split()[:2] for line in out.splitlines()[1:]] == [
        ["aggressive", "file"], ["mine", "command"], ["paper", "file"],
    ]  # fmt: skip
    code, out, err = await run("show", "paper")
    assert code == 0
    assert "max_open_positions" in out
    assert "last trades" in out


async def test_a_reset_ends_everything_and_keeps_the_history(desk: Desk, settings: ControlSettings) -> None:
    await busy_market(desk)
    trader = desk.trader(strategies=ALL, batch_minutes=5)
    await trader.run_once()
    await tell(settings, "paper", "deposit", amount="1000")
    held: list[dict[str, Any]] = []
    while not held:
        assert await trader.run_once()
        held = await desk.rows("SELECT FROM tracker.positions WHERE status = 'open'")
    before = (await desk.ledger())["trade_logs"]
    await tell(settings, "paper", "reset", cash="2000")
    await trader.run_once()
    shown = (await asyncio.to_thread(show_account, settings, "paper"))["events"][-1]
    assert (shown["kind"], shown["outcome"]) == ("reset", "done")
    assert "trades ended at their last closes, books closed with" in shown["note"]
    assert shown["note"].endswith("new ones begin with 2000 USD")
    sold = await desk.rows("SELECT quantity, filled_quantity, status FROM tracker.orders WHERE leg = 'reset'")
    assert sold
    assert all(each["status"] == "filled" and each["quantity"] == each["filled_quantity"] for each in sold)
    await desk.catch_up(trader)
    ledger = await desk.ledger()
    assert [each for each in before if each not in ledger["trade_logs"]] == []
    figures = (await asyncio.to_thread(show_account, settings, "paper"))["account"]
    assert figures["books"] == 2
    assert figures["capital"] == 2000.0
    assert figures["since"] == shown["at"]
    assert 0 < figures["trades"] < len(ledger["trade_logs"])
    later = [each for each in ledger["trade_logs"] if each["exit_time"].isoformat() > shown["at"]]
    assert figures["trades"] == len(later)
    assert figures["pnl"] == pytest.approx(
        float(sum(each["pnl"] for each in later)) + await unrealised(desk), abs=1e-6
    )
    async with desk.database.transaction() as transaction:
        check = await ledger_check(transaction)
    assert check.ok, check.findings
    assert await desk.rows(BALANCE) == []
    assert await desk.rows(UNBALANCED) == []
    _, found = await differences(desk, (DEFAULT,))
    assert found == []


async def unrealised(desk: Desk) -> float:
    """Return what the open positions would bring beyond their cost and the fees they have paid."""
    (row,) = await desk.rows(
        "SELECT coalesce(sum(quantity * last_price - cost + realised_pnl - fees), 0) AS open"
        " FROM tracker.positions WHERE status = 'open'"
    )
    return float(row["open"])


WRONG = {
    "no account": ("paperr", "deposit", {"amount": "1"}, "NAME: 'paperr' is no account; there are aggressive, paper"),
    "no number": ("paper", "deposit", {"amount": "ten"}, "amount = 'ten' is not a number"),
    "below 0": ("paper", "withdraw", {"amount": "-3"}, "amount = -3 is not above 0"),
    "too fine": ("paper", "withdraw", {"amount": "0.123456789"}, "amount = 0.123456789 has more than 8 decimals"),
    "empty books": ("paper", "reset", {"cash": "0"}, "cash = 0 is not above 0"),
}


@pytest.mark.parametrize("name", WRONG)
async def test_what_cannot_be_is_not_even_asked(desk: Desk, settings: ControlSettings, name: str) -> None:
    account, kind, arguments, words = WRONG[name]
    with pytest.raises(InputError, match=words):
        await tell(settings, account, kind, **arguments)
    assert await desk.rows("SELECT * FROM tracker.commands") == []


async def test_a_wrong_new_account_is_not_even_asked_for(
    desk: Desk, settings: ControlSettings, tmp_path: Path
) -> None:
    wrong, other = tmp_path / "wrong.toml", tmp_path / "other.toml"
    wrong.write_text("[sizing]\nrisk_per_trade = 'a lot'\n")
    other.write_text("[account]\nname = 'other'\n")
    asked = NewAccount(name="mine", like=None, rules=None, cash=None, since=None)
    refusals = {
        r"NAME: there is an account 'paper' already": replace(asked, name="paper"),
        r"NAME: there is an account 'aggressive' already": replace(asked, name="aggressive"),
        r"NAME: account\.name = 'A B' is no name of an account": replace(asked, name="A B"),
        r"--like: 'nobody' is no account; there are aggressive, paper": replace(asked, like="nobody"),
        r"wrong\.toml: sizing\.risk_per_trade = 'a lot': Input should be a valid number": replace(asked, rules=wrong),
        r"other\.toml: account\.name = 'other' is not 'mine'": replace(asked, rules=other),
        r"gone\.toml: cannot be read": replace(asked, rules=tmp_path / "gone.toml"),
        r"--cash = '1e' is not a number": replace(asked, cash="1e"),
    }
    for words, each in refusals.items():
        with pytest.raises((InputError, ConfigError), match=words):
            await asyncio.to_thread(new_account, settings, each, "", 0.0)
    assert await desk.rows("SELECT * FROM tracker.commands") == []


async def test_an_account_like_another_has_its_rules_where_the_files_are_not(
    desk: Desk, settings: ControlSettings
) -> None:
    await busy_market(desk)
    limits = replace(DEFAULT.rules.risk.limits, max_open_positions=9)
    own = replace(DEFAULT.rules, risk=replace(DEFAULT.rules.risk, limits=limits))
    trader = desk.trader(rules=own, strategies=ALL)
    await desk.catch_up(trader)
    asked = NewAccount(name="twin", like="paper", rules=None, cash=None, since=NOON + minutes(30))
    await asyncio.to_thread(new_account, settings, asked, "", 0.0)
    await desk.catch_up(trader)
    report = await asyncio.to_thread(show_account, settings, "twin")
    assert {each["name"]: each["value"] for each in report["rules"]}["limits.max_open_positions"] == 9
    assert report["account"]["since"] == (NOON + minutes(29)).isoformat()
    assert report["account"]["trades"] > 0


async def test_before_anything_runs_there_are_the_accounts_of_the_files(settings: ControlSettings) -> None:
    report = await asyncio.to_thread(list_accounts, settings)
    assert [(each["name"], each["since"], each["equity"]) for each in report["accounts"]] == [
        ("aggressive", None, 10_000.0),
        ("paper", None, 10_000.0),
    ]
    shown = await asyncio.to_thread(show_account, settings, "aggressive")
    rules = {each["name"]: each["from"] for each in shown["rules"]}
    assert rules["sizing.risk_per_trade"] == "accounts/aggressive.toml"
    assert rules["sizing.size_multiplier"] == "risk.toml"
    answer = await tell(settings, "aggressive", "deposit", amount="5")
    assert answer["outcome"] == "waiting"


async def tell(settings: ControlSettings, name: str, kind: str, **arguments: Any) -> dict[str, Any]:
    """Give a command without waiting for the answer."""
    order = Order(account=name, kind=CommandKind(kind), arguments=arguments, reason="", wait_seconds=0.0)
    return await asyncio.to_thread(tell_account, settings, order)
