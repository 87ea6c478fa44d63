"""Several accounts on one feed: each has its own rules, its own ledger and its own trouble."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from busy_market import HOURS, RULES, busy_market
from paper_desk import BALANCE, UNBALANCED, Desk
from tracker.domain.command import Command, CommandKind
from tracker.quant.entry import EntryParams
from tracker.runtime.accounts import AccountRules, derived, load_accounts
from tracker.runtime.parity_difference import Difference
from tracker.runtime.parity_ledger import compare_ledgers
from tracker.runtime.settings import load_settings
from tracker.store.commands import read_events, write_command
from tracker.store.database import Database
from tracker.store.paper import ledger_check
from tracker.store.symbols import read_symbols
from tracker.testing.paper_world import minutes
from tracker.testing.trades import NOON

from services.paper_trader.service import PaperTrader
from services.paper_trader.settings import PaperTraderSettings

CONFIGS = load_settings(PaperTraderSettings).config_dir
SHIPPED = load_accounts(CONFIGS)
DEFAULT = SHIPPED[0]
ALL = "dca,swing,channel"
END = NOON + minutes(HOURS * 60)
Opened = Callable[[str | None], Awaitable[Database]]


def account(name: str, **tables: Any) -> AccountRules:
    """Return an account that differs from the default one."""
    tables = {**tables, "account": {"name": name, **tables.get("account", {})}}
    return derived(DEFAULT, name, f"accounts/{name}.toml", tables, CONFIGS)


DIFFERENT = (
    DEFAULT,
    account("bold", sizing={"max_position_share": 0.5}, limits={"max_open_positions": 20}),
    account("picky", entry={"min_strength": 0.99}, account={"start_cash": 5000.0}),
    account("swinging", account={"strategies": ("swing",)}),
)


async def ask(database: Database, name: str, kind: CommandKind, **arguments: Any) -> None:
    """Give a command."""
    async with database.transaction() as transaction:
        await write_command(
            transaction, Command(account=name, kind=kind, arguments=arguments, requested_by="a test")
        )
        await transaction.commit()


async def differences(desk: Desk, accounts: tuple[AccountRules, ...]) -> tuple[dict[str, int], list[Difference]]:
    """Keep all ledgers again from bars, signals and events, and return what differs."""
    found: list[Difference] = []
    async with desk.world.owner.transaction() as transaction:
        instruments = {each.symbol_id: each for each in await read_symbols(transaction)}
        counts = await compare_ledgers(transaction, accounts, CONFIGS, instruments, found)
    return counts, found


async def assert_sound(desk: Desk, accounts: tuple[AccountRules, ...]) -> None:
    """Check that all books balance and are those that the same rules make again."""
    for row in await desk.rows("SELECT account FROM tracker.accounts"):
        async with desk.world.owner.transaction() as transaction:
            check = await ledger_check(transaction, row["account"])
        assert check.ok, check.findings
    assert await desk.rows(BALANCE) == []
    assert await desk.rows(UNBALANCED) == []
    counts, found = await differences(desk, accounts)
    assert found == []
    assert counts["other_rules"] == 0
    assert counts["orders"] > 0


async def test_each_account_has_the_ledger_it_would_have_alone(desk: Desk) -> None:
    await busy_market(desk)
    await desk.catch_up(desk.trader(accounts=DIFFERENT, strategies=ALL, batch_minutes=50))
    together = {each.name: await desk.ledger(each.name) for each in DIFFERENT}
    await assert_sound(desk, DIFFERENT)
    await desk.forget()
    for each in DIFFERENT:
        await desk.catch_up(desk.trader(accounts=[each], strategies=ALL))
        assert await desk.ledger(each.name) == together[each.name], each.name
        await desk.forget()
    trades = {name: len(ledger["trade_logs"]) for name, ledger in together.items()}
    assert len(set(trades.values())) == len(DIFFERENT)
    assert trades["paper"] > trades["swinging"] > 0
    assert trades["bold"] > 0
    assert trades["picky"] == 0
    refused = together["picky"]["orders"]
    assert {each["reason"] for each in refused} == {"below_account_threshold"}
    assert refused[0]["note"].endswith("this account asks for 0.99")
    assert {each["strategy"] for each in together["swinging"]["orders"]} == {"swing"}
    assert [each["cash"] for each in together["picky"]["accounts"]] == [Decimal(5000)]


async def test_an_account_of_a_command_begins_now_or_where_it_was_told(desk: Desk, open_database: Opened) -> None:
    await busy_market(desk)
    await desk.catch_up(desk.trader(strategies=ALL))
    control = await open_database("control")
    described = account("mine", limits={"max_open_positions": 2}, account={"start_cash": 777.5}).document()
    renamed = {**described, "account": {**described["account"], "name": "again"}}
    broken = {**described, "limits": {"max_open_positions": 0}, "account": {**described["account"], "name": "broken"}}
    opening = {"rules": described, "rules_from": {"limits.max_open_positions": "mine.toml"}}
    await ask(control, "mine", CommandKind.OPEN, **opening)
    await ask(control, "again", CommandKind.OPEN, rules=renamed, since=(NOON + minutes(60)).isoformat())
    await ask(control, "early", CommandKind.OPEN, rules=renamed, since=(NOON - minutes(60)).isoformat())
    await ask(control, "broken", CommandKind.OPEN, rules=broken)
    await ask(control, "nobody", CommandKind.DEPOSIT, amount="1")
    await ask(control, "again", CommandKind.DEPOSIT, amount="22.5")
    trader = desk.trader(strategies=ALL)
    await desk.catch_up(trader)
    rows = await desk.rows("SELECT account, source, start_cash, opened_at, rules_hash FROM tracker.accounts ORDER BY 1")
    assert [(each["account"], each["source"], each["start_cash"], each["opened_at"]) for each in rows] == [
        ("again", "command", Decimal("777.5"), NOON + minutes(60)),
        ("mine", "command", Decimal("777.5"), END + minutes(1)),
        ("paper", "file", Decimal(10_000), NOON),
    ]
    events = await desk.rows("SELECT account, outcome, amount, note FROM tracker.account_events ORDER BY event_id")
    told = [(each["account"], each["outcome"], each["note"]) for each in events[1:]]
    assert told == [
        ("mine", "done", "opened with 777.5 USD"),
        ("again", "done", "opened with 777.5 USD"),
        ("early", "refused", "account 'early': account.name = 'again' in its rules is another"),
        (
            "broken",
            "refused",
            "account 'broken': limits.max_open_positions = 0: Input should be greater than or equal to 1",
        ),
        ("nobody", "refused", "there is no account 'nobody'"),
        ("again", "done", "22.5 USD came in"),
    ]  # fmt: skip
    orders = await desk.rows("SELECT account, min(decided_at) AS first FROM tracker.orders GROUP BY 1 ORDER BY 1")
    assert [each["account"] for each in orders] == ["again", "paper"]
    assert orders[0]["first"] == NOON + minutes(60)
    # Another process knows of it from the database alone.
    await desk.world.bars("AAA-USD", [(100, 101, 99, 100)] * 30, first=END)
    await desk.world.scanned(END + minutes(30))
    restarted = desk.trader(strategies=ALL)
    await desk.catch_up(restarted)
    assert restarted.detail()["accounts"].keys() == {"paper", "mine", "again"}
    assert "problem" not in restarted.detail()
    await assert_sound(desk, (DEFAULT,))


async def test_trouble_of_one_account_is_its_own(desk: Desk) -> None:
    await busy_market(desk)
    accounts = DIFFERENT[:2]
    await desk.catch_up(desk.trader(accounts=accounts, strategies=ALL))
    expected = {each.name: await desk.ledger(each.name) for each in accounts}
    await desk.forget()
    trader = desk.trader(accounts=accounts, strategies=ALL, batch_minutes=60)
    await trader.run_once()
    # As if it were an account of a command, whose rules then become unusable.
    await desk.execute("UPDATE tracker.accounts SET source = 'command' WHERE account = 'bold'")
    alone = desk.trader(accounts=accounts[:1], strategies=ALL, batch_minutes=60)
    mend = "UPDATE tracker.accounts SET rules = jsonb_set(rules, '{limits,max_open_positions}', '20')"
    await desk.execute(mend.replace("'20'", "'\"many\"'") + ", rules_hash = 'other' WHERE account = 'bold'")
    await desk.catch_up(alone)
    assert "account 'bold': account 'bold': limits.max_open_positions = 'many'" in alone.detail()["problem"]
    assert await desk.ledger("paper") == expected["paper"]
    assert (await desk.ledger("bold"))["paper_cursor"] != expected["bold"]["paper_cursor"]
    await desk.execute(mend + ", rules_hash = 'again' WHERE account = 'bold'")
    await desk.catch_up(alone)
    assert "problem" not in alone.detail()
    assert len((await desk.ledger("bold"))["trade_logs"]) == len(expected["bold"]["trade_logs"])


async def test_a_defect_in_one_account_ends_the_process_only_where_no_other_goes_on(desk: Desk) -> None:
    await busy_market(desk)
    trader = desk.trader(accounts=DIFFERENT[:2], strategies=ALL)
    await desk.catch_up(trader)
    again = "UPDATE tracker.paper_cursor SET processed_through = started_at - interval '1 minute'"
    await desk.execute(again + " WHERE account = 'bold'")
    await desk.catch_up(trader)
    assert "account 'bold': UniqueViolationError: duplicate key" in trader.detail()["problem"]
    assert trader.detail()["accounts"]["paper"]["processed_through"] == END.isoformat()
    await desk.execute(again)
    with pytest.raises(Exception, match="duplicate key"):
        await trader.run_once()


async def test_money_in_the_middle_of_a_day_and_restarts_can_be_kept_again(desk: Desk, open_database: Opened) -> None:
    control = await open_database("control")
    await busy_market(desk)
    trader = desk.trader(accounts=SHIPPED, strategies=ALL, batch_minutes=35)
    asked = iter([
        ("paper", CommandKind.DEPOSIT, {"amount": "2500"}),
        ("aggressive", CommandKind.WITHDRAW, {"amount": "100.25"}),
        ("aggressive", CommandKind.WITHDRAW, {"amount": "1000000"}),
        ("paper", CommandKind.WITHDRAW, {"amount": "1000000"}),
        ("aggressive", CommandKind.DEPOSIT, {"amount": "50000"}),
    ])  # fmt: skip
    more = True
    while more:
        name, kind, arguments = next(asked, (None, None, {}))
        if name is not None and kind is not None:
            await ask(control, name, kind, **arguments)
        more = await trader.run_once()
        trader = desk.trader(accounts=SHIPPED, strategies=ALL, batch_minutes=35)
    async with desk.world.owner.transaction() as transaction:
        events = [await read_events(transaction, each.name) for each in SHIPPED]
    assert [[(each.command.kind.value, each.answer.outcome.value) for each in one] for one in events] == [
        [("open", "done"), ("deposit", "done"), ("withdraw", "refused")],
        [("open", "done"), ("withdraw", "done"), ("withdraw", "refused"), ("deposit", "done")],
    ]
    assert NOON < events[1][3].ts < END
    await assert_sound(desk, SHIPPED)
    await desk.execute("UPDATE tracker.account_events SET amount = 2600 WHERE amount = 2500")
    _, found = await differences(desk, SHIPPED)
    assert ("command", "paper", "amount deposit", "2600", "2500") in [
        (each.what, each.account, each.name, each.was, each.now) for each in found
    ]


@pytest.mark.parametrize("gone", ["file", "rules"])
async def test_an_account_whose_file_is_gone_keeps_the_rules_it_had(desk: Desk, gone: str) -> None:
    await busy_market(desk)
    await desk.catch_up(desk.trader(accounts=DIFFERENT[:2], strategies=ALL))
    expected = await desk.ledger("bold")
    await desk.forget()
    await desk.trader(accounts=DIFFERENT[:2], strategies=ALL, batch_minutes=60).run_once()
    if gone == "rules":
        await desk.execute("UPDATE tracker.accounts SET rules = NULL WHERE account = 'bold'")
    trader = desk.trader(strategies=ALL)
    await desk.catch_up(trader)
    if gone == "file":
        assert await desk.ledger("bold") == expected
    else:
        assert "there are no rules for it: configs/accounts/bold.toml is gone" in trader.detail()["problem"]


async def test_a_new_file_begins_at_the_current_minute(desk: Desk) -> None:
    await busy_market(desk)
    await desk.catch_up(desk.trader(strategies=ALL))
    await desk.catch_up(desk.trader(accounts=DIFFERENT[:2], strategies=ALL))
    rows = await desk.rows("SELECT account, started_at FROM tracker.paper_cursor ORDER BY 1")
    assert rows == [
        {"account": "bold", "started_at": END + minutes(1)},
        {"account": "paper", "started_at": NOON},
    ]


def test_the_shipped_accounts_differ(desk: Desk) -> None:
    assert isinstance(desk.trader(accounts=SHIPPED), PaperTrader)
    assert [each.name for each in SHIPPED] == ["paper", "aggressive"]
    assert replace(RULES, entry=EntryParams()) == DEFAULT.rules
    assert SHIPPED[1].hash != DEFAULT.hash


async def test_two_traders_open_an_account_once_and_double_nothing(desk: Desk, open_database: Opened) -> None:
    await busy_market(desk)
    await desk.catch_up(desk.trader(accounts=DIFFERENT[:2], strategies=ALL))
    expected = {each.name: await desk.ledger(each.name) for each in DIFFERENT[:2]}
    await desk.forget()
    control = await open_database("control")
    await ask(control, "mine", CommandKind.OPEN, rules=account("mine").document(), since=NOON.isoformat())
    traders = [desk.trader(accounts=DIFFERENT[:2], strategies=ALL, batch_minutes=45) for _ in range(2)]
    while any(await asyncio.gather(*(each.run_once() for each in traders))):
        pass
    for name, ledger in expected.items():
        assert await desk.ledger(name) == ledger, name
    opened = await desk.rows("SELECT account, count(*) AS n FROM tracker.account_events GROUP BY 1 ORDER BY 1")
    assert opened == [{"account": name, "n": 1} for name in ("bold", "mine", "paper")]
    await assert_sound(desk, DIFFERENT[:2])


async def test_money_that_is_taken_out_is_no_loss(desk: Desk, open_database: Opened) -> None:
    control = await open_database("control")
    await busy_market(desk)
    trader = desk.trader(strategies=ALL, batch_minutes=60)
    await trader.run_once()
    await ask(control, "paper", CommandKind.WITHDRAW, amount="7000")
    await trader.run_once()
    await ask(control, "paper", CommandKind.DEPOSIT, amount="90000")
    await desk.catch_up(trader)
    (marks,) = await desk.rows("SELECT equity, peak FROM tracker.risk_marks")
    assert marks["equity"] > 90_000
    assert 1 - marks["equity"] / marks["peak"] < 0.1
    whole = "SELECT FROM tracker.protection_locks WHERE protection IN ('drawdown', 'daily_loss', 'halt')"
    assert await desk.rows(whole) == []
    await assert_sound(desk, (DEFAULT,))
