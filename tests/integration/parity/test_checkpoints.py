"""A ledger that is kept again from any moment on is the same as the one that was kept."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal

import pytest
from tracker.domain.command import Command, CommandKind
from tracker.domain.position import PositionStatus
from tracker.runtime.accounts import AccountRules, load_accounts
from tracker.runtime.ledger_state import LedgerState, plain_state, read_ledger_state, restored
from tracker.runtime.parity_difference import Difference
from tracker.runtime.parity_ledger import compare_ledger
from tracker.runtime.settings import PROJECT_ROOT
from tracker.store.commands import write_command
from tracker.store.database import Database
from tracker.store.symbols import read_symbols

from tests.integration.parity.conftest import Nights

ACCOUNT = "paper"
TOLD: Mapping[int, tuple[CommandKind, Mapping[str, str]]] = {
    0: (CommandKind.DEPOSIT, {"amount": "2500"}),
    1: (CommandKind.FLATTEN, {}),
    2: (CommandKind.HALT, {}),
    4: (CommandKind.RESUME, {}),
    5: (CommandKind.RESET, {"cash": "7000"}),
}


async def state_of(database: Database, account: AccountRules) -> LedgerState | None:
    async with database.transaction(snapshot=True) as transaction:
        return await read_ledger_state(transaction, account)


async def compared(database: Database, account: AccountRules, since: LedgerState | None) -> list[Difference]:
    found: list[Difference] = []
    async with database.transaction(snapshot=True) as transaction:
        instruments = {each.symbol_id: each for each in await read_symbols(transaction)}
        await compare_ledger(transaction, account, instruments, found, since)
    return found


@pytest.fixture
def account() -> AccountRules:
    """The default account."""
    return load_accounts(PROJECT_ROOT / "configs")[0]


async def test_from_every_moment_on_the_ledger_is_the_one_that_was_kept(
    unscanned: Nights, account: AccountRules
) -> None:
    await unscanned.scanned("BTC-USD", "ETH-USD", "SOL-USD")
    database = await unscanned.open_as("data_scheduler")
    trader = await unscanned.trader(batch_minutes=23)
    states: list[LedgerState] = []
    more = True
    while more:
        more = await trader.run_once()
        state = await state_of(database, account)
        if state is not None:
            # As it is kept: nothing is lost on the way through JSON.
            again = restored(LedgerState, json.loads(json.dumps(plain_state(state))))
            assert plain_state(again) == plain_state(state)
            states.append(again)
    assert len(states) > 40
    # Among them are moments with trades that wait for their entry or are held.
    assert {PositionStatus.OPEN} <= {each.status for state in states for each in state.positions}
    assert any(state.fills for state in states)
    for state in states:
        assert await compared(database, account, state) == [], state.at


async def test_what_is_changed_later_is_named_and_what_lies_before_is_not(
    unscanned: Nights, account: AccountRules
) -> None:
    await unscanned.scanned("BTC-USD")
    database = await unscanned.open_as("data_scheduler")
    trader = await unscanned.trader(batch_minutes=300)
    states: list[LedgerState] = []
    more = True
    while more:
        more = await trader.run_once()
        state = await state_of(database, account)
        states += [] if state is None else [state]
    last = max(each["filled_at"] for each in await unscanned.floor.fetch("SELECT filled_at FROM tracker.fills"))
    before = next(each for each in reversed(states) if each.at < last)
    await unscanned.floor.execute(
        "UPDATE tracker.fills SET price = price + 1 WHERE filled_at = (SELECT max(filled_at) FROM tracker.fills)"
    )
    (difference,) = await compared(database, account, before)
    assert (difference.what, difference.name.split(" ")[0], difference.account) == ("fill", "price", ACCOUNT)
    assert await compared(database, account, states[-1]) == []
    # Another state than the one that it was: what came of it is another ledger.
    richer = restored(LedgerState, {**plain_state(states[0]), "account": {
        **plain_state(states[0].account), "cash": str(states[0].account.cash * Decimal("1.5")),
    }})
    assert {each.what for each in await compared(database, account, richer)} >= {"order", "fill"}


async def test_what_people_told_the_account_belongs_to_one_side_of_the_moment(
    unscanned: Nights, account: AccountRules
) -> None:
    await unscanned.scanned("BTC-USD")
    database, people = await unscanned.open_as("data_scheduler"), await unscanned.open_as("control")
    trader = await unscanned.trader(batch_minutes=180)
    states: list[LedgerState] = []
    for number in range(8):
        await trader.run_once()
        state = await state_of(database, account)
        assert state is not None
        states.append(state)
        if number in TOLD:
            kind, arguments = TOLD[number]
            async with people.transaction() as transaction:
                command = Command(account=ACCOUNT, kind=kind, arguments=arguments, requested_by="a test")
                await write_command(transaction, command)
                await transaction.commit()
            # Obeyed at the moment at which it stands: that state is of the same moment, and yet another.
            await trader.run_once()
            state = await state_of(database, account)
            assert state is not None
            states.append(state)
    while await trader.run_once():
        pass
    assert len({state.events for state in states}) == 1 + len(TOLD)
    for state in states:
        assert await compared(database, account, state) == [], state.at


async def test_each_night_begins_where_the_ledger_stood(nights: Nights) -> None:
    await nights.check()
    assert [each["outcome"] for each in await nights.reports()] == ["same"]
    kept = await nights.floor.fetch("SELECT account, at FROM tracker.parity_checkpoints ORDER BY account")
    assert {each["at"] for each in kept} == {datetime.fromisoformat("2022-01-19T01:00:00+00:00")}
    assert len(kept) == 2
    # A bar that came too late would be a difference for good, had the ledger to be kept again from its beginning.
    await nights.floor.execute("UPDATE tracker.fills SET price = price + 1")
    await nights.check()
    assert [each["outcome"] for each in await nights.reports()] == ["same", "differs"]
    await nights.floor.execute("UPDATE tracker.parity_checkpoints SET at = at - interval '2 days'")
    await nights.check()
    assert [each["outcome"] for each in await nights.reports()] == ["same", "differs", "same"]
    # One that an earlier release has left is not gone on from.
    await nights.floor.execute(
        "UPDATE tracker.parity_checkpoints SET state = state - 'memory' WHERE at < '2022-01-19Z'"
    )
    await nights.check()
    assert [each["outcome"] for each in await nights.reports()][-1] == "differs"
