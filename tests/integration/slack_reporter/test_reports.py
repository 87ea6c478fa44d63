"""Reports come by the timetable, each once, with everything in them."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from reporter_house import NOON, ReporterHouse, rules
from tracker.runtime.reporting.picture import PictureError
from tracker.testing.slack import Shown
from tracker.testing.slack_limits import refusal

FIVE = NOON.replace(hour=17)


def section(report: Shown, title: str) -> str:
    """Return the text of a report's section, with its fields."""
    (block,) = [each for each in report.blocks if each["type"] == "section" and title in each["text"]["text"]]
    return "\n".join([block["text"]["text"], *(each["text"] for each in block.get("fields", []))])


async def at(house: ReporterHouse, moment: datetime, seconds: float = 10) -> None:
    house.clock.moment = moment
    await house.monitor_looks()
    await house.run(seconds, step=2)


async def test_a_report_says_what_happened_since_the_last(house: ReporterHouse) -> None:
    await house.account()
    for hour, equity in ((10, 10_000.0), (13, 10_100.0), (16, 10_050.0)):
        await house.equity(NOON.replace(hour=hour), equity)
    await house.trade("BTC-USD", NOON.replace(hour=13), 100)
    await house.trade("ETH-USD", NOON.replace(hour=15), -50, "stop")
    await house.finding("disk growth", ok=False, severity="warning", observed="12 GB a day")
    await at(house, FIVE)
    report, picture, _ = house.slack.messages
    assert report.text == (
        "[SIMULATED] Evening report · Fri 01 Mar 2024 17:00: paper +50.00 USD (10,050.00 USD), no critical finding"
    )
    assert refusal({"text": report.text, "blocks": report.blocks}) is None
    profit = section(report, "Profit and loss")
    assert "*Today*\n:arrow_up: +50.00 USD (+0.50%)" in profit
    assert "equity 10,050.00 USD of 10,000.00 USD put in · drawdown 0.5% (worst 0.5%)" in profit
    trades = section(report, "Trades since the last report (2)")
    assert "`paper` 1 of 2 won, +50.00 USD after fees" in trades
    assert ":arrow_down: *ETH-USD* dca -50.00 (-50.00%) · stop Fri 01 Mar 15:00" in trades
    symbols = section(report, "Best and worst symbols")
    assert ":arrow_up: *BTC-USD* +100.00 in 1\n:arrow_down: *ETH-USD* -50.00 in 1" in symbols
    assert "`disk growth` 12 GB a day (limit 10)" in section(report, "Health: 0 of 1")
    assert "SIMULATED" in report.blocks[0]["text"]["text"]
    assert "no price and no profit in here is real" in report.blocks[1]["elements"][0]["text"]
    assert [each["title"] for each in picture.files] == ["[SIMULATED] Equity, evening of Fri 01 Mar 17:00"]
    stored = await house.sql("SELECT kind, late, picture IS NOT NULL AS drawn FROM dashboards.reports")
    assert stored == [{"kind": "evening", "late": False, "drawn": True}]


async def test_the_next_one_begins_where_the_last_ended(house: ReporterHouse) -> None:
    await house.account()
    await house.equity(NOON, 10_000.0)
    await at(house, FIVE)
    await house.trade("BTC-USD", NOON + timedelta(hours=1), 7)
    await house.equity(NOON + timedelta(hours=2), 10_007.0)
    await house.sql(
        "INSERT INTO tracker.account_events (account, ts, kind, amount, outcome, note)"
        " VALUES ('paper', $1, 'deposit', 500, 'done', '')", NOON + timedelta(hours=3),
    )  # fmt: skip
    await house.equity(NOON + timedelta(hours=3), 10_507.0)
    await at(house, FIVE + timedelta(hours=16))
    report = next(each for each in reversed(house.slack.messages) if not each.files)
    assert "Morning report" in report.text
    # What was paid in is not earned, and the replay's clock is not ours.
    assert "*Since last report*\n:arrow_up: +7.00 USD" in section(report, "Profit and loss")
    assert "1 of 1 won, +7.00 USD" in section(report, "Trades since the last report (1)")


async def test_an_empty_database_says_why_and_what_to_do(house: ReporterHouse) -> None:
    await at(house, FIVE)
    (report,) = house.slack.messages
    said = str(report.blocks)
    for words in ("No paper account yet", "`tracker status` shows", "Nothing was scanned", "No variation has traded",
                  "no model is asked", "Coverage by the day is not counted yet", "nothing to rank"):  # fmt: skip
        assert words in said
    assert "None was closed." in section(report, "Trades since the last report (0)")


async def test_one_report_a_time_even_where_it_is_looked_at_again(house: ReporterHouse) -> None:
    await at(house, FIVE, 120)
    await house.restart()
    await house.run(120)
    assert len(house.slack.messages) == 1


async def test_after_an_outage_one_late_report_says_so(house: ReporterHouse) -> None:
    await at(house, FIVE + timedelta(days=3, hours=2))
    daily, weekly = house.slack.messages
    assert "Evening report · Mon 04 Mar 2024 17:00" in daily.text
    note = daily.blocks[2]["elements"][0]["text"]
    assert note.startswith("*stands for 6 more that were missed* · *made 2 h 0 min late*")
    assert "Weekly summary · Mon 04 Mar 2024 09:00" in weekly.text
    assert "*made 10 h 0 min late*" in weekly.blocks[2]["elements"][0]["text"]


async def test_without_a_picture_the_report_still_comes(house: ReporterHouse) -> None:
    async def fails(document: Any) -> bytes | None:
        raise PictureError("it could not be drawn")

    house.service._draw = fails
    await at(house, FIVE)
    assert len(house.slack.messages) == 1


@pytest.mark.parametrize("way", ["webhook", None])
async def test_a_report_is_kept_whatever_the_way(house: ReporterHouse, way: str | None) -> None:
    await house.account()
    await house.equity(NOON, 10_000.0)
    await house.equity(NOON + timedelta(hours=1), 10_010.0)
    await house.restart(way)
    await at(house, FIVE, 60)
    assert len(house.slack.messages) == (1 if way else 0)
    assert len(await house.sql("SELECT FROM dashboards.reports WHERE picture IS NOT NULL")) == 1
    # Once there is a bot, nothing was lost.
    await house.restart("bot")
    await house.run(30, step=2)
    assert [bool(each.files) for each in house.slack.messages] == ([False] if way else [False, True])


async def test_old_rows_go(house: ReporterHouse) -> None:
    house.rules = rules(reports={"keep_days": 1.5})
    await house.restart()
    for day in range(4):
        await at(house, FIVE + timedelta(days=day), 6)
    kept = await house.sql("SELECT due_at FROM tracker.reports WHERE kind <> 'weekly' ORDER BY 1")
    assert [each["due_at"].day for each in kept] == [3, 4]
