"""What the pages Overview, Data and Fleet read of a filled database, and of an empty one."""

from __future__ import annotations

from datetime import timedelta

from tracker.store.database import Database
from tracker.store.pages.data import read_flow, read_stored
from tracker.store.pages.fleet import read_fleet
from tracker.store.pages.marks import read_marks
from tracker.store.pages.overview import read_account_facts, read_freshness, read_funnel_today, read_health
from tracker.store.pages.shell import read_accounts, read_services
from tracker.testing.filled_database import Filled


async def opened(url: str) -> Database:
    return await Database.open(url, role="tracker_dashboard", pool_size=1, application="test")


async def test_a_filled_database_fills_the_overview(filled: tuple[str, Filled]) -> None:
    url, what = filled
    database = await opened(url)
    async with database.transaction(snapshot=True) as transaction:
        accounts, services = await read_accounts(transaction), await read_services(transaction)
        facts = await read_account_facts(transaction, "paper")
        funnel, freshness = await read_funnel_today(transaction, "paper"), await read_freshness(transaction)
        health, marks = await read_health(transaction), await read_marks(transaction)
    await database.close()
    assert {each.account for each in accounts} == set(what.accounts)
    paper = next(each for each in accounts if each.account == "paper")
    assert paper.equity is not None
    assert facts.equity[-1][1] == paper.equity
    moments = [each[0] for each in facts.equity]
    assert moments == sorted(moments)
    assert moments[-1] - moments[0] <= timedelta(days=7)
    assert len(facts.positions) == paper.open_positions
    assert 0 < len(facts.trades) <= 10
    assert {each.strategy for each in funnel} == set(what.strategies)
    assert max(each.closed_through for each in freshness) == what.end
    assert len(services) > 5
    assert [each.ok for each in health.findings] == sorted(each.ok for each in health.findings)
    assert marks


async def test_a_filled_database_fills_the_pages_of_data_and_fleet(filled: tuple[str, Filled]) -> None:
    database = await opened(filled[0])
    async with database.transaction(snapshot=True) as transaction:
        flow, stored = await read_flow(transaction), await read_stored(transaction)
        fleet = await read_fleet(transaction)
    await database.close()
    assert {each["stage"] for each in flow.watermarks} >= {"bars", "features", "scans", "paper"}
    assert [each["state"] for each in flow.gaps if each["state"] == "open"]
    assert sum(each["gaps"] for each in flow.gap_states) >= len(flow.gaps)
    for part in (stored.backfills, stored.partitions, stored.sizes, stored.tasks, fleet.leases, fleet.jobs):
        assert part
    sizes = [each["bytes"] for each in stored.sizes]
    assert sizes == sorted(sizes, reverse=True)


async def test_an_empty_database_is_no_error(database_url: str) -> None:
    database = await opened(database_url)
    async with database.transaction(snapshot=True) as transaction:
        assert await read_accounts(transaction) == ()
        assert await read_services(transaction) == ()
        assert await read_freshness(transaction) == ()
        assert await read_funnel_today(transaction, "") == ()
        facts = await read_account_facts(transaction, "paper")
        health, flow = await read_health(transaction), await read_flow(transaction)
        fleet, stored = await read_fleet(transaction), await read_stored(transaction)
    await database.close()
    assert (facts.equity, facts.positions, facts.trades) == ((), (), ())
    assert (health.findings, health.alive, health.looked_at) == ((), False, None)
    assert (flow.watermarks, flow.gaps, flow.gap_states) == ((), (), ())
    assert (fleet.leases, fleet.jobs, fleet.alerts, fleet.audit) == ((), (), (), ())
    assert (stored.backfills, stored.tasks, stored.rejected) == ((), (), ())
